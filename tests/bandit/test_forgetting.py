"""Forgetting: every family of sums that can fade fades by the half-lives it was given, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit import policies
from bandit.features import Schema
from bandit.forgetting import CLOCK, HOUR
from bandit.policy import NotMergeable, Policy, SumPolicy
from bandit.registry import REGISTRY
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput

KEYS = ("a", "b", "c")
WIDTH = 2
FADING = [
    name
    for name, kind in REGISTRY.items()
    if issubclass(kind, SumPolicy) and "half_life" in {parameter.name for parameter in kind.parameters}
]
few = settings(max_examples=15, deadline=None, derandomize=True)


def make(name: str, **params: float) -> Policy:
    """A cold policy."""
    return policies.create(name, arms=Arms(KEYS), schema=Schema.numeric(WIDTH), exploration=0.1, **params)


def rows(n: int, seed: int) -> Batch:
    """Rows over three days, not quite in the order of their times."""
    rng = np.random.default_rng(seed)
    return Batch(
        contexts=rng.normal(size=(n, WIDTH)),
        arms=rng.integers(0, len(KEYS), n),
        rewards=(rng.random(n) < 0.4).astype(np.float64),
        distributions=np.full((n, len(KEYS)), 1 / len(KEYS)),
        times=np.sort(rng.integers(1, 72 * HOUR, n)) - rng.integers(0, 2, n),
        weights=rng.choice([0.5, 1.0, 2.0], n),
    )


def cut(batch: Batch, at: list[int]) -> list[Batch]:
    """The batch in parts."""
    edges = [0, *sorted(at), len(batch)]
    return [Batch(*(getattr(batch, field)[low:high] for field in Batch.__slots__)) for low, high in pairwise(edges)]


def assert_same(policy: Policy, expected: Policy) -> None:
    """The sums agree to 1e-9, and the answers with them."""
    for name in expected.state:
        if name != CLOCK:
            np.testing.assert_allclose(policy.state[name], expected.state[name], rtol=1e-9, atol=1e-9)
    context = np.ones((1, WIDTH))
    np.testing.assert_allclose(policy.distribution(context), expected.distribution(context), atol=1e-6)


def test_families_that_fade() -> None:
    """The families of sums that were there first can all fade."""
    assert {"thompson", "thompson_normal", "linucb", "linear_thompson"} <= set(FADING)


@pytest.mark.parametrize("name", FADING)
@few
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 30), max_size=3))
def test_half_lives_are_the_explicit_weighted_sum(name: str, seed: int, cuts: list[int]) -> None:
    """However rows come in steps, the state is the sum in which every row has halved as often as it should have."""
    batch = rows(30, seed)
    later = np.arange(29, -1, -1)
    ages = (batch.times.max() - batch.times) / HOUR
    for params, halvings in (
        ({"half_life": 7.0}, later / 7.0),
        ({"half_life_hours": 10.0}, ages / 10.0),
        ({"half_life": 7.0, "half_life_hours": 10.0}, later / 7.0 + ages / 10.0),
    ):
        policy, expected = make(name, **params), make(name)
        for step in cut(batch, cuts):
            policy.learn(step)
        expected.learn(replace(batch, weights=batch.weights * 2.0**-halvings))
        assert_same(policy, expected)


@pytest.mark.parametrize("name", FADING)
def test_without_a_half_life_nothing_is_computed(name: str) -> None:
    """Half-lives of 0 leave the state's very bits, without a clock."""
    policy, plain = make(name, half_life=0.0, half_life_hours=0.0), make(name)
    for step in cut(rows(30, 1), [11]):
        policy.learn(step)
        plain.learn(step)
    assert policy.to_bytes() == plain.to_bytes()
    assert CLOCK not in policy.state


@pytest.mark.parametrize("params", [{"half_life": 5.0}, {"half_life_hours": 3.0}])
@pytest.mark.parametrize("name", FADING)
def test_goes_on_from_its_bytes(name: str, params: dict[str, float]) -> None:
    """The clock is saved with the sums: save, load, continue is bit-identical; other arms keep it, too."""
    policy = make(name, **params)
    first, second = cut(rows(40, 2), [25])
    policy.learn(first)
    copy = policies.from_bytes(policy.to_bytes())
    assert len(copy.to_bytes()) == len(make(name, **params).to_bytes())
    wider = policy.with_arms(Arms((*KEYS, "new"))).with_arms(Arms(KEYS))
    for each in (policy, copy, wider):
        each.learn(second)
    assert policy.to_bytes() == copy.to_bytes() == wider.to_bytes()


@pytest.mark.parametrize("name", FADING)
def test_parts_merge_by_time_alone(name: str) -> None:
    """By time the parts add up, whichever is later; by decisions nobody knows the order, so that it is refused."""
    batch = rows(40, 3)
    for order in ((0, 1), (1, 0)):
        parts = [make(name, half_life_hours=10.0) for _ in order]
        for policy, which in zip(parts, order, strict=True):
            policy.learn(cut(batch, [25])[which])
        whole = make(name, half_life_hours=10.0)
        whole.learn(batch)
        before = parts[1].to_bytes()
        merged = parts[0].merge(parts[1])
        assert_same(merged, whole)
        assert merged.state[CLOCK] == whole.state[CLOCK]
        assert parts[1].to_bytes() == before
    with pytest.raises(NotMergeable, match="half_life_hours"):
        make(name, half_life=5.0).merge(make(name, half_life=5.0))


@pytest.mark.parametrize("name", FADING)
def test_a_long_silence_leaves_the_prior(name: str) -> None:
    """After thousands of half-lives a row counts nothing: sums are zeros, not ever smaller numbers."""
    policy = make(name, half_life_hours=0.01)
    policy.learn(rows(40, 4))
    last = cut(rows(40, 4), [39])[1]
    policy.learn(replace(last, times=np.array([1000 * HOUR]), weights=np.zeros(1)))
    assert all((array == 0).all() for key, array in policy.state.items() if key != CLOCK)
    policy.learn(replace(last, times=np.array([1001 * HOUR])))
    assert np.isfinite(policy.distribution(np.ones((1, WIDTH)))).all()


def test_an_absurd_half_life_forgets_all_but_the_last_row() -> None:
    """The shortest number there is overflows nothing."""
    policy, expected = make("thompson", half_life=5e-324), make("thompson")
    policy.learn(rows(20, 5))
    expected.learn(cut(rows(20, 5), [19])[1])
    assert_same(policy, expected)


def test_discount() -> None:
    """A detector of change can make little of what is known, at once; only a share can be left."""
    policy, expected = make("linucb"), make("linucb")
    policy.learn(rows(30, 6))
    expected.learn(replace(rows(30, 6), weights=rows(30, 6).weights * 0.25))
    assert isinstance(policy, SumPolicy)
    policy.discount(0.25)
    assert_same(policy, expected)
    for bad in (-0.1, 1.1, float("nan")):
        with pytest.raises(InvalidInput, match="factor"):
            policy.discount(bad)
