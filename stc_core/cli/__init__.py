"""The command line: `main` dispatches, one module a command, `flags` says how dataclasses become flags."""
