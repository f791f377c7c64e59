"""Logistic policies: the posterior is the one of dense algebra, the law is that of the posterior."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit import policies
from bandit.bases.logistic import LogisticPolicy
from bandit.chance.quadrature import prob_best_normal
from bandit.checks import LARGEST
from bandit.features import Schema
from bandit.kernels.laplace import mode
from bandit.policies.logistic import LogisticThompson, LogisticUCB
from bandit.simulate import digits, simulate
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput

KINDS = (LogisticUCB, LogisticThompson)


def batch(contexts: np.ndarray, arms: np.ndarray, rewards: np.ndarray, weights: np.ndarray | None = None) -> Batch:
    """Uniformly logged rows over three arms."""
    n = len(arms)
    times = np.zeros(n, dtype=np.int64)
    return Batch(contexts, arms, rewards, np.full((n, 3), 1 / 3), times, np.ones(n) if weights is None else weights)


def rows(n: int, width: int, seed: int = 0) -> Batch:
    """Random rows."""
    rng = np.random.default_rng(seed)
    return batch(
        rng.normal(size=(n, width)), rng.integers(0, 3, n), rng.random(n).round(), rng.choice([0.0, 1.0, 2.5], n)
    )


def make(kind: type[LogisticPolicy], width: int, **params: float) -> LogisticPolicy:
    """A cold policy over three arms."""
    return kind(arms=Arms(("a", "b", "c")), schema=Schema.numeric(width), **params)


def unpacked(policy: LogisticPolicy) -> np.ndarray:
    """The triangles as (K, D, D) matrices."""
    size = policy.state["theta"].shape[1]
    whole = np.zeros((len(policy.arms), size, size))
    whole[:, *np.triu_indices(size)] = policy.state["factor"]
    return whole


def dense(learned: Batch, arm: int, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Precision and mean of one arm, by Newton's method on all coefficients, row after row."""
    z = np.column_stack([np.ones(len(learned)), learned.contexts])[learned.arms == arm]
    weights, rewards = learned.weights[learned.arms == arm], learned.rewards[learned.arms == arm]
    precision, mean = ridge * np.eye(z.shape[1]), np.zeros(z.shape[1])
    for row, weight, reward in zip(z, weights, rewards, strict=True):
        beta = mean.copy()
        for _ in range(50):
            p = 1 / (1 + np.exp(-row @ beta))
            curved = precision + weight * p * (1 - p) * np.outer(row, row)
            beta -= np.linalg.solve(curved, precision @ (beta - mean) - weight * (reward - p) * row)
        p = 1 / (1 + np.exp(-row @ beta))
        precision, mean = precision + weight * p * (1 - p) * np.outer(row, row), beta
    return precision, mean


@pytest.mark.parametrize("kind", KINDS)
def test_the_posterior_is_that_of_dense_newton_steps(kind):
    """One unknown a row gives the mode and the curvature that all coefficients at once give."""
    learned, policy = rows(90, 4), make(kind, 4, ridge=0.5)
    policy.learn(learned)
    for arm in range(3):
        precision, mean = dense(learned, arm, 0.5)
        factor = unpacked(policy)[arm]
        np.testing.assert_allclose(policy.state["theta"][arm], mean, atol=1e-12)
        np.testing.assert_allclose(factor @ factor.T @ precision, np.eye(5), atol=1e-12)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    mean=st.floats(-1e6, 1e6),
    variance=st.floats(0, 1e12),
    reward=st.floats(0, 1),
    weight=st.floats(0, 1e6),
)
def test_the_mode_solves_its_equation(mean, variance, reward, weight):
    """η lies between where the row would pull it and where it was, and balances the two."""
    eta = mode(mean, variance, reward, weight)
    pull = variance * weight
    p = 0.5 * (1 + np.tanh(eta / 2))
    slope = 1 + pull * p * (1 - p)
    assert abs(eta - mean - pull * (reward - p)) <= 1e-9 * slope * (1 + abs(eta) + abs(mean)) + 1e-15 * pull


def test_thompson_shares_are_the_law_of_the_posterior():
    """The shares are P(best) of independent normal log-odds; less spread, less exploration."""
    policy = make(LogisticThompson, 2, spread=1.0)
    policy.learn(rows(60, 2))
    context = np.array([0.3, -1.2])
    z = np.concatenate([[1.0], context])
    mean = policy.state["theta"] @ z
    sd = np.array([np.linalg.norm(factor.T @ z) for factor in unpacked(policy)])
    np.testing.assert_allclose(policy.distribution_one(context), prob_best_normal(mean[None], sd[None])[0], atol=1e-4)
    greedier = make(LogisticThompson, 2, spread=0.01)
    greedier.learn(rows(60, 2))
    assert greedier.distribution_one(context).max() > policy.distribution_one(context).max()


