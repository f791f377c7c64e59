"""The quick P(best) against the exact one."""

from __future__ import annotations

import numpy as np
import pytest

from bandit.chance.quadrature import prob_best_normal
from bandit.chance.quick import prob_best_quickly


def quickly(mean, sd):
    """The (K,) answer as a value."""
    best = np.empty(len(mean))
    prob_best_quickly(np.asarray(mean, dtype=np.float64), np.asarray(sd, dtype=np.float64), best)
    return best


@pytest.mark.parametrize(("arms", "bound"), [(2, 1e-4), (3, 1e-4), (10, 1e-4), (50, 3e-4), (200, 3e-4)])
@pytest.mark.parametrize("ratio", [1.0, 1.5, 5.0, 30.0])
def test_is_close_to_the_exact_law(arms, bound, ratio):
    """The total variation is a fraction of the promised 1e-3, for alike and for unlike deviations."""
    rng = np.random.default_rng(arms)
    mean = rng.normal(size=(40, arms)) * 10.0 ** rng.uniform(-2, 1.5, (40, 1))
    sd = ratio ** rng.random((40, arms))
    sd[:, :2] = 1.0, ratio
    quick = np.array([quickly(*row) for row in zip(mean, sd, strict=True)])
    assert (0.5 * np.abs(quick - prob_best_normal(mean, sd)).sum(axis=1)).max() <= bound


@pytest.mark.parametrize(
    ("mean", "sd", "expected"),
    [
        ([3.0], [1.0], [1.0]),
        ([0.0, 0.0], [1.0, 1e6], [0.5, 0.5]),
        ([1e15, 0.0], [1e-6, 1.0], [1.0, 0.0]),
        ([1e15, 1e15], [1e-6, 1e-6], [0.5, 0.5]),
        ([-1e9, 1e9, 1e9], [1e-9, 1e-9, 1e-9], [0.0, 0.5, 0.5]),
    ],
)
def test_extremes(mean, sd, expected):
    """It ends, and sensibly, where deviations are lost in the rounding of the means, or differ a millionfold."""
    np.testing.assert_allclose(quickly(mean, sd), expected, atol=1e-4)
