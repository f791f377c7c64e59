"""``python -m experiments.warm``: compile every kernel once, so that no server does it under its first visitors.

Compiled code is kept beside the sources (about a minute for all of it), where every process finds it. Installing runs
this; where there is nowhere to write it changes nothing, and each process compiles what it needs.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from bandit import policies
from bandit.chance import quadrature
from bandit.features import Attribute, AttributeType, Schema
from bandit.features.schema import FEW
from bandit.offpolicy.terms import row_terms
from bandit.policy import Policy
from bandit.registry import missing, names
from bandit.types import Arms, Batch, Floats
from experiments.analysis.kernel import tally
from experiments.service.draw import Draws
from experiments.statistics.adaptive.bounded import BoundedSums
from experiments.statistics.adaptive.inference import lifts
from experiments.statistics.adaptive.plugins import Ridge, feed
from experiments.statistics.adaptive.sums import AdaptiveSums
from experiments.statistics.propensity import AuditSums

ROWS, WIDTH, WIDE = 4, 2, 40
ARMS = Arms(("a", "b", "c"))


def warm() -> None:
    """Take every path on which a kernel lies: drawing, choosing, learning, reporting and evaluating."""
    even = np.full(len(ARMS), 1 / len(ARMS))
    Draws(b"", 1).variant("anybody", slots=np.arange(len(ARMS)), p=even)
    _encode()
    for name in names():
        warm_policy(name)
    policies.create("auto", arms=ARMS, schema=Schema.numeric(WIDE))  # whose columns are drawn, not multiplied
    _judge(np.tile(even, (ROWS, 1)))
    _analyse()


def warm_policy(name: str) -> None:
    """Take every path of one policy."""
    if not name.startswith("vw_") and missing(name) is None:  # Vowpal Wabbit comes compiled
        _live(policies.create(name, arms=ARMS, schema=Schema.numeric(WIDTH), exploration=0.1))


def _encode() -> None:
    """Encode numbers and an interaction of theirs, one row and many."""
    numbers = [Attribute(name, AttributeType.NUMBER) for name in ("x", "y")]
    schema = Schema(numbers, interactions=[("x", "y")])
    schema.encode([{"x": 1.0, "y": 2.0}] * (FEW + 1))
    schema.encode_one({"x": 1.0, "y": 2.0})


def _live(policy: Policy) -> None:
    """Do with a policy what the server does, as it is made and as it is read back."""
    batch = _batch(WIDTH)
    for known in (policy, policies.from_bytes(policy.to_bytes())):
        for allowed in (None, np.array([True, False, True])):
            known.distribution(batch.contexts, allowed)
            known.distribution_one(batch.contexts[0], allowed)
        known.learn(batch)
        known.to_bytes()


def _judge(law: Floats) -> None:
    ones = np.ones(len(ARMS))
    quadrature.prob_best_beta(ones, ones)
    quadrature.expected_loss_beta(ones, ones)
    quadrature.prob_best_normal(ones, ones)
    quadrature.expected_loss_normal(ones, ones)
    quadrature.prob_best_student(ones, ones, 3 * ones)
    batch = _batch(WIDTH)
    rewards, propensities = batch.rewards, batch.propensities
    for writeable in (True, False):  # a log's columns are read-only, for which kernels are compiled apart
        rewards.flags.writeable = propensities.flags.writeable = writeable
        for model in (None, law):
            row_terms(law, batch.arms, rewards=rewards, propensities=propensities, model=model)


def _analyse() -> None:
    """Add rows to the sums of a metric, and look."""
    batch, sums = _batch(WIDTH), AdaptiveSums.cold(len(ARMS))
    feed(
        sums,
        Ridge(len(ARMS), WIDTH),
        chosen=batch.arms,
        outcomes=batch.rewards[:, None],
        p=batch.distributions,
        features=batch.contexts,
        audit=BoundedSums.cold(len(ARMS)),
    )
    lifts(sums)
    AuditSums(len(ARMS)).add(batch.arms, batch.distributions)
    lanes, tallies = np.zeros((ROWS, 1), dtype=np.int64), np.zeros((1, 7, len(ARMS)))
    tally(lanes, batch.arms, batch.rewards, batch.weights, tallies)


def _batch(width: int) -> Batch:
    return Batch(
        contexts=np.zeros((ROWS, width)),
        arms=np.arange(ROWS) % len(ARMS),
        rewards=np.ones(ROWS),
        distributions=np.full((ROWS, len(ARMS)), 1 / len(ARMS)),
        times=np.arange(ROWS),
        weights=np.ones(ROWS),
    )


def main() -> None:
    """Warm policies side by side, the longest first, so that both cores compile; then all the rest."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        list(pool.map(warm_policy, reversed(names())))
    warm()


if __name__ == "__main__":
    main()
