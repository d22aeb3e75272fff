"""The memory of a process that runs for long: how often it is looked through for garbage."""

from __future__ import annotations

import gc

# Objects allocated beyond those freed before a look at the young ones (Python's own: 700), and young looks before an older look.
# What a step or a page leaves behind is freed by counting references; a look in the middle of it finds nothing.
THRESHOLDS = (10_000, 20, 20)


def settle() -> None:
    """Call when all is loaded: it lives as long as the process, and looking through it would stop a request for a tenth of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
