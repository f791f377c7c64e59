"""What the context-free families compute, against their formulas written another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special

from bandit import policies
from bandit.chance.quadrature import prob_best_beta
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput

ARMS = Arms(("a", "b", "c"))
SHOWN = np.array([0] * 40 + [1] * 40 + [2] * 20)
RATES = np.array([0.2, 0.5, 0.4])


def batch(arms, rewards, *, probability=1 / 3):
    """Decisions of weight one; each arm logged with the same probability, or each row with its own."""
    n = len(arms)
    distributions = np.zeros((n, 3))
    distributions[:] = (1 - np.broadcast_to(probability, n))[:, None] / 2
    distributions[np.arange(n), arms] = probability
    zeros = np.zeros(n, dtype=np.int64)
    rows = np.asarray(arms, dtype=np.int64)
    return Batch(np.zeros((n, 0)), rows, np.asarray(rewards, dtype=np.float64), distributions, zeros, np.ones(n))


def learned(name, arms=SHOWN, rewards=None, *, keys=ARMS, **params):
    """A policy that has learned rows of which arm k earned its rate exactly."""
    policy = policies.create(name, arms=keys, **params)
    earned = np.concatenate([np.arange(n) < RATES[k] * n for k, n in enumerate((40, 40, 20))])
    policy.learn(batch(arms, earned if rewards is None else rewards))
    return policy


def test_epsilon_greedy_spreads_epsilon_and_sends_the_rest_to_the_best():
    """Half of epsilon is left after as many decisions as the decay says."""
    np.testing.assert_allclose(learned("epsilon_greedy", epsilon=0.3).distribution(), [[0.1, 0.8, 0.1]])
    faded = learned("epsilon_greedy", epsilon=0.3, decay=100.0)
    assert faded.epsilon() == pytest.approx(0.15)
    np.testing.assert_allclose(faded.distribution(), [[0.05, 0.9, 0.05]])
    some = faded.distribution(allowed=np.array([True, False, True]))
    np.testing.assert_allclose(some, [[0.075, 0.0, 0.925]])


def test_a_new_arm_does_not_take_everything_from_epsilon_greedy():
    """It has the common mean until it was tried, so the best stays the best."""
    wider = learned("epsilon_greedy", epsilon=0.4).with_arms(Arms(("a", "b", "c", "new")))
    np.testing.assert_allclose(wider.distribution(), [[0.1, 0.7, 0.1, 0.1]])


@pytest.mark.parametrize("name", ["epsilon_greedy", "softmax", "thompson_normal"])
def test_unit_and_zero_of_the_reward_do_not_matter(name):
    """Cents or euros, gains or losses."""
    earned = np.random.default_rng(2).gamma(2.0, 3.0, 100)
    answers = [learned(name, rewards=earned * unit + zero).distribution() for unit, zero in [(1, 0), (64, 0), (0.5, 9)]]
    np.testing.assert_allclose(answers[1:], [answers[0]] * 2, atol=1e-9)


def test_ucb1_adds_its_bound():
    """The formula of the paper; alone among the best, an arm gets everything."""
    policy = learned("ucb1", span=2.0)
    n = np.array([40, 40, 20])
    np.testing.assert_allclose(policy.bounds(), RATES + 2 * np.sqrt(2 * np.log(100) / n), rtol=1e-12)
    np.testing.assert_array_equal(policy.distribution(), [[0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(learned("ucb1", alpha=0.01).distribution(), [[0.0, 1.0, 0.0]])


@pytest.mark.parametrize("name", ["ucb1", "kl_ucb"])
def test_untried_arms_come_first_and_ties_share(name):
    """Two arms that nobody saw, then two that earned the same."""
    wider = learned(name).with_arms(Arms(("a", "b", "x", "y")))
    np.testing.assert_array_equal(wider.distribution(), [[0.0, 0.0, 0.5, 0.5]])
    tied = learned(name, [0, 1, 2] * 4, [1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0])
    np.testing.assert_array_equal(tied.distribution(), [[0.5, 0.0, 0.5]])


@pytest.mark.parametrize(("c", "low", "high"), [(0.0, 0.0, 1.0), (3.0, 0.0, 1.0), (0.0, -5.0, 15.0)])
def test_kl_ucb_solves_its_equation(c, low, high):
    """Against a root finder, whatever the ends of the rewards."""
    earned = np.concatenate([np.arange(n) < RATES[k] * n for k, n in enumerate((40, 40, 20))])
    policy = learned("kl_ucb", rewards=low + (high - low) * earned, c=c, low=low, high=high)
    threshold = np.log(100) + c * np.log(np.log(100))
    for bound, p, n in zip((policy.bounds() - low) / (high - low), RATES, (40, 40, 20), strict=True):
        gap = [lambda q, p=p, n=n: n * (special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)) - threshold]
        assert bound == pytest.approx(optimize.brentq(gap[0], p, 1 - 1e-12), abs=1e-9)


@pytest.mark.parametrize(("reward", "bound"), [(1.0, 1.0), (0.0, 1 - 60 ** (-1 / 20))])
def test_kl_ucb_at_the_ends(reward, bound):
    """Arms that always or never convert have bounds in closed form."""
    policy = learned("kl_ucb", [0, 1, 2] * 20, [reward] * 60)
    np.testing.assert_allclose(policy.bounds(), bound, rtol=1e-12)


def test_softmax_is_the_exponential_of_the_mean():
    """In standard deviations of all rewards; cooled, in fewer of them."""
    earned = np.random.default_rng(3).normal(50.0, 8.0, 100)
    for cooling, factor in [(0.0, 1.0), (100 / 3, 0.5)]:
        policy = learned("softmax", rewards=earned, temperature=0.4, cooling=cooling, prior_weight=0.01)
        means = np.array([earned[k == SHOWN].mean() for k in range(3)])
        expected = np.exp(means / (0.4 * factor * earned.std()))
        np.testing.assert_allclose(policy.distribution()[0], expected / expected.sum(), rtol=1e-2)


def test_exp3_estimates_losses_by_the_logged_probability():
    """Exactly where an arm was always logged alike, and nearly where not."""
    earned = np.random.default_rng(4).random(100)
    policy = policies.create("exp3_ix", arms=ARMS)
    policy.learn(batch(SHOWN, earned, probability=0.25))
    gamma = 0.5 * np.sqrt(2 * np.log(3) / (3 * 100))
    losses = [((1 - earned[k == SHOWN]) / (0.25 + gamma)).sum() for k in range(3)]
    np.testing.assert_allclose(policy.losses(), losses, rtol=1e-12)
    weights = np.exp(-2 * gamma * (np.array(losses) - min(losses)))
    np.testing.assert_allclose(policy.distribution()[0], weights / weights.sum(), rtol=1e-9)

    mixed = 10 ** np.random.default_rng(5).uniform(-4, 0, 100)
    policy = policies.create("exp3_ix", arms=ARMS)
    policy.learn(batch(SHOWN, earned, probability=mixed))
    losses = [((1 - earned) / (mixed + gamma))[k == SHOWN].sum() for k in range(3)]
    np.testing.assert_allclose(policy.losses(), losses, rtol=0.01)


def test_exp3_lets_a_new_arm_start_level_with_the_leader():
    """Losses only grow: from zero, a new arm would get everything for as long as the others ran."""
    policy = learned("exp3_ix")
    wider = policy.with_arms(Arms(("a", "b", "c", "new")))
    answer = wider.distribution()[0]
    assert answer[3] == answer.max() == answer[policy.losses().argmin()]
    np.testing.assert_array_equal(wider.with_arms(ARMS).distribution(), policy.distribution())


@pytest.mark.parametrize("name", ["kl_ucb", "exp3_ix"])
def test_rewards_beyond_their_ends_are_refused(name):
    """The message says which parameters to set; ends that are no ends are refused, too."""
    with pytest.raises(InvalidInput, match="set low and high"):
        learned(name, [0], [1.5])
    with pytest.raises(InvalidInput, match="high must exceed low"):
        policies.create(name, arms=ARMS, low=2.0, high=2.0)


def test_count_thompson_agrees_with_sampling():
    """The probabilities are the frequencies of draws from the Gamma posteriors."""
    counts = np.random.default_rng(6).poisson(np.array([2.0, 2.4, 2.2])[SHOWN])
    policy = learned("thompson_count", rewards=counts, prior_events=2.0, prior_visitors=3.0)
    shape, rate = policy.posterior()
    np.testing.assert_array_equal(shape, 2 + np.bincount(SHOWN, counts))
    np.testing.assert_array_equal(rate, [43.0, 43.0, 23.0])
    draws = (np.random.default_rng(7).gamma(shape, size=(200_000, 3)) / rate).argmax(axis=1)
    np.testing.assert_allclose(policy.distribution()[0], np.bincount(draws) / 200_000, atol=0.005)


def test_counts_are_not_negative():
    """The message says what to use instead."""
    with pytest.raises(InvalidInput, match="thompson_normal"):
        learned("thompson_count", [0], [-1.0])


def test_top_two_agrees_with_drawing_again():
    """Draw; keep the best with the given share, else draw until another one comes out."""
    policy = learned("top_two_thompson", top_share=0.6)
    a, b = policy.posterior()
    rng = np.random.default_rng(8)
    stream = iter(rng.beta(a, b, size=(400_000, 3)).argmax(axis=1))
    chosen = []
    for best in stream:
        if rng.random() < 0.6:
            chosen.append(best)
            continue
        chosen.append(next((other for other in stream if other != best), best))
    shares = np.bincount(chosen, minlength=3) / len(chosen)
    np.testing.assert_allclose(policy.distribution()[0], shares, atol=0.005)


def test_top_two_where_the_best_is_certain():
    """The best gets its share; the rest goes to whom a fresh draw without the best would choose."""
    policy = policies.create("top_two_thompson", arms=ARMS)
    policy.state["n"][:] = [1e6, 1e6, 1e6]
    policy.state["total"][:] = [5e5, 1e5, 1.003e5]
    policy._derive()
    a, b = policy.posterior()
    np.testing.assert_allclose(policy.distribution()[0], [0.5, *0.5 * prob_best_beta(a[1:], b[1:])], atol=1e-12)
    alone = policy.distribution(allowed=np.array([False, True, False]))
    np.testing.assert_array_equal(alone, [[0.0, 1.0, 0.0]])


def test_top_two_moves_without_jumps():
    """As the leader pulls away, the rivals' shares change by little from one step to the next."""
    answers = []
    for lead in np.linspace(0.0, 0.2, 400):
        policy = policies.create("top_two_thompson", arms=ARMS)
        policy.state["n"][:] = [3e3, 3e3, 50]
        policy.state["total"][:] = [3e3 * (0.3 + lead), 900, 15]
        policy._derive()
        answers.append(policy.distribution()[0])
    assert np.abs(np.diff(answers, axis=0)).max() < 0.06


