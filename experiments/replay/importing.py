"""Import: a log from elsewhere becomes a finished experiment, with its analysis, its report and its evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from bandit.types import Floats
from experiments.declarations import declarable
from experiments.definition import parse
from experiments.errors import CannotEstimate, Conflict
from experiments.keeper.recount import count_import
from experiments.model import Definition, Experiment, MetricKind, Micros, Reason, UnitKind
from experiments.replay.contexts import parse_contexts
from experiments.replay.log import Log
from experiments.replay.rows import Rows
from experiments.service.identity import DecisionIds
from experiments.store import LoggedDecision, Store

SAME = 1e-9
"""How far two logged probabilities may be apart and still be one split."""


@dataclass(frozen=True, slots=True)
class Import:
    """What was imported."""

    experiment: Experiment
    rows: int


def import_log(log: Log, key: str, *, store: Store, by: str, now: Micros, pseudonym: Callable[[str], str]) -> Import:
    """Keep a log as the stopped experiment ``key``; nothing of it is served or learned from.

    Every row is a decision of its own (``unit: decision``) and an analysis row. Where several positions of a page were
    logged, the position is an attribute of the context and variants are compared over all positions. Attributes get
    names that are keys; those that would make a vector too wide are kept and not declared. The policy is ``fixed``
    where every row has the same distribution; else one that moves traffic, so that no report takes the split for a
    fixed one. A log that holds only the chosen variant's probability is whole if that is 1/K throughout.

    Parameters
    ----------
    by
        Who imports, for the audit.
    now
        Time of the rows of a log that has no times.
    pseudonym
        What makes a unit unrecognisable before it is stored.

    Raises
    ------
    CannotEstimate
        The probabilities of the variants that were not chosen are not known.
    Conflict
        There is an experiment of that key.
    Invalid
        A row is wrong, or a variant's name cannot be a key.
    """
    found = _survey(log)
    experiment = _begun(store, _definition(log, key, found), rows=found.rows, by=by)
    kept = store.health(experiment.id).decisions
    rows = store.import_log(experiment, _after(kept, _decisions(log, found, now, pseudonym)))
    count_import(store, experiment, now=now)
    return Import(experiment, rows)


def _begun(store: Store, definition: Definition, *, rows: int, by: str) -> Experiment:
    """Create the experiment; or find the one that an import of the same log left behind when it died halfway."""
    try:
        return store.create_experiment(definition, by=by, imported=True)
    except Conflict:
        found = store.experiment(definition.key)
        whole = store.health(found.id).decisions >= rows and store.analysis_state(found.id) is not None
        if not found.imported or found.definition != definition or whole:
            raise
        return found


def _after(kept: int, batches: Iterator[list[LoggedDecision]]) -> Iterator[list[LoggedDecision]]:
    """Leave out the first ``kept`` decisions: they are in the store, which takes batches whole and in their order."""
    for batch in batches:
        if len(batch) > kept:
            yield batch[kept:]
        kept = max(kept - len(batch), 0)


@dataclass(slots=True)
class _Survey:
    """What a first pass finds; it also refuses every bad row before anything is stored."""

    vector: Floats | None = None
    """The distribution of the first row, in force for all of them if ``one_split``."""
    one_split: bool = True
    binary: bool = True
    lowest: float = np.inf
    highest: float = -np.inf
    rows: int = 0

    def add(self, rows: Rows, vectors: Floats) -> None:
        """Take in a batch."""
        self.vector = vectors[0] if self.vector is None else self.vector
        self.one_split &= bool(np.all(np.abs(vectors - self.vector) <= SAME))
        self.binary &= bool(np.all((rows.rewards == 0) | (rows.rewards == 1)))
        self.lowest = min(self.lowest, float(rows.rewards.min()))
        self.highest = max(self.highest, float(rows.rewards.max()))
        self.rows += len(rows)


def _survey(log: Log) -> _Survey:
    found = _Survey()
    for rows in log.rows():
        found.add(rows, _vectors(log, rows))
    if not found.rows:
        raise CannotEstimate(f"{log.name} has no analysis rows.")
    return found


def _vectors(log: Log, rows: Rows) -> Floats:
    if rows.distributions is not None:
        return rows.distributions
    even = 1 / len(log.variants)
    if rows.probabilities is not None and np.all(np.abs(rows.probabilities - even) <= SAME):
        return np.full((len(rows), len(log.variants)), even)
    raise CannotEstimate(
        f"{log.name} holds {log.recorded.value} only; an experiment needs the probability of every variant.",
        hint="Evaluate it as it is: landit evaluate LOG --target TARGET.",
    )


def _definition(log: Log, key: str, found: _Survey) -> Definition:
    kind = MetricKind.CONVERSION if found.binary else MetricKind.SCORE
    metric: dict[str, Any] = {"key": log.metric, "kind": kind.value}
    metric |= {"min": 0, "max": 1} if found.binary else {"min": min(found.lowest, 0.0), "max": max(found.highest, 0.0)}
    moving = "thompson" if found.binary else "thompson_normal"
    # A variant that the one split never serves cannot have weight 0: such a split is not a fixed policy's.
    fixed = found.one_split and found.vector is not None and bool(np.all(found.vector > 0))
    weights = found.vector.tolist() if fixed and found.vector is not None else [1.0] * len(log.variants)
    return parse(
        {
            "key": key,
            "name": f"Imported from {log.name}",
            "unit": UnitKind.DECISION.value,
            "variants": [
                {"key": variant, "weight": weight} for variant, weight in zip(log.variants, weights, strict=True)
            ],
            "context": [attribute.to_json() for attribute in declarable(log.schema.attributes).values()],
            "metrics": [metric],
            "policy": {"name": "fixed" if fixed else moving},
            "exploration": 0.0,
            "tags": ["imported"],
        }
    )


def _decisions(
    log: Log, found: _Survey, now: Micros, pseudonym: Callable[[str], str]
) -> Iterator[list[LoggedDecision]]:
    ids = DecisionIds()
    policy = "fixed" if found.one_split else "imported"
    keys = {old: attribute.name for old, attribute in declarable(log.schema.attributes).items()}
    for batch in log.batches():
        rows = log.decode(batch)
        vectors = _vectors(log, rows)
        contexts = [
            {keys.get(name, name): value for name, value in context.items()}
            for context in parse_contexts(batch.column("context"))
        ]
        units = _units(batch, pseudonym)
        yield [
            LoggedDecision(
                decision=ids.next(time),
                version=1,
                phase=1,
                unit=units[i],
                time=time,
                variant=log.variants[chosen],
                probability=float(vectors[i, chosen]),
                variants=log.variants,
                distribution=vectors[i],
                policy=policy,
                policy_version=0,
                reason=Reason.POLICY.value,
                analysis=True,
                seq=None,
                context=contexts[i],
                rewards={log.metric: float(rows.rewards[i])},
            )
            for i, (chosen, time) in enumerate(zip(rows.chosen.tolist(), _times(rows, now), strict=True))
        ]


def _times(rows: Rows, now: Micros) -> list[Micros]:
    return [time or now for time in rows.times.tolist()]


def _units(batch: pa.RecordBatch, pseudonym: Callable[[str], str]) -> list[str | None]:
    return [None if unit is None else pseudonym(unit) for unit in batch.column("unit").to_pylist()]
