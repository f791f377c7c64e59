"""A plan that takes seconds, worked out in a process of its own: visitors who are being served shall not notice.

One at a time, and with what the machine has left: whoever asks meanwhile is asked to come back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from threading import Lock
from typing import Any

from bandit.validation import InvalidInput
from experiments.errors import Invalid, Unavailable
from experiments.statistics.planning.plan import Method, Plan, Way, plan

PATIENCE_SECONDS = 120
NICE = 10

_one = Lock()


def bandit_way(numbers: dict[str, Any]) -> Way:
    """Simulate a bandit.

    Parameters
    ----------
    numbers
        Arguments of :func:`experiments.statistics.planning.plan.plan`, by name.

    Raises
    ------
    Invalid
        A number is out of its range, or nothing of that size can be found.
    Unavailable
        Another simulation is running, or this one took too long.
    """
    if not _one.acquire(blocking=False):
        raise Unavailable("Another bandit is being simulated.", hint="Try again in half a minute.")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "dashboard.aside"],
            input=json.dumps(numbers),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable("The simulation took too long.", hint="Plan for a larger lift or fewer variants.") from None
    finally:
        _one.release()
    if done.returncode != 0:
        raise Unavailable("The simulation failed.", hint="Try again; the other rows of the plan do not need it.")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise Invalid(answer["error"])
    return Way(**answer)


def answer(text: str) -> str:
    """Return what the process prints for what it was told.

    >>> answer('{"baseline": 2, "lift": 0.1}')
    '{"error": "baseline must be a rate between 0 and 1 unless sd is given, found 2"}'
    """
    try:
        found: Plan = plan(**json.loads(text), method=Method.BANDIT)
    except InvalidInput as error:
        return json.dumps({"error": str(error)})
    return json.dumps(found.to_json()["bandit"])


if __name__ == "__main__":
    os.nice(NICE)
    sys.stdout.write(answer(sys.stdin.read()))
