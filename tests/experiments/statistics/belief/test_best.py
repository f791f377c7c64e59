from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from bandit.validation import InvalidInput
from experiments.statistics.belief import Belief, belief, belief_binary, belief_normal, floored, top_two
from experiments.statistics.moments import Missing, Moments


def test_loss_of_binary_and_normal_beliefs_agree_with_plenty_of_data() -> None:
    """With thousands of rows the Beta and the normal posterior say the same."""
    variants = [Moments.binary(rows=20_000, conversions=s) for s in (2_000, 2_050, 2_080)]
    exact, normal = belief_binary(variants), belief_normal(variants)
    assert isinstance(normal, Belief)
    assert normal.best == pytest.approx(exact.best, abs=2e-3)
    assert normal.loss == pytest.approx(exact.loss, abs=2e-5)


def test_order_of_variants_does_not_matter() -> None:
    """Permuting the variants permutes the belief."""
    variants = [Moments.binary(rows=1_000, conversions=s) for s in (90, 100, 120)]
    forth, back = belief_binary(variants), belief_binary(variants[::-1])
    assert back.best[::-1] == pytest.approx(forth.best, abs=1e-12)
    assert sum(forth.best) == pytest.approx(1.0)


@pytest.mark.parametrize("binary", [True, False])
def test_degenerate_data_never_gives_nan(binary: bool) -> None:
    """Nothing, one row, no conversions, and equal values give finite numbers or a sentence."""
    cases = [
        [Moments(), Moments()],
        [Moments(1, 1.0, 1.0, 1), Moments()],
        [Moments(50, 0.0, 0.0, 0), Moments(60, 0.0, 0.0, 0)],
        [Moments(50, 50.0, 50.0, 50), Moments(60, 60.0, 60.0, 60)],
        [Moments(10**7, 5e6, 5e6, 5 * 10**6), Moments(10, 1.0, 1.0, 1)],
    ]
    for variants in cases:
        found = belief(variants, binary=binary)
        assert found.reason if isinstance(found, Missing) else np.isfinite(found.best + found.loss).all()


def test_one_variant_has_nothing_to_compare_with() -> None:
    """A single variant is neither best nor worst."""
    assert belief([Moments(5, 1.0, 1.0, 1)], binary=True) == Missing("there is nothing to compare with")


@pytest.mark.parametrize(
    "posteriors", [[(2, 3), (30, 40), (1, 1)], [(1001, 9001), (1051, 8951), (21, 150)], [(1, 900), (3, 700)]]
)
def test_within_a_millionth_of_adaptive_quadrature(posteriors: list[tuple[int, int]]) -> None:
    """Chance to be best and expected loss of any few posteriors are those of scipy's adaptive quadrature."""
    variants = [Moments.binary(rows=a + b - 2, conversions=a - 1) for a, b in posteriors]
    found = belief_binary(variants)
    laws = [stats.beta(a, b) for a, b in posteriors]
    cuts = sorted({float(law.ppf(q)) for law in laws for q in (1e-12, 1e-4, 0.1, 0.5, 0.9, 1 - 1e-4, 1 - 1e-12)})

    def whole(function: Callable[[float], float]) -> float:
        return math.fsum(
            integrate.quad(function, low, high, epsabs=1e-13, epsrel=1e-10)[0] for low, high in pairwise(cuts)
        )

    for k, law in enumerate(laws):
        others = [other for j, other in enumerate(laws) if j != k]
        best = whole(lambda t, law=law, others=others: law.pdf(t) * math.prod(other.cdf(t) for other in others))
        assert found.best[k] == pytest.approx(best, abs=1e-6)
    top = cuts[-1] - whole(lambda t: math.prod(law.cdf(t) for law in laws))
    expected = [top - law.mean() for law in laws]
    assert found.loss == pytest.approx(expected, abs=1e-6)


def test_top_two_is_what_drawing_gives() -> None:
    """Half the chance to be best or second best, as in 200,000 draws."""
    mean, sd = np.array([0.1, 0.11, 0.12, 0.125]), np.array([0.01, 0.01, 0.02, 0.01])
    drawn = np.random.default_rng(1).normal(mean, sd, (200_000, 4)).argsort(axis=1)[:, -2:]
    assert top_two(mean.tolist(), sd.tolist()) == pytest.approx(np.bincount(drawn.ravel()) / 400_000, abs=3e-3)


def test_floors_leave_no_variant_without_traffic() -> None:
    """Shares are mixed with even ones; a floor that all variants together cannot have is refused."""
    assert floored([1.0, 0.0], 0.1).tolist() == pytest.approx([0.9, 0.1])
    with pytest.raises(InvalidInput, match=r"found 0\.6"):
        floored([1.0, 0.0], 0.6)
    with pytest.raises(InvalidInput, match="found 1 and 1"):
        top_two([0.1], [0.1])
