from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.validation import InvalidInput
from experiments.statistics import ratio


@given(st.lists(st.integers(0, 10**7), min_size=2, max_size=8), st.randoms())
def test_order_of_variants_does_not_matter(counts: list[int], random: Any) -> None:
    """Permuting variants with their weights keeps the Bayes factor; no count gives NaN."""
    weights = [1.0 + index for index in range(len(counts))]
    pairs = list(zip(counts, weights, strict=True))
    random.shuffle(pairs)
    plain, shuffled = ratio.log_bayes_factor(counts, weights), ratio.log_bayes_factor(*zip(*pairs, strict=True))
    assert shuffled == pytest.approx(plain, rel=1e-9, abs=1e-6)
    assert 0 <= ratio.p_value(counts, weights) <= 1


def test_finds_a_wrong_split_and_keeps_quiet_about_a_right_one() -> None:
    """52:48 instead of 1:1 is an alarm after 20,000 rows; exact or ordinary luck is not."""
    assert ratio.p_value([10_400, 9_600], [1, 1]) < ratio.ALARM
    assert ratio.p_value(list(np.random.default_rng(7).multinomial(20_000, [0.5, 0.3, 0.2])), [5, 3, 2]) > 0.1


def test_weights_must_be_positive_and_as_many_as_counts() -> None:
    """A zero weight or a missing one is refused with what was found."""
    with pytest.raises(InvalidInput, match="must be positive"):
        ratio.p_value([1, 2], [1, 0])
    with pytest.raises(InvalidInput, match="found 2 and 3"):
        ratio.p_value([1, 2], [1, 1, 1])
