"""`stc-mocap doctor`: whether this Python can run the engine, each need as a sentence, with the remedy where it lacks.

Knows what the engine needs; imports it only to check.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions, version

from ..errors import UserError

_NEEDS = ("numpy", "scipy", "torch", "safetensors", "mediapipe", "cv2", "av", "tyro", "tqdm", "matplotlib", "jinja2")
_REMEDY = "Run: pip install 'stc-mocap[capture]'."
_SYSTEM_REMEDY = "Install the system's library; on Debian and Ubuntu: apt-get install libgl1 libglib2.0-0."


def run_doctor(args: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    if args:
        print("usage: stc-mocap doctor", file=sys.stdout if args[0] in ("-h", "--help") else sys.stderr)
        return 0 if args[0] in ("-h", "--help") else 2
    results = []
    for is_met, sentence in check_needs():
        results.append(is_met)
        print(f"{'ok     ' if is_met else 'MISSING'}  {sentence}", flush=True)
    print("All is ready." if all(results) else "Something is missing; see the lines marked so.")
    return 0 if all(results) else 1


def check_needs() -> Iterator[tuple[bool, str]]:
    """For every need whether it is met, and a sentence about it."""
    supported = (3, 10) <= sys.version_info[:2] <= (3, 13)
    found = f"Python {sys.version.split()[0]}"
    yield supported, found if supported else f"{found} is not supported. Use Python 3.10 to 3.13."
    missing = False
    for name in _NEEDS:
        is_met, sentence = _check_library(name)
        missing |= not is_met
        yield is_met, sentence
    yield _check_opencv()
    if not missing:
        yield _check_device()
        yield from _check_weights()


def _check_library(name: str) -> tuple[bool, str]:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        remedy = _SYSTEM_REMEDY if ".so" in str(error) else _REMEDY
        return False, f"{name} cannot be imported ({error}). {remedy}"
    return True, f"{name} {getattr(module, '__version__', None) or version(name)}"


def _check_opencv() -> tuple[bool, str]:
    """Two OpenCV wheels write into one folder and break each other."""
    names = {str(d.metadata["Name"]).lower() for d in distributions()}
    wheels = sorted(name for name in names if name.startswith("opencv") and "python" in name)
    if len(wheels) <= 1:
        return True, f"OpenCV from {wheels[0] if wheels else 'the system'}"
    extra = [name for name in wheels if name != "opencv-contrib-python"]
    return False, f"Several OpenCV packages are installed ({', '.join(wheels)}). Run: pip uninstall {' '.join(extra)}."


def _check_device() -> tuple[bool, str]:
    from ..capture.lift.lift import choose_device

    device = choose_device("auto")
    return True, f"the network runs on {device.type}"


def _check_weights() -> Iterator[tuple[bool, str]]:
    from ..capture.config import QUALITIES, CaptureConfig, choose_detector, choose_weights
    from ..capture.detect.config import DetectConfig
    from ..capture.detect.hand_face_landmarkers import check_hand_face_models
    from ..capture.detect.landmarker import check_model
    from ..model.checkpoint import load_checkpoint

    for quality in QUALITIES:
        config = CaptureConfig(quality=quality)
        try:
            load_checkpoint(choose_weights(config))
            check_model(choose_detector(config))
            yield True, f"the networks of quality {quality} can be read"
        except UserError as error:
            yield False, str(error)
    try:
        check_hand_face_models(DetectConfig())
        yield True, "the networks of hands and face can be read"
    except UserError as error:
        yield False, str(error)
