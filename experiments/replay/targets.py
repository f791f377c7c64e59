"""Targets: the policies that a log is asked about, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bandit import policies
from bandit.policy import Policy
from bandit.types import Floats
from bandit.validation import InvalidInput
from experiments.errors import CannotEstimate, Invalid, NotFound
from experiments.replay.log import Log, Recorded
from experiments.replay.rows import Rows

MATRIX_TOLERANCE = 1e-3
"""How far a column of a matrix may be from summing to one: matrices are often rounded frequencies."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A policy to be evaluated: what it would have chosen in the situation of each row."""

    name: str
    distribution: Callable[[Rows], Floats]
    """(n, K) probability of every variant of the log."""
    needs_contexts: bool = False
    learned_from: int = 0
    """Rows at the head of the log that taught it, and that it must not be judged by."""


def find_target(spec: str, log: Log, *, params: Mapping[str, Any] | None = None) -> Target:
    """The target of a name: ``uniform``, ``logged``, ``variant:KEY``, ``matrix:FILE``, ``policy:NAME``.

    Parameters
    ----------
    params
        Parameters of ``policy:NAME``; ``exploration`` is 0 unless it is among them.

    Raises
    ------
    Invalid, NotFound
        There is no such target, variant, file or policy.
    CannotEstimate
        The log does not hold what the target is made of.
    """
    kind, _, rest = spec.partition(":")
    if kind == "uniform" and not rest:
        return _constant(spec, np.full((log.positions, len(log.variants)), 1 / len(log.variants)))
    if kind == "logged" and not rest:
        return _logged(log)
    if kind == "variant":
        return _variant(spec, rest, log)
    if kind == "matrix":
        return _constant(spec, read_matrix(Path(rest), log))
    if kind == "policy":
        return _learned(spec, rest, log, dict(params or {}))
    raise Invalid(
        f"{spec!r} is no target.", hint="A target is uniform, logged, variant:KEY, matrix:FILE or policy:NAME."
    )


def read_matrix(path: Path, log: Log) -> Floats:
    """(positions, K) probabilities from a CSV file with a row a variant, in the log's order, and a column a position.

    Lines that begin with ``#`` are skipped. A file with one column holds for every position.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", hint="matrix:FILE needs a CSV file of probabilities.")
    try:
        matrix = np.loadtxt(path, delimiter=",", comments="#", ndmin=2, dtype=np.float64)
    except ValueError as error:
        raise Invalid(f"{path.name} is no matrix of numbers: {error}.") from error
    rows, columns = matrix.shape
    if rows != len(log.variants) or columns not in (1, log.positions):
        raise Invalid(
            f"{path.name} has {rows} rows and {columns} columns.",
            hint=f"The log has {len(log.variants)} variants and {log.positions} positions.",
        )
    totals = matrix.sum(axis=0)
    if not np.all(matrix >= 0) or np.any(np.abs(totals - 1) > MATRIX_TOLERANCE):
        raise Invalid(f"Each column of {path.name} must be non-negative and sum to 1, found sums {totals.tolist()}.")
    return np.ascontiguousarray(np.broadcast_to(matrix, (rows, log.positions)).T)


def _constant(name: str, table: Floats) -> Target:
    return Target(name=name, distribution=lambda rows: np.asarray(table[rows.positions]))


def _variant(spec: str, key: str, log: Log) -> Target:
    if key not in log.variants:
        shown = ", ".join(log.variants[:12]) + (" ..." if len(log.variants) > 12 else "")
        raise NotFound(f"The log has no variant {key!r}.", hint=f"It has: {shown}")
    one = np.array([[float(variant == key) for variant in log.variants]])
    return _constant(spec, np.repeat(one, log.positions, axis=0))


def _logged(log: Log) -> Target:
    if log.recorded is not Recorded.EVERY:
        raise CannotEstimate(
            f"The log holds {log.recorded.value} only, so its own policy is not known whole.",
            hint="Every report shows beside its estimates what the logged policy earned.",
        )

    def distribution(rows: Rows) -> Floats:
        assert rows.distributions is not None  # noqa: S101 - decode() checked every row of such a log
        return rows.distributions

    return Target(name="logged", distribution=distribution)


def _learned(spec: str, name: str, log: Log, params: dict[str, Any]) -> Target:
    """A policy that learned from the first half of the log, and is to be judged by the second.

    A policy must not be judged by the rewards that taught it; halves in the order of time are what would have happened
    had it been put in force at that moment, and stayed as it was.
    """
    policy = new_policy(name, log, params)
    half = log.count() // 2
    read = 0
    for rows in log.rows(contexts=policy.contextual):
        part = rows[: half - read]
        teach(policy, part)
        read += len(part)
        if read >= half:
            break
    return Target(
        name=spec,
        distribution=lambda rows: policy.distribution(rows.contexts),
        needs_contexts=policy.contextual,
        learned_from=half,
    )


def new_policy(name: str, log: Log, params: Mapping[str, Any]) -> Policy:
    """A cold policy over the variants of a log; its exploration is 0 unless ``params`` say otherwise."""
    settings = {"exploration": 0.0, **params}
    try:
        return policies.create(name, schema=log.schema, arms=log.arms, **settings)
    except (InvalidInput, TypeError) as error:
        raise Invalid(f"The policy cannot be made: {error}.") from error


def teach(policy: Policy, rows: Rows) -> None:
    """Let a policy learn rows of a log.

    Raises
    ------
    Invalid
        It cannot take their rewards.
    """
    try:
        policy.learn(rows.lesson(len(policy.arms)))
    except InvalidInput as error:
        where = f"rows {rows.numbers[0]} to {rows.numbers[-1]}" if len(rows) > 1 else f"row {rows.numbers[0]}"
        raise Invalid(f"{policy.name} cannot learn {where} of the log: {error}.") from error
