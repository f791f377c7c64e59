"""The long form: ``python -m tests.chaos [KILLS]`` kills each victim that often (10) and prints what came of it."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.server import Victim
from tests.chaos.siege import siege

LIMIT = 5.0
"""Seconds from a kill to ready, and from SIGTERM to the end."""


def main() -> int:
    """Run, print, and return the exit code."""
    each = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    kills = [victim for victim in Victim for _ in range(each)]
    random.Random(each).shuffle(kills)
    with tempfile.TemporaryDirectory() as folder:
        report = siege(Path(folder) / "data", kills, between=1.5)
    verdict = report.verdict
    out = [f"{len(kills)} kills, {verdict.decisions} decisions and {verdict.rewards} rewards acknowledged:"]
    out += [f"{len(verdict.lost)} lost, {len(verdict.doubled)} doubled, {len(verdict.changed)} changed"]
    exact = f"relearn exact: {report.relearned}; recount exact: {report.recounted}"
    out += [f"{verdict.late} rewards acknowledged after their window; {exact}"]
    for victim, seconds in report.restarts.items():
        out.append(f"{victim}: ready again after {sum(seconds) / len(seconds):.2f} s, worst {max(seconds):.2f} s")
    out += [f"stopped with {report.exit_code} in {report.stop_seconds:.2f} s; load average {os.getloadavg()[0]:.2f}"]
    sys.stdout.write("\n".join(out) + "\n")
    slow = max(max(seconds) for seconds in report.restarts.values()) > LIMIT or report.stop_seconds > LIMIT
    rebuilt = report.relearned and report.recounted
    return int(slow or not verdict.kept or not rebuilt or report.exit_code != 0)


if __name__ == "__main__":
    sys.exit(main())
