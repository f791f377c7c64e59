"""The exposure log as Arrow: the columns of the Parquet export, and how a log is read from them.

The store's own log takes the same way as its export, so both give the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pyarrow as pa

from bandit.features import Attribute, Schema
from experiments.model import ContextValue, Experiment, UnitKind
from experiments.replay.columns import align, canonical, numbered
from experiments.replay.contexts import encode_json
from experiments.replay.log import Log, Recorded, Scan
from experiments.store.values import LoggedDecision

METADATA = b"landit"
"""The key of the Parquet schema's metadata that holds :class:`Facts`."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of decisions cannot say in its rows."""

    variants: tuple[str, ...]
    """Every variant that a decision could have, removed ones last."""
    metric: str
    attributes: tuple[Attribute, ...] = ()
    interactions: tuple[tuple[str, str], ...] = ()
    variant_attributes: tuple[Attribute, ...] = ()
    standards: dict[str, tuple[float, float]] = {}
    described: dict[str, dict[str, ContextValue]] = {}
    """What variants say of themselves, by their key."""
    units_repeat: bool = False
    reward_range: tuple[float, float] | None = None
    recorded: Recorded = Recorded.EVERY

    @classmethod
    def of(cls, experiment: Experiment, earlier: Sequence[Experiment] = ()) -> Facts:
        """The facts of an experiment and its earlier versions."""
        variants = dict.fromkeys(key for version in (experiment, *earlier) for key in version.variant_keys)
        metric = experiment.objective
        return cls(
            variants=tuple(variants),
            metric=metric.key,
            attributes=experiment.definition.context,
            interactions=experiment.definition.interactions,
            variant_attributes=experiment.definition.variant_attributes,
            standards=experiment.standards,
            described={
                variant.key: variant.attributes
                for version in (*earlier, experiment)
                for variant in version.definition.variants
                if variant.attributes
            },
            units_repeat=experiment.definition.unit is UnitKind.DECISION,
            reward_range=None if metric.max is None else (metric.min, metric.max),
        )

    @property
    def schema(self) -> Schema:
        """How contexts, and what variants say of themselves, become vectors."""
        return Schema(
            self.attributes, interactions=self.interactions, arms=self.variant_attributes, standards=self.standards
        )

    def log(self, name: str, scan: Scan, *, schema: Schema | None = None) -> Log:
        """The log that these facts and a scan make."""
        return Log(
            name=name,
            variants=self.variants,
            metric=self.metric,
            recorded=self.recorded,
            schema=self.schema if schema is None else schema,
            described=self.described,
            scan=scan,
            units_repeat=self.units_repeat,
            reward_range=self.reward_range,
        )


def decision_schema(experiment: Experiment, facts: Facts) -> pa.Schema:
    """The columns of an export, with ``facts`` in the metadata."""
    text, number, whole = pa.string(), pa.float64(), pa.int64()
    fields = [("decision", text), ("experiment", text), ("version", whole), ("phase", whole), ("unit", text)]
    fields += [("time", whole), ("variant", text), ("probability", number), ("variants", pa.list_(text))]
    fields += [("distribution", pa.list_(number)), ("policy", text), ("policy_version", whole), ("reason", text)]
    fields += [("analysis", pa.bool_()), ("seq", whole), ("context", text)]
    fields += [(f"reward_{metric.key}", number) for metric in experiment.definition.metrics if metric.has_outcome]
    return pa.schema(fields, metadata={METADATA: msgspec.json.encode(facts)})


def to_batch(decisions: Sequence[LoggedDecision], *, experiment: str, schema: pa.Schema) -> pa.RecordBatch:
    """A batch of the store's log in the columns of the export."""
    columns = []
    for field in schema:
        if field.name == "experiment":
            column = pa.array([experiment] * len(decisions), field.type)
        elif field.name == "context":
            column = encode_json(decision.context for decision in decisions)
        elif field.name == "distribution":
            column = pa.array([decision.distribution for decision in decisions], field.type)
        elif field.name.startswith("reward_"):
            metric = field.name.removeprefix("reward_")
            column = pa.array([decision.rewards.get(metric) for decision in decisions], field.type)
        else:
            column = pa.array([getattr(decision, field.name) for decision in decisions], field.type)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def to_log(batch: pa.RecordBatch, facts: Facts, *, first: int) -> pa.RecordBatch:
    """The analysis rows of a batch of the export, in the columns of a log.

    Columns that a foreign file lacks are taken as unknown; without ``analysis`` every row is one.
    """
    numbers = numbered(first, batch.num_rows)
    if (analysis := _column(batch, "analysis")) is not None:
        kept = analysis.fill_null(False)
        batch, numbers = batch.filter(kept), numbers[kept.to_numpy(zero_copy_only=False)]
    every = facts.recorded is Recorded.EVERY
    return canonical(
        numbers,
        unit=_column(batch, "unit"),
        time=_column(batch, "time"),
        variant=pa.compute.index_in(batch.column("variant"), pa.array(facts.variants)),
        probability=_column(batch, "probability"),
        distribution=_aligned(batch, facts) if every else None,
        reward=batch.column(reward_column(batch.schema.names, facts.metric)),
        context=_column(batch, "context"),
    )


def reward_column(columns: Sequence[str], metric: str) -> str:
    """The column that holds a metric: ``reward_METRIC``, or plain ``reward``."""
    return f"reward_{metric}" if f"reward_{metric}" in columns else "reward"


def _aligned(batch: pa.RecordBatch, facts: Facts) -> pa.Array:
    return align(batch.column("variants"), batch.column("distribution"), order=facts.variants)


def _column(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    return batch.column(name) if name in batch.schema.names else None
