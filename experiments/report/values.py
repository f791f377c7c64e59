"""The shape of a report: every number of a results page in one frozen object, served as JSON too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from experiments.model import MetricKind, Micros, Role, State

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Level(StrEnum):
    """How much a check's finding matters."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"


class Finding(StrEnum):
    """What the advice of a report says; ``Advice.text`` says it in words."""

    NO_DATA = "no_data"
    DATA_WRONG = "data_wrong"
    KEEP_RUNNING = "keep_running"
    PROVED_BETTER = "proved_better"
    PROVED_WORSE = "proved_worse"
    BELIEF_ONLY = "belief_only"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, and what was found."""

    name: str
    level: Level
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do next, in one sentence, and the finding behind it."""

    finding: Finding
    text: str
    variant: str | None = None
    """The variant that the finding is about."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """A variant against the control: always-valid limits of the difference and of the relative lift.

    ``alpha`` is what is left of 5% for this contrast after it was shared between all variants that are compared.
    """

    difference: float
    low: float
    high: float
    lift: float | None
    lift_low: float | None
    lift_high: float | None
    p_value: float
    """Always-valid, before sharing: below ``alpha`` exactly where ``low`` and ``high`` leave out zero."""
    alpha: float


@dataclass(frozen=True, slots=True)
class VariantReport:
    """The objective metric of one variant, over all phases."""

    key: str
    name: str
    control: bool
    enabled: bool
    visitors: int
    """Matured analysis rows: units, or decisions where the experiment assigns those."""
    conversions: int
    """Rows with an objective other than zero."""
    total: float
    """Sum of the objective."""
    rate: float | None
    """Mean of the objective; None without rows."""
    low: float | None
    high: float | None
    interval: str
    """What ``low`` and ``high`` are, or 'not shown: ' and why."""
    share: float | None
    """Share of all logged decisions."""
    share_now: float | None
    """Mean logged probability lately (ten seconds, an hour in an old experiment): where traffic goes, luck aside."""
    belief_best: float | None
    """What the posterior says of being best: a belief, never a proof, and not adjusted for looking often."""
    expected_loss: float | None
    """What is given up, in the metric's unit, by showing this variant alone, according to the same belief."""
    contrast: Contrast | None = None
    """Against the control; None for the control itself and wherever no valid interval can be shown."""


@dataclass(frozen=True, slots=True)
class MetricValue:
    """The plain mean of one metric for one variant."""

    variant: str
    rows: int
    total: float
    mean: float | None


@dataclass(frozen=True, slots=True)
class MetricReport:
    """One metric of the experiment, per variant."""

    key: str
    kind: MetricKind
    role: Role
    window_seconds: int
    variants: tuple[MetricValue, ...]


@dataclass(frozen=True, slots=True)
class Traffic:
    """The share of decisions that each variant got over time: T steps of ``step_seconds``, empty ones left out.

    ``shares[k][t]`` belongs to the variant ``variants[k]`` and the step that starts at ``times[t]`` (µs);
    ``decisions[t]`` is how many decisions that step holds.
    """

    step_seconds: int
    times: tuple[Micros, ...]
    decisions: tuple[int, ...]
    variants: tuple[str, ...]
    shares: tuple[tuple[float, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """The series with ISO times and one list of shares a variant."""
        return {
            "step_seconds": self.step_seconds,
            "times": [iso(time) for time in self.times],
            "decisions": list(self.decisions),
            "shares": {key: list(share) for key, share in zip(self.variants, self.shares, strict=True)},
        }


@dataclass(frozen=True, slots=True)
class ExperimentReport:
    """Every number of a results page.

    It is made from sums that the store keeps, so that its cost depends on the number of variants and not of rows.
    """

    experiment: str
    name: str
    version: int
    phase: int
    state: State
    winner: str | None
    as_of: Micros
    imported: bool
    simulated: bool
    """The visitors were made by a program: every page that shows these numbers says so."""
    policy: str
    policy_version: int | None
    exploration: float
    objective: str
    rows: int
    decisions: int
    advice: Advice
    belief: str
    """What ``belief_best`` and ``expected_loss`` are, or 'not shown: ' and why."""
    variants: tuple[VariantReport, ...]
    traffic: Traffic
    checks: tuple[Check, ...]
    metrics: tuple[MetricReport, ...]
    health: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """The report as ``report.json``: ``advice`` is its sentence, ``finding`` the word for programs."""
        body = {name: msgspec.to_builtins(getattr(self, name)) for name in self.__slots__}
        return body | {
            "as_of": iso(self.as_of),
            "advice": self.advice.text,
            "finding": self.advice.finding.value,
            "traffic": self.traffic.to_json(),
        }


def iso(time: Micros) -> str:
    """ISO 8601 with Z of microseconds since 1970 UTC.

    >>> iso(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    return (_EPOCH + timedelta(microseconds=time)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
