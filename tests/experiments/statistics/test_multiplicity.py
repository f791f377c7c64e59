from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.validation import InvalidInput
from experiments.statistics import multiplicity
from experiments.statistics.multiplicity import Correction

several = st.lists(st.floats(0, 1), min_size=1, max_size=12)
SEVEN = [0.406, 0.073, 0.002, 0.0, 0.661, 0.833, 0.368]
FAMILY_WISE = set(Correction) - {Correction.NONE, Correction.BENJAMINI_HOCHBERG, Correction.BENJAMINI_YEKUTIELI}


@pytest.mark.parametrize(
    ("correction", "expected"),
    [
        (Correction.SIDAK, [0.9739081355, 0.4117551428, 0.0139162794, 0.0, 0.9994854852, 0.9999963774, 0.9597264839]),
        (Correction.HOLM, [1.0, 0.365, 0.012, 0.0, 1.0, 1.0, 1.0]),
        (Correction.SIMES_HOCHBERG, [0.833, 0.365, 0.012, 0.0, 0.833, 0.833, 0.833]),
        (Correction.HOMMEL, [0.833, 0.365, 0.012, 0.0, 0.833, 0.833, 0.833]),
        (Correction.BENJAMINI_HOCHBERG, [0.5684, 0.1703333333, 0.007, 0.0, 0.7711666667, 0.833, 0.5684]),
    ],
)
def test_seven_p_values(correction: Correction, expected: list[float]) -> None:
    """Adjusted p-values agree with statsmodels 0.15."""
    assert multiplicity.adjusted(SEVEN, correction).tolist() == pytest.approx(expected, abs=1e-9)


@given(several)
def test_order_does_not_matter_and_order_is_kept(p: list[float]) -> None:
    """Permuting p-values permutes what becomes of them; adjusting never lowers one, nor exchanges two."""
    order = np.random.default_rng(len(p)).permutation(len(p))
    for correction in Correction:
        found = multiplicity.adjusted(p, correction)
        assert multiplicity.adjusted(list(np.array(p)[order]), correction) == pytest.approx(found[order])
        assert np.all((found >= np.array(p) - 1e-12) & (found <= 1))
        assert np.all(np.diff(found[np.argsort(p, kind="stable")]) >= -1e-12)


@given(several)
def test_stronger_corrections_reject_no_less(p: list[float]) -> None:
    """Bonferroni ≥ Holm ≥ Hochberg ≥ Hommel ≥ Benjamini and Hochberg, one by one."""
    chain = ["bonferroni", "holm", "simes-hochberg", "hommel", "fdr_bh"]
    found = [multiplicity.adjusted(p, Correction(name)) for name in chain]
    for wide, narrow in itertools.pairwise(found):
        assert np.all(wide >= narrow - 1e-12)


@given(st.floats(0, 1))
def test_one_question_needs_no_correction(p: float) -> None:
    """Alone, a p-value stays what it is."""
    for correction in Correction:
        assert multiplicity.adjusted([p], correction)[0] == pytest.approx(p)


@given(st.lists(st.floats(-5, 12), min_size=1, max_size=12), st.floats(0.01, 0.5))
def test_e_bh_is_its_definition(logs: list[float], alpha: float) -> None:
    """Rejected are the k largest e-values, k the largest with e_(k) >= m/(alpha k)."""
    m, ordered = len(logs), sorted(logs, reverse=True)
    k = max([k for k in range(1, m + 1) if ordered[k - 1] >= math.log(m / alpha) - math.log(k)], default=0)
    assert multiplicity.e_bh(logs, alpha).sum() == k
    assert not k or min(np.array(logs)[multiplicity.e_bh(logs, alpha)]) == ordered[k - 1]


def test_nothing_to_adjust_and_what_cannot_be_adjusted() -> None:
    """No questions give no answers; p-values that are none are refused with what was found."""
    assert multiplicity.adjusted([], Correction.HOMMEL).tolist() == []
    assert multiplicity.e_bh([], 0.05).tolist() == []
    assert multiplicity.shared_alpha(0.05, 0) == 0.05
    assert multiplicity.e_bh([math.inf, -math.inf], 0.05).tolist() == [True, False]
    with pytest.raises(InvalidInput, match="found \\[nan\\]"):
        multiplicity.holm([math.nan])


def test_family_wise_corrections_hold_their_level() -> None:
    """Of families of five true nulls, 5% (plus three standard errors) have a false rejection."""
    p = np.random.default_rng(5).random((1_000, 5))
    for correction in FAMILY_WISE:
        false = np.mean([multiplicity.adjusted(family, correction).min() <= 0.05 for family in p])
        assert false <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / len(p))
