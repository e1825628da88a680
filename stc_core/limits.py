"""Limits on what a process of ours may take, before it opens what it does not trust."""

from __future__ import annotations

import importlib.util


def limit_memory(max_bytes: int) -> None:
    """Let this process take no more memory of its own, where the system allows such limits (not on Windows).

    A limit that the user set, such as a batch system's, is only lowered, never raised. Beyond the limit allocations
    fail: Python raises MemoryError, and libraries mostly end the process.
    """
    if importlib.util.find_spec("resource") is None:
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (soft, hard, max_bytes) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
