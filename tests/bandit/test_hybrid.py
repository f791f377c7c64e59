"""Policies with shared parameters, against one dense regression on all coefficients at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bandit import policies
from bandit.chance.normals import normals_for, prob_best_correlated
from bandit.features import Attribute, AttributeType, Schema
from bandit.policy import NotMergeable
from bandit.types import Arms, Batch

WIDTH, TRAITS = 3, 2
ALL = ["hybrid_linucb", "hybrid_thompson", "hybrid_epsilon_greedy", "hybrid_squarecb"]


def schema(width=WIDTH, traits=TRAITS):
    """Plain numbers, of contexts and of arms."""
    numbers = [Attribute(f"x{i}", AttributeType.NUMBER, always_known=True) for i in range(width)]
    return Schema(numbers, arms=[Attribute(f"a{i}", AttributeType.NUMBER, always_known=True) for i in range(traits)])


def arms_of(attributes, prefix="k"):
    """Arms with rows of numbers for attributes."""
    described = tuple({f"a{i}": float(a) for i, a in enumerate(row)} for row in attributes)
    return Arms(tuple(f"{prefix}{k:04}" for k in range(len(attributes))), attributes=described)


def batch(contexts, arms, rewards, *, count):
    """Decisions of weight one, uniformly logged."""
    n = len(arms)
    return Batch(contexts, arms, rewards, np.full((n, count), 1 / count), np.arange(n, dtype=np.int64), np.ones(n))


@pytest.fixture
def world():
    """Attributes of five arms, of which the last was never shown, rows, and contexts to ask about."""
    rng = np.random.default_rng(1)
    attributes = rng.normal(size=(5, TRAITS))
    contexts, arms = rng.normal(size=(70, WIDTH)), rng.integers(0, 4, 70)
    rewards = contexts @ rng.normal(size=WIDTH) * attributes[arms, 0] + rng.normal(size=70)
    return attributes, batch(contexts, arms, rewards, count=5), rng.normal(size=(6, WIDTH))


def dense(attributes, rows, asked, *, ridge, shared_ridge):
    """Means (n, K) and covariances (n, K, K) of scores, by one ridge regression on (β, θ_1, ..., θ_K)."""
    count, size = len(attributes), WIDTH + 1
    wide = size * (TRAITS + 1)

    def design(context, k):
        x, own = np.append(1.0, context), np.zeros((count, size))
        own[k] = x
        return np.concatenate([np.kron(np.append(1.0, attributes[k]), x), own.reshape(-1)])

    stacked = np.array([design(context, k) for context, k in zip(rows.contexts, rows.arms, strict=True)])
    penalty = np.diag(np.append(np.full(wide, shared_ridge), np.full(count * size, ridge)))
    covariance = np.linalg.inv(stacked.T @ stacked + penalty)
    z = np.array([[design(context, k) for k in range(count)] for context in asked])
    return z @ covariance @ stacked.T @ rows.rewards, z @ covariance @ z.swapaxes(1, 2)


def test_means_and_variances_are_those_of_the_dense_regression(world):
    """The arrow's algebra gives, to 1e-9, what a regression on all 32 coefficients gives."""
    attributes, rows, asked = world
    penalties = {"ridge": 0.7, "shared_ridge": 2.5}
    mean, covariance = dense(attributes, rows, asked, **penalties)
    policy = policies.create("hybrid_linucb", arms=arms_of(attributes), schema=schema(), **penalties)
    policy.learn(rows)
    found, sd = policy.scores(asked)
    np.testing.assert_allclose(found, mean, atol=1e-9)
    np.testing.assert_allclose(sd**2, np.diagonal(covariance, axis1=1, axis2=2), atol=1e-9)


def test_joint_law_is_that_of_the_dense_regression(world):
    """Scores covary as all coefficients drawn at once make them covary, to 1e-9."""
    attributes, rows, asked = world
    penalties = {"ridge": 0.7, "shared_ridge": 2.5}
    mean, covariance = dense(attributes, rows, asked, **penalties)
    policy = policies.create("hybrid_thompson", arms=arms_of(attributes), schema=schema(), **penalties)
    policy.learn(rows)
    for context, m, s in zip(asked, mean, covariance, strict=True):
        found, own, shared = policy.joint(context)
        np.testing.assert_allclose(found, m, atol=1e-9)
        np.testing.assert_allclose(shared @ shared.T + np.diag(own), s, atol=1e-9)


def test_linucb_takes_the_highest_bound(world):
    """The arm with the largest mean plus alpha deviations gets everything."""
    attributes, rows, asked = world
    mean, covariance = dense(attributes, rows, asked, ridge=1.0, shared_ridge=1.0)
    bound = mean + 0.7 * np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    policy = policies.create("hybrid_linucb", arms=arms_of(attributes), schema=schema(), alpha=0.7)
    policy.learn(rows)
    np.testing.assert_array_equal(policy.distribution(asked), np.eye(5)[bound.argmax(axis=1)])


