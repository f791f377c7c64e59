from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.validation import InvalidInput
from experiments.statistics.moments import Estimate
from experiments.statistics.planning.proof import rows_to_proof
from experiments.statistics.planning.watched import waiting
from experiments.statistics.sequential import Tuning, interval, tau


@given(st.floats(0.001, 0.3), st.floats(0.05, 0.5), st.floats(100, 1e6), st.floats(0.001, 0.2))
def test_the_fixed_split_leaves_zero_out_exactly_then(gap: float, share: float, n_star: float, alpha: float) -> None:
    """The interval of the sequence touches zero at the rows found, in either direction."""
    inverse = [1 / share, 1 / (1 - share)]
    rows = rows_to_proof(gap, variances=[0.09, 0.1], inverse=inverse, alpha=alpha, n_star=n_star)
    variance = (0.09 * inverse[0] + 0.1 * inverse[1]) / rows
    found = interval(Estimate(gap, variance, rows), Tuning(alpha=alpha, n_star=n_star))  # type: ignore[arg-type]
    assert found.low == pytest.approx(0.0, abs=1e-8 * gap)
    assert rows_to_proof(-gap, variances=[0.09, 0.1], inverse=inverse, alpha=alpha, n_star=n_star) == rows


def test_moving_traffic_leaves_zero_out_exactly_then() -> None:
    """The same with an η that was tuned to another variance."""
    v, unit = 0.09 * 4 + 0.1 * 1.5, 4 * 4 * 0.09
    n = rows_to_proof(0.02, variances=[0.09, 0.1], inverse=[4, 1.5], unit=unit)
    eta = unit * 10_000 / tau(0.05)
    assert n * 0.02 == pytest.approx(math.sqrt((n * v + eta) * math.log((n * v + eta) / (eta * 0.0025))), rel=1e-9)


def test_more_than_half_of_the_experiments_are_proved_by_then() -> None:
    """And fewer than two thirds: it is an estimate of when, not a promise."""
    rows = rows_to_proof(0.1, variances=[4, 4], inverse=[2, 2], n_star=10_000)
    assert 0.5 < waiting(0.1, [4, 4], horizon=4 * rows, n_star=10_000).at(rows) < 0.66


def test_rarely_shown_variants_and_small_differences_take_longer() -> None:
    """Half the difference more than three times; no difference for ever."""
    rows = [rows_to_proof(gap, variances=[1, 1], inverse=[2, 2]) for gap in (0.1, 0.05, 1e-9, 0.0)]
    assert rows[1] > 3 * rows[0]
    assert rows[2:] == [math.inf, math.inf]
    assert rows_to_proof(0.1, variances=[1, 1], inverse=[20, 1.05]) > 3 * rows[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gap": math.nan}, "gap"),
        ({"variances": [1]}, "two variants"),
        ({"variances": [0, 0]}, "positive"),
        ({"variances": [1, math.inf]}, "variances"),
        ({"inverse": [0.5, 2]}, "inverse"),
        ({"n_star": 0}, "n_star"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    """With what was found."""
    arguments = {"gap": 0.1, "variances": [1, 1], "inverse": [2, 2]} | change
    with pytest.raises(InvalidInput, match=message):
        rows_to_proof(**arguments)  # type: ignore[arg-type]


def test_it_takes_numpy_numbers() -> None:
    """As they come out of sums."""
    rows = rows_to_proof(np.float64(0.1), variances=np.array([1.0, 1.0]), inverse=np.array([2.0, 2.0]))  # type: ignore[arg-type]
    assert rows == rows_to_proof(0.1, variances=[1, 1], inverse=[2, 2])
