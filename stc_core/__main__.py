"""`python -m stc_core`, the command line of stc_core.cli."""

from .cli.main import main

if __name__ == "__main__":
    main()
