"""Where proofs come from: what tells the leading keeper that some variant of an experiment is beaten.

A source is asked again after every stored policy version, and answers from the frozen analysis rows up to that one. It
must be valid at every look and under traffic that a policy moves. What the leader does with the answer is recorded as a
version of the experiment (``by="proof"``), so that relearning drops the same variants at the same rows without asking.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from experiments.model import Experiment

Proofs: TypeAlias = Callable[[Experiment, int], frozenset[str]]
"""From an experiment and the number of its last row to the keys of variants that a contender is proved to beat."""


def nothing_proved(experiment: Experiment, seq: int) -> frozenset[str]:  # noqa: ARG001 - a source like any other
    """Return no variant: the sequences of a fixed split are not valid for the traffic of a bandit."""
    return frozenset()
