"""Whether this Python can run the engine: each need as one sentence, with the remedy where it is missing.

Knows what the engine needs; imports it only to look.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.metadata import distributions, version

from ..errors import UserError

_NEEDS = ("numpy", "scipy", "torch", "safetensors", "mediapipe", "cv2", "tyro", "tqdm", "matplotlib", "jinja2")
_REMEDY = "Run: pip install 'stc-mocap[capture]'."
_SYSTEM_REMEDY = "Install the system's library; on Debian and Ubuntu: apt-get install libgl1 libglib2.0-0."


def doctor() -> Iterator[tuple[bool, str]]:
    """For every need whether it is met, and a sentence about it."""
    supported = (3, 10) <= sys.version_info[:2] <= (3, 13)
    found = f"Python {sys.version.split()[0]}"
    yield supported, found if supported else f"{found} is not supported. Use Python 3.10 to 3.13."
    missing = False
    for name in _NEEDS:
        fine, sentence = _library(name)
        missing |= not fine
        yield fine, sentence
    yield _one_opencv()
    if not missing:
        yield _device()
        yield from _weights()


def _library(name: str) -> tuple[bool, str]:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        remedy = _SYSTEM_REMEDY if ".so" in str(error) else _REMEDY
        return False, f"{name} cannot be imported ({error}). {remedy}"
    return True, f"{name} {getattr(module, '__version__', None) or version(name)}"


def _one_opencv() -> tuple[bool, str]:
    """Two OpenCV wheels write into one folder and break each other."""
    names = {str(d.metadata["Name"]).lower() for d in distributions()}
    wheels = sorted(name for name in names if name.startswith("opencv") and "python" in name)
    if len(wheels) <= 1:
        return True, f"OpenCV from {wheels[0] if wheels else 'the system'}"
    extra = [name for name in wheels if name != "opencv-contrib-python"]
    return False, f"Several OpenCV packages are installed ({', '.join(wheels)}). Run: pip uninstall {' '.join(extra)}."


def _device() -> tuple[bool, str]:
    from ..capture.lift import choose_device

    device = choose_device("auto")
    return True, f"the network runs on {device.type}"


def _weights() -> Iterator[tuple[bool, str]]:
    from ..capture.detect import check_model
    from ..capture.pipeline import QUALITIES, CaptureConfig, detector_of, weights_of
    from ..model.checkpoint import load_checkpoint

    for quality in QUALITIES:
        config = CaptureConfig(quality=quality)
        try:
            load_checkpoint(weights_of(config))
            check_model(detector_of(config))
            yield True, f"the networks of quality {quality} can be read"
        except UserError as error:
            yield False, str(error)
