"""What an experiment is: frozen values, no ORM, no clock, no I/O.

``Definition`` is what a person writes (the JSON of an experiment); ``Experiment`` is a definition that the store keeps,
with its version, phase and state.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct

from bandit.exploration import Dropped
from bandit.features import Attribute, Schema
from bandit.types import Arms
from experiments.fields import KEY, LARGEST, Amount, ContextValue, Key, Micros
from experiments.goals import KEPT, Goal, exploration
from experiments.metrics import Metric, MetricKind, Role
from experiments.proven import Proof, ProofKind
from experiments.statistics.moments import N_STAR

__all__ = ["KEY", "LARGEST", "Amount", "ContextValue", "Key", "Micros"]
__all__ += ["Metric", "MetricKind", "Proof", "ProofKind", "Role"]
__all__ += ["MAX_ATTRIBUTES", "MAX_METRICS", "MAX_SEGMENTS", "MAX_TAGS", "N_STAR", "Attributes", "Tag"]
__all__ += ["Definition", "Experiment", "PolicySpec", "Reason", "Segment", "State", "Strict", "UnitKind", "Variant"]

MAX_TAGS = 20
MAX_ATTRIBUTES = 100
MAX_METRICS = 20
MAX_SEGMENTS = 10
Tag: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Attributes: TypeAlias = Annotated[tuple[Attribute, ...], Meta(max_length=MAX_ATTRIBUTES)]


class State(StrEnum):
    """draft → running ⇄ paused → stopped → archived."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    ARCHIVED = "archived"


class UnitKind(StrEnum):
    """Who is assigned: a visitor for good, or a single decision."""

    VISITOR = "visitor"
    DECISION = "decision"


class Reason(StrEnum):
    """Why a visitor got this answer. The first four are logged; the others are not decisions to learn from."""

    POLICY = "policy"
    STICKY = "sticky"
    PREVIEW = "preview"
    DEGRADED = "degraded"
    NOT_IN_AUDIENCE = "not_in_audience"
    NOT_IN_TRAFFIC = "not_in_traffic"
    NOT_STARTED = "not_started"
    PAUSED = "paused"
    STOPPED = "stopped"
    WINNER = "winner"


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that refuses a misspelt field instead of ignoring it."""


class Variant(Strict, frozen=True):
    """One arm: what the site renders, and what the policy may know of it."""

    key: Key
    name: str = ""
    content: dict[str, Any] = {}
    attributes: dict[str, ContextValue] = {}
    """Values of ``variant_attributes``; others are kept and not used."""
    control: bool = False
    enabled: bool = True
    weight: Annotated[float, Meta(gt=0, le=LARGEST)] = 1.0
    cost: Annotated[float, Meta(ge=0, le=LARGEST)] = 0.0
    """Of showing it once: what a metric of kind ``cost`` begins with."""


class Segment(Strict, frozen=True):
    """A context attribute by whose values results are told apart: fixed before there are any."""

    attribute: Key
    cuts: tuple[Amount, ...] = ()
    """Of a number: where one value ends and the next begins, rising."""


class PolicySpec(Strict, frozen=True):
    """A policy's registered name and the parameters that differ from their defaults."""

    name: str = "thompson"
    params: dict[str, Any] = {}


