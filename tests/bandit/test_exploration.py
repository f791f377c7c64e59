"""Exploration over contenders: what dropped arms keep, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit import policies, registry
from bandit.exploration import TOGETHER, Dropped
from bandit.features import Schema
from bandit.policy import Policy
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput

KEYS = ("a", "b", "c", "d")
WIDTH = 3


def learned(name: str, *, exploration: float = 0.2) -> Policy:
    """A policy of that name after 60 rows."""
    rng = np.random.default_rng(3)
    n = 60
    policy = policies.create(name, arms=Arms(KEYS), schema=Schema.numeric(WIDTH), exploration=exploration)
    policy.learn(
        Batch(
            contexts=rng.normal(size=(n, WIDTH)),
            arms=rng.integers(0, 4, n),
            rewards=rng.integers(0, 2, n).astype(np.float64),
            distributions=np.full((n, 4), 0.25),
            times=np.arange(n),
            weights=np.ones(n),
        )
    )
    return policy


@pytest.fixture(params=registry.names())
def name(request) -> str:
    """One policy after another."""
    return request.param


def test_nobody_dropped_changes_nothing(name):
    """Without dropped arms, or with some that the policy does not have, answers and bytes are what they were."""
    plain, other = learned(name), learned(name)
    other.dropped = Dropped(("gone",), 0.01)
    contexts = np.random.default_rng(1).normal(size=(5, WIDTH))
    np.testing.assert_array_equal(other.distribution(contexts), plain.distribution(contexts))
    np.testing.assert_array_equal(other.distribution_one(contexts[0]), plain.distribution_one(contexts[0]))
    assert b"dropped" not in plain.to_bytes()


@pytest.mark.parametrize("keep", [0.0, 0.01])
def test_contenders_share_as_if_the_dropped_had_never_been(name, keep):
    """p is the answer over the contenders alone, scaled by what the dropped keep; one by one the very same bits."""
    policy, plain = learned(name), learned(name)
    policy.dropped = Dropped(("b",), keep)
    contexts = np.random.default_rng(1).normal(size=(5, WIDTH))
    for allowed in (np.array([True] * 4), np.array([True, True, False, True])):
        answer = policy.distribution(contexts, allowed)
        alone = plain.distribution(contexts, allowed & np.array([True, False, True, True]))
        np.testing.assert_array_equal(answer[:, 1], keep)
        np.testing.assert_allclose(answer, (1 - keep) * alone + keep * np.eye(4)[1], atol=1e-15)
        np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-9)
        for row, context in enumerate(contexts):
            np.testing.assert_array_equal(policy.distribution_one(context.copy(), allowed), answer[row])
    np.testing.assert_array_equal(policy.distribution_one(contexts[0].copy()), policy.distribution(contexts)[0])


def test_somebody_always_answers(name):
    """Where only dropped arms are allowed, they share as if nobody had been dropped."""
    policy, plain = learned(name), learned(name)
    policy.dropped = Dropped(("b", "c"), 0.01)
    contexts = np.random.default_rng(1).normal(size=(3, WIDTH))
    allowed = np.array([[False, True, True, False], [True, True, False, False], [False, False, True, False]])
    answer, before = policy.distribution(contexts, allowed), plain.distribution(contexts, allowed)
    np.testing.assert_allclose(answer[[0, 2]], before[[0, 2]], atol=1e-15)
    np.testing.assert_allclose(answer[1], [0.99, 0.01, 0.0, 0.0], atol=1e-15)
    everybody = learned(name)
    everybody.dropped = Dropped(KEYS)
    np.testing.assert_allclose(everybody.distribution(contexts), plain.distribution(contexts), atol=1e-12)


def test_dropped_arms_are_saved_and_move_with_the_arms(name):
    """Bytes, and another set of arms, keep who was dropped; learning does too."""
    policy = learned(name)
    policy.dropped = Dropped(("b", "gone"), 0.01)
    copy = policies.from_bytes(policy.to_bytes())
    contexts = np.random.default_rng(1).normal(size=(3, WIDTH))
    assert copy.dropped == policy.dropped
    assert copy.to_bytes() == policy.to_bytes()
    np.testing.assert_array_equal(copy.distribution(contexts), policy.distribution(contexts))
    moved = policy.with_arms(Arms(("new", *KEYS)))
    assert moved.dropped == policy.dropped
    assert moved.exploration == policy.exploration
    np.testing.assert_array_equal(moved.distribution(contexts)[:, 2], 0.01)


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), arms=st.integers(1, 200), keep=st.sampled_from([0.0, 0.01, 0.3, 0.99]))
def test_any_number_of_dropped_arms_keeps_a_distribution(seed, arms, keep):
    """However many are dropped, they keep a fifth at most together, and contenders keep their exploration."""
    rng = np.random.default_rng(seed)
    keys = tuple(f"k{i}" for i in range(arms))
    policy = policies.create("fixed", arms=Arms(keys), exploration=0.1)
    out = rng.random(arms) < rng.random()
    policy.dropped = Dropped(tuple(np.array(keys)[out]), keep)
    allowed = rng.random((3, arms)) < 0.5
    allowed[:, rng.integers(arms)] = True
    answer = policy.distribution(None, allowed)
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-9)
    assert (answer[~allowed] == 0).all()
    for row, mask in zip(answer, allowed, strict=True):
        if (mask & ~out).any():
            assert row[out].sum() <= TOGETHER * (1 + 1e-9)
            assert row[mask & ~out].min() >= 0.1 * (1 - TOGETHER) / (mask & ~out).sum() - 1e-12


def test_bad_floors_are_refused():
    """What dropped arms keep is a share."""
    for bad in (-0.1, 1.0, float("nan")):
        with pytest.raises(InvalidInput, match="keep"):
            Dropped(("a",), bad)
