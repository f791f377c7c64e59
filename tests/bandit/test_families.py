"""What each family computes, against its formula written another way."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from scipy import stats

from bandit import policies
from bandit.chance.quadrature import prob_best_normal
from bandit.features import Schema
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput

ARMS = Arms(("a", "b", "c"), weights=(3.0, 1.0, 1.0))


def batch(arms, rewards, *, contexts=None, probability=1 / 3):
    """Decisions of weight one, each arm logged with the same probability."""
    n = len(arms)
    return Batch(
        contexts=np.zeros((n, 0)) if contexts is None else contexts,
        arms=np.asarray(arms, dtype=np.int64),
        rewards=np.asarray(rewards, dtype=np.float64),
        distributions=np.full((n, 3), probability),
        times=np.zeros(n, dtype=np.int64),
        weights=np.ones(n),
    )


def test_fixed_splits_by_weight():
    """Shares follow the weights, over whatever is allowed."""
    policy = policies.create("fixed", arms=ARMS)
    np.testing.assert_allclose(policy.distribution(), [[0.6, 0.2, 0.2]])
    np.testing.assert_allclose(policy.distribution(allowed=np.array([[True, True, False]])), [[0.75, 0.25, 0.0]])


def test_thompson_refuses_rewards_that_are_no_fraction():
    """The message says what to use instead."""
    with pytest.raises(InvalidInput, match="thompson_normal"):
        policies.create("thompson", arms=ARMS).learn(batch([0], [1.5]))


def test_thompson_counts():
    """The posterior is the prior and what was seen; a half is half a success."""
    policy = policies.create("thompson", arms=ARMS, prior_successes=2.0, prior_failures=5.0)
    policy.learn(batch([0, 0, 1], [1.0, 0.0, 0.5]))
    a, b = policy.posterior()
    np.testing.assert_array_equal(a, [3.0, 2.5, 2.0])
    np.testing.assert_array_equal(b, [6.0, 5.5, 5.0])


def test_thompson_agrees_with_sampling():
    """The probabilities are the frequencies of Thompson's draws."""
    policy = policies.create("thompson", arms=ARMS)
    policy.learn(batch([0] * 30 + [1] * 30 + [2] * 8, [1] * 9 + [0] * 21 + [1] * 12 + [0] * 18 + [1] * 3 + [0] * 5))
    a, b = policy.posterior()
    draws = np.random.default_rng(3).beta(a, b, size=(200_000, 3)).argmax(axis=1)
    np.testing.assert_allclose(policy.distribution()[0], np.bincount(draws) / 200_000, atol=0.005)


def test_numeric_thompson_does_not_depend_on_the_unit():
    """Cents and euros, profits and losses from any zero: the same probabilities."""
    rng = np.random.default_rng(1)
    arms, rewards = np.arange(60) % 3, rng.gamma(2.0, 10.0, 60)
    answers = []
    for scale, shift in [(1.0, 0.0), (100.0, 0.0), (1e-3, 5.0)]:
        policy = policies.create("thompson_normal", arms=ARMS)
        policy.learn(batch(arms, rewards * scale + shift))
        answers.append(policy.distribution()[0])
    np.testing.assert_allclose(answers[1:], [answers[0]] * 2, atol=1e-6)


def test_numeric_thompson_has_the_conjugate_posterior():
    """With much data the posterior is that of the sample's mean."""
    rng = np.random.default_rng(2)
    rewards = rng.normal(50.0, 4.0, 3000)
    policy = policies.create("thompson_normal", arms=ARMS, prior_weight=0.01, prior_degrees=1.0)
    policy.learn(batch(np.arange(3000) % 3, rewards))
    mean, scale, df = policy.posterior()
    for k in range(3):
        own = rewards[k::3]
        assert mean[k] == pytest.approx(own.mean(), rel=1e-4)
        assert scale[k] == pytest.approx(stats.sem(own), rel=1e-2)
        assert df[k] == len(own) + 1


@pytest.mark.parametrize("rewards", [[0.0, 0.0, 0.0], [7.0, 7.0, 7.0], [7.0]])
def test_numeric_thompson_with_equal_rewards(rewards):
    """Where nothing tells arms apart nothing breaks."""
    policy = policies.create("thompson_normal", arms=ARMS)
    policy.learn(batch(range(len(rewards)), rewards))
    answer = policy.distribution()[0]
    assert answer.sum() == pytest.approx(1)
    assert answer.min() > 0.05


def ridge(contexts, arms, rewards, k, penalty):
    """Precision and estimate of one arm, by the book."""
    z = np.hstack([np.ones((len(contexts), 1)), contexts])[arms == k]
    precision = z.T @ z + penalty * np.eye(z.shape[1])
    return precision, np.linalg.solve(precision, z.T @ rewards[arms == k])


@pytest.fixture
def regression():
    """Rows of a linear world: contexts, arms, rewards, and contexts to ask about."""
    rng = np.random.default_rng(4)
    contexts, arms = rng.normal(size=(80, 4)), rng.integers(0, 3, 80)
    return contexts, arms, contexts @ rng.normal(size=4) * (arms - 1) + rng.normal(size=80), rng.normal(size=(6, 4))


