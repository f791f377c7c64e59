"""Shapes: what the records of an experiment must fit, remembered because versions never change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, select

from experiments.errors import Invalid
from experiments.model import Definition, Metric, UnitKind
from experiments.tables import ExperimentVersions, Metrics, Variants


@dataclass(frozen=True, slots=True)
class Shape:
    """One version of an experiment, as its decisions need it."""

    unit: UnitKind
    variants: tuple[str, ...]
    slots: tuple[int, ...]
    positions: dict[str, int]
    """Where each variant stands in the distribution."""
    costs: tuple[float, ...]
    """Of showing each variant once."""
    metrics: frozenset[str]
    """Keys of what could be rewarded."""

    def key_of(self, slot: int) -> str:
        """Name the variant of a slot."""
        return self.variants[self.slots.index(slot)]

    def cost_of(self, slot: int) -> float:
        """Return what showing the variant of a slot costs."""
        return self.costs[self.slots.index(slot)]

    def measured(self, metrics: Iterable[Metric]) -> list[Metric]:
        """Choose those of the metrics that this version's decisions have outcomes of."""
        return [metric for metric in metrics if metric.has_outcome and metric.key in self.metrics]


class Shapes:
    """Every shape that was asked for; one object a store."""

    def __init__(self) -> None:
        self._versions: dict[tuple[int, int], Shape] = {}
        self._metrics: dict[tuple[int, str], int] = {}

    def version(self, connection: Connection, experiment_id: int, version: int) -> Shape:
        """Read the shape of a version (``Invalid`` when there is none)."""
        key = (experiment_id, version)
        if key not in self._versions:
            self._versions[key] = _read_version(connection, experiment_id, version)
        return self._versions[key]

    def unit(self, connection: Connection, experiment_id: int) -> UnitKind:
        """Say who is assigned in an experiment: it never changes once there are decisions."""
        newest = (
            select(ExperimentVersions.version)
            .where(ExperimentVersions.experiment_id == experiment_id)
            .order_by(ExperimentVersions.version.desc())
            .limit(1)
        )
        known = [shape.unit for (experiment, _), shape in self._versions.items() if experiment == experiment_id]
        return known[-1] if known else self.version(connection, experiment_id, connection.scalar(newest) or 0).unit

    def metric(self, connection: Connection, experiment_id: int, key: str) -> int:
        """Give the number of a metric (``Invalid`` when the experiment never had it)."""
        if (experiment_id, key) not in self._metrics:
            self._metrics |= {(experiment_id, name): number for name, number in _metrics(connection, experiment_id)}
        number = self._metrics.get((experiment_id, key))
        if number is None:
            raise Invalid(f"metric: the experiment of number {experiment_id} has no metric {key!r}.")
        return number


def _read_version(connection: Connection, experiment_id: int, version: int) -> Shape:
    chosen = (ExperimentVersions.experiment_id == experiment_id, ExperimentVersions.version == version)
    text = connection.scalar(select(ExperimentVersions.definition).where(*chosen))
    if text is None:
        raise Invalid(f"experiment: there is no version {version} of an experiment of number {experiment_id}.")
    definition = msgspec.json.decode(text, type=Definition)
    rows = connection.execute(select(Variants.key, Variants.slot).where(Variants.experiment_id == experiment_id))
    slots = {row.key: row.slot for row in rows}
    keys = tuple(variant.key for variant in definition.variants)
    return Shape(
        unit=definition.unit,
        variants=keys,
        slots=tuple(slots[key] for key in keys),
        positions={key: i for i, key in enumerate(keys)},
        costs=tuple(variant.cost for variant in definition.variants),
        metrics=frozenset(metric.key for metric in definition.metrics),
    )


def _metrics(connection: Connection, experiment_id: int) -> Sequence[tuple[str, int]]:
    rows = connection.execute(select(Metrics.key, Metrics.number).where(Metrics.experiment_id == experiment_id))
    return [(row.key, row.number) for row in rows]
