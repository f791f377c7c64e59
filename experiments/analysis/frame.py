"""What sums are kept of: the metrics, the segments, the covariate and the features of one experiment's definition."""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from typing import Any

import msgspec

from bandit.features import LIMIT, Attribute, AttributeType, Schema
from bandit.validation import InvalidInput
from experiments.analysis.segments import Split, splits_of
from experiments.analysis.values import SegmentValue
from experiments.model import Definition, Metric, MetricKind, Role

BALANCE = "(covariate)"
"""The covariate among the outcomes of a row; no metric can have this key."""
NUMBERS = 100_000
"""Variants times the square of the features' columns: what the forecasts of one metric may take, under 1 MB."""


class Channels(msgspec.Struct, frozen=True):
    """One metric as sums are kept of it: what its outcomes are called, their defaults and bounds; two of a ratio."""

    metric: str
    outcomes: tuple[str, ...]
    defaults: tuple[float, ...]
    lows: tuple[float | None, ...]
    highs: tuple[float | None, ...]
    objective: bool

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Between what outcomes of the first channel lie; None where nothing is certain."""
        low, high = self.lows[0], self.highs[0]
        return (low, high) if low is not None and high is not None and low < high else None


class Frame(msgspec.Struct, frozen=True, dict=True):
    """What one version of an experiment asks to be counted; it is part of the bytes of an analysis."""

    metrics: tuple[Channels, ...]
    splits: tuple[Split, ...]
    context: tuple[Attribute, ...]
    covariate: str | None
    center: float
    """What a covariate is measured from; it stands in where it is unknown."""
    reach: float
    """Where a covariate is cut on both sides of the center: one wild value must not spoil all sums."""

    @cached_property
    def schema(self) -> Schema:
        """The declared context as columns, no learned standards and no interactions; empty where that is too wide."""
        return Schema(self.context)

    @cached_property
    def lanes(self) -> tuple[SegmentValue | None, ...]:
        """What each lane of the sums is about: all rows, then every value of every split."""
        values = [SegmentValue(split.attribute, label) for split in self.splits for label in split.labels]
        return (None, *values)

    @cached_property
    def balance(self) -> Channels | None:
        """The covariate as if it were a metric; None where none is declared."""
        if self.covariate is None:
            return None
        return Channels(self.covariate, (BALANCE,), (math.inf,), (None,), (None,), objective=False)

    def to_json(self) -> dict[str, Any]:
        """The frame as plain data; :meth:`from_json` reads it back."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return body

    @classmethod
    def from_json(cls, body: Any) -> Frame:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        InvalidInput
            Where it is not that.
        """
        try:
            return msgspec.convert(body, cls)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"an analysis must say what it counts, found what cannot be read: {error}") from error


def frame_of(definition: Definition) -> Frame:
    """Return what is counted for a definition."""
    numbers = {each.name: each for each in definition.context if each.type == AttributeType.NUMBER}
    covariate = numbers.get(definition.covariate or "")
    return Frame(
        metrics=tuple(_channels(definition, metric) for metric in definition.metrics),
        splits=splits_of(definition),
        context=_features(definition),
        covariate=None if covariate is None else covariate.name,
        center=0.0 if covariate is None else covariate.center,
        reach=0.0 if covariate is None else LIMIT * covariate.scale,
    )


def contents_of(definition: Definition) -> dict[str, str]:
    """Return a digest of what each variant shows, by its key."""
    return {variant.key: _digest(variant.content) for variant in definition.variants}


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:32]


def _channels(definition: Definition, metric: Metric) -> Channels:
    by_key = {other.key: other for other in definition.metrics}
    parts = [metric]
    if metric.kind is MetricKind.RATIO:
        parts = [by_key[key] for key in (metric.numerator, metric.denominator) if key is not None]
    bounds = [part.bounds for part in parts]
    return Channels(
        metric=metric.key,
        outcomes=tuple(part.key for part in parts),
        defaults=tuple(float(part.nothing) for part in parts),
        lows=tuple(_finite(low) for low, _ in bounds),
        highs=tuple(_finite(high) for _, high in bounds),
        objective=metric.role is Role.OBJECTIVE,
    )


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None


def _features(definition: Definition) -> tuple[Attribute, ...]:
    columns = Schema(definition.context).width + 1
    return definition.context if len(definition.variants) * columns**2 <= NUMBERS else ()
