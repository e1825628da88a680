"""Files of weights: ours (safetensors with the configuration inside) and the published ones (PyTorch).

Knows key names and how to find a configuration; not devices or training. No file is ever unpickled beyond tensors.
"""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import UserError
from .stcformer import STCFormer, STCFormerConfig

_CONFIG_KEY, _ABOUT_KEY = "stcformer_config", "about"


def save_checkpoint(model: STCFormer, path: Path, about: dict[str, Any], dtype: torch.dtype = torch.float16) -> None:
    """Write weights with their configuration and `about` (JSON-able: data, steps, errors); whole or not at all."""
    tensors = {key: value.detach().to("cpu", dtype).contiguous() for key, value in model.state_dict().items()}
    partial = path.with_name(path.name + ".partial")
    metadata = {_CONFIG_KEY: json.dumps(asdict(model.config)), _ABOUT_KEY: json.dumps(about)}
    save_file(tensors, partial, metadata=metadata)
    os.replace(partial, path)


def load_checkpoint(path: Path) -> STCFormer:
    """The network in float32, in evaluation mode, on the CPU.

    Takes our .safetensors and published state dicts (.pth, .pt; also with the prefix `module.`), whose configuration
    is read off the shapes. Raises UserError where the file is missing, holds more than tensors, or is another network.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no weights file {path}.", "Check the path.")
    config, tensors = _read_ours(path) if path.suffix == ".safetensors" else _read_published(path)
    model = STCFormer(config)
    try:
        model.load_state_dict({key: value.float() for key, value in tensors.items()})
    except RuntimeError:
        raise UserError(f"{path} holds another network than STCFormer.", "Choose weights made for it.") from None
    return model.eval()


def read_about(path: Path) -> dict[str, Any]:
    """What was written about the weights when they were saved; empty for published files."""
    if Path(path).suffix != ".safetensors":
        return {}
    with safe_open(path, framework="pt") as file:
        return json.loads((file.metadata() or {}).get(_ABOUT_KEY, "{}"))


def _read_ours(path: Path) -> tuple[STCFormerConfig, dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        fields = json.loads(metadata[_CONFIG_KEY])
        lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
        return STCFormerConfig(**(fields | lists)), tensors
    except (SafetensorError, KeyError, ValueError, TypeError):
        raise UserError(f"{path} is not a weights file of STC Mocap.", "Download or train it again.") from None


def _read_published(path: Path) -> tuple[STCFormerConfig, dict[str, Tensor]]:
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError):
        raise UserError(
            f"{path} is damaged or holds more than tensors, and is not opened for safety.",
            "Save its state dict alone with torch.save and choose that file.",
        ) from None
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise UserError(f"{path} is not a state dict.", "Save the network's state dict alone and choose that file.")
    tensors = {key.removeprefix("module."): value for key, value in tensors.items()}
    if "pose_emb.weight" not in tensors:
        raise UserError(f"{path} holds another network than STCFormer.", "Choose weights made for it.")
    width, channels = tensors["pose_emb.weight"].shape
    blocks = 1 + max((int(key.split(".")[2]) for key in tensors if key.startswith("stcformer.stc_block.")), default=-1)
    return STCFormerConfig(channels=channels, width=width, blocks=blocks), tensors
