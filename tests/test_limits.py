"""Memory limits hold, and are never wider than the user's."""

import subprocess
import sys

import pytest

resource = pytest.importorskip("resource", reason="the system knows no limits")

ALLOCATE = "from stc_core.limits import limit_memory\nlimit_memory({limit})\nbytearray({size})"


def run_limited(limit: int, size: int, own_limit: int = 0) -> str:
    """What a process says last that limits itself and then asks for so many bytes."""
    own = (
        f"import resource\nresource.setrlimit(resource.RLIMIT_DATA, ({own_limit}, {own_limit}))\n" if own_limit else ""
    )
    code = own + ALLOCATE.format(limit=limit, size=size)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return run.stderr.strip().rpartition("\n")[2]


def test_more_than_the_limit_is_not_had() -> None:
    assert run_limited(2 << 30, 1 << 30) == ""
    assert run_limited(2 << 30, 3 << 30) == "MemoryError"


def test_the_users_own_limit_stays() -> None:
    assert run_limited(8 << 30, 3 << 30, own_limit=2 << 30) == "MemoryError"