class Definition(Strict, frozen=True, kw_only=True):
    """An experiment as a person writes it; :func:`experiments.definition.parse` is the door it comes in by."""

    key: Key
    name: str = ""
    hypothesis: str = ""
    unit: UnitKind = UnitKind.VISITOR
    traffic: Annotated[float, Meta(ge=0, le=1)] = 1.0
    variants: tuple[Variant, ...]
    context: Attributes = ()
    """What the site tells of a visitor."""
    interactions: Annotated[tuple[tuple[Key, Key], ...], Meta(max_length=MAX_ATTRIBUTES)] = ()
    """Pairs of context attributes that say something together."""
    variant_attributes: Attributes = ()
    """What variants tell of themselves, each in its ``attributes``, so that a new one is known by others like it."""
    audience: dict[str, Any] | None = None
    metrics: tuple[Metric, ...]
    policy: PolicySpec = PolicySpec()
    goal: Goal = Goal.CUSTOM
    """What exploration is for (:mod:`experiments.goals`)."""
    exploration: Annotated[float, Meta(ge=0, le=1)] | None = None
    """ε of a ``custom`` goal; the others have their own."""
    may_change: bool = False
    """Whether a variant that is worse today may be better tomorrow: one that was proved beaten keeps a little."""
    starts_at: str | None = None
    ends_at: str | None = None
    tags: Annotated[tuple[Tag, ...], Meta(max_length=MAX_TAGS)] = ()
    segments: Annotated[tuple[Segment, ...], Meta(max_length=MAX_SEGMENTS)] = ()
    covariate: Key | None = None
    """A declared number that is known before the exposure and goes with the objective: it narrows intervals (CUPED)."""
    planned_rows: Annotated[int, Meta(ge=100, le=1_000_000_000)] | None = None
    """After how many rows one means to decide: there intervals are the narrowest."""
    smallest_lift: Annotated[float, Meta(gt=0, le=100)] | None = None
    """The relative difference that would matter; a smaller one counts as none."""

    @property
    def control(self) -> Variant:
        """The control variant: the one so marked, else the first."""
        return next((variant for variant in self.variants if variant.control), self.variants[0])

    @property
    def n_star(self) -> int:
        """The number of rows that the confidence sequences are tuned for."""
        return N_STAR if self.planned_rows is None else self.planned_rows

    @property
    def window(self) -> Micros:
        """How long a row stays open: the longest of its reward windows."""
        return max(metric.window for metric in self.metrics if metric.has_outcome)


@dataclass(frozen=True)
class Experiment:
    """A definition in the store.

    ``version`` counts saved changes, ``phase`` those that change who gets what (SEMANTICS §2); ``slots`` holds one
    number a variant, in the order of ``definition.variants``, given at creation and never reused.
    """

    id: int
    definition: Definition
    slots: tuple[int, ...]
    version: int
    phase: int
    state: State
    winner: str | None = None
    created: Micros = 0
    updated: Micros = 0
    imported: bool = False
    """Its decisions came from a file: nothing is served, and nothing is learned."""
    beaten: tuple[str, ...] = ()
    """Variants that a contender is proved to beat (:mod:`experiments.contenders`): they lost their share."""
    standards: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Center and scale of the numbers that were standardized by the first visitors (:mod:`experiments.standards`)."""

    @property
    def key(self) -> str:
        """The experiment's key."""
        return self.definition.key

    @cached_property
    def variant_keys(self) -> tuple[str, ...]:
        """The keys of its variants, in the order of every vector."""
        return tuple(variant.key for variant in self.definition.variants)

    @cached_property
    def arms(self) -> Arms:
        """What ``bandit`` needs to know of the variants."""
        return Arms(
            keys=self.variant_keys,
            weights=tuple(variant.weight for variant in self.definition.variants),
            attributes=tuple(variant.attributes for variant in self.definition.variants),
        )

    @cached_property
    def schema(self) -> Schema:
        """How a context becomes a vector, and a variant's attributes another one."""
        definition = self.definition
        return Schema(
            definition.context,
            interactions=definition.interactions,
            arms=definition.variant_attributes,
            standards=self.standards,
        )

    @cached_property
    def control(self) -> Variant:
        """The control variant: the one so marked, else the first."""
        return self.definition.control

    @cached_property
    def objective(self) -> Metric:
        """The one metric that the policy learns from."""
        return next(metric for metric in self.definition.metrics if metric.role is Role.OBJECTIVE)

    @property
    def exploration(self) -> float:
        """ε: 0 for a fixed split, else what the goal asks for now."""
        definition = self.definition
        if definition.policy.name == "fixed":
            return 0.0
        enabled = [variant.key for variant in definition.variants if variant.enabled]
        left = [key for key in enabled if key not in self.beaten]
        return exploration(definition.goal, variants=len(enabled), contenders=len(left), custom=definition.exploration)

    @property
    def dropped(self) -> Dropped | None:
        """What the policy has to know of beaten variants; None while all contend."""
        return Dropped(self.beaten, KEPT if self.definition.may_change else 0.0) if self.beaten else None

    def metric(self, key: str) -> Metric | None:
        """The metric of that key, or None."""
        return next((metric for metric in self.definition.metrics if metric.key == key), None)

    def to_json(self) -> dict[str, Any]:
        """The experiment as ``landit experiment show --json`` prints it."""
        body: dict[str, Any] = msgspec.to_builtins(self.definition)
        body["exploration"] = self.exploration
        return body | {
            "version": self.version,
            "phase": self.phase,
            "state": self.state.value,
            "winner": self.winner,
            "beaten": list(self.beaten),
            "standards": {name: list(pair) for name, pair in self.standards.items()},
        }
