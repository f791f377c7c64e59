from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.types import Floats, Ints
from bandit.validation import InvalidInput
from experiments.statistics.propensity import ALARM, CASH, LOOK, AuditSums


def log_of(rows: int, arms: int, *, seed: int = 3) -> tuple[Ints, Floats]:
    """A clean log: what was drawn, from what, with some variants closed on some rows."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(arms), rows) * (rng.random((rows, arms)) < 0.8)
    p[p.sum(axis=1) == 0] = 1.0
    p /= p.sum(axis=1, keepdims=True)
    return draws(p, rng), p


def draws(p: Floats, rng: np.random.Generator) -> Ints:
    """One draw a row."""
    return np.asarray((p.cumsum(axis=1) > rng.random((len(p), 1))).argmax(axis=1))


def audited(chosen: Ints, p: Floats) -> AuditSums:
    """The audit of a whole log."""
    sums = AuditSums(p.shape[1])
    sums.add(chosen, p)
    return sums


def assert_same(one: AuditSums, other: AuditSums) -> None:
    """Both have the same state, bit for bit."""
    first, second = one.to_arrays(), other.to_arrays()
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


@given(st.lists(st.integers(0, 900), max_size=6), st.integers(1, 5))
def test_where_rows_are_cut_leaves_no_trace(cuts: Sequence[int], arms: int) -> None:
    """Whatever portions rows come in, the state is the same, bit for bit; so is what was stored and read again."""
    chosen, p = log_of(900, arms)
    sums, edges = AuditSums(arms), [0, *sorted(cuts), 900]
    for start, stop in itertools.pairwise(edges):
        sums = AuditSums.from_arrays(sums.to_arrays())
        sums.add(chosen[start:stop], p[start:stop])
    assert_same(sums, audited(chosen, p))
    assert sums.rows == 900
    assert sums.counts.sum() == 900
    assert sums.expected.sum() == pytest.approx(900)


def test_two_stretches_of_a_log_add_up() -> None:
    """The sums of both are those of the whole, to rounding."""
    chosen, p = log_of(5_000, 3)
    both, whole = audited(chosen[:1_700], p[:1_700]) + audited(chosen[1_700:], p[1_700:]), audited(chosen, p)
    assert both.rows == whole.rows
    assert both.log_e() == pytest.approx(whole.log_e(), rel=1e-9)


@pytest.mark.parametrize("p", [[0.2, 0.3, 0.5], [0.001, 0.999, 0.0], [1.0, 0.0, 0.0]])
def test_a_fair_bet_neither_wins_nor_loses(p: list[float]) -> None:
    """Exactly: the expected wealth after the next row is the wealth before it, whatever came before."""
    before = audited(*log_of(2_000, 3))
    after = []
    for arm in range(3):
        sums = AuditSums.from_arrays(before.to_arrays())
        sums.add(np.array([arm]), np.array([p]))
        after.append(math.exp(sums.log_e()))
    assert np.dot(p, after) == pytest.approx(math.exp(before.log_e()), rel=1e-12)


def test_variants_come_and_go_without_wealth_made_or_lost() -> None:
    """Wider, narrower, reordered: the e-value is what it was, also after an alarm, and what was learned moves along."""
    sums = audited(*log_of(3_000, 3))
    for places in ([2, 0, 1], [0, 1, 2, None], [1], [None, 0], [None, None]):
        wider = sums.widened(places)
        assert wider.log_e() == pytest.approx(sums.log_e(), abs=1e-12)
        assert (wider.rows, wider.arms) == (3_000, len(places))
        for at, place in enumerate(places):
            expected = 0.0 if place is None else sums.by_variant()[place]
            assert wider.by_variant()[at] == pytest.approx(expected, abs=1e-12)
    wrong = AuditSums(2)
    wrong.add(np.zeros(200, np.int64), np.full((200, 2), 0.5))
    assert wrong.widened([None, 1]).log_e() == pytest.approx(wrong.log_e())
    assert wrong.widened([None, None]).alarmed


def test_a_variant_that_never_was_open_costs_nothing() -> None:
    """With probability 0 everywhere, it is neither counted nor bet on."""
    sums = AuditSums(2)
    sums.add(np.zeros(1_000, np.int64), np.tile([1.0, 0.0], (1_000, 1)))
    assert sums.log_e() == pytest.approx(0.0, abs=1e-9)
    assert sums.p_value == 1.0


def test_millions_of_rows_neither_overflow_nor_vanish() -> None:
    """At a hundred million rows of a right log the cash is left; of a wrong one, a finite logarithm."""
    state = AuditSums(2).to_arrays()
    some = audited(np.arange(1_000) % 2, np.full((1_000, 2), 0.5)).to_arrays()
    for name in ("counts", "expected", "logs"):
        state[name] = some[name] * 1e5
    right = AuditSums.from_arrays(state)
    assert math.log(CASH) <= right.log_e() < 0
    state["counts"] = np.array([1e8, 0.0])
    wrong = AuditSums.from_arrays(state)
    assert 1e6 < wrong.log_e() < math.inf
    assert wrong.p_value == 0.0
    assert wrong.alarmed


def test_an_alarm_stays() -> None:
    """A stretch that was wrong is not forgotten because the rows after it are right."""
    sums = AuditSums(2)
    sums.add(np.zeros(LOOK, np.int64), np.full((LOOK, 2), 0.5))
    sums.add(np.ones(LOOK, np.int64), np.full((LOOK, 2), 0.5))
    assert sums.log_e() < math.log(ALARM) < sums.peak
    assert sums.alarmed
    assert sums.p_value < 0.001


@pytest.mark.parametrize(
    ("chosen", "p", "message"),
    [
        ([0], [[0.5, 0.5, 0.0]], "shape"),
        ([2], [[0.5, 0.5]], "below 2"),
        ([-1], [[0.5, 0.5]], "below 2"),
        ([0], [[1.5, 0.5]], "outside"),
        ([0], [[math.nan, 0.5]], "outside"),
    ],
)
def test_what_no_log_holds_is_refused(chosen: list[int], p: list[list[float]], message: str) -> None:
    """Before anything is changed, with a sentence."""
    sums = AuditSums(2)
    with pytest.raises(InvalidInput, match=message):
        sums.add(np.array(chosen), np.array(p))
    assert sums.rows == 0


def test_unlike_audits_do_not_add_up() -> None:
    """Nor do places that are not there, or twice."""
    with pytest.raises(InvalidInput, match="same variants"):
        AuditSums(2) + AuditSums(3)
    with pytest.raises(InvalidInput, match="distinct"):
        AuditSums(2).widened([0, 0])
    with pytest.raises(InvalidInput, match="below 2"):
        AuditSums(2).widened([2])


def test_a_tenth_too_much_is_found_and_a_right_log_is_left_alone() -> None:
    """Mean probability .1, logged a tenth too low: found within 50,000 rows in 20 of 20 logs; right ones never."""
    rng = np.random.default_rng(20)
    for seed in range(20):
        true = 0.1 + 0.05 * np.sin(np.arange(50_000) / 4_000 + seed)
        p = np.column_stack([true, (1 - true) * 0.6, (1 - true) * 0.4])
        chosen, logged = draws(p, rng), p * [0.9, 1.0, 1.0]
        logged[:, 1] += p[:, 0] * 0.1
        assert audited(chosen, logged).alarmed
        assert not audited(chosen, p).alarmed
