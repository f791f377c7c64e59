from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.statistics.moments import Estimate, Moments

values = st.lists(st.floats(-1_000, 1_000).map(lambda v: round(v, 3)), max_size=40)


def moments_of(rows: list[float]) -> Moments:
    """The sums of some values."""
    return Moments(len(rows), math.fsum(rows), math.fsum(v * v for v in rows), sum(v != 0 for v in rows))


@given(values, values)
def test_adding_moments_adds_their_rows(left: list[float], right: list[float]) -> None:
    """The moments of two parts are those of the whole."""
    both, whole = moments_of(left) + moments_of(right), moments_of(left + right)
    assert (both.rows, both.nonzero) == (whole.rows, whole.nonzero)
    assert (both.total, both.squares) == pytest.approx((whole.total, whole.squares), rel=1e-9, abs=1e-9)


@given(values)
def test_estimate_is_the_textbooks_or_a_sentence(rows: list[float]) -> None:
    """The squared standard error is s²/n, and no list of values gives NaN."""
    estimate = moments_of(rows).estimate()
    if isinstance(estimate, Estimate):
        assert estimate.value == pytest.approx(np.mean(rows), abs=1e-9)
        if not moments_of(rows).is_binary:
            assert estimate.variance == pytest.approx(np.var(rows, ddof=1) / len(rows), rel=1e-6)
    else:
        assert len(rows) < 2 or np.ptp(rows) <= 1e-4 * max(abs(v) for v in rows)
