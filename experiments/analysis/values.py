"""What is known of one metric: frozen numbers, and beside each that cannot be shown the sentence that says why.

``None`` stands wherever there is no valid number: never NaN, never infinity.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Engine(StrEnum):
    """What intervals are made with; each is valid at every look."""

    FIXED = "fixed"
    """Means of the rows: one weight vector drew them all."""
    ADAPTIVE = "adaptive"
    """Augmented inverse propensity weighting (AIPW), whatever moved the traffic."""


@dataclass(frozen=True, slots=True)
class SegmentValue:
    """The rows of one value of a context attribute."""

    attribute: str
    value: str

    def __str__(self) -> str:
        return f"{self.attribute}={self.value}"


@dataclass(frozen=True, slots=True)
class VariantFinding:
    """The mean of one variant: what it would be if all the rows that had a chance of it had seen it."""

    variant: str
    rows: int
    """Behind the interval: its own rows in a fixed split, else all on which it had a chance."""
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    """What keeps the limits from being shown, ready to follow 'not shown: '; empty where they are."""
    audit_low: float | None = None
    audit_high: float | None = None
    audit_reason: str = ""
    """The same of the audit line, whose limits need no asymptotics."""


@dataclass(frozen=True, slots=True)
class ContrastFinding:
    """A variant less another one: difference and relative lift, with limits at ``alpha``."""

    variant: str
    other: str
    rows: int = 0
    """On which both had a chance."""
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    """What keeps the difference from being shown; empty where it is."""
    lift: float | None = None
    lift_low: float | None = None
    lift_high: float | None = None
    lift_reason: str = ""
    p_value: float | None = None
    """Always-valid and unadjusted."""
    log_e: float | None = None
    """Natural logarithm of the e-value against no difference."""
    alpha: float = 0.05
    """At which ``low``, ``high`` and the lift's limits hold."""
    adjusted_p: float | None = None
    """After Holm or e-BH over the family: at or below 5% where the whole family allows the claim."""
    separated: bool = False
    """Whether the family's procedure tells the two apart now."""
    worst: float | None = None
    """One-sided limit of the difference in the bad direction."""
    not_worse: bool = False
    """Whether it is now proved not worse by more than the metric's margin (one-sided, at ``alpha``)."""
    harmed: bool = False
    """Whether it is now proved worse by more than the metric's margin (one-sided, at ``alpha``)."""
    method: str = ""
    """How the difference was adjusted, such as 'post-stratified by device'; empty where it was not."""


@dataclass(frozen=True, slots=True)
class MetricFindings:
    """Everything that is known of one metric, over all rows or over those of one segment."""

    metric: str
    segment: SegmentValue | None
    engine: Engine
    rows: int
    """That carry an outcome of the metric."""
    alpha: float
    """Of each contrast, after it was shared."""
    family: int
    """How many contrasts share 5%."""
    variants: tuple[VariantFinding, ...]
    """In the order of the experiment."""
    contrasts: tuple[ContrastFinding, ...]
    """Every other variant against the control."""
    pairs: tuple[ContrastFinding, ...] = ()
    """Of the objective over all rows: every variant against every other one, i before j, at the level of 'best'."""
    served: tuple[ContrastFinding, ...] = ()
    """Of the objective under a policy that moves traffic: what was served against uniform and each variant."""
    served_mean: VariantFinding | None = None
    population: str = ""
    """Whom the numbers speak of, where that is not everybody."""
    reason: str = ""
    """What keeps all of it from being shown; empty where something is."""


UNIFORM = "(uniform)"
"""In ``ContrastFinding.other``: every variant that had a chance, with the same one."""
SERVED = "(served)"
"""In ``ContrastFinding.variant``, and in a proof: the policy as it was served. No variant can have this key."""
NOTHING = "no rows have matured yet"
"""The reason where there is nothing at all."""
