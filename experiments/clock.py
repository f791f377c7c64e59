"""The clock of a running installation; everything else is given one."""

from __future__ import annotations

import time

from experiments.model import Micros


def system_clock() -> Micros:
    """Return the microseconds since 1970 UTC."""
    return time.time_ns() // 1000
