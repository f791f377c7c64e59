"""Random rows, good and bad, at every policy: nothing crashes, and all that is learned stays finite.

``python -m tests.fuzz_policies 1000000`` gives each policy a million rows, or as many as its share of the time allows
(``--seconds``, 180 for all), and says of each how many it learned, how many it refused, and why.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np

from bandit import policies, registry
from bandit.features import Schema
from bandit.policy import Policy
from bandit.types import Arms, Batch

WIDTH = 4
SIZES = (1, 2, 30, 1000)
BAD = {
    "contexts": (np.nan, np.inf, -1e60),
    "arms": (-1, 99),
    "rewards": (np.nan, -np.inf, 1e300),
    "distributions": (np.nan, -0.5, 2.0),
    "weights": (-1.0, np.nan, 1e300),
}


def wild(rng: np.random.Generator, shape: tuple[int, ...], furthest: float) -> np.ndarray:
    """Numbers of any size up to 10^furthest, zeros and ones among them."""
    values = rng.normal(size=shape) * 10.0 ** rng.uniform(-furthest, furthest, shape)
    return np.where(rng.random(shape) < 0.3, rng.integers(0, 2, shape), values)


def rows(rng: np.random.Generator, n: int, arms: int) -> Batch:
    """A batch of which some rows are bad, and some batches are wild."""
    furthest = float(rng.choice([0.5, 3.0, 45.0], p=[0.7, 0.25, 0.05]))
    rewards = (rng.random(n) < 0.3).astype(np.float64)
    strange = rng.random(n) < rng.choice([0.0, 0.3])
    rewards[strange] = wild(rng, (int(strange.sum()),), furthest)
    fields = {
        "contexts": wild(rng, (n, WIDTH), furthest),
        "arms": rng.integers(0, arms, n),
        "rewards": rewards,
        "distributions": rng.dirichlet(np.full(arms, rng.choice([0.05, 1.0, 50.0])), n),
        "times": rng.integers(0, 10**15, n),
        "weights": rng.choice([0.0, 1.0, 1.0, 1.0, 0.5, 7.0], n),
    }
    for row in np.flatnonzero(rng.random(n) < rng.choice([0.0, 0.05, 0.5])):
        name = str(rng.choice(list(BAD)))
        fields[name][(row, 0) if fields[name].ndim == 2 else row] = rng.choice(BAD[name])
    return Batch(**fields)


def check(policy: Policy, rng: np.random.Generator) -> None:
    """Its state is finite, its bytes can be read, and it answers with distributions, one by one and together."""
    for name, array in policy.state.items():
        assert np.isfinite(array).all(), f"{name} of {policy.name} is not finite"
    arms = len(policy.arms)
    allowed = rng.random((3, arms)) < 0.6
    allowed[np.arange(3), rng.integers(arms, size=3)] = True
    contexts = wild(rng, (3, WIDTH), float(rng.choice([1.0, 6.0])))
    for each in (policy, policies.from_bytes(policy.to_bytes())):
        answer = each.distribution(contexts, allowed)
        assert np.isfinite(answer).all(), f"{policy.name} answers {answer}"
        assert abs(answer.sum(axis=1) - 1).max() <= 1e-9, f"{policy.name} answers {answer}"
        assert answer.min() >= 0, f"{policy.name} answers {answer}"
        assert (answer[~allowed] == 0).all(), f"{policy.name} chooses what is not allowed"


def changed(policy: Policy, rng: np.random.Generator) -> Policy:
    """The policy with an arm more, or one less."""
    keys = list(policy.arms.keys)
    if len(keys) > 2 and rng.random() < 0.5:
        keys.pop(int(rng.integers(len(keys))))
    elif len(keys) < 7:
        keys.insert(int(rng.integers(len(keys) + 1)), f"k{rng.integers(10**9)}")
    return policy.with_arms(Arms(tuple(keys)))


def learn(name: str, updates: int, *, seed: int, seconds: float = math.inf) -> Counter[str]:
    """Give a policy so many rows, unless the time is over before; return how many were learned, and refused why."""
    rng = np.random.default_rng(seed)
    policy = policies.create(name, arms=Arms(("a", "b", "c", "d")), schema=Schema.numeric(WIDTH), exploration=0.1)
    outcomes: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while outcomes.total() < updates and time.monotonic() < end:
        n = min(int(rng.choice(SIZES)), updates - outcomes.total())
        refused = policy.learn_good(rows(rng, n, len(policy.arms)))
        outcomes.update(refused)
        outcomes["learned"] += n - sum(refused.values())
        if rng.random() < 0.1:
            check(policy, rng)
        if rng.random() < 0.02:
            policy = changed(policy, rng)
    check(policy, rng)
    return outcomes


def report(updates: int, *, seed: int, seconds: float) -> Iterator[str]:
    """One line a policy, and one for all."""
    everything: Counter[str] = Counter()
    names = registry.names()
    for name in names:
        found = learn(name, updates, seed=seed, seconds=seconds / len(names))
        everything.update(found)
        yield f"{name:24} {found.total():>9,} rows, {found['learned']:>9,} learned"
    yield f"{'all':24} {everything.total():>9,} rows, {everything['learned']:>9,} learned, all states finite"
    yield from (f"  {count:>9,} refused: {why}" for why, count in everything.most_common() if why != "learned")


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("updates", type=int, help="rows for each policy")
    parser.add_argument("--seconds", type=float, default=180.0, help="for all policies together")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for line in report(given.updates, seed=given.seed, seconds=given.seconds):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
