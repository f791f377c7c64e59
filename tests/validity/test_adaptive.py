"""The short form of ``make bench-statistics``: real policies in worlds of known truth, looked at after every batch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.validity.adaptive import Setting, simulate
from tests.validity.worlds import BY_NAME

THOMPSON = [
    ("equal", 0.04),
    ("drift and gap", 0.04),
    ("shock", 0.2),
    ("2% base rate", 0.2),
    ("context", 0.2),
    ("ten variants", 0.2),
]


@pytest.mark.parametrize(("world", "exploration"), THOMPSON)
def test_no_interval_misses_more_often_than_it_says(world, exploration):
    """Of every variant, contrast and comparison with what was served, at every look: 5% and three standard errors."""
    found = simulate(Setting(BY_NAME[world], "thompson", exploration, rows=4000, runs=100))
    assert found.missed_means.max() <= found.bar
    assert found.missed_pairs.max() <= found.bar
    assert found.false_best <= found.bar
    assert np.abs(found.bias / found.bias_error).max() < 4.5  # four to twelve estimates at once, seeded


def test_plain_intervals_do_miss():
    """What the others are compared with: under drift and a bandit the sample mean is mostly wrong at some look."""
    found = simulate(Setting(BY_NAME["drift and gap"], "thompson", 0.04, rows=4000, runs=60))
    assert found.naive_missed.max() > 0.5


@pytest.mark.parametrize("policy", ["linear_thompson", "auto"])
def test_policies_that_see_the_visitor_are_judged_rightly(policy):
    """Ridge forecasts by the context, and traffic that follows it: the sample mean of a favoured variant is far off."""
    found = simulate(Setting(BY_NAME["context"], policy, 0.2, rows=3000, runs=20))
    assert found.missed_means.max() <= found.bar
    assert found.missed_pairs.max() <= found.bar
    assert found.naive_missed.max() > 0.9


def test_equal_drifting_variants_are_never_proved_best():
    """Though the chance to be best, as a product shows it, names a winner in most of these runs."""
    found = simulate(Setting(BY_NAME["drift"], "thompson", 0.04, rows=10_000, runs=60))
    assert found.false_best == 0
    assert found.believed > 0.1


def test_intervals_are_as_narrow_as_promised():
    """At most 2.05 plain widths with 1% of the traffic sure for each of four equal variants."""
    found = simulate(Setting(BY_NAME["equal"], "thompson", 0.04, rows=10_000, runs=60))
    assert found.width.max() <= 2.05
