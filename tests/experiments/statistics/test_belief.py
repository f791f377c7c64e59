from __future__ import annotations

import numpy as np
import pytest

from experiments.statistics.belief import Belief, belief, belief_binary, belief_normal
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
