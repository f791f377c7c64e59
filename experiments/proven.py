"""What was proved, frozen with its date: a proof is made once, and neither repeated nor taken back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from experiments.fields import Micros

Identity: TypeAlias = "tuple[ProofKind, str, str, str | None, str | None, int, tuple[str, ...]]"
"""Kind, metric, variant, other, segment, since, rivals."""


class ProofKind(StrEnum):
    """What a proof says of a variant."""

    BEST = "best"
    """It beats every other one that was enabled then (``rivals``)."""
    BETTER = "better"
    """It is better than ``other``."""
    WORSE = "worse"
    """It is worse than ``other``."""
    NOT_WORSE = "not_worse"
    """It is not worse than ``other`` by more than the metric's margin."""
    NO_DIFFERENCE = "no_difference"
    """It differs from ``other`` by less than would matter."""
    HARMED = "harmed"
    """It hurts a guardrail by more than the metric's margin."""
    PERSONALISED = "personalised"
    """Choosing by who is asked, as was served, is better than this variant for all."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One statement that was proved, with the numbers that it was proved by."""

    kind: ProofKind
    metric: str
    variant: str
    other: str | None
    """The variant that it is compared with, if it is one."""
    segment: str | None
    """The segment that it speaks of; None for everybody."""
    seq: int
    """The last analysis row that it rests on."""
    time: Micros
    since: int
    """The experiment version whose contents it speaks of."""
    estimate: float
    low: float | None
    high: float | None
    """The sequence's limits, None where it has none on that side."""
    alpha: float
    """How often at most such a proof is wrong, whenever one looks."""
    margin: float | None = None
    """Relative: what a ``NOT_WORSE`` or a ``HARMED`` was proved against, and the difference that would matter of a
    ``NO_DIFFERENCE``; None of any other."""
    first: Micros = 0
    """When all that it speaks of was there: the first row that had a chance of the last of its variants and carried its
    metric; 0 where that is not known."""
    rivals: tuple[str, ...] = ()
    """Of a ``BEST``, sorted: the variants that it beats, all that were enabled then."""

    @property
    def identity(self) -> Identity:
        """What it says, whenever it was said: of one experiment, there is one proof of each."""
        return (self.kind, self.metric, self.variant, self.other, self.segment, self.since, self.rivals)

    def __str__(self) -> str:
        """Say it in a line of a log; a page says more (:mod:`experiments.report.proofs`).

        >>> print(Proof(ProofKind.BETTER, "sale", "b", "a", "device=mobile", 900, 0, 1, 0.02, 0.01, 0.03, 0.05))
        b better (against a) by sale for device=mobile, after 900 rows
        """
        words = self.kind.value.replace("_", " ")
        other = "" if self.other is None else f" (against {self.other})"
        segment = "" if self.segment is None else f" for {self.segment}"
        return f"{self.variant} {words}{other} by {self.metric}{segment}, after {self.seq} rows"
