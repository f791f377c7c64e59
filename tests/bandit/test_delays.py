"""Delays: the law of delays, and policies that have learned open rows by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit import policies
from bandit.delays import BUCKETS, ENOUGH, Delays, bucket, edges
from bandit.features import Schema
from bandit.forgetting import HOUR
from bandit.policy import SumPolicy
from bandit.registry import REGISTRY
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput

KEYS = ("a", "b", "c")
WIDTH = 2
WINDOW = 24 * HOUR
SUMS = [name for name, kind in REGISTRY.items() if issubclass(kind, SumPolicy)]
few = settings(max_examples=15, deadline=None, derandomize=True)


def make(name: str, **params: float) -> SumPolicy:
    """A cold policy."""
    policy = policies.create(name, arms=Arms(KEYS), schema=Schema.numeric(WIDTH), exploration=0.1, **params)
    assert isinstance(policy, SumPolicy)
    return policy


def rows(n: int, seed: int) -> Batch:
    """Rows of a day, in the order of their times."""
    rng = np.random.default_rng(seed)
    return Batch(
        contexts=rng.normal(size=(n, WIDTH)),
        arms=rng.integers(0, len(KEYS), n),
        rewards=(rng.random(n) < 0.4).astype(np.float64),
        distributions=np.full((n, len(KEYS)), 1 / len(KEYS)),
        times=np.sort(rng.integers(1, WINDOW, n)),
        weights=np.ones(n),
    )


@few
@given(delays=st.lists(st.integers(-5, WINDOW + 5), min_size=ENOUGH, max_size=200))
def test_the_law_is_the_share_that_came_by_an_age(delays: list[int]) -> None:
    """At every edge it is the plain count; between them it never falls, and no delay is lost."""
    found = np.array(delays, dtype=np.int64)
    law = Delays.none(WINDOW).add(found, np.ones(len(found)))
    at = edges(WINDOW)
    inner = [(np.clip(found, 0, WINDOW - 1) < edge).mean() for edge in at]
    np.testing.assert_allclose(law.seen(at), inner, atol=1e-12)
    ages = np.linspace(0, 2 * WINDOW, 300)
    assert (np.diff(law.seen(ages)) >= 0).all()
    assert (law.seen(ages[ages >= WINDOW]) == 1).all()
    assert law.counts.sum() == len(found)


def test_laws_add_up() -> None:
    """The sums of parts are those of the whole; of other windows they are not taken."""
    rng = np.random.default_rng(1)
    delays, shares = rng.integers(0, WINDOW, 100), rng.random(100)
    whole = Delays.none(WINDOW).add(delays, shares)
    parts = Delays.none(WINDOW).add(delays[:30], shares[:30]) + Delays.none(WINDOW).add(delays[30:], shares[30:])
    np.testing.assert_allclose(parts.counts, whole.counts, rtol=1e-12)
    with pytest.raises(InvalidInput, match="windows"):
        Delays.none(1) + Delays.none(2)


def test_a_law_is_unknown_before_enough_rewards() -> None:
    """One rewarded row too few and nothing is said; buckets that are none are refused."""
    few_rows = Delays.none(WINDOW).add(np.zeros(ENOUGH - 1, dtype=np.int64), np.ones(ENOUGH - 1))
    assert not few_rows.known
    with pytest.raises(InvalidInput, match="found 49"):
        few_rows.seen(np.array([1]))
    assert few_rows.add(np.array([5]), np.ones(1)).known
    for bad in (np.zeros(BUCKETS), np.full((BUCKETS, BUCKETS + 1), np.nan), np.full((BUCKETS, BUCKETS + 1), -1.0)):
        with pytest.raises(InvalidInput, match="counts"):
            Delays(WINDOW, bad)


def test_open_rows_tell_of_delays_without_making_them_short() -> None:
    """From open rows alone, of which late rewards are not seen yet, the law is the true one up to the oldest age."""
    rng = np.random.default_rng(2)
    n = 40_000
    ages, delays = rng.uniform(0, 0.5 * WINDOW, n), rng.uniform(0, WINDOW, n)
    seen = delays <= ages
    law = Delays.none(WINDOW).add(delays[seen], np.ones(int(seen.sum())), ages[seen])
    at = edges(WINDOW)[edges(WINDOW) <= 0.5 * WINDOW]
    np.testing.assert_allclose(law.seen(at), at / at[-1], atol=0.02)
    assert law.seen(np.array([0.5 * WINDOW, WINDOW])).tolist() == [1.0, 1.0]
    naive = np.array([(delays[seen] <= edge).mean() for edge in at])
    assert np.abs(naive - at / at[-1]).max() > 0.1


def test_closed_and_open_rows_together() -> None:
    """Closed rows say what F is in the end, open ones make it surer; both are unbiased."""
    rng = np.random.default_rng(3)
    n = 40_000
    ages, delays = rng.uniform(0, 2 * WINDOW, n), rng.exponential(0.3 * WINDOW, n)
    ages, delays = ages[delays < WINDOW], delays[delays < WINDOW]
    seen = delays <= ages
    law = Delays.none(WINDOW).add(delays[seen], np.ones(int(seen.sum())), ages[seen])
    at = edges(WINDOW)
    np.testing.assert_allclose(law.seen(at), (1 - np.exp(-at / (0.3 * WINDOW))) / (1 - np.exp(-1 / 0.3)), atol=0.02)


def test_a_few_old_rows_decide_nothing() -> None:
    """Beyond the oldest age with enough rewards F is 1: a single late reward would else hide all that came before."""
    early = Delays.none(WINDOW).add(np.full(ENOUGH, 1.0), np.ones(ENOUGH), np.full(ENOUGH, WINDOW / 4))
    late = early.add(np.array([0.9 * WINDOW]), np.ones(1), np.array([0.95 * WINDOW]))
    ages = np.linspace(1, WINDOW, 50)
    np.testing.assert_array_equal(late.seen(ages), early.seen(ages))


def test_buckets_hold_their_lower_edge() -> None:
    """An edge belongs to the bucket that it begins."""
    at = edges(576).astype(np.int64)
    assert bucket(at, 576).tolist() == [*range(BUCKETS), BUCKETS - 1]


@pytest.mark.parametrize("name", SUMS)
@few
@given(seed=st.integers(0, 2**32 - 1))
def test_open_rows_count_by_what_is_seen(name: str, seed: int) -> None:
    """A rewarded open row is a whole one less 1 - F unrewarded ones, any other F unrewarded ones."""
    closed, batch = rows(20, seed), rows(30, seed + 1)
    fractions = np.random.default_rng(seed).random(30)
    policy = make(name)
    policy.learn(closed)
    before = policy.to_bytes()
    served = policy.with_provisional(batch, fractions)
    assert policy.to_bytes() == before
    shown, empty = make(name), make(name)
    shown.learn(replace(batch, weights=batch.rewards))
    empty.learn(replace(batch, rewards=np.zeros(30), weights=fractions - batch.rewards + 1))
    whole = make(name)
    whole.learn(replace(batch, rewards=np.zeros(30)))
    for key, array in served.state.items():
        expected = policy.state[key] + shown.state[key] + empty.state[key] - whole.state[key]
        np.testing.assert_allclose(array, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SUMS)
def test_all_seen_is_learned_as_ever(name: str) -> None:
    """With F = 1 the copy answers what learning the rows would, and with F = 0 and no reward nothing has changed."""
    policy, whole = make(name), make(name)
    closed, batch, contexts = rows(20, 1), rows(30, 2), rows(4, 3).contexts
    for each in (policy, whole):
        each.learn(closed)
    whole.learn(batch)
    served = policy.with_provisional(batch, np.ones(30))
    np.testing.assert_allclose(served.distribution(contexts), whole.distribution(contexts), atol=1e-6)
    unseen = policy.with_provisional(replace(batch, rewards=np.zeros(30)), np.zeros(30))
    assert unseen.to_bytes() == policy.to_bytes()
    assert policy.with_provisional(rows(0, 1), np.zeros(0)).to_bytes() == policy.to_bytes()
    again = policies.from_bytes(served.to_bytes())
    np.testing.assert_array_equal(again.distribution(contexts), served.distribution(contexts))


def test_what_moves_is_what_is_said() -> None:
    """Without context n += F and s += r; linear A += F·xx' and b += r·x; squares of rewards are seen ones."""
    batch, fractions = rows(30, 4), np.random.default_rng(4).random(30)
    batch = replace(batch, arms=np.zeros(30, dtype=np.int64), rewards=batch.rewards * 5)
    normal = make("thompson_normal").with_provisional(batch, fractions).state
    assert normal["n"][0] == pytest.approx(fractions.sum())
    assert normal["total"][0] == pytest.approx(batch.rewards.sum())
    assert normal["squares"][0] == pytest.approx((batch.rewards**2).sum())
    z = np.column_stack([np.ones(30), batch.contexts])
    linear = make("linucb").with_provisional(batch, fractions).state
    np.testing.assert_allclose(linear["outer"][0], (fractions * z.T) @ z, atol=1e-12)
    np.testing.assert_allclose(linear["cross"][0], batch.rewards @ z, atol=1e-12)


