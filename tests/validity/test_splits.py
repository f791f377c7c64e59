"""Ten thousand looks at fixed splits without a difference, in the short form."""

from __future__ import annotations

import pytest

from tests.validity.splits import METRICS, peek, scalar_check, width_at_n_star


@pytest.mark.parametrize("metric", METRICS)
def test_looking_often_claims_nothing(metric):
    """Means, differences and lifts at 10,000 looks: 5% and three standard errors; a plain interval errs in half."""
    found = peek(metric, runs=200)
    assert found.mean <= found.bar
    assert found.difference <= found.bar
    assert found.plain > 0.4


@pytest.mark.parametrize("metric", METRICS)
def test_pages_show_what_was_simulated(metric):
    """At every look the public interval, and the lift where there is one, leave out zero exactly where we say so."""
    checked = list(scalar_check(metric))
    assert len(checked) == 200
    # What is counted here runs over looks so far, what pages show is of one look: each must agree look by look.
    assert all(here == difference for here, difference, _ in checked)
    assert all(lift is None or lift == difference for _, difference, lift in checked)


def test_width_at_the_planned_size():
    """At n* the interval is at most 1.6 times as wide as one that may be looked at once."""
    assert width_at_n_star() <= 1.6
