"""Late rewards: what each way of learning sends away from the best arm, in a short form of the full comparison."""

from __future__ import annotations

import numpy as np
import pytest

from bandit.policies import create
from bandit.policy import SumPolicy
from bandit.simulate.delayed import DelayedSimulation, DelayedWorld, Learning, simulate_delayed
from bandit.types import Arms
from bandit.validation import InvalidInput

SEEDS = range(12)
RATES = np.array([0.05, 0.06])


def cold() -> SumPolicy:
    """Thompson sampling over two arms."""
    policy = create("thompson", arms=Arms(("a", "b")))
    assert isinstance(policy, SumPolicy)
    return policy


EQUAL = DelayedWorld(np.array([0.04, 0.06]), np.array([6.0, 6.0]), visitors=200, hours=72)
"""Three days with a window of one, and both arms convert equally fast."""
SLOWER = DelayedWorld(RATES, np.array([4.0, 8.0]), visitors=100, hours=120)
"""Five days, and the best arm takes twice as long."""


def play(world: DelayedWorld, learning: Learning) -> DelayedSimulation:
    """Some seeds."""
    return simulate_delayed(cold, world, learning=learning, seeds=SEEDS)


def gap(first: DelayedSimulation, second: DelayedSimulation) -> tuple[float, float]:
    """How much more the first sends away, seed by seed, with its standard error."""
    difference = np.array([a.away - b.away for a, b in zip(first.runs, second.runs, strict=True)])
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))


def test_open_rows_win_back_most_of_what_waiting_costs() -> None:
    """Over the same visitors it sends less away than learning from matured rows alone, by four standard errors."""
    matured, opened, at_once = (play(EQUAL, way) for way in (Learning.MATURED, Learning.OPEN, Learning.AT_ONCE))
    won, error = gap(matured, opened)
    assert won > 4 * error
    waiting, _ = gap(matured, at_once)
    assert won > 0.4 * waiting > 0
    assert opened.wrong <= 0.1


def test_it_stays_right_where_the_best_arm_converts_slower() -> None:
    """Its law is pooled, and so favours fast arms for a while; the best one still wins, and not at one early age."""
    opened, early = play(SLOWER, Learning.OPEN), play(SLOWER, Learning.EARLY)
    assert opened.wrong <= 0.1
    assert opened.away < 0.4
    assert early.wrong >= 0.9
    assert early.away > 0.7


def test_runs_repeat() -> None:
    """A seed gives the same run, and its visitors are the same whatever is learned."""
    world = DelayedWorld(RATES, np.array([6.0, 6.0]), visitors=50, hours=30)
    first, again = (simulate_delayed(cold, world, learning=Learning.OPEN, seeds=[3, 4]) for _ in range(2))
    assert first == again
    assert first.away_error > 0
    assert first.runs[0] != first.runs[1]


@pytest.mark.parametrize(
    "fields",
    [
        {"rates": np.array([0.5, 1.5])},
        {"rates": np.array([0.5])},
        {"delays": np.array([1.0, 0.0])},
        {"early": 25.0},
        {"visitors": 0},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_worlds_that_cannot_be(fields: dict[str, object]) -> None:
    """Rates are probabilities, one an arm; delays are positive."""
    with pytest.raises(InvalidInput):
        DelayedWorld(**({"rates": RATES, "delays": np.array([1.0, 1.0])} | fields))  # type: ignore[arg-type]


def test_another_number_of_arms_is_refused() -> None:
    """A policy plays a world of as many arms; there must be a seed."""
    world = DelayedWorld(np.array([0.1, 0.2, 0.3]), np.ones(3), hours=2)
    with pytest.raises(InvalidInput, match="3 arms"):
        simulate_delayed(cold, world, learning=Learning.OPEN, seeds=[1])
    with pytest.raises(InvalidInput, match="seed"):
        simulate_delayed(cold, world, learning=Learning.OPEN, seeds=[])
