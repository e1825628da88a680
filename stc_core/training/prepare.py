"""The former name of `python -m stc_core.datasets.prepare`, which it runs."""

from __future__ import annotations

from ..datasets.prepare import main

if __name__ == "__main__":
    main()
