"""The loop of a simulation: choose, reward, learn, round after round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from bandit.kernels.sequence import Played
from bandit.policy import Policy
from bandit.simulate.worlds import World
from bandit.types import Batch, Floats, Ints
from bandit.validation import require


@dataclass(frozen=True, slots=True)
class Run:
    """One seed's outcome."""

    seed: int
    mean_reward: float
    """Mean *expected* reward of the arms that were chosen: the luck of the rewards themselves is left out."""
    last_quarter_mean_reward: float


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a policy earned in a world."""

    world: str
    rounds: int
    runs: tuple[Run, ...]

    @property
    def mean_reward(self) -> float:
        """Mean over the seeds."""
        return float(np.mean([run.mean_reward for run in self.runs]))

    @property
    def last_quarter_mean_reward(self) -> float:
        """Mean over the seeds."""
        return float(np.mean([run.last_quarter_mean_reward for run in self.runs]))


def simulate(
    policy: Callable[[int], Policy], world: World, *, rounds: int | None = None, seeds: Sequence[int] = (0,)
) -> Simulation:
    """Let a policy play a world, once a seed.

    Each round the policy's distribution for the round's context is drawn from, the drawn arm is rewarded with 1 or 0 by
    its expected reward, and the policy learns that one row before the next round. Where a policy offers that loop
    itself (``play``), compiled, its is used.

    Parameters
    ----------
    policy
        Makes a cold policy over the world's arms for a seed.
    rounds
        The first so many rounds of the world; all of them by default.
    seeds
        Each drives the draws and the rewards of one run.

    Raises
    ------
    InvalidInput
        When the world has fewer rounds, there is no seed, or the policy has another number of arms.
    """
    rounds = len(world) if rounds is None else rounds
    require(1 <= rounds <= len(world), f"rounds must be in 1..{len(world)} for the world {world.name}, found {rounds}")
    require(len(seeds) > 0, "there must be a seed")
    return Simulation(world.name, rounds, tuple(_run(policy(seed), world, rounds, seed) for seed in seeds))


@runtime_checkable
class Player(Protocol):
    """A policy with a loop of its own, for where a thousand rounds would otherwise be as many calls."""

    @property
    def playable(self) -> bool:
        """Whether it can be used as the policy stands."""
        ...

    def play(self, contexts: Floats, rewards: Floats, uniforms: Floats) -> Played:
        """Choose, see the reward and learn, round after round."""
        ...


def _run(policy: Policy, world: World, rounds: int, seed: int) -> Run:
    require(len(policy.arms) == world.arms, f"the policy must have {world.arms} arms, found {len(policy.arms)}")
    drawn, rewarded = np.random.default_rng(seed).random((rounds, 2)).T
    contexts, expected = world.contexts[:rounds], world.expected_rewards[:rounds]
    rewards = (rewarded[:, None] < expected).astype(np.float64)
    if isinstance(policy, Player) and policy.playable:
        arms = policy.play(contexts, rewards, drawn).arms
    else:
        arms = _arms(policy, contexts, rewards, drawn)
    earned = expected[np.arange(rounds), arms]
    return Run(seed, float(earned.mean()), float(earned[rounds - max(rounds // 4, 1) :].mean()))


def _arms(policy: Policy, contexts: Floats, rewards: Floats, drawn: Floats) -> Ints:
    """Return the (n,) arms that the policy's two verbs lead to."""
    arms = np.empty(len(contexts), dtype=np.int64)
    for t in range(len(contexts)):
        context = contexts[t : t + 1]
        distribution = policy.distribution(context)
        cumulative = np.cumsum(distribution[0])
        # Scaled by the last entry, so that rounding can never draw an arm of probability 0.
        arm = arms[t] = int(np.searchsorted(cumulative, drawn[t] * cumulative[-1], side="right"))
        policy.learn(
            Batch(
                contexts=context,
                arms=arms[t : t + 1],
                rewards=rewards[t, arm : arm + 1],
                distributions=distribution,
                times=np.array([t]),
                weights=np.ones(1),
            )
        )
    return arms