def test_the_bound_is_mean_plus_width():
    """The arm with the largest z'θ + alpha·sd gets everything."""
    learned = rows(60, 2)
    for alpha in (0.0, 1.0, 30.0):
        policy = make(LogisticUCB, 2, alpha=alpha)
        policy.learn(learned)
        for context in rows(10, 2, seed=3).contexts:
            z = np.concatenate([[1.0], context])
            sd = [np.linalg.norm(factor.T @ z) for factor in unpacked(policy)]
            bound = policy.state["theta"] @ z + alpha * np.array(sd)
            np.testing.assert_array_equal(policy.distribution_one(context), np.eye(3)[bound.argmax()])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rewards", [[0.0, 1.1], [-0.1, 1.0]])
def test_rewards_beyond_a_chance_are_refused(kind, rewards):
    """A reward must be a success, a failure, or a fraction of one; nothing is half learned."""
    policy = make(kind, 1)
    before = policy.to_bytes()
    with pytest.raises(InvalidInput, match=r"\[0, 1\]"):
        policy.learn(batch(np.zeros((2, 1)), np.array([0, 1]), np.array(rewards)))
    assert policy.to_bytes() == before


def test_what_would_overflow_is_refused():
    """Contexts and weights whose squares leave the numbers change nothing."""
    policy = make(LogisticUCB, 1)
    before = policy.to_bytes()
    one, ones = np.array([0]), np.ones(1)
    with pytest.raises(InvalidInput, match="must lie within"):
        policy.learn(batch(np.full((1, 1), 10 * LARGEST), one, ones))
    with pytest.raises(InvalidInput, match="must lie within"):
        policy.learn(batch(np.ones((1, 1)), one, ones, np.full(1, 10 * LARGEST)))
    assert policy.to_bytes() == before


def test_wild_rows_leave_finite_positive_posteriors():
    """Fifty thousand rows over a hundred orders of magnitude: all stays finite, and no spread vanishes or turns."""
    rng = np.random.default_rng(4)
    n = 50_000
    scale = 10.0 ** rng.choice([-49, -6, 0, 3, 6, 49], (n, 3))
    policy = make(LogisticThompson, 3)
    weights = 10.0 ** rng.choice([-300, -3, 0, 3, 49], n)
    policy.learn(
        batch(rng.normal(size=(n, 3)) * np.minimum(scale, 1e49), rng.integers(0, 3, n), rng.random(n), weights)
    )
    for array in policy.state.values():
        assert np.isfinite(array).all()
    assert np.isfinite(policy.distribution(rng.normal(size=(50, 3)))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_compiled_loop_is_the_loop_over_the_two_verbs(kind):
    """Playing gives the same draws, propensities and bytes as choosing and learning one by one."""
    rng = np.random.default_rng(5)
    contexts, paid, uniforms = rng.normal(size=(40, 2)), rng.integers(0, 2, (40, 3)).astype(float), rng.random(40)
    arms, schema = Arms(("a", "b", "c")), Schema.numeric(2)
    player, looped = (kind(arms=arms, schema=schema, exploration=0.2) for _ in range(2))
    played = player.play(contexts, paid, uniforms)
    for t in range(40):
        p = looped.distribution_one(contexts[t])
        chosen = int(np.searchsorted(np.cumsum(p), uniforms[t], side="right"))
        assert (chosen, p[chosen]) == (played.arms[t], played.propensities[t])
        looped.learn(batch(contexts[t : t + 1], np.array([chosen]), paid[t, chosen : chosen + 1]))
    assert looped.to_bytes() == player.to_bytes()
    with pytest.raises(InvalidInput, match="rounds"):
        player.play(contexts, paid, uniforms[:2])
    with pytest.raises(InvalidInput, match=r"\[0, 1\]"):
        player.play(contexts, 2 * paid, uniforms)


def test_an_added_arm_begins_with_the_prior_and_leaves_the_rest():
    """Adding, moving and dropping arms keeps the others' bits."""
    policy = make(LogisticThompson, 2)
    policy.learn(rows(60, 2))
    wider = policy.with_arms(Arms(("c", "new", "a")))
    for name, array in policy.state.items():
        np.testing.assert_array_equal(wider.state[name][[0, 2]], array[[2, 0]])
    cold = make(LogisticThompson, 2)
    np.testing.assert_array_equal(wider.state["factor"][1], cold.state["factor"][0])
    assert not np.shares_memory(wider.state["theta"], policy.state["theta"])


def test_earns_what_a_good_logistic_policy_earns():
    """On the first 3,000 digits the bound earns .898 a round, where chance earns .1."""
    world = digits()
    arms = Arms(tuple(map(str, range(world.arms))))
    schema = Schema.numeric(world.contexts.shape[1])
    run = simulate(lambda _: policies.create("logistic_ucb", arms=arms, schema=schema), world, rounds=3_000)
    assert run.mean_reward > 0.88
