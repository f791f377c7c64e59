"""Worlds and the loop: what they promise, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from bandit import policies
from bandit.features import Schema
from bandit.policy import Policy
from bandit.simulate import World, digits, shift, simulate
from bandit.types import Arms
from bandit.validation import InvalidInput


def easy_world(rounds: int = 600) -> World:
    """Two arms; the better one depends on the sign of the only number."""
    contexts = np.random.default_rng(1).choice([-1.0, 1.0], size=(rounds, 1))
    return World("easy", contexts, np.where(contexts > 0, [[0.9, 0.1]], [[0.1, 0.9]]))


def maker(name: str, width: int = 1, arms: int = 2) -> object:
    """A function of the seed that makes a cold policy."""

    def make(_seed: int) -> Policy:
        return policies.create(name, schema=Schema.numeric(width), arms=Arms(tuple(map(str, range(arms)))))

    return make


def test_digits_are_the_world_that_was_agreed() -> None:
    """Pixels in [0, 1], one rewarded arm a row, rows drawn by the agreed generator."""
    world = digits()
    assert world.contexts.shape == (20_000, 64)
    assert (world.contexts.min(), world.contexts.max()) == (0.0, 1.0)
    assert np.all(world.expected_rewards.sum(axis=1) == 1.0)
    rows = np.random.default_rng(12345).integers(0, 1797, 20_000)
    repeats = np.flatnonzero(rows == rows[0])
    assert np.all(world.contexts[repeats] == world.contexts[0])


def test_shift_moves_the_rewarded_arm_by_three_at_half_time() -> None:
    """Before round 10,000 the worlds agree, after it the arm is three further, modulo ten."""
    still, moved = (world.expected_rewards.argmax(axis=1) for world in (digits(), shift()))
    assert np.all(still[:10_000] == moved[:10_000])
    assert np.all((still[10_000:] + 3) % 10 == moved[10_000:])


def test_a_contextual_policy_learns_an_easy_world() -> None:
    """LinUCB ends far above the best single arm, and better than it began."""
    done = simulate(maker("linucb"), easy_world(), seeds=(1, 2))
    assert done.mean_reward > 0.8
    assert done.last_quarter_mean_reward >= done.mean_reward - 0.01
    assert done.mean_reward == pytest.approx(np.mean([run.mean_reward for run in done.runs]))


def test_a_fixed_split_earns_the_mean_of_the_arms() -> None:
    """Expected reward of the drawn arms, of which half are right."""
    done = simulate(maker("fixed"), easy_world(4000), seeds=(3,))
    assert done.mean_reward == pytest.approx(0.5, abs=4 * 0.4 / np.sqrt(4000))


def test_a_seed_fixes_everything() -> None:
    """The same seed gives the same run, and another one another."""
    one, again, other = (simulate(maker("thompson"), easy_world(), seeds=(seed,)).runs[0] for seed in (5, 5, 6))
    assert one == again
    assert one.mean_reward != other.mean_reward


def test_fewer_rounds_are_the_head_of_more() -> None:
    """Rounds come in file order: a world cut short earns what the long one earned until then."""
    world = easy_world()
    head = World("head", world.contexts[:200], world.expected_rewards[:200])
    short = simulate(maker("thompson"), world, rounds=200, seeds=(5,))
    assert short.runs == simulate(maker("thompson"), head, seeds=(5,)).runs


@pytest.mark.parametrize(
    ("contexts", "rewards", "message"),
    [
        (np.zeros((3, 1)), np.zeros((2, 2)), r"expected_rewards must be \(3, K\)"),
        (np.zeros(3), np.zeros((3, 2)), "contexts must have two dimensions"),
        (np.zeros((3, 1)), np.full((3, 2), 1.5), r"expected_rewards must be in \[0, 1\]"),
        (np.full((3, 1), np.nan), np.zeros((3, 2)), "contexts must be finite"),
        (np.zeros((0, 1)), np.zeros((0, 2)), "must have rounds"),
    ],
)
def test_impossible_worlds_are_refused(contexts: np.ndarray, rewards: np.ndarray, message: str) -> None:
    """A world whose numbers cannot be is an error that says why."""
    with pytest.raises(InvalidInput, match=message):
        World("wrong", contexts, rewards)


@pytest.mark.parametrize(("rounds", "seeds"), [(0, (1,)), (601, (1,)), (10, ())])
def test_impossible_runs_are_refused(rounds: int, seeds: tuple[int, ...]) -> None:
    """More rounds than the world has, or no seed, is an error."""
    with pytest.raises(InvalidInput):
        simulate(maker("fixed"), easy_world(), rounds=rounds, seeds=seeds)


def test_a_policy_over_other_arms_is_refused() -> None:
    """The policy must have the world's arms."""
    with pytest.raises(InvalidInput, match="must have 2 arms, found 3"):
        simulate(maker("fixed", arms=3), easy_world())
