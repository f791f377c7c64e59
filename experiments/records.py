"""The records of the journal: what a worker writes before it answers, and what the shipper moves into the store."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Struct

from experiments.model import ContextValue


class DecisionRecord(Struct, frozen=True, tag="d", tag_field="t", kw_only=True, omit_defaults=True):
    """A decision, whole: nothing later recomputes any of it."""

    id: str
    """UUIDv7, 32 hex digits."""
    experiment: int
    """The store's id of the experiment."""
    version: int
    phase: int
    unit: str | None = None
    """The pseudonym of the unit, 32 hex digits."""
    time: int
    """Acceptance, microseconds since 1970 UTC."""
    variant: str
    probability: float
    distribution: msgspec.Raw
    """JSON list of the probability of every variant of this experiment version, in its order; 0 where not allowed."""
    policy: str
    policy_version: int
    reason: str
    """``policy``, ``degraded`` or ``preview``."""
    request_id: str | None = None
    context: dict[str, ContextValue] = {}


class RepeatRecord(Struct, frozen=True, tag="s", tag_field="t", kw_only=True):
    """A sticky visitor got an earlier decision again."""

    decision: str
    time: int


class RewardRecord(Struct, frozen=True, tag="r", tag_field="t", kw_only=True, omit_defaults=True):
    """A reward, by decision or by unit."""

    experiment: int
    decision: str | None = None
    unit: str | None = None
    metric: str
    value: float
    key: str = ""
    """The idempotency key; empty for the one reward of a decision and metric."""
    time: int
    at: int | None = None
    """What the sender says of when it happened; information only."""


class MarkRecord(Struct, frozen=True, tag="m", tag_field="t", kw_only=True):
    """Everything that this journal accepted before ``time`` stands above this line (SEMANTICS §5, watermark)."""

    time: int


Record: TypeAlias = DecisionRecord | RepeatRecord | RewardRecord | MarkRecord
