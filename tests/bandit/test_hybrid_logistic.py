"""Logistic policies with shared parameters: exact after one row, warm for new arms, better where arms are many."""

from __future__ import annotations

import numpy as np
import pytest

from bandit import policies
from bandit.chance.quadrature import prob_best_normal
from bandit.features import Attribute, AttributeType, Schema
from bandit.simulate import World, simulate
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput

ALL = ["hybrid_logistic_ucb", "hybrid_logistic_thompson"]


def number(name: str) -> Attribute:
    """A plain number."""
    return Attribute(name, AttributeType.NUMBER, always_known=True)


SCHEMA = Schema([number("x0"), number("x1")], arms=[number("a0")])


def arms_of(values: list[float]) -> Arms:
    """Arms with one number for an attribute."""
    return Arms(tuple(f"k{i}" for i in range(len(values))), attributes=tuple({"a0": v} for v in values))


def batch(contexts: np.ndarray, arms: np.ndarray, rewards: np.ndarray, count: int) -> Batch:
    """Uniformly logged rows."""
    n = len(arms)
    return Batch(contexts, arms, rewards, np.full((n, count), 1 / count), np.zeros(n, dtype=np.int64), np.ones(n))


def scores(policy, context: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances of the log-odds, from the state alone."""
    z = np.append(1.0, context)
    means, variances = [], []
    for k in range(len(policy.arms)):
        joint = np.kron(np.append(1.0, policy.arms.attributes[k]["a0"]), z)
        parts = ((policy.state["shared_factor"], policy.state["shared_theta"], joint),)
        parts += ((policy.state["factor"][k], policy.state["theta"][k], z),)
        means.append(sum(theta @ features for _, theta, features in parts))
        variances.append(sum(((triangle(packed, len(f)).T @ f) ** 2).sum() for packed, _, f in parts))
    return np.array(means), np.array(variances)


def triangle(packed: np.ndarray, size: int) -> np.ndarray:
    """The upper triangular matrix of its rows."""
    whole = np.zeros((size, size))
    whole[np.triu_indices(size)] = packed
    return whole


def test_one_row_gives_the_marginals_of_the_dense_posterior():
    """Mean and both marginal covariances are those of Laplace's method on all coefficients at once."""
    policy = policies.create(ALL[0], arms=arms_of([0.5, -1.0]), schema=SCHEMA, ridge=2.0, shared_ridge=0.5)
    context = np.array([0.3, -0.7])
    z = np.append(1.0, context)
    policy.learn(batch(context[None], np.array([1]), np.ones(1), 2))
    row = np.concatenate([np.kron([1.0, -1.0], z), z])
    precision, mean = np.diag([0.5] * 6 + [2.0] * 3), np.zeros(9)
    for _ in range(30):
        p = 1 / (1 + np.exp(-row @ mean))
        hessian = precision + p * (1 - p) * np.outer(row, row)
        mean = mean - np.linalg.solve(hessian, precision @ mean - (1 - p) * row)
    covariance = np.linalg.inv(precision + p * (1 - p) * np.outer(row, row))
    np.testing.assert_allclose(policy.state["shared_theta"], mean[:6], atol=1e-12)
    np.testing.assert_allclose(policy.state["theta"][1], mean[6:], atol=1e-12)
    shared, own = triangle(policy.state["shared_factor"], 6), triangle(policy.state["factor"][1], 3)
    np.testing.assert_allclose(shared @ shared.T, covariance[:6, :6], atol=1e-12)
    np.testing.assert_allclose(own @ own.T, covariance[6:, 6:], atol=1e-12)
    assert not policy.state["theta"][0].any()


def learned(name: str, **params: float):
    """A policy over three arms that learned forty rows."""
    rng = np.random.default_rng(2)
    policy = policies.create(name, arms=arms_of([1.0, -1.0, 0.5]), schema=SCHEMA, **params)
    contexts, arms = rng.normal(size=(40, 2)), rng.integers(0, 3, 40)
    policy.learn(batch(contexts, arms, rng.integers(0, 2, 40).astype(float), 3))
    return policy


def test_the_bound_is_mean_plus_width():
    """The arm with the largest mean + alpha·sd gets everything."""
    for alpha in (0.0, 2.0):
        policy = learned(ALL[0], alpha=alpha)
        for context in np.random.default_rng(3).normal(size=(10, 2)):
            mean, variance = scores(policy, context)
            np.testing.assert_array_equal(
                policy.distribution_one(context), np.eye(3)[(mean + alpha * variance**0.5).argmax()]
            )


def test_thompson_shares_are_those_of_correlated_scores():
    """They agree with draws of all coefficients to .02, and differ from those of independent scores."""
    policy = learned(ALL[1], spread=1.0, shared_ridge=0.1, ridge=5.0)
    context = np.array([1.5, -0.5])
    z, rng = np.append(1.0, context), np.random.default_rng(4)
    joint = np.array([np.kron([1.0, described["a0"]], z) for described in policy.arms.attributes])
    common = joint @ triangle(policy.state["shared_factor"], 6) @ rng.normal(size=(6, 200_000))
    mean, variance = scores(policy, context)
    own = [np.linalg.norm(triangle(packed, 3).T @ z) for packed in policy.state["factor"]]
    drawn = mean[:, None] + common + np.array(own)[:, None] * rng.normal(size=(3, 200_000))
    shares = np.bincount(drawn.argmax(axis=0), minlength=3) / 200_000
    answer = policy.distribution_one(context)
    np.testing.assert_allclose(answer, shares, atol=0.02)
    assert np.abs(prob_best_normal(mean[None], variance[None] ** 0.5)[0] - answer).max() > 0.02


@pytest.mark.parametrize("name", ALL)
def test_a_new_arm_starts_warm_from_its_attributes(name):
    """Rewards follow the attribute: a new arm with the good value is preferred to one with the bad value at once."""
    rng = np.random.default_rng(5)
    values = [1.0, 1.0, -1.0, -1.0]
    policy = policies.create(name, arms=arms_of(values), schema=SCHEMA)
    arms = rng.integers(0, 4, 400)
    rewards = (rng.random(400) < np.where(np.array(values)[arms] > 0, 0.8, 0.2)).astype(float)
    policy.learn(batch(rng.normal(size=(400, 2)), arms, rewards, 4))
    fresh = policy.with_arms(Arms(("bad", "good"), attributes=({"a0": -1.0}, {"a0": 1.0})))
    assert fresh.distribution_one(np.zeros(2))[1] > 0.9
    assert not fresh.state["theta"].any()
    np.testing.assert_array_equal(fresh.state["shared_theta"], policy.state["shared_theta"])
    assert not np.shares_memory(fresh.state["shared_theta"], policy.state["shared_theta"])


def test_sharing_pays_where_arms_are_many():
    """With forty arms and 800 rounds it earns more than one regression an arm."""
    rng = np.random.default_rng(6)
    attributes, contexts = rng.normal(size=(40, 2)), rng.normal(size=(800, 2))
    expected = 1 / (1 + np.exp(-2 * contexts @ attributes.T))
    world = World("attributes", contexts, expected)
    schema = Schema([number("x0"), number("x1")], arms=[number("a0"), number("a1")])
    described = tuple({"a0": float(a), "a1": float(b)} for a, b in attributes)
    arms = Arms(tuple(f"k{i}" for i in range(40)), attributes=described)
    hybrid, disjoint = (
        simulate(lambda _, name=name: policies.create(name, arms=arms, schema=schema), world).mean_reward
        for name in ("hybrid_logistic_ucb", "logistic_ucb")
    )
    assert hybrid > disjoint + 0.03
    assert hybrid > 0.9


def test_rewards_beyond_a_chance_are_refused():
    """As by every logistic policy."""
    policy = learned(ALL[0])
    with pytest.raises(InvalidInput, match=r"\[0, 1\]"):
        policy.learn(batch(np.zeros((1, 2)), np.array([0]), np.array([2.0]), 3))