def test_a_default_that_is_not_zero() -> None:
    """An open row that shows nothing counts F defaults, and one that shows more the difference in full."""
    batch = replace(rows(2, 5), arms=np.zeros(2, dtype=np.int64), rewards=np.array([0.3, 1.0]))
    state = make("thompson").with_provisional(batch, np.array([0.5, 0.25]), default=0.3).state
    assert state["n"][0] == pytest.approx(0.75)
    assert state["total"][0] == pytest.approx(0.75 * 0.3 + (1.0 - 0.3))


@pytest.mark.parametrize("params", [{"half_life": 9.0}, {"half_life_hours": 3.0}])
def test_open_rows_fade_as_closed_ones(params: dict[str, float]) -> None:
    """With a half-life and F = 1, the copy is what learning the rows would make."""
    policy, whole = make("linear_thompson", **params), make("linear_thompson", **params)
    closed, batch = rows(20, 6), rows(30, 7)
    batch = replace(batch, times=batch.times + WINDOW)
    for each in (policy, whole):
        each.learn(closed)
    whole.learn(batch)
    served = policy.with_provisional(batch, np.ones(30))
    for key, array in whole.state.items():
        np.testing.assert_allclose(served.state[key], array, rtol=1e-9, atol=1e-12)


def test_bad_fractions_are_refused() -> None:
    """Fractions are one a row, within [0, 1]; rewards that the family cannot take are refused as ever."""
    policy = make("thompson")
    for bad in (np.ones(2), np.full(3, 1.1), np.full(3, -0.1), np.full(3, np.nan)):
        with pytest.raises(InvalidInput, match="fractions"):
            policy.with_provisional(rows(3, 1), bad)
    with pytest.raises(InvalidInput, match="rewards"):
        policy.with_provisional(replace(rows(3, 1), rewards=np.full(3, 2.0)), np.ones(3))