def test_greedy_rules_follow_the_means(world):
    """Epsilon-greedy shows the highest mean, SquareCB weighs by the gaps to it."""
    attributes, rows, asked = world
    mean, _ = dense(attributes, rows, asked, ridge=1.0, shared_ridge=1.0)
    best = np.eye(5)[mean.argmax(axis=1)]
    for name, params in [("hybrid_epsilon_greedy", {"epsilon": 0.3, "halving": 0.0}), ("hybrid_squarecb", {})]:
        policy = policies.create(name, arms=arms_of(attributes), schema=schema(), **params)
        policy.learn(rows)
        answer = policy.distribution(asked)
        if name == "hybrid_epsilon_greedy":
            np.testing.assert_allclose(answer, 0.7 * best + 0.06)
        else:
            share = 1 / (5 + 20 * np.sqrt(70) * (mean.max(axis=1, keepdims=True) - mean))
            np.testing.assert_allclose(answer[best == 0], share[best == 0], rtol=1e-7)


def frequencies(mean, covariance, draws=200_000):
    """How often each score is the largest among so many draws."""
    lower = np.linalg.cholesky(covariance)
    scores = mean + np.random.default_rng(3).normal(size=(draws, len(mean))) @ lower.T
    return np.bincount(scores.argmax(axis=1), minlength=len(mean)) / draws


def test_thompson_has_the_law_of_drawing_all_coefficients(world):
    """Total variation to 200,000 joint draws is below .01 in each context, .005 on average."""
    attributes, rows, asked = world
    mean, covariance = dense(attributes, rows, asked, ridge=1.0, shared_ridge=1.0)
    policy = policies.create("hybrid_thompson", arms=arms_of(attributes), schema=schema(), noise=0.8)
    policy.learn(rows)
    law = np.array([frequencies(m, 0.64 * s) for m, s in zip(mean, covariance, strict=True)])
    apart = 0.5 * np.abs(policy.distribution(asked) - law).sum(axis=1)
    assert apart.max() < 0.01
    assert apart.mean() < 0.005


@pytest.mark.parametrize(("count", "bound"), [(2, 0.005), (10, 0.01), (32, 0.02), (33, 0.03), (200, 0.06)])
def test_fidelity_of_the_fixed_normals(count, bound):
    """Few arms and many, with common factors and unequal own parts, against draws."""
    rng = np.random.default_rng(count)
    apart = []
    for _ in range(4 if count < 100 else 1):
        shared, own = rng.normal(size=(count, 12)) * 0.2, rng.uniform(0.05, 1.0, count)
        mean, best = rng.normal(size=count) * 0.5, np.empty(count)
        prob_best_correlated(mean, own, shared, *normals_for(count), best)
        assert best.sum() == pytest.approx(1)
        apart.append(0.5 * np.abs(best - frequencies(mean, shared @ shared.T + np.diag(own), 50_000)).sum())
    assert max(apart) < bound


def test_two_arms_are_as_good_as_exact():
    """P(first of two is best) is Φ of the standardised difference, to 1e-3."""
    shared, own = np.array([[0.5, 0.1], [0.3, -0.4]]), np.array([0.2, 0.7])
    for gap in (0.0, 0.3, 1.5, 4.0):
        best = np.empty(2)
        prob_best_correlated(np.array([gap, 0.0]), own, shared, *normals_for(2), best)
        sd = np.sqrt(((shared[0] - shared[1]) ** 2).sum() + own.sum())
        assert best[0] == pytest.approx(stats.norm.cdf(gap / sd), abs=1e-3)


@pytest.mark.parametrize("name", ALL)
def test_new_arms_start_from_the_mean_of_the_others_without_attributes(name):
    """Where arms have no attributes, a new one is expected to pay what they pay on average, no less."""
    policy = policies.create(name, arms=Arms(("a", "b", "c")), schema=Schema(), ridge=5.0)
    arms = np.arange(900) % 3
    policy.learn(batch(np.zeros((900, 0)), arms, np.array([0.2, 0.4, 0.6])[arms], count=3))
    wider = policy.with_arms(Arms(("a", "b", "c", "new")))
    assert wider.coefficients()[3, 0] == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("name", ALL)
def test_merging_parts_is_learning_the_whole(name, world):
    """Sums add up, attributes must agree."""
    attributes, rows, asked = world
    whole, first, second = (policies.create(name, arms=arms_of(attributes), schema=schema()) for _ in range(3))
    whole.learn(rows)
    for policy, chosen in [(first, slice(0, 30)), (second, slice(30, 70))]:
        policy.learn(Batch(*(getattr(rows, field)[chosen] for field in Batch.__slots__)))
    first.merge(second)
    np.testing.assert_allclose(first.distribution(asked), whole.distribution(asked), atol=1e-9)
    other = policies.create(name, arms=arms_of(attributes + 1), schema=schema())
    with pytest.raises(NotMergeable, match="attributes"):
        first.merge(other)


