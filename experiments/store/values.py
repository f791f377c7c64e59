"""What the store takes and returns: frozen values, none of them tied to a connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bandit.types import Context, Floats
from experiments.model import Experiment, Micros, Proof, State


@dataclass(frozen=True, slots=True)
class ExperimentVersion:
    """What was in force from ``time`` until the next version."""

    version: int
    phase: int
    state: State
    time: Micros
    by: str
    experiment: Experiment


@dataclass(frozen=True, slots=True, eq=False)
class AnalysisRow:
    """One row of the sequence that learning and statistics read, numbered and frozen (SEMANTICS §5)."""

    seq: int
    """1, 2, 3... within the experiment, without a gap."""
    decision: str
    unit: str | None
    version: int
    phase: int
    time: Micros
    variant: str
    variants: tuple[str, ...]
    """(K,) keys in the order of ``distribution``."""
    distribution: Floats
    """(K,) logged probability of every variant."""
    context: Context
    outcomes: dict[str, float]
    """The folded reward of each metric that its decision's version declared; what the metric has where none came."""
    step: int
    """The learning step in which the row matured."""
    late: int = 0
    """Rewards that came after the window: kept, not learned."""
    delays: tuple[tuple[int, float], ...] = ()
    """Which share of the objective came in which bucket of ages; empty for a row that was not rewarded."""
    crossed: bool = False
    """Whether its unit was served another variant before the longest of its windows closed."""

    @property
    def probability(self) -> float:
        """The logged probability of the variant that was chosen."""
        return float(self.distribution[self.variants.index(self.variant)])


@dataclass(frozen=True, slots=True, eq=False)
class OpenRow:
    """A row that has not matured: it has no number, and its outcome and delays are what has come so far."""

    row: AnalysisRow
    age: Micros | None
    """How long its rewards were awaited; None where its window has ended already."""


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """An immutable, checksummed state of a policy: what it learned, and what is served where that is more."""

    experiment_id: int
    version: int
    phase: int
    name: str
    blob: bytes | None = field(repr=False)
    """None once it was thinned out; ``landit relearn`` brings it back."""
    checksum: str
    """SHA-256 of the blob, 64 hex digits."""
    rows: int
    """Analysis rows that it has learned."""
    seq: int
    """The last of them."""
    time: Micros
    served: bytes | None = field(default=None, repr=False)
    """The state that workers serve, where it knows open rows as well: never learned on, and not relearned."""
    served_checksum: str | None = None

    @property
    def in_force(self) -> tuple[bytes | None, str]:
        """What workers serve under this version, and its checksum."""
        return (self.blob, self.checksum) if self.served_checksum is None else (self.served, self.served_checksum)


@dataclass(frozen=True, slots=True)
class AnalysisState:
    """What the statistics of an experiment go on from: its rows up to ``seq`` are in it."""

    experiment_id: int
    seq: int
    blob: bytes = field(repr=False)
    time: Micros


@dataclass(frozen=True, slots=True)
class Step:
    """What one learning step commits, together or not at all."""

    experiment_id: int
    rows: list[AnalysisRow]
    policy: PolicyVersion | None = None
    analysis: AnalysisState | None = None
    """Takes the place of the one before."""
    proofs: tuple[Proof, ...] = ()
    """Those that say what was proved before change nothing."""


@dataclass(frozen=True, slots=True)
class VariantSums:
    """The additive sums of one phase, variant and metric."""

    phase: int
    variant: str
    metric: str
    rows: int
    total: float
    squares: float
    nonzero: int


@dataclass(frozen=True, slots=True)
class TrafficBucket:
    """How many decisions a variant got in the stretch of time that begins at ``time``."""

    time: Micros
    variant: str
    decisions: int
    propensity_sum: float
    """The sum, over all decisions of that stretch, of the probability that this variant had."""


@dataclass(frozen=True, slots=True)
class Health:
    """What became of everything that was shipped for an experiment."""

    decisions: int = 0
    repeats: int = 0
    sticky: int = 0
    rewards: int = 0
    duplicates: int = 0
    conflicting: int = 0
    late: int = 0
    unmatched: int = 0
    screened: int = 0
    quarantined: int = 0
    """Bad records in the whole store: a bad record does not always know its experiment."""


@dataclass(frozen=True, slots=True, eq=False)
class LoggedDecision:
    """A decision with its rewards, as the exposure log keeps it."""

    decision: str
    version: int
    phase: int
    unit: str | None
    time: Micros
    variant: str
    probability: float
    variants: tuple[str, ...]
    distribution: Floats
    """(K,) in the order of ``variants``."""
    policy: str
    policy_version: int
    reason: str
    analysis: bool
    seq: int | None
    context: Context
    rewards: dict[str, float | None]
    """Folded reward of each metric; None while its window is open, and where the decision is no analysis row."""
    request_id: str | None = None


class Fate(StrEnum):
    """What became of a reward."""

    OPEN = "open"
    """Its decision's window has not closed everywhere yet."""
    COUNTED = "counted"
    LATE = "late"
    CONFLICTING = "conflicting"
    """Another value had come first under the same key."""
    UNUSED = "unused"
    """Its decision is no analysis row (a preview, or a visit outside the first one's window), or has no such metric."""


@dataclass(frozen=True, slots=True)
class RewardFate:
    """A reward of a decision and what became of it."""

    metric: str
    key: str
    value: float
    time: Micros
    fate: Fate
    duplicates: int = 0
    """How often the identical reward came again."""


@dataclass(frozen=True, slots=True, eq=False)
class DecisionDetail:
    """One decision and everything that happened to it."""

    experiment: str
    decision: LoggedDecision
    rewards: tuple[RewardFate, ...]
    repeat_of: str | None = None
    """The decision that holds the first answer to the same ``request_id``."""
