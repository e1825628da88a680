import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stc_core.lean_imports import leave_out, pause_collector

ROOT = Path(__file__).parents[1]


def loaded_by(module: str) -> set[str]:
    """The packages that a Python without anything else has loaded after importing a module."""
    code = f"import {module}, json, sys; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_a_module_left_out_is_empty_within_the_block_and_itself_after() -> None:
    sys.modules.pop("wave", None)
    with leave_out("wave"):
        import wave

        assert not hasattr(wave, "open")
    import wave

    assert hasattr(wave, "open")


def test_a_module_that_is_loaded_is_not_left_out() -> None:
    with leave_out("json"):
        assert sys.modules["json"] is json
    assert sys.modules["json"] is json


def test_a_block_that_loads_the_real_module_keeps_it() -> None:
    sys.modules.pop("wave", None)
    with leave_out("wave"):
        del sys.modules["wave"]
        import wave
    assert sys.modules["wave"] is wave and hasattr(wave, "open")


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_collector_is_afterwards_as_it_was_also_after_an_error(was_enabled: bool) -> None:
    (gc.enable if was_enabled else gc.disable)()
    try:
        with pytest.raises(ImportError), pause_collector():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() == was_enabled
    finally:
        gc.enable()


def test_a_capture_begins_without_the_libraries_that_it_needs_later_or_never() -> None:
    loaded = loaded_by("stc_core.capture.pipeline")
    assert "mediapipe" in loaded and not loaded & {"torch", "scipy", "matplotlib", "sounddevice", "av"}


def test_the_decoders_process_loads_no_network() -> None:
    loaded = loaded_by("stc_core.capture.video.decode_process")
    assert "av" in loaded and not loaded & {"torch", "scipy", "mediapipe", "cv2", "matplotlib"}
