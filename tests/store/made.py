"""What the contracts of the store have in common: a definition, a decision from outside, a policy version."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.store import LoggedDecision, PolicyVersion

BODY = {
    "key": "spring",
    "variants": [{"key": "a"}, {"key": "b"}],
    "metrics": [{"key": "sale", "window_seconds": 60}],
    "context": [{"name": "device", "type": "category", "values": ["mobile"]}],
}


def imported(number: int, value: float | None) -> LoggedDecision:
    """A decision of a log that comes from outside."""
    return LoggedDecision(
        decision=f"{number:032x}",
        version=1,
        phase=1,
        unit=None,
        time=number,
        variant="a",
        probability=0.5,
        variants=("a", "b"),
        distribution=np.array([0.5, 0.5]),
        policy="uniform",
        policy_version=0,
        reason="policy",
        analysis=True,
        seq=None,
        context={"device": "mobile"},
        rewards={"sale": value},
    )


def policy(site: Any, version: int, time: int = 0) -> PolicyVersion:
    """A policy version whose state is its number."""
    return PolicyVersion(site.experiment.id, version, 1, "thompson", str(version).encode(), "0" * 64, 0, 0, time)
