"""The shape of a report: every number of a results page in one frozen object, served as JSON too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from experiments.analysis.values import Engine
from experiments.model import Micros, ProofKind, State
from experiments.report.numbers import MetricReport, SegmentReport, ServedReport, VariantReport

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
    SHIP = "ship"
    """Proved best on average, of two whole weeks at least, and ahead over the last seven days that were counted."""
    WAS_BEST = "was_best"
    """Proved best on average, but not ahead lately."""
    NO_DIFFERENCE = "no_difference"
    """Proved: no variant differs from the control by more than matters."""
    PERSONALISED = "personalised"
    """Proved: choosing by visitor is better than any one variant for everybody."""
    HARMED = "harmed"
    """Proved: a guardrail is hurt."""


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
class ProofReport:
    """A statement that was proved, as it was frozen when that happened; later looks do not take it back."""

    kind: ProofKind
    metric: str
    variant: str
    other: str | None
    """The variant it is about besides; None where it is about all others."""
    segment: str | None
    time: Micros
    seq: int
    """The last analysis row that it rests on."""
    since: int
    """The version of the experiment whose contents it speaks of."""
    current: bool
    """Whether those are the contents of today and, of a ``BEST``, it beats every variant that is enabled today."""
    estimate: float
    low: float | None
    high: float | None
    alpha: float
    text: str
    """The statement in a sentence."""
    margin: float | None = None
    """The relative margin that it was proved against, where there was one."""
    first: Micros | None = None
    """From when on all that it speaks of was counted; None where that is not known."""
    rivals: tuple[str, ...] = ()
    """Of a ``BEST``: the variants that it beats, all that were enabled then."""

    def to_json(self) -> dict[str, Any]:
        """The proof with ISO times."""
        first = None if self.first is None else iso(self.first)
        return {**msgspec.to_builtins(self), "time": iso(self.time), "first": first}


@dataclass(frozen=True, slots=True)
class Multiplicity:
    """How the 5% is shared between comparisons, and what that costs."""

    contrasts: int
    """Contrasts of the objective that share it."""
    alpha: float
    """What is left for each."""
    wider: float
    """By how much each interval is wider than one that had all 5%: 1.2 is 20%."""
    family: int
    """Comparisons of secondary metrics and segments, which e-BH reads together."""
    text: str


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
    method: Engine | None = None
    """What the objective's intervals are made with; None where nothing was analysed."""
    missing: str = ""
    """What the report lacks and why, in a sentence; empty where everything was analysed."""
    analysed: int = 0
    """The number of the last analysis row behind estimates and intervals; ``rows`` may be further."""
    since: Micros | None = None
    """From when on rows count: the first, or the last change of a variant's content under its key."""
    since_version: int = 1
    running_days: float = 0.0
    """For how long the experiment ran since then, pauses left out."""
    days_left: float | None = None
    """About how many days to a proof, if everything stays as it is; None where that cannot be said."""
    population: str = ""
    """Whom the numbers are about, in a sentence."""
    segments: tuple[SegmentReport, ...] = ()
    segments_note: str = ""
    """How to read segments, or 'not shown: ' and why."""
    served: ServedReport | None = None
    proofs: tuple[ProofReport, ...] = ()
    """In the order in which they were made."""
    multiplicity: Multiplicity | None = None

    def proofs_of(self, metric: str, variant: str) -> tuple[ProofReport, ...]:
        """The proofs about a variant and a metric, earliest first."""
        return tuple(proof for proof in self.proofs if proof.metric == metric and proof.variant == variant)

    def to_json(self) -> dict[str, Any]:
        """The report as ``report.json``: ``advice`` is its sentence, ``finding`` the word for programs."""
        body = {name: msgspec.to_builtins(getattr(self, name)) for name in self.__slots__}
        return body | {
            "as_of": iso(self.as_of),
            "advice": self.advice.text,
            "finding": self.advice.finding.value,
            "traffic": self.traffic.to_json(),
            "since": None if self.since is None else iso(self.since),
            "proofs": [proof.to_json() for proof in self.proofs],
        }


def iso(time: Micros) -> str:
    """ISO 8601 with Z of microseconds since 1970 UTC.

    >>> iso(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    return (_EPOCH + timedelta(microseconds=time)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
