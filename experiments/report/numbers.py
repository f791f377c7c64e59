"""The numbers of a report, one frozen value a thing: a comparison, a variant, a metric, a segment, the served policy.

``None`` stands wherever there is no valid number, and the sentence beside it says what is missing: never NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from experiments.analysis.values import Engine
from experiments.model import MetricKind, ProofKind, Role


class Against(StrEnum):
    """What the served policy is compared with, on the same rows."""

    UNIFORM = "uniform"
    """Every variant with the same chance."""
    CONTROL = "control"
    VARIANT = "variant"


@dataclass(frozen=True, slots=True)
class FinalTest:
    """The one look of a finished, fixed split: narrower than the sequence, and wrong for whoever looked before."""

    low: float | None
    high: float | None
    p_value: float
    """Two-sided, by Welch's t."""
    lift_low: float | None = None
    lift_high: float | None = None


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
    against: str | None = None
    """The key of the variant it is compared with; None where that is no one variant."""
    e_value: float | None = None
    """Evidence against 'no difference', valid at every look: a bettor's wealth from 1. At most 1e300."""
    worst: float | None = None
    """Of a guardrail: the one-sided limit of the difference in the bad direction, so much it may have lost."""
    adjusted_p: float | None = None
    """The p-value after Holm (objective) or e-BH (other metrics, segments): below 5% where the whole family allows."""
    proved: ProofKind | None = None
    """The kind of the stored proof about this pair, its date among ``ExperimentReport.proofs``."""
    final: FinalTest | None = None
    """Of a finished experiment whose split was fixed: what one look at the end says."""
    missing: str = ""
    """Why there is no lift, where there is none."""


@dataclass(frozen=True, slots=True)
class BeliefLift:
    """What the posterior says of the relative lift against the control: a belief, not a proof."""

    p2_5: float
    p25: float
    p50: float
    p75: float
    p97_5: float


@dataclass(frozen=True, slots=True)
class VariantReport:
    """The objective metric of one variant, over all phases since what variants show was last changed."""

    key: str
    name: str
    control: bool
    enabled: bool
    visitors: int
    """Matured analysis rows: units, or decisions where the experiment assigns those."""
    conversions: int
    """Rows with an objective other than zero."""
    total: float | None
    """Sum of the objective; None where it is not a finite number."""
    rate: float | None
    """Mean of the objective as it was observed, ``total / visitors``; None without rows."""
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
    estimate: float | None = None
    """What ``low`` and ``high`` lie around: the mean had everybody seen this variant. Under a bandit it is not
    ``rate``, because a bandit shows a variant more often at some times and to some visitors."""
    audit_low: float | None = None
    audit_high: float | None = None
    audit: str = ""
    """What the audit line is (limits without asymptotics, for bounded rewards), or 'not shown: ' and why."""
    belief_lift: BeliefLift | None = None
    recent: float | None = None
    """Difference from the control over the last seven days that were counted: a direction, not a proof."""
    compared: str = ""
    """'not shown: ' and why, where ``contrast`` is missing and this is not the control."""


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One metric for one variant."""

    variant: str
    rows: int
    total: float | None
    """The sum, of a ratio's numerator; None where it is not a finite number."""
    mean: float | None
    """As it was observed; of a ratio, the quotient of the two sums."""
    estimate: float | None = None
    """What ``low`` and ``high`` lie around."""
    low: float | None = None
    high: float | None = None
    interval: str = ""
    """What ``low`` and ``high`` are, or 'not shown: ' and why."""
    contrast: Contrast | None = None
    compared: str = ""
    """'not shown: ' and why, where ``contrast`` is missing and this is not the control."""


@dataclass(frozen=True, slots=True)
class MetricReport:
    """One metric of the experiment, per variant."""

    key: str
    kind: MetricKind
    role: Role
    window_seconds: int
    variants: tuple[MetricValue, ...]
    better_up: bool = True
    """Whether more is better."""
    method: Engine | None = None
    """None where nothing was analysed."""
    margin: float = 0.0
    """Relative: what a guardrail may lose before it counts as hurt, and what 'not worse by more than' is about."""
    discoveries: tuple[str, ...] = ()
    """Variants that are told from the control now: by Holm of the objective and of guardrails, of secondary metrics
    by e-BH over all of them."""
    numerator: str | None = None
    denominator: str | None = None
    """Of a ratio: the metrics it is made of."""


@dataclass(frozen=True, slots=True)
class SegmentVariant:
    """One variant within one segment, by the objective."""

    key: str
    rows: int
    estimate: float | None
    """Unshrunk; what ``low`` and ``high`` lie around."""
    low: float | None
    high: float | None
    interval: str
    point: float | None
    """Shrunk towards what the variant does elsewhere: a belief, not a proof."""
    contrast: Contrast | None = None
    compared: str = ""
    """'not shown: ' and why, where ``contrast`` is missing and this is not the control."""


@dataclass(frozen=True, slots=True)
class SegmentValue:
    """The visitors of one value of an attribute."""

    value: str
    rows: int
    variants: tuple[SegmentVariant, ...]
    best: str | None = None
    """The variant whose ``point`` is best: a belief, not a proof."""
    proved: tuple[str, ...] = ()
    """Variants that e-BH tells from the control over all segments."""


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """Which variant for whom: the objective per value of a context attribute."""

    attribute: str
    values: tuple[SegmentValue, ...]


@dataclass(frozen=True, slots=True)
class ServedContrast:
    """The served policy against something simpler, on the same rows."""

    against: Against
    contrast: Contrast | None
    why: str = ""
    """'not shown: ' and why, where there is no contrast."""
    variant: str | None = None
    """The key, where it is one variant."""


@dataclass(frozen=True, slots=True)
class ServedReport:
    """What the served distribution earned, and against what."""

    estimate: float | None
    low: float | None
    high: float | None
    interval: str
    contrasts: tuple[ServedContrast, ...]