def test_what_removed_arms_told_stays(world):
    """After arms went, what their rows say of the shared part is what the dense regression says with them in it."""
    attributes, rows, asked = world
    mean, covariance = dense(attributes, rows, asked, ridge=1.0, shared_ridge=1.0)
    policy = policies.create("hybrid_linucb", arms=arms_of(attributes), schema=schema())
    policy.learn(rows)
    every = policy.arms
    kept = policy.with_arms(Arms(every.keys[3:], attributes=every.attributes[3:]))
    found, sd = policies.from_bytes(kept.to_bytes()).scores(asked)
    np.testing.assert_allclose(found, mean[:, 3:], atol=1e-9)
    np.testing.assert_allclose(sd**2, np.diagonal(covariance, axis1=1, axis2=2)[:, 3:], atol=1e-9)


def test_arms_alike_that_nobody_saw_get_the_same():
    """Among forty new arms of two kinds, each of a kind gets exactly what the others of it get."""
    attributes = np.repeat([[0.0, 1.0], [1.0, 0.0]], 20, axis=0)
    policy = policies.create("hybrid_thompson", arms=arms_of(attributes), schema=schema())
    answer = policy.distribution(np.ones((1, WIDTH)))[0]
    assert len(np.unique(answer[:20])) == len(np.unique(answer[20:])) == 1
    assert answer.sum() == pytest.approx(1)


def test_order_of_arms_does_not_change_a_bit(world):
    """Arms are taken by key, so that fixed normals do not favour a place."""
    attributes, rows, asked = world
    policy = policies.create("hybrid_thompson", arms=arms_of(attributes), schema=schema())
    policy.learn(rows)
    order, arms = [3, 0, 4, 2, 1], policy.arms
    moved = policy.with_arms(Arms(tuple(arms.keys[k] for k in order), (), tuple(arms.attributes[k] for k in order)))
    np.testing.assert_array_equal(moved.distribution(asked), policy.distribution(asked)[:, order])


@pytest.mark.parametrize("name", ALL)
def test_a_thousand_arms_with_attributes(name):
    """As many arms as there may be, most of them never shown."""
    rng = np.random.default_rng(0)
    policy = policies.create(name, arms=arms_of(rng.normal(size=(1000, TRAITS))), schema=schema())
    policy.learn(batch(rng.normal(size=(50, WIDTH)), rng.integers(0, 1000, 50), rng.random(50), count=1000))
    answer = policy.distribution(rng.normal(size=(2, WIDTH)))
    np.testing.assert_allclose(answer.sum(axis=1), 1.0)
    assert answer.min() >= 0


@pytest.mark.parametrize("name", ALL)
def test_wild_attributes_are_borne(name):
    """Attributes and contexts a million times as large as the penalty still have a solution."""
    rng = np.random.default_rng(0)
    policy = policies.create(name, arms=arms_of(np.full((3, TRAITS), 1e6)), schema=schema())
    policy.learn(batch(np.full((60, WIDTH), 1e6), np.arange(60) % 3, rng.random(60), count=3))
    assert policy.distribution(np.full((1, WIDTH), 1e6)).sum() == pytest.approx(1)


def simulate(name, seed, *, new=8, rounds=400):
    """Mean regret on arms that nobody saw, after 3,000 rows of others like them."""
    rng = np.random.default_rng(seed)
    shared, attributes = rng.normal(size=(TRAITS + 1, WIDTH + 1)) * 0.3, rng.normal(size=(20 + new, TRAITS))
    coefficients = np.column_stack([np.ones(20 + new), attributes]) @ shared
    coefficients += rng.normal(size=coefficients.shape) * 0.1

    def expected(contexts):
        return np.column_stack([np.ones(len(contexts)), contexts]) @ coefficients.T

    every = arms_of(attributes)
    old = Arms(every.keys[:20], attributes=every.attributes[:20])
    policy = policies.create(name, arms=old, schema=schema())
    contexts, arms = rng.normal(size=(3000, WIDTH)), rng.integers(0, 20, 3000)
    rewards = expected(contexts)[np.arange(3000), arms] + rng.normal(size=3000) * 0.3
    policy.learn(batch(contexts, arms, rewards, count=20))
    policy = policy.with_arms(Arms(every.keys[20:], attributes=every.attributes[20:]))
    contexts, earned = rng.normal(size=(rounds, WIDTH)), np.empty(rounds)
    truth = expected(contexts)[:, 20:]
    for i in range(rounds):
        p = policy.distribution_one(contexts[i])
        arm = rng.choice(new, p=p)
        earned[i] = truth[i] @ p
        reward = truth[i, arm] + rng.normal() * 0.3
        policy.learn(batch(contexts[i : i + 1], np.array([arm]), np.array([reward]), count=new))
    return (truth.max(axis=1) - earned).mean()


@pytest.mark.parametrize(("warm", "cold"), [("hybrid_linucb", "linucb"), ("hybrid_thompson", "linear_thompson")])
def test_a_warm_start_beats_a_cold_one(warm, cold):
    """Over eight worlds, 400 visitors of eight new variants cost two thirds of the regret at most, to two errors."""
    share = np.array([simulate(warm, seed) / simulate(cold, seed) for seed in range(8)])
    assert share.mean() + 2 * share.std(ddof=1) / np.sqrt(len(share)) < 2 / 3
    assert share.max() < 1
