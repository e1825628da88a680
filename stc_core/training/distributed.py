"""The processes of one run, which torchrun starts. Knows ranks and devices; not what is computed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from ..errors import UserError


def find_rank() -> tuple[int, int]:
    """This process's number and how many there are."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


@contextmanager
def join_processes(device: str, chunks: int) -> Iterator[torch.device]:
    """Join the other processes that torchrun started, and yield this one's device.

    Raises UserError where a step's chunks cannot be shared out evenly.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    own = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    if chunks % size:
        raise UserError(f"{chunks} chunks do not go into {size} processes.", f"Set --chunks {size}.")
    if size == 1:
        yield own
        return
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield own
    finally:
        dist.destroy_process_group()


def average_over_processes(loss: Tensor) -> Tensor:
    """The mean over all processes, in each of them."""
    if dist.is_initialized():
        dist.all_reduce(loss)
        loss = loss / dist.get_world_size()
    return loss
