"""What another page would have earned: unbiased where its assumption holds, by the logged placement propensities."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from bandit import policies
from bandit.slates import Assumption, Ranking, ips
from bandit.slates.worlds import cascade_clicks, cascade_value, position_clicks
from bandit.types import Arms
from bandit.validation import InvalidInput

ATTRACTION = np.array([0.1, 0.4, 0.2, 0.3])
GAMMA = np.array([0.9, 0.5])


def page(*weights: float) -> Ranking:
    """A page of two places that ranks by fixed weights."""
    return Ranking(policies.create("fixed", arms=Arms(tuple("abcd"), weights=weights)), places=2)


LOGGED, TARGET = page(1, 1, 2, 2), page(1, 6, 1, 2)
PAGES = np.array(list(permutations(range(4), 2)))


def vectors(which: Ranking, arms: np.ndarray, assumption: Assumption) -> np.ndarray:
    """What the estimator needs of a page."""
    if assumption is Assumption.PLACEMENT:
        return which.marginals(rows=len(arms))
    return which.conditionals(arms)


def expected(arms: np.ndarray, world: str) -> np.ndarray:
    """(n, S) the expected reward of each place."""
    if world == "position":
        return GAMMA * ATTRACTION[arms]
    looked = np.concatenate([np.ones((len(arms), 1)), 1 - ATTRACTION[arms[:, :1]]], axis=1)
    return looked * ATTRACTION[arms]


def truth(world: str) -> float:
    """The value of the target: over every page there is."""
    chances = np.take_along_axis(TARGET.conditionals(PAGES), PAGES[:, :, None], axis=2).prod(axis=(1, 2))
    return float((chances * expected(PAGES, world).sum(axis=1)).sum())


HOLDS = [
    (Assumption.PLACEMENT, "position"),
    (Assumption.SEQUENCE, "position"),
    (Assumption.SEQUENCE, "cascade"),
    (Assumption.PAGE, "position"),
    (Assumption.PAGE, "cascade"),
]


@pytest.mark.parametrize(("assumption", "world"), HOLDS)
def test_the_mean_over_all_pages_is_the_truth(assumption, world):
    """Σ_page π(page)·estimate(page) is the value of the target, exactly: no draws, no error."""
    of_logged = LOGGED.conditionals(PAGES)
    chances = np.take_along_axis(of_logged, PAGES[:, :, None], axis=2).prod(axis=(1, 2))
    rewards = expected(PAGES, world)
    total = 0.0
    for i, chance in enumerate(chances):
        one = slice(i, i + 1)
        value = ips(
            rewards[one],
            PAGES[one],
            logged=vectors(LOGGED, PAGES[one], assumption),
            target=vectors(TARGET, PAGES[one], assumption),
            assumption=assumption,
        )
        total += chance * value.value
    assert total == pytest.approx(truth(world), abs=1e-12)


@pytest.mark.parametrize(("assumption", "world"), HOLDS)
def test_a_log_tells_the_value_within_its_error(assumption, world):
    """20,000 seeded pages: within four standard errors of the truth."""
    rng = np.random.default_rng(8)
    drawn = LOGGED.draw(rng.random((20_000, 2)))
    noise = rng.random((20_000, 2))
    clicks = (
        position_clicks(ATTRACTION, GAMMA, drawn.arms, noise)
        if world == "position"
        else cascade_clicks(ATTRACTION, drawn.arms, noise)
    )
    logged = vectors(LOGGED, drawn.arms, assumption)
    target = vectors(TARGET, drawn.arms, assumption)
    found = ips(clicks, drawn.arms, logged=logged, target=target, assumption=assumption)
    assert abs(found.value - truth(world)) <= 4 * found.standard_error
    assert 0 < found.effective <= 20_000


def test_a_cascade_earns_once():
    """What a cascade earns at its places is the chance that anything is taken."""
    assert expected(PAGES, "cascade").sum(axis=1) == pytest.approx(cascade_value(ATTRACTION, PAGES))


def test_what_could_not_have_been_logged_is_refused():
    """A propensity of zero, and shapes that do not fit."""
    arms, p = np.array([[0, 1]]), np.zeros((1, 2, 4))
    with pytest.raises(InvalidInput, match="positive"):
        ips(np.zeros((1, 2)), arms, logged=p, target=p, assumption=Assumption.PAGE)
    with pytest.raises(InvalidInput, match="shapes"):
        ips(np.zeros((1, 3)), arms, logged=p, target=p, assumption=Assumption.PAGE)
