"""Linear policies: sums in any grouping, the compiled loop beside the two verbs, and each rule against its formula."""

from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit import policies
from bandit.features import Schema
from bandit.kernels import scores
from bandit.kernels.ridge import add_rows
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput

NAMES = ("linucb", "linear_thompson", "linear_epsilon_greedy", "linear_squarecb")


def make(name, width, *, arms=3, exploration=0.0, **params):
    """A cold policy."""
    keys = Arms(tuple(f"k{i}" for i in range(arms)))
    return policies.create(name, arms=keys, schema=Schema.numeric(width), exploration=exploration, **params)


def world(rounds, width, *, arms=3, seed=0):
    """Contexts, what each arm would pay, and uniform numbers to draw by."""
    rng = np.random.default_rng(seed)
    contexts = rng.normal(size=(rounds, width))
    rewards = contexts @ rng.normal(size=(width, arms)) + rng.normal(size=(rounds, arms))
    return contexts, rewards, rng.random(rounds)


def rows(contexts, arms, rewards, *, count=3):
    """Decisions of weight one."""
    n = len(arms)
    even = np.full((n, count), 1 / count)
    return Batch(contexts, np.asarray(arms), np.asarray(rewards), even, np.zeros(n, dtype=np.int64), np.ones(n))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(0, 40), n=st.integers(1, 150), arms=st.integers(1, 5))
def test_sums_have_the_same_bits_however_rows_are_grouped(seed, width, n, arms):
    """One by one, in two parts or at once, with zeros and weights: equal to the last bit, and the book's sums."""
    rng = np.random.default_rng(seed)
    contexts = rng.normal(size=(n, width)) * (rng.random((n, width)) < 0.7)
    chosen, rewards, weights = rng.integers(0, arms, n), rng.normal(size=n), rng.choice([0.0, 0.3, 1.0, 2.0], n)
    found = []
    for cuts in (range(n + 1), (0, n // 2, n), (0, n)):
        outer, cross = np.zeros((arms, width + 1, width + 1)), np.zeros((arms, width + 1))
        for start, end in pairwise(cuts):
            part = slice(start, end)
            touched = add_rows(contexts[part], chosen[part], rewards[part], weights[part], outer, cross)
            assert set(np.flatnonzero(touched)) == set(chosen[part])
        found.append((outer.tobytes(), cross.tobytes()))
    assert len(set(found)) == 1
    z = np.hstack([np.ones((n, 1)), contexts])
    for k in range(arms):
        own = z[chosen == k] * weights[chosen == k, None]
        np.testing.assert_allclose(outer[k], own.T @ z[chosen == k], atol=1e-11)
        np.testing.assert_allclose(cross[k], own.T @ rewards[chosen == k], atol=1e-11)
        np.testing.assert_array_equal(outer[k], outer[k].T)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "exploration", "ridge"), [(0, 0.0, 1.0), (5, 0.1, 1.0), (12, 0.0, 1e-4)])
