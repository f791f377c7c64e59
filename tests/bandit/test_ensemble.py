"""The ensemble: a mixture by its members' worth."""

from __future__ import annotations

import numpy as np
import pytest

from bandit import policies
from bandit.features import Schema
from bandit.policies.ensemble import Ensemble
from bandit.simulate import World, simulate
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput

ARMS = Arms(("a", "b", "c"))


def logged(n: int, seed: int = 0) -> Batch:
    """Uniformly logged rows in which the sign of the only number tells the arm that earns."""
    rng = np.random.default_rng(seed)
    contexts = rng.choice([-1.0, 1.0], size=(n, 1))
    arms = rng.integers(0, 3, n)
    rates = np.where(contexts > 0, [[0.9, 0.1, 0.2]], [[0.1, 0.9, 0.2]])
    rewards = (rng.random(n) < rates[np.arange(n), arms]).astype(np.float64)
    return Batch(contexts, arms, rewards, np.full((n, 3), 1 / 3), np.arange(n), np.ones(n))


def make(*members: str, **params: float) -> Ensemble:
    """A cold ensemble."""
    made = policies.create("ensemble", arms=ARMS, schema=Schema.numeric(1), members=members, **params)
    assert isinstance(made, Ensemble)
    return made


def teach(policy: Ensemble, batch: Batch, size: int = 20) -> None:
    """Learn in steps, so that there is something to score."""
    for at in range(0, len(batch), size):
        policy.learn(Batch(*(getattr(batch, name)[at : at + size] for name in Batch.__slots__)))


def test_the_mixture_is_of_its_members() -> None:
    """The answer is the sum of the weights times the members' own answers, who learned every row."""
    policy, batch = make("linucb", "thompson", "fixed"), logged(200)
    alone = [policies.create(name, arms=ARMS, schema=Schema.numeric(1)) for name in ("linucb", "thompson", "fixed")]
    teach(policy, batch)
    for member in alone:
        member.learn(batch)
    expected = sum(w * m.distribution(batch.contexts) for w, m in zip(policy.weights, alone, strict=True))
    np.testing.assert_allclose(policy.distribution(batch.contexts), expected, atol=1e-6)
    assert policy.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("corral", [0, 1])
def test_traffic_moves_to_the_member_that_earns(corral: int) -> None:
    """Where context decides, the one that reads it gets the traffic; the others keep their floor."""
    policy = make("fixed", "thompson", "linucb", corral=corral, floor=0.03)
    teach(policy, logged(2000))
    assert policy.weights[2] > (0.9 if corral == 0 else 0.6)
    assert policy.weights.min() >= 0.01 - 1e-12


def test_it_is_nearly_as_good_as_its_best_member() -> None:
    """Played for real, from its own choices."""
    contexts = np.random.default_rng(1).choice([-1.0, 1.0], size=(1500, 1))
    world = World("easy", contexts, np.where(contexts > 0, [[0.9, 0.1, 0.2]], [[0.1, 0.9, 0.2]]))
    done = simulate(lambda _seed: make("thompson", "linucb"), world, seeds=(1, 2))
    assert done.last_quarter_mean_reward > 0.86


def test_the_unit_of_rewards_does_not_matter() -> None:
    """Revenue in cents or in millions: the same weights."""
    weights = []
    for unit in (3.0, 3e6):
        policy, batch = make("fixed", "thompson_normal"), logged(600)
        teach(policy, Batch(*(getattr(batch, n) * (unit if n == "rewards" else 1) for n in Batch.__slots__)))
        weights.append(policy.weights)
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-6)


@pytest.mark.parametrize("members", [(), ("thompson", "thompson"), ("ensemble",), ("nobody",)])
def test_impossible_members_are_refused(members: tuple[str, ...]) -> None:
    """None, the same twice, itself, unknown ones."""
    with pytest.raises(InvalidInput):
        make(*members)


def test_rewards_that_a_member_refuses_change_nothing() -> None:
    """All members learn a row, or none."""
    policy, batch = make("linucb", "thompson"), logged(5)
    before = policy.to_bytes()
    with pytest.raises(InvalidInput, match=r"\[0, 1\]"):
        policy.learn(Batch(*(getattr(batch, n) + (2 if n == "rewards" else 0) for n in Batch.__slots__)))
    assert policy.to_bytes() == before


def test_its_bytes_name_its_members() -> None:
    """Read back, it has the same members, and goes on alike."""
    policy = make("fixed", "linucb")
    teach(policy, logged(100))
    again = policies.from_bytes(policy.to_bytes())
    assert isinstance(again, Ensemble)
    assert [member.name for member in again.members] == ["fixed", "linucb"]
    np.testing.assert_array_equal(again.weights, policy.weights)