def test_linear_thompson_has_the_law_of_its_scores(regression):
    """Means and deviations come from the ridge posterior, to a total variation of 1e-3."""
    contexts, arms, rewards, asked = regression
    policy = policies.create("linear_thompson", arms=ARMS, schema=Schema.numeric(4), noise=0.5, ridge=2.0)
    policy.learn(batch(arms, rewards, contexts=contexts))
    z = np.hstack([np.ones((6, 1)), asked])
    mean, sd = np.empty((2, 6, 3))
    for k in range(3):
        precision, theta = ridge(contexts, arms, rewards, k, 2.0)
        mean[:, k] = z @ theta
        sd[:, k] = 0.5 * np.sqrt(np.einsum("ni,ij,nj->n", z, np.linalg.inv(precision), z))
    law = prob_best_normal(mean, sd)
    assert (0.5 * np.abs(policy.distribution(asked) - law).sum(axis=1)).max() <= 1e-3
    some = policy.distribution(asked, np.array([True, False, True]))
    assert (0.5 * np.abs(some[:, [0, 2]] - prob_best_normal(mean[:, [0, 2]], sd[:, [0, 2]])).sum(axis=1)).max() <= 1e-3


def test_linucb_takes_the_highest_bound(regression):
    """The arm with the largest mean plus alpha deviations gets everything."""
    contexts, arms, rewards, asked = regression
    policy = policies.create("linucb", arms=ARMS, schema=Schema.numeric(4), alpha=0.7)
    policy.learn(batch(arms, rewards, contexts=contexts))
    z = np.hstack([np.ones((6, 1)), asked])
    bound = np.empty((6, 3))
    for k in range(3):
        precision, theta = ridge(contexts, arms, rewards, k, 1.0)
        bound[:, k] = z @ theta + 0.7 * np.sqrt(np.einsum("ni,ij,nj->n", z, np.linalg.inv(precision), z))
    np.testing.assert_array_equal(policy.distribution(asked), np.eye(3)[bound.argmax(axis=1)])


def test_linucb_splits_ties_evenly():
    """Arms that nobody has tried are alike, the one that failed is not."""
    policy = policies.create("linucb", arms=ARMS, schema=Schema.numeric(1))
    policy.learn(batch([0, 0], [-1.0, -1.0], contexts=np.ones((2, 1))))
    np.testing.assert_array_equal(policy.distribution(np.ones((1, 1))), [[0.0, 0.5, 0.5]])


def test_linear_policies_bear_wild_columns():
    """Columns a billion times as large as the penalty, and all alike, still have a solution."""
    policy = policies.create("linear_thompson", arms=ARMS, schema=Schema.numeric(3))
    policy.learn(batch(np.arange(300) % 3, np.ones(300), contexts=np.full((300, 3), 1e6)))
    assert policy.distribution(np.full((1, 3), 1e6)).sum() == pytest.approx(1)


def test_vowpal_learns_by_the_logged_probability(regression):
    """Rows that were rare choices weigh more: other probabilities of the same rows make another model."""
    contexts, arms, rewards, asked = regression
    answers = []
    for rare in (1 / 3, 0.02):
        rows = batch(arms, rewards, contexts=contexts)
        rows.distributions[::2] = rare
        policy = policies.create("vw_softmax", arms=ARMS, schema=Schema.numeric(4), sharpness=1.0)
        policy.learn(rows)
        answers.append(policy.distribution(asked))
    assert np.abs(answers[0] - answers[1]).max() > 0.01


def test_vowpal_never_sees_what_users_wrote():
    """Keys made of its own syntax are arms like others."""
    hostile = Arms(("a|b", "x:1 |s 5", "0:1:1\nshared"))
    policy = policies.create("vw_epsilon", arms=hostile, schema=Schema.numeric(2), epsilon=0.0)
    policy.learn(batch(np.arange(60) % 3, (np.arange(60) % 3 == 1) * 1.0, contexts=np.ones((60, 2))))
    np.testing.assert_allclose(policy.distribution(np.ones((1, 2))), [[0.0, 1.0, 0.0]], atol=1e-6)


def test_vowpal_refuses_rewards_beyond_single_precision():
    """They would overflow its updates without a word."""
    with pytest.raises(InvalidInput, match="within ±1e"):
        policies.create("vw_bag", arms=ARMS).learn(batch([0], [1e30]))


def test_vowpal_answers_many_threads():
    """Threads that ask at once get what each would get alone."""
    policy = policies.create("vw_squarecb", arms=ARMS, schema=Schema.numeric(4))
    contexts = np.random.default_rng(0).normal(size=(40, 4))
    policy.learn(batch(np.arange(40) % 3, np.arange(40) % 2, contexts=contexts))
    expected = policy.distribution(contexts)
    answers = [np.empty(0)] * 4

    def ask(i):
        answers[i] = policy.distribution(contexts)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in answers:
        np.testing.assert_array_equal(answer, expected)