def test_the_prior_of_numeric_rewards_can_be_told():
    """With mean and variance given, the posterior is the book's; an untried arm has the prior itself."""
    rewards = np.array([3.0, 5.0, 4.0, 8.0])
    policy = policies.create(
        "thompson_normal", arms=ARMS, prior_weight=2.0, prior_degrees=4.0, prior_mean=10.0, prior_variance=9.0
    )
    mean, scale, df = policy.posterior()
    np.testing.assert_allclose([mean, scale, df], [[10.0] * 3, [np.sqrt(4.5)] * 3, [4.0] * 3])
    policy.learn(batch([0] * 4, rewards))
    mean, scale, df = policy.posterior()
    assert mean[0] == pytest.approx((2 * 10 + 20) / 6)
    sums = 4 * 9 + ((rewards - 5) ** 2).sum() + 2 * 4 / 6 * (5 - 10) ** 2
    assert scale[0] ** 2 == pytest.approx(sums / (8 * 6))
    assert df[0] == 8
    assert (mean[1], scale[1], df[1]) == pytest.approx((10.0, np.sqrt(4.5), 4.0))


@pytest.mark.parametrize(
    "name", ["epsilon_greedy", "ucb1", "kl_ucb", "softmax", "exp3_ix", "thompson_count", "top_two_thompson"]
)
def test_old_rows_fade(name):
    """With a half-life, the arm that is best by now overtakes the one that was."""
    policy = policies.create(name, arms=ARMS, half_life=60.0)
    shown = np.arange(600) % 3
    for best in (0, 2):
        policy.learn(batch(shown, shown == best))
    first, _, last = policy.distribution()[0]
    assert last > first


@pytest.mark.parametrize("name", ["thompson", "thompson_normal", "thompson_count", "softmax", "kl_ucb", "exp3_ix"])
def test_a_law_is_computed_once_a_state(name, monkeypatch):
    """Asked again it is remembered, for each allowed set; learning forgets it."""
    policy, calls = learned(name), []
    weigh = type(policy)._weigh
    monkeypatch.setattr(type(policy), "_weigh", lambda self, arms: calls.append(1) or weigh(self, arms))
    for _ in range(3):
        policy.distribution()
        policy.distribution_one(np.zeros(0))
        policy.distribution(allowed=np.array([True, True, False]))
    assert len(calls) == 2
    policy.learn(batch([0], [1.0]))
    policy.distribution()
    assert len(calls) == 3
