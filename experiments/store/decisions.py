"""Decisions on their way in: checked against their experiment's version, each id and each request once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, select

from bandit.types import Bools, Floats
from experiments.errors import Invalid
from experiments.model import Micros, Reason, UnitKind
from experiments.records import DecisionRecord
from experiments.store.bulk import add_rows, chunks, insert_rows
from experiments.store.codec import pack, require_hex, to_json
from experiments.store.shapes import Shape, Shapes
from experiments.tables import Decisions, Pending, Traffic

LOGGED = {Reason.POLICY.value, Reason.DEGRADED.value, Reason.PREVIEW.value}
_WIDTHS: tuple[Micros, ...] = (3_600_000_000, 600_000_000, 60_000_000, 10_000_000)
_AGES = 60
_VECTOR = msgspec.json.Decoder(list[float])
_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Arrived:
    """The decisions of one experiment version, checked, with their distributions as one matrix."""

    experiment_id: int
    shape: Shape
    records: Sequence[DecisionRecord]
    distributions: Floats
    """(n, K)"""


def may_count(decision: Any) -> ColumnElement[bool]:
    """Whether a decision (the table or an alias) may become a row: no preview, and no repeat.

    Written as the partial index over units is, so that its entries are all that need be read.
    """
    return and_(decision.repeat_of.is_(None), decision.reason != literal_column("'preview'"))


def take_decisions(
    connection: Connection, shapes: Shapes, records: Iterable[DecisionRecord]
) -> dict[int, dict[str, int]]:
    """Insert the decisions that are new; returns what to count for each experiment.

    Raises
    ------
    Invalid
        A record does not fit its experiment's version; nothing says which, the caller bisects.
    """
    counts: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for experiment_id, group in _by(records, lambda record: record.experiment):
        fresh = _unknown(connection, experiment_id, group)
        repeats = _repeats(connection, experiment_id, fresh)
        for version, members in _by(fresh, lambda record: record.version):
            arrived = check(experiment_id, shapes.version(connection, experiment_id, version), members)
            _insert(connection, arrived, repeats)
        counts[experiment_id]["decisions"] += len(fresh) - len(repeats)
        counts[experiment_id]["repeats"] += len(repeats)
    return counts


def check(experiment_id: int, shape: Shape, records: Sequence[DecisionRecord]) -> Arrived:
    """Check records of one experiment version, and decode their distributions.

    Raises
    ------
    Invalid
        An id, a reason, a variant or a distribution is not what the version allows.
    """
    try:
        vectors = [_VECTOR.decode(record.distribution) for record in records]
        matrix = np.array(vectors, dtype=np.float64).reshape(len(records), len(shape.variants))
    except (msgspec.DecodeError, ValueError):
        raise Invalid(f"distribution: must be {len(shape.variants)} numbers.") from None
    return check_matrix(Arrived(experiment_id, shape, records, matrix))


def check_matrix(arrived: Arrived) -> Arrived:
    """Check everything of decisions whose distributions are decoded already (``Invalid``)."""
    shape, records, matrix = arrived.shape, arrived.records, arrived.distributions
    for record in records:
        require_hex("id", record.id)
        require_hex("unit", record.unit)
        if record.reason not in LOGGED:
            raise Invalid(f"reason: must be one of {', '.join(sorted(LOGGED))}, found {record.reason!r}.")
        if record.variant not in shape.positions:
            raise Invalid(f"variant: must be one of {', '.join(shape.variants)}, found {record.variant!r}.")
    chosen = matrix[np.arange(len(records)), [shape.positions[record.variant] for record in records]]
    if not (np.isfinite(matrix) & (matrix >= 0)).all() or (abs(matrix.sum(axis=1) - 1) > _SUM_TOLERANCE).any():
        raise Invalid("distribution: must be probabilities that sum to one.")
    if (chosen != [record.probability for record in records]).any() or (chosen <= 0).any():
        raise Invalid("probability: must be the chosen variant's entry of the distribution, and positive.")
    return arrived


def _unknown(connection: Connection, experiment_id: int, records: Iterable[DecisionRecord]) -> list[DecisionRecord]:
    """The first record of each id that the store does not have yet."""
    first: dict[str, DecisionRecord] = {}
    for record in records:
        require_hex("id", record.id)
        first.setdefault(record.id, record)
    for ids in chunks(list(first)):
        known = select(Decisions.id).where(Decisions.experiment_id == experiment_id, Decisions.id.in_(ids))
        for decision in connection.scalars(known):
            del first[decision]
    return list(first.values())


def _repeats(connection: Connection, experiment_id: int, records: Sequence[DecisionRecord]) -> dict[str, str]:
    """Which decisions repeat a request: id -> id of the first decision under that request."""
    asked = [record for record in records if record.request_id is not None]
    first: dict[str | None, str] = {}
    for requests in chunks({record.request_id for record in asked}):
        known = select(Decisions.request_id, Decisions.id).where(
            Decisions.experiment_id == experiment_id,
            Decisions.request_id.in_(requests),
            Decisions.request_id.is_not(None),
            Decisions.repeat_of.is_(None),
        )
        first |= {row.request_id: row.id for row in connection.execute(known)}
    return {
        record.id: original
        for record in asked
        if (original := first.setdefault(record.request_id, record.id)) != record.id
    }


def _insert(connection: Connection, arrived: Arrived, repeats: dict[str, str]) -> None:
    counted = np.array(
        [record.reason != Reason.PREVIEW and record.id not in repeats for record in arrived.records], dtype=np.bool_
    )
    entering = [record for record, enters in zip(arrived.records, counted, strict=True) if enters]
    if arrived.shape.unit is UnitKind.VISITOR:
        entering = _first_of_units(connection, arrived.experiment_id, entering)
    insert_rows(connection, Decisions, decision_rows(arrived, repeats))
    insert_rows(
        connection,
        Pending,
        [{"experiment_id": arrived.experiment_id, "time": record.time, "id": record.id} for record in entering],
    )
    add_traffic(connection, arrived, counted)


def decision_rows(arrived: Arrived, repeats: Mapping[str, str]) -> list[dict[str, Any]]:
    """Write decisions as rows of the log; ``repeats`` names the first decision of each that repeats one."""
    shape = arrived.shape
    return [
        {
            "experiment_id": arrived.experiment_id,
            "id": record.id,
            "version": record.version,
            "phase": record.phase,
            "unit": record.unit,
            "time": record.time,
            "slot": shape.slots[shape.positions[record.variant]],
            "probability": record.probability,
            "distribution": pack(vector),
            "policy": record.policy,
            "policy_version": record.policy_version,
            "reason": record.reason,
            "request_id": record.request_id,
            "repeat_of": repeats.get(record.id),
            "context": to_json(record.context),
        }
        for record, vector in zip(arrived.records, arrived.distributions, strict=True)
    ]


def _first_of_units(
    connection: Connection, experiment_id: int, records: Sequence[DecisionRecord]
) -> list[DecisionRecord]:
    """Leave out every decision of which it is known already that it is not its unit's first."""
    earliest: dict[str | None, Micros] = {}
    for units in chunks({record.unit for record in records if record.unit is not None}):
        known = select(Decisions.unit, func.min(Decisions.time).label("time")).group_by(Decisions.unit)
        here = (Decisions.experiment_id == experiment_id, Decisions.unit.in_(units), may_count(Decisions))
        earliest |= {row.unit: row.time for row in connection.execute(known.where(*here))}
    for record in records:
        earliest[record.unit] = min(record.time, earliest.get(record.unit, record.time))
    return [record for record in records if record.unit is None or record.time == earliest[record.unit]]


