"""The former name of `python -m stc_core.evaluation.evaluate`, which it runs."""

from __future__ import annotations

from ..evaluation.evaluate import main

if __name__ == "__main__":
    main()
