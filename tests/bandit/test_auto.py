"""`auto` in small worlds of every kind: the long ones are played by ``landit simulate``."""

from __future__ import annotations

import numpy as np
import pytest

from bandit import policies
from bandit.features import Schema
from bandit.kernels import blend, laplace, strips
from bandit.kernels.columns import frequencies, monomials
from bandit.policies.auto import Auto
from bandit.simulate import World, simulate
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput


def make(arms: int, width: int, **params: float) -> Auto:
    """A cold `auto`."""
    keys = tuple(f"k{i}" for i in range(arms))
    made = policies.create("auto", arms=Arms(keys), schema=Schema.numeric(width), **params)
    assert isinstance(made, Auto)
    return made


def play(world: World, seed: int = 1) -> float:
    """What it earns in the last quarter, as a share of what can be earned above chance there."""
    done = simulate(lambda _seed: make(world.arms, world.contexts.shape[1]), world, seeds=(seed,))
    late = world.expected_rewards[-(len(world) // 4) :]
    best, chance = late.max(axis=1).mean(), late.mean()
    return float((done.last_quarter_mean_reward - chance) / (best - chance))


def bent(rounds: int, *, degree: int, width: int = 4, arms: int = 4, seed: int = 0) -> World:
    """Log-odds that are a random polynomial of the context."""
    rng = np.random.default_rng(seed)
    contexts = rng.normal(size=(rounds, width))
    columns = np.column_stack([contexts] + [contexts * np.roll(contexts, i, axis=1) for i in range(width)])
    columns = columns[:, : width if degree == 1 else None]
    odds = columns @ rng.uniform(-1, 1, (columns.shape[1], arms))
    return World("bent", contexts, 1 / (1 + np.exp(-3 * (odds - odds.mean()) / odds.std())))


def batch(contexts: np.ndarray, arms: np.ndarray, rewards: np.ndarray, count: int) -> Batch:
    """Uniformly logged rows."""
    n = len(arms)
    return Batch(contexts, arms, rewards, np.full((n, count), 1 / count), np.arange(n), np.ones(n))


@pytest.mark.parametrize("degree", [1, 2])
def test_it_learns_straight_and_curved_worlds(degree: int) -> None:
    """Of what is above chance, most is earned late in 3,000 rounds."""
    assert play(bent(3000, degree=degree)) > (0.93 if degree == 1 else 0.85)


def test_it_gets_over_a_change() -> None:
    """After the arms changed their roles half-way it is soon as good as before."""
    world = bent(4000, degree=1)
    moved = world.expected_rewards.copy()
    moved[2000:] = np.roll(moved[2000:], 1, axis=1)
    assert play(World("changed", world.contexts, moved)) > 0.88


def test_it_gets_over_several_changes_without_context() -> None:
    """Rates that change places twice."""
    rates = np.repeat([[0.1, 0.6, 0.2], [0.6, 0.1, 0.2], [0.2, 0.1, 0.6]], 1500, axis=0)
    assert play(World("plain", np.zeros((4500, 0)), rates)) > 0.85


def test_the_generations_stay_where_nothing_changes() -> None:
    """A calm world: the first generation still leads after 3,000 rows."""
    world, policy = bent(3000, degree=1), make(4, 4)
    rng = np.random.default_rng(0)
    arms = rng.integers(0, 4, 3000)
    rewards = (rng.random(3000) < world.expected_rewards[np.arange(3000), arms]).astype(float)
    policy.learn(batch(world.contexts, arms, rewards, 4))
    assert policy.state["book"][blend.LEAD] == 0


@pytest.mark.parametrize("unit", [0.01, 1e5])
@pytest.mark.parametrize("width", [0, 3])
def test_numbers_of_any_unit_are_learned(unit: float, width: int) -> None:
    """Revenue: after 600 rows the best arm of nearly every context is found."""
    rng = np.random.default_rng(3)
    contexts, truth = rng.normal(size=(600, width)), rng.normal(size=(width, 3))
    means = contexts @ truth + [7.0, 8.0, 8.5]
    arms = rng.integers(0, 3, 600)
    rewards = unit * (means[np.arange(600), arms] + 0.3 * rng.normal(size=600))
    policy = make(3, width)
    policy.learn(batch(contexts, arms, rewards, 3))
    answer = policy.distribution(contexts)
    assert answer[np.arange(600), means.argmax(axis=1)].mean() > 0.9


def test_numbers_that_come_late_are_noticed() -> None:
    """A hundred visitors bought nothing before the first did."""
    rng = np.random.default_rng(4)
    arms = rng.integers(0, 2, 800)
    rewards = np.where(rng.random(800) < 0.3, 20.0 + 40.0 * arms, 0.0)
    rewards[:100] = 0.0
    policy = make(2, 1)
    policy.learn(batch(rng.normal(size=(800, 1)), arms, rewards, 2))
    assert policy.distribution(np.zeros((1, 1)))[0, 1] == 1


def test_columns_of_any_unit_are_learned() -> None:
    """A year and an income beside a plain number."""
    world = bent(1500, degree=1, width=3)
    units = world.contexts * [1.0, 30_000.0, 2.0] + [0.0, 50_000.0, 2020.0]
    assert play(World("units", units, world.expected_rewards)) > 0.85


def test_wild_rows_leave_it_finite() -> None:
    """Any finite context, reward up to the largest and weight: answers stay distributions."""
    rng, policy = np.random.default_rng(5), make(3, 2)
    for _ in range(300):
        contexts = rng.normal(size=(4, 2)) * 10.0 ** rng.integers(-45, 45, (4, 2))
        rewards = rng.normal(size=4) * 10.0 ** rng.integers(-45, 45, 4)
        rows = batch(contexts, rng.integers(0, 3, 4), rewards, 3)
        policy.learn(Batch(*(getattr(rows, n) for n in Batch.__slots__[:-1]), weights=10.0 ** rng.integers(-9, 9, 4)))
        assert policy.distribution(contexts).sum(axis=1) == pytest.approx(np.ones(4))
    assert all(np.isfinite(array).all() for array in policy.state.values())


@pytest.mark.parametrize(("arms", "width"), [(2, 1), (10, 20), (1000, 64), (300, 10)])
def test_its_memory_is_bounded(arms: int, width: int) -> None:
    """However many arms and columns: below four million numbers of curved models, and as many of straight ones."""
    assert sum(array.size for array in make(arms, width).state.values()) < 8_000_000


def test_few_columns_make_products_many_make_waves() -> None:
    """Up to degree 3 for ten columns, degree 2 for eighteen, waves for more; none where there is no room."""
    assert [len(monomials(width, 300)) for width in (0, 2, 10, 18, 19)] == [0, 10, 286, 190, 0]
    waves = frequencies(3, 13, 0)
    np.testing.assert_allclose(waves[:3] @ waves[:3].T, np.diag((waves[:3] ** 2).sum(axis=1)), atol=1e-12)
    assert len(frequencies(64, 20, 0)) == 0


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 40])
def test_four_rows_at_a_time_are_as_one_by_one(size: int) -> None:
    """The faster update gives the bits of the plain one."""
    rng = np.random.default_rng(size)
    factors = [rng.normal(size=size * (size + 1) // 2)] * 2
    factors = [factor.copy() for factor in factors]
    thetas, projected = [np.zeros(size), np.zeros(size)], rng.normal(size=size)
    for update, factor, theta in zip((strips.add_evidence, laplace.add_evidence), factors, thetas, strict=True):
        update(0.5, 0.3, projected, factor, theta)
    z, sums = rng.choice([0.0, 1.5, -0.3], size), np.empty((2, size))
    assert strips.project(z, factors[0], sums[0]) == laplace.project(z, factors[1], sums[1])
    np.testing.assert_array_equal(sums[0], sums[1])
    np.testing.assert_array_equal(factors[0], factors[1])
    np.testing.assert_array_equal(thetas[0], thetas[1])


def test_rewards_that_no_square_can_hold_are_refused() -> None:
    """Before anything has changed."""
    policy = make(2, 1)
    before = policy.to_bytes()
    with pytest.raises(InvalidInput):
        policy.learn(batch(np.zeros((1, 1)), np.zeros(1, dtype=np.int64), np.array([1e200]), 2))
    assert policy.to_bytes() == before
