"""The draws: their law, and how little they move."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bandit.types import Floats, Ints
from experiments.service.draw import Draws

DRAWS = Draws(b"a salt", 1)
UNITS = 20_000


def winners(p: Floats, slots: Ints | None = None, *, draws: Draws = DRAWS) -> Ints:
    """The variant of each of many units."""
    slots = np.arange(len(p)) if slots is None else slots
    return np.array([draws.variant(f"unit {i}", slots=slots, p=p) for i in range(UNITS)])


def test_the_law_is_p() -> None:
    """Seeded chi-square over ten variants; a right law fails in one salt of a thousand, this is not one of them."""
    p = np.array([0.3, 0.2, 0.15, 0.1, 0.08, 0.07, 0.05, 0.03, 0.019, 0.001])
    counts = np.bincount(winners(p), minlength=len(p))
    assert stats.chisquare(counts, p * UNITS).pvalue > 0.001


def test_a_variant_without_probability_is_never_drawn() -> None:
    """Zero is zero; a single allowed variant always wins."""
    assert set(winners(np.array([0.0, 1.0, 0.0]))) == {1}
    with pytest.raises(ValueError, match="no variant"):
        DRAWS.variant("unit", slots=np.arange(2), p=np.zeros(2))


def test_the_order_of_variants_does_not_matter() -> None:
    """The chance belongs to the slot."""
    p, order = np.array([0.5, 0.3, 0.2]), np.array([2, 0, 1])
    np.testing.assert_array_equal(order[winners(p[order], order)], winners(p))


def test_a_new_variant_takes_units_and_shuffles_none() -> None:
    """Whoever does not move to it stays."""
    before = winners(np.array([0.5, 0.5]))
    after = winners(np.array([0.4, 0.4, 0.2]))
    moved = before != after
    assert set(after[moved]) == {2}
    assert abs(moved.mean() - 0.2) < 0.01


def test_a_small_change_of_p_moves_hardly_more_than_it_must() -> None:
    """At a total variation of .10 over ten variants an inverse CDF moves .22."""
    p = np.full(10, 0.1)
    q = p + np.array([0.02] * 5 + [-0.02] * 5)
    moved = (winners(p) != winners(q)).mean()
    assert 0.095 < moved < 0.13


def test_experiments_draw_independently() -> None:
    """Two experiments with the same split agree as often as chance has it."""
    p = np.array([0.5, 0.5])
    agree = (winners(p) == winners(p, draws=Draws(b"a salt", 2))).sum()
    assert stats.binomtest(int(agree), UNITS, 0.5).pvalue > 0.001


def test_traffic_has_its_share_and_only_grows() -> None:
    """Raising the share keeps everybody who was in."""
    none, some, more, everybody = (
        {i for i in range(UNITS) if DRAWS.in_traffic(f"unit {i}", share=share)} for share in (0.0, 0.3, 0.6, 1.0)
    )
    assert none == set()
    assert some < more < everybody == set(range(UNITS))
    assert stats.binomtest(len(some), UNITS, 0.3).pvalue > 0.001


def test_traffic_and_variant_are_independent() -> None:
    """One hash is never used twice: those in traffic split as the others do."""
    p = np.array([0.5, 0.5])
    inside = np.array([DRAWS.in_traffic(f"unit {i}", share=0.5) for i in range(UNITS)])
    assert stats.chi2_contingency(np.histogram2d(inside, winners(p), bins=2)[0]).pvalue > 0.001