def test_playing_is_choosing_and_learning(name, width, exploration, ridge):
    """The compiled loop draws the arms that the two verbs lead to, with their probabilities, and leaves their sums."""
    contexts, rewards, uniforms = world(300, width)
    played, lived = (make(name, width, exploration=exploration, ridge=ridge) for _ in range(2))
    for policy in (played, lived):
        policy.learn(rows(contexts[:20], np.arange(20) % 3, rewards[:20, 0]))
    result = played.play(contexts, rewards, uniforms)
    for t in range(300):
        p = lived.distribution_one(contexts[t].copy())
        cumulative = np.cumsum(p)
        arm = int(np.searchsorted(cumulative, uniforms[t] * cumulative[-1], side="right"))
        assert result.arms[t] == arm
        assert result.propensities[t] == pytest.approx(p[arm], abs=1e-9)
        lived.learn(rows(contexts[t : t + 1], [arm], rewards[t, arm : arm + 1]))
    assert played.to_bytes() == lived.to_bytes()
    np.testing.assert_array_equal(played.distribution(contexts[:5]), lived.distribution(contexts[:5]))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.integers(0, 20),
    alpha=st.sampled_from([0.0, 0.25, 3.0]),
    alike=st.sampled_from([0.0, 1e-3, 1.0]),
    size=st.sampled_from([1e-5, 1.0, 1e5]),
)
def test_no_arm_that_could_win_is_passed_over(seed, width, alpha, alike, size):
    """Arms alike, nearly alike or apart, at any scale: the compiled loop chooses by the bounds of all arms."""
    contexts, rewards, uniforms = world(400, width, arms=8, seed=seed)
    rewards = size * (rewards[:, :1] + alike * rewards)
    policy = make("linucb", width, arms=8, alpha=alpha * size)
    policy.play(contexts[:350], rewards[:350], uniforms[:350])
    for t in range(350, 400):
        law = policy.distribution(contexts[t : t + 1])[0]
        played = policy.play(contexts[t : t + 1], rewards[t : t + 1], uniforms[t : t + 1])
        assert played.propensities[0] == law[played.arms[0]] > 0


def test_long_play_does_not_drift():
    """After thousands of rounds without a new solution the updated inverse is still the solved one."""
    contexts, rewards, uniforms = world(6000, 8)
    whole, parts = make("linear_thompson", 8), make("linear_thompson", 8)
    once = whole.play(contexts, rewards, uniforms)
    for start in range(0, 6000, 500):
        part = slice(start, start + 500)
        again = parts.play(contexts[part], rewards[part], uniforms[part])
        np.testing.assert_array_equal(again.arms, once.arms[part])
        np.testing.assert_allclose(again.propensities, once.propensities[part], atol=1e-9)
    np.testing.assert_allclose(whole.state["outer"], parts.state["outer"], rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contexts": np.zeros((4, 3))}, "shape"),
        ({"contexts": np.full((4, 2), np.nan)}, "finite"),
        ({"rewards": np.zeros((4, 2))}, "rounds"),
        ({"rewards": np.full((4, 3), 1e60)}, "1e\\+50"),
        ({"uniforms": np.zeros(5)}, "rounds"),
    ],
)
def test_what_cannot_be_played_changes_nothing(change, message):
    """Shapes and numbers are checked before the first round."""
    policy = make("linucb", 2)
    before = policy.to_bytes()
    given_ = {"contexts": np.zeros((4, 2)), "rewards": np.zeros((4, 3)), "uniforms": np.zeros(4)} | change
    with pytest.raises(InvalidInput, match=message):
        policy.play(**given_)
    assert policy.to_bytes() == before


def test_a_policy_that_forgets_does_not_play():
    """What fades every round has no short way to be learned."""
    policy = make("linucb", 2, half_life=100.0)
    assert not policy.playable
    with pytest.raises(InvalidInput, match="nothing fades"):
        policy.play(*world(3, 2))


@pytest.mark.parametrize("name", NAMES)
def test_many_contexts_are_shared_out_without_a_trace(name, monkeypatch):
    """On one core, on three, or one by one: the same bits, for one mask and for one a row."""
    policy = make(name, 6, exploration=0.1)
    contexts, rewards, _ = world(scores.MANY + 5, 6)
    policy.learn(rows(contexts[:90], np.arange(90) % 3, rewards[:90, 1]))
    allowed = np.random.default_rng(1).random((len(contexts), 3)) < 0.6
    allowed[:, 0] |= ~allowed.any(axis=1)
    for mask in (None, allowed):
        answers = []
        for cores in (1, 3):
            monkeypatch.setattr(scores, "cores", lambda cores=cores: cores)
            answers.append(policy.distribution(contexts, mask))
        np.testing.assert_array_equal(*answers)
        for row in (0, 500, len(contexts) - 1):
            own = policy.distribution_one(contexts[row].copy(), None if mask is None else mask[row])
            np.testing.assert_array_equal(answers[0][row], own)