def add_traffic(connection: Connection, arrived: Arrived, counted: Bools) -> None:
    """Add the counted decisions to the traffic of their buckets."""
    times = np.array([record.time for record in arrived.records], dtype=np.int64)[counted]
    if not len(times):
        return
    begin = connection.scalar(select(func.min(Traffic.time)).where(Traffic.experiment_id == arrived.experiment_id))
    width = bucket_width(int(times.max()) - min(int(times.min()), begin or int(times.min())))
    times = times // width * width
    matrix = arrived.distributions[counted]
    positions = [arrived.shape.positions[record.variant] for record in arrived.records]
    chosen = np.array(positions, dtype=np.int64)[counted]
    buckets, of = np.unique(times, return_inverse=True)
    decisions = np.zeros((len(buckets), matrix.shape[1]), dtype=np.int64)
    propensity = np.zeros(decisions.shape)
    np.add.at(decisions, (of, chosen), 1)
    np.add.at(propensity, of, matrix)
    rows = [
        {
            "experiment_id": arrived.experiment_id,
            "time": int(bucket),
            "slot": slot,
            "decisions": int(decisions[i, k]),
            "propensity_sum": float(propensity[i, k]),
        }
        for i, bucket in enumerate(buckets)
        for k, slot in enumerate(arrived.shape.slots)
    ]
    add_rows(connection, Traffic, rows)


def bucket_width(age: Micros) -> Micros:
    """How wide the buckets are that an experiment gets at an age: a sixtieth of it, rounded down.

    So a chart over the experiment's life has some sixty points from its first minutes on, and after a year there are
    ten thousand buckets a variant, not half a million. Each width is a multiple of those before it.

    >>> [bucket_width(minutes * 60_000_000) // 1_000_000 for minutes in (0, 59, 60, 600, 3_600)]
    [10, 10, 60, 600, 3600]
    """
    return next((width for width in _WIDTHS if width * _AGES <= age), _WIDTHS[-1])


def _by(records: Iterable[DecisionRecord], key: Any) -> list[tuple[int, list[DecisionRecord]]]:
    return [(value, list(group)) for value, group in groupby(sorted(records, key=key), key)]
