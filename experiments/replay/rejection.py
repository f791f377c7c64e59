"""Replay: let a policy live through a log, learning as it goes, by accepting the rows that it would have produced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bandit.policy import Policy
from experiments.errors import CannotEstimate
from experiments.replay.log import Log, Recorded
from experiments.replay.rows import Rows
from experiments.replay.targets import new_policy, teach

LEAST_ACCEPTED = 100
MOST_AHEAD = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayReport:
    """How a learning policy did on the rows of a log that it would have produced."""

    log: str
    policy: str
    params: dict[str, Any]
    seed: int
    rows: int
    """Rows of the log."""
    rounds: int
    """Rows that were accepted: the rounds that the policy lived through."""
    mean_reward: float
    last_quarter_mean_reward: float | None
    """Mean reward of the rounds in the last quarter of the log; None where there were none."""
    stderr: float
    """Of the mean reward, rounds taken as independent."""
    logged_mean_reward: float

    def to_json(self) -> dict[str, Any]:
        """As ``landit replay --json`` prints it, but for the times."""
        return {field: getattr(self, field) for field in self.__dataclass_fields__}


def replay(log: Log, *, policy: str, params: Mapping[str, Any] | None = None, seed: int = 0) -> ReplayReport:
    """Run a cold policy over a log, row by row.

    Row i, with logged variant a of probability π_i and the policy's present distribution p, is accepted with
    probability p(a)/(π_i·M), M = 1/min π over the log. An accepted row is a round: its reward counts, and the policy
    learns it at once. Accepted rows are distributed as if the policy itself had chosen, whatever the context, because
    p/(π·M) never exceeds 1 (rejection sampling; with uniform π it is the replay of Li, Chu, Langford and Wang 2011).
    A log with a tiny probability anywhere accepts few rows: then ``evaluate``, which uses all, is the better question.

    Parameters
    ----------
    params
        Parameters of the policy; ``exploration`` is 0 unless it is among them.
    seed
        Of the generator that accepts.

    Raises
    ------
    CannotEstimate
        The log has no propensities, or fewer than 100 rows were accepted.
    Invalid
        There is no such policy, or it cannot learn these rewards.
    """
    settings = dict(params or {})
    learner = new_policy(policy, log, settings)
    if log.recorded is Recorded.NOTHING:
        raise CannotEstimate(
            "Replay accepts rows by the probability of their choice, and the log has none.",
            hint="Only logs with propensities can be replayed.",
        )
    rows, least = _survey(log)
    walk = _Walk(learner, least, rows - rows // 4, np.random.default_rng(seed))
    for part in log.rows(contexts=learner.contextual):
        walk.over(part)
    if walk.rounds < LEAST_ACCEPTED:
        raise CannotEstimate(
            f"Of the log's {rows} rows {walk.rounds} were accepted, below {LEAST_ACCEPTED}; its least probability is"
            f" {least:.3g}.",
            hint="Use a longer log or one with more even probabilities, or evaluate a policy instead.",
        )
    return ReplayReport(
        log=log.name,
        policy=policy,
        params=settings,
        seed=seed,
        rows=rows,
        rounds=walk.rounds,
        mean_reward=walk.mean,
        last_quarter_mean_reward=walk.late_total / walk.late_rounds if walk.late_rounds else None,
        stderr=walk.stderr,
        logged_mean_reward=walk.logged_total / rows,
    )


def _survey(log: Log) -> tuple[int, float]:
    rows, least = 0, 1.0
    for part in log.rows():
        assert part.probabilities is not None  # noqa: S101 - decode() checked every row of such a log
        rows += len(part)
        least = min(least, float(part.probabilities.min()))
    return rows, least


class _Walk:
    """The sums of a replay in progress: constant memory."""

    def __init__(self, policy: Policy, least: float, late_after: int, rng: np.random.Generator) -> None:
        self.policy = policy
        self.least = least
        self.late_after = late_after
        self.rng = rng
        self.seen = self.rounds = self.late_rounds = 0
        self.mean = self.scatter = self.late_total = self.logged_total = 0.0

    @property
    def stderr(self) -> float:
        """Standard error of the mean reward."""
        return float(np.sqrt(self.scatter / (self.rounds - 1) / self.rounds))

    def over(self, rows: Rows) -> None:
        """Live through a batch."""
        assert rows.probabilities is not None  # noqa: S101 - as in _survey
        self.logged_total += float(rows.rewards.sum())
        # Accept when p(a) > u·π/least, that is with probability p(a)·least/π.
        thresholds = self.rng.random(len(rows)) * rows.probabilities / self.least
        at = 0
        while at < len(rows):
            ahead = slice(at, at + self._lookahead())
            chosen = rows.chosen[ahead]
            distributions = self.policy.distribution(rows.contexts[ahead])
            accepted = np.flatnonzero(distributions[np.arange(len(chosen)), chosen] > thresholds[ahead])
            passed = int(accepted[0]) + 1 if len(accepted) else len(chosen)
            at += passed
            self.seen += passed
            if len(accepted):
                self._accept(rows[at - 1 : at])

    def _lookahead(self) -> int:
        """Rows to ask the policy about at once: it does not change before it accepts one of them."""
        return min(MOST_AHEAD, 1 + 2 * self.seen // (self.rounds + 1))

    def _accept(self, row: Rows) -> None:
        reward = float(row.rewards[0])
        self.rounds += 1
        step = reward - self.mean
        self.mean += step / self.rounds
        self.scatter += step * (reward - self.mean)
        if self.seen > self.late_after:
            self.late_rounds += 1
            self.late_total += reward
        teach(self.policy, row)
