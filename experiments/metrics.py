"""What an experiment measures: how the rewards of one decision become one number, and what that number is for."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from experiments.fields import Amount, Key, Micros


class MetricKind(StrEnum):
    """How the rewards of one decision fold into one number (:mod:`experiments.store.fold`)."""

    CONVERSION = "conversion"
    COUNT = "count"
    REVENUE = "revenue"
    SCORE = "score"
    BOUNCE = "bounce"
    """1 unless anything at all was rewarded within the window; a reward under its own key says just that."""
    DURATION = "duration"
    """The largest value, in seconds: a page sends how long it was looked at so far."""
    COST = "cost"
    """What the variant costs a showing, and the sum of the rewards."""
    RATIO = "ratio"
    """One metric over another, per unit: it takes no rewards, and a row has no outcome of it."""


class Role(StrEnum):
    """What a metric is watched for."""

    OBJECTIVE = "objective"
    SECONDARY = "secondary"
    GUARDRAIL = "guardrail"


_BINARY = frozenset({MetricKind.CONVERSION, MetricKind.BOUNCE})
_LESS_IS_BETTER = frozenset({MetricKind.BOUNCE, MetricKind.COST})


class Metric(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that rewards carry. ``default`` stands in where no reward came within ``window_seconds``."""

    key: Key
    kind: MetricKind = MetricKind.CONVERSION
    role: Role = Role.OBJECTIVE
    window_seconds: Annotated[int, Meta(ge=1, le=90 * 86_400)] = 1800
    default: Amount = 0.0
    min: Amount = 0.0
    max: Amount | None = None
    cap: Amount | None = None
    increase: bool | None = None
    """Whether more is better; None: as usual of the kind, so not of a bounce or a cost."""
    numerator: Key | None = None
    denominator: Key | None = None
    """Of a ratio: the keys of the two metrics it is made of."""
    margin: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Relative: what may be lost before it counts, in 'not worse by more than that'."""
    pauses: bool = False
    """Of a guardrail: the experiment pauses itself when a variant is proved to hurt it."""

    @property
    def window(self) -> Micros:
        """The reward window in microseconds."""
        return self.window_seconds * 1_000_000

    @property
    def better_up(self) -> bool:
        """Whether more of it is better."""
        return self.kind not in _LESS_IS_BETTER if self.increase is None else self.increase

    @property
    def has_outcome(self) -> bool:
        """Whether it takes rewards, and rows have an outcome of it; not so a ratio."""
        return self.kind is not MetricKind.RATIO

    @property
    def binary(self) -> bool:
        """Whether a reward of it is between 0 and 1, and an outcome one of both."""
        return self.kind in _BINARY

    @property
    def highest(self) -> float:
        """The largest value that one reward may have.

        >>> Metric(key="sale").highest, Metric(key="income", kind=MetricKind.REVENUE).highest
        (1.0, inf)
        """
        if self.binary:
            return 1.0
        return math.inf if self.max is None else self.max

    @property
    def nothing(self) -> float:
        """The outcome of a row without rewards; of a cost, what comes on top of the variant's own."""
        return 1.0 if self.kind is MetricKind.BOUNCE else self.default

    @property
    def bounds(self) -> tuple[float, float]:
        """Between what an outcome lies for certain, infinite where nothing is certain.

        >>> Metric(key="sale").bounds, Metric(key="income", kind=MetricKind.REVENUE, cap=50).bounds
        ((0.0, 1.0), (0.0, 50.0))
        >>> Metric(key="stars", kind=MetricKind.SCORE, min=1, max=5, default=3).bounds
        (1.0, 5.0)
        """
        low, high = self._natural
        return float(min(low, self.nothing)), float(max(high, self.nothing))

    @property
    def _natural(self) -> tuple[float, float]:
        """The bounds of what rewards come to; a sum is bounded by what is, and one reward's least stays its least."""
        match self.kind:
            case MetricKind.CONVERSION | MetricKind.BOUNCE:
                return 0.0, 1.0
            case MetricKind.SCORE:
                return self.min, self.highest
            case MetricKind.DURATION:
                return self.min, self.highest if self.cap is None else min(self.highest, self.cap)
            case MetricKind.COUNT | MetricKind.REVENUE:
                return self.min if self.min >= 0 else -math.inf, math.inf if self.cap is None else self.cap
            case _:
                return -math.inf, math.inf
