"""Files of weights: ours (safetensors with the configuration inside) and the published ones (PyTorch).

Knows key names and how to find a configuration; not devices or training. No file is ever unpickled beyond tensors, and
before a tensor is made, the configuration is checked, and the shapes in the file against those of its network.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..capture.layout import LAYOUTS
from ..errors import UserError
from ..files import atomic_write
from ..plain_values import from_plain
from .stcformer import STCFormer, STCFormerConfig

_CONFIG_KEY, _METADATA_KEY = "stcformer_config", "about"
_BLOCKS = "stcformer.stc_block."
_NOT_PICKLED_TENSORS = (
    *(pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError),
    *(OverflowError, MemoryError, ImportError),
)
"""what torch.load raises of files that are no state dict"""


class _WithoutInit(TorchFunctionMode):
    """Networks made in its context hold no first values, which take torch a second on the device "meta"."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs or {})


def save_checkpoint(model: STCFormer, path: Path, metadata: dict[str, Any], dtype: torch.dtype = torch.float16) -> None:
    """Write weights with their configuration and metadata (JSON-able: data, steps, errors); whole or not at all.

    Raises UserError where the file cannot be written.
    """
    tensors = {key: value.detach().to("cpu", dtype).contiguous() for key, value in model.state_dict().items()}
    texts = {_CONFIG_KEY: json.dumps(asdict(model.config)), _METADATA_KEY: json.dumps(metadata)}
    with atomic_write(path) as partial:
        save_file(tensors, partial, metadata=texts)


def load_checkpoint(path: Path) -> STCFormer:
    """The network in float32, in evaluation mode, on the CPU.

    Takes our .safetensors and published state dicts (.pth, .pt; also with the prefix `module.`), whose configuration
    is read off the shapes. Raises UserError where the file is missing, cannot be read, is damaged, holds more than
    tensors, is of another network, or holds weights that are not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no weights file {path}.", "Check the path.")
    try:
        with open(path, "rb"):
            pass
        config, tensors = _read_ours(path) if path.suffix == ".safetensors" else _read_published(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}).", "Check its permissions.") from None
    if not all(bool(value.isfinite().all()) for value in tensors.values()):
        raise UserError(f"{path} holds weights that are not finite numbers.", "Download or train it again.")
    with _WithoutInit():
        model = STCFormer(config)
    model.load_state_dict(tensors)
    return model.eval()


def read_metadata(path: Path) -> dict[str, Any]:
    """What was written about the weights when they were saved; empty for published files.

    Raises UserError where the file is damaged.
    """
    if Path(path).suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(_METADATA_KEY, "{}"))
    except (SafetensorError, ValueError, RecursionError):
        raise _damaged(path) from None
    return metadata if isinstance(metadata, dict) else {}


def _read_ours(path: Path) -> tuple[STCFormerConfig, dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            config = from_plain(STCFormerConfig, json.loads((file.metadata() or {})[_CONFIG_KEY]))
            keys = list(file.keys())
            _check_shapes(path, config, {key: tuple(file.get_slice(key).get_shape()) for key in keys})
            return config, {key: file.get_tensor(key).float() for key in keys}
    except (SafetensorError, KeyError, ValueError, TypeError, RecursionError):
        raise _damaged(path) from None


def _read_published(path: Path) -> tuple[STCFormerConfig, dict[str, Tensor]]:
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except _NOT_PICKLED_TENSORS:
        raise UserError(
            f"{path} is damaged or holds more than tensors, and is not opened for safety.",
            "Save its state dict alone with torch.save and choose that file.",
        ) from None
    if not isinstance(tensors, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in tensors.items()
    ):
        raise UserError(f"{path} is not a state dict.", "Save the network's state dict alone and choose that file.")
    tensors = {key.removeprefix("module."): value for key, value in tensors.items()}
    try:
        config = _guess_config(tensors)
    except (KeyError, ValueError):
        raise _other_network(path) from None
    _check_shapes(path, config, {key: tuple(value.shape) for key, value in tensors.items()})
    return config, {key: value.float() for key, value in tensors.items()}


def _guess_config(tensors: Mapping[str, Tensor]) -> STCFormerConfig:
    """The configuration that the shapes tell. Raises KeyError or ValueError where they are of something else."""
    width, channels = tensors["pose_emb.weight"].shape
    numbers = [int(key.split(".")[2]) for key in tensors if key.startswith(_BLOCKS)]
    return STCFormerConfig(channels=channels, width=width, blocks=1 + max(numbers, default=-1))


def _check_shapes(path: Path, config: STCFormerConfig, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises UserError where the tensors of a file are not those of its network; makes none of them."""
    layout = LAYOUTS.get(config.layout)
    with _WithoutInit(), torch.device("meta"):
        wanted = {key: tuple(value.shape) for key, value in STCFormer(config).state_dict().items()}
    if layout is None or len(layout.names) != len(config.parts) or wanted != dict(shapes):
        raise _other_network(path)


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} is not a weights file of STC Mocap, or is damaged.", "Download or train it again.")


def _other_network(path: Path) -> UserError:
    return UserError(f"{path} holds another network than STCFormer.", "Choose weights made for it.")
