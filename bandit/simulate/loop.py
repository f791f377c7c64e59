"""The loop of a simulation: choose, reward, learn, round after round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bandit.policy import Policy
from bandit.simulate.worlds import World
from bandit.types import Batch
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
    its expected reward, and the policy learns that one row before the next round.

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


def _run(policy: Policy, world: World, rounds: int, seed: int) -> Run:
    require(len(policy.arms) == world.arms, f"the policy must have {world.arms} arms, found {len(policy.arms)}")
    drawn, rewarded = np.random.default_rng(seed).random((rounds, 2)).T
    earned = np.empty(rounds)
    for t in range(rounds):
        context = world.contexts[t : t + 1]
        distribution = policy.distribution(context)
        cumulative = np.cumsum(distribution[0])
        # Scaled by the last entry, so that rounding can never draw an arm of probability 0.
        arm = int(np.searchsorted(cumulative, drawn[t] * cumulative[-1], side="right"))
        earned[t] = world.expected_rewards[t, arm]
        policy.learn(
            Batch(
                contexts=context,
                arms=np.array([arm]),
                rewards=np.array([float(rewarded[t] < earned[t])]),
                distributions=distribution,
                times=np.array([t]),
                weights=np.ones(1),
            )
        )
    return Run(seed, float(earned.mean()), float(earned[rounds - max(rounds // 4, 1) :].mean()))