def test_epsilon_greedy_keeps_its_share_and_lets_it_fall():
    """ε/K each and the rest to the best, ε = .3/(1 + n/h)."""
    contexts, rewards, _ = world(60, 2)
    for halving, left in ((0.0, 0.3), (20.0, 0.3 / 4)):
        policy = make("linear_epsilon_greedy", 2, epsilon=0.3, halving=halving)
        policy.learn(rows(contexts, np.arange(60) % 3, rewards[np.arange(60), np.arange(60) % 3]))
        greedy = make("linucb", 2, alpha=0.0)
        greedy.learn(rows(contexts, np.arange(60) % 3, rewards[np.arange(60), np.arange(60) % 3]))
        expected = (1 - left) * greedy.distribution(contexts) + left / 3
        np.testing.assert_allclose(policy.distribution(contexts), expected, atol=1e-12)


def test_squarecb_weighs_by_the_inverse_gap():
    """1/(K + γ·gap) to all but the best, γ = scale·√n, and fewer arms where fewer are allowed."""
    contexts, rewards, _ = world(64, 2)
    policy = make("linear_squarecb", 2, scale=3.0)
    chosen = np.arange(64) % 3
    policy.learn(rows(contexts, chosen, rewards[np.arange(64), chosen]))
    z = np.hstack([np.ones((64, 1)), contexts])
    means = np.stack(
        [
            z
            @ np.linalg.solve(np.eye(3) + z[chosen == k].T @ z[chosen == k], z[chosen == k].T @ rewards[chosen == k, k])
            for k in range(3)
        ],
        axis=1,
    )
    for mask in (np.array([True, True, True]), np.array([True, False, True])):
        own = means[:, mask]
        law = 1 / (own.shape[1] + 3.0 * 8.0 * (own.max(axis=1, keepdims=True) - own))
        best = own.argmax(axis=1)
        law[np.arange(64), best] += 1 - law.sum(axis=1)
        np.testing.assert_allclose(policy.distribution(contexts, mask)[:, mask], law, atol=1e-9)


def test_bounds_that_differ_by_rounding_tie():
    """Two arms that learned the same rows in another order share a visitor evenly."""
    contexts, _, _ = world(40, 3)
    rewards = np.random.default_rng(3).normal(size=40)
    policy = make("linucb", 3, arms=2)
    for order, arm in ((slice(None), 0), (slice(None, None, -1), 1)):
        policy.learn(rows(contexts[order].copy(), np.full(40, arm), rewards[order].copy(), count=2))
    np.testing.assert_array_equal(policy.distribution(contexts), np.full((40, 2), 0.5))


@pytest.mark.parametrize("name", NAMES)
def test_wild_rows_never_break_a_linear_policy(name):
    """Numbers up to the limit, alike or not, leave sums that have a finite solution."""
    policy = make(name, 3, ridge=1e-6)
    rng = np.random.default_rng(0)
    for _ in range(40):
        contexts = rng.normal(size=(6, 3)) * 10.0 ** rng.integers(-40, 49)
        policy.learn(rows(contexts, rng.integers(0, 3, 6), rng.normal(size=6) * 10.0 ** rng.integers(-40, 49)))
        p = policy.distribution(rng.normal(size=(2, 3)))
        assert np.isfinite(p).all()
        assert np.abs(p.sum(axis=1) - 1).max() <= 1e-9


def test_threads_that_ask_first_wait_for_the_solution():
    """Right after learning, many threads at once get what one gets."""
    contexts, rewards, _ = world(400, 8)
    policy, alone = make("linear_thompson", 8), make("linear_thompson", 8)
    answers = {}
    for step in range(5):
        part = slice(80 * step, 80 * step + 80)
        for each in (policy, alone):
            each.learn(rows(contexts[part], np.arange(80) % 3, rewards[part, 0]))

        def ask(i):
            answers[i] = policy.distribution_one(contexts[0].copy())

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = alone.distribution(contexts[:1])[0]
        for answer in answers.values():
            np.testing.assert_array_equal(answer, expected)
