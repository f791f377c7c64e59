"""The neural-linear policy: what it keeps, when it trains, what it learns, and what it says where it cannot."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from bandit import policies, registry
from bandit.features import Schema
from bandit.policies import neural
from bandit.policies.neural import NeuralLinear
from bandit.simulate import World, simulate
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput

ARMS = Arms(("a", "b"))
QUICK = {"units": 10, "interval": 200, "memory": 300}


def make(**params: float) -> NeuralLinear:
    """A cold policy over two arms and two columns."""
    return NeuralLinear(arms=ARMS, schema=Schema.numeric(2), **(QUICK | params))


def rows(n: int, seed: int = 0) -> Batch:
    """Rows of a world where arm b is good where both columns have one sign."""
    rng = np.random.default_rng(seed)
    contexts, arms = rng.normal(size=(n, 2)), rng.integers(0, 2, n)
    rewards = (arms == (contexts[:, 0] * contexts[:, 1] > 0)).astype(float)
    return Batch(contexts, arms, rewards, np.full((n, 2), 0.5), np.zeros(n, dtype=np.int64), np.ones(n))


def part(batch: Batch, chosen: slice) -> Batch:
    """Some rows of a batch."""
    return Batch(*(getattr(batch, name)[chosen] for name in Batch.__slots__))


def test_before_the_first_training_it_is_linear_thompson_sampling():
    """The same law to 1e-4: units that see nothing change nothing."""
    policy = make()
    plain = policies.create("linear_thompson", arms=ARMS, schema=Schema.numeric(2))
    for each in (policy, plain):
        each.learn(rows(49))
    contexts = rows(20, seed=1).contexts
    np.testing.assert_allclose(policy.distribution(contexts), plain.distribution(contexts), atol=1e-4)


def test_trains_when_it_is_due():
    """At a quarter, a half and the whole of the first interval, then once an interval."""
    policy, changed = make(), []
    batch = rows(450)
    for i in range(450):
        before = policy.state["inputs"]
        policy.learn(part(batch, slice(i, i + 1)))
        if policy.state["inputs"] is not before:
            changed.append(i + 1)
    assert changed == [50, 100, 200, 400]


def test_steps_do_not_matter_and_bytes_are_all_there_is():
    """One by one, in one batch, and over a saved copy in between: the same bytes, trainings included."""
    batch = rows(420)
    whole, single, saved = make(), make(), make()
    whole.learn(batch)
    for i in range(420):
        single.learn(part(batch, slice(i, i + 1)))
    saved.learn(part(batch, slice(0, 130)))
    saved = policies.from_bytes(saved.to_bytes())
    saved.learn(part(batch, slice(130, 420)))
    assert whole.to_bytes() == single.to_bytes() == saved.to_bytes()


def test_regressions_are_those_of_the_remembered_rows():
    """After a training each arm has the ridge regression of its last rows on (1, x, u)."""
    policy, batch = make(ridge=2.0), rows(400)
    policy.learn(batch)
    last = part(batch, slice(100, 400))
    for k in range(2):
        mine = last.arms == k
        seen = last.contexts[mine] @ policy.state["inputs"] + policy.state["bias"] + policy.state["arms"][k]
        z = np.column_stack([np.ones(mine.sum()), last.contexts[mine], np.maximum(seen, 0)])
        precision = 2 * np.eye(13) + z.T @ z
        np.testing.assert_allclose(
            policy.state["theta"][k], np.linalg.solve(precision, z.T @ last.rewards[mine]), atol=1e-9
        )
        factor = np.zeros((13, 13))
        factor[np.triu_indices(13)] = policy.state["factor"][k]
        np.testing.assert_allclose(factor @ factor.T @ precision, np.eye(13), atol=1e-8)


def test_units_are_of_one_size():
    """The units' mean squares on what is remembered add up to 4, those that see nothing left out."""
    policy, batch = make(), rows(200)
    policy.learn(batch)
    seen = np.maximum(
        batch.contexts @ policy.state["inputs"] + policy.state["bias"] + policy.state["arms"][batch.arms], 0
    )
    squares = (seen**2).mean(axis=0)
    np.testing.assert_allclose(squares[squares > 0], 0.4, rtol=1e-9)
    assert (squares > 0).sum() >= 5


def test_learns_what_no_line_can():
    """Where signs decide it earns .8 of rounds that a linear policy earns half of."""
    rng = np.random.default_rng(3)
    contexts = rng.normal(size=(1_200, 2))
    same = contexts[:, 0] * contexts[:, 1] > 0
    world = World("crossed", contexts, np.where(same[:, None], [0.0, 1.0], [1.0, 0.0]))
    earned = simulate(lambda _: make(units=30, interval=300, memory=1_200), world)
    assert earned.last_quarter_mean_reward > 0.85


def test_removed_arms_are_forgotten_and_others_kept():
    """Decisions follow their arm's key; an added arm begins with the prior."""
    policy = make()
    policy.learn(rows(250))
    moved = policy.with_arms(Arms(("new", "b")))
    np.testing.assert_array_equal(moved.state["theta"][1], policy.state["theta"][1])
    assert not moved.state["theta"][0].any()
    was = policy.state["old_arms"]
    np.testing.assert_array_equal(moved.state["old_arms"], np.where(was == 1, 1, -1))
    assert not np.shares_memory(moved.state["old_rewards"], policy.state["old_rewards"])


def test_without_the_library_it_answers_but_does_not_learn(monkeypatch):
    """What is missing is named, before anything has changed; answers go on."""
    policy = make()
    policy.learn(rows(60))
    monkeypatch.setattr(neural, "_is_installed", lambda: False)
    blob = policy.to_bytes()
    copy = policies.from_bytes(blob)
    np.testing.assert_array_equal(copy.distribution(np.ones((1, 2))), policy.distribution(np.ones((1, 2))))
    with pytest.raises(InvalidInput, match=r"landit\[neural\]"):
        copy.learn(rows(1))
    assert copy.to_bytes() == blob


def test_none_is_made_without_the_library(monkeypatch):
    """Who asks for one learns at once what to install."""
    monkeypatch.setattr(registry, "find_spec", lambda _: None)
    assert registry.missing("linucb") is None
    with pytest.raises(InvalidInput, match=r"landit\[neural\]"):
        policies.create("neural_linear", arms=ARMS)


def test_answers_load_no_library():
    """A server that only answers never imports scikit-learn."""
    source = (
        "import sys; from bandit import policies; from bandit.types import Arms;"
        "policies.create('neural_linear', arms=Arms(('a', 'b'))).distribution();"
        "print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
