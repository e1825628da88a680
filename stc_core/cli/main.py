"""Turn videos of a person into animation.

    stc-mocap capture VIDEO --out DIR_OR_FILE       one video
    stc-mocap convert INPUT... --to bvh,fbx --out DIR   many
    stc-mocap smooth MOTION --out FILE --smoothing 2    a captured motion, smoothed anew in a moment
    stc-mocap stills VIDEO --out DIR --at 1.5       single pictures of a video
    stc-mocap doctor                                whether all that is needed is there

Each has --help. Exit codes: 0 done, 1 an error that you can mend, 2 wrong flags, 130 cancelled.
"""

import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence

from ..errors import UserError
from ..events import Failed, to_line
from ..lean_imports import pause_collector

Command = Callable[[Sequence[str]], int]


def print_any_name() -> None:
    """Let standard output take file names that are not UTF-8, as the bytes that they are."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")


def main() -> None:
    """Run the command of sys.argv and exit."""
    print_any_name()
    os.environ.setdefault("PYTHONSAFEPATH", "1")  # our processes take no modules from the working folder (Python 3.11)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # also where SIGINT is ignored, as after nohup
    name, args = (sys.argv[1:2] or ["--help"])[0], sys.argv[2:]
    if name not in _COMMANDS:
        print(__doc__ or "", file=sys.stdout if name in ("-h", "--help") else sys.stderr)
        sys.exit(0 if name in ("-h", "--help") else 2)
    try:
        with pause_collector():
            command = _COMMANDS[name]()
        code = command(args)
        gc.freeze()  # Python's end would look through all that libraries made: half a second
        sys.exit(code)
    except UserError as error:
        _fail(str(error).strip(), "--events" in args, 1)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("stc_core"):
            raise
        remedy = "Run: pip install 'stc-mocap[capture]'."
        _fail(f"The library {error.name} is not installed. {remedy}", "--events" in args, 1)
    except KeyboardInterrupt:
        _fail("Cancelled; what was not yet finished was not written.", "--events" in args, 130)


def _load_capture() -> Command:
    from .capture import run_capture

    return run_capture


def _load_convert() -> Command:
    from .convert import run_convert

    return run_convert


def _load_smooth() -> Command:
    from .smooth import run_smooth

    return run_smooth


def _load_stills() -> Command:
    from .stills import run_stills

    return run_stills


def _load_doctor() -> Command:
    from .doctor import run_doctor

    return run_doctor


_COMMANDS: dict[str, Callable[[], Command]] = {
    "capture": _load_capture,
    "convert": _load_convert,
    "smooth": _load_smooth,
    "stills": _load_stills,
    "doctor": _load_doctor,
}


def _fail(message: str, events: bool, code: int) -> None:
    if events:
        print(to_line(Failed(message)), flush=True)
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)
