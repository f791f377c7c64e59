"""What advice rests on: a report's numbers, and what was proved about today's contents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiments.model import Experiment, ProofKind, State
from experiments.report import course
from experiments.report.facts import Facts
from experiments.report.numbers import VariantReport
from experiments.report.values import Check, ProofReport

_OVER = (State.STOPPED, State.ARCHIVED)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What advice rests on."""

    facts: Facts
    variants: Sequence[VariantReport]
    checks: Sequence[Check]
    proofs: Sequence[ProofReport]
    days_left: float | None = None

    @property
    def experiment(self) -> Experiment:
        """The experiment as it is."""
        return self.facts.experiment

    @property
    def over(self) -> bool:
        """Whether nobody is asked any more."""
        return self.experiment.state in _OVER

    @property
    def rivals(self) -> list[VariantReport]:
        """The variants that are served besides the control."""
        return [variant for variant in self.variants if variant.enabled and not variant.control]

    @property
    def control(self) -> VariantReport:
        """The control."""
        return next(variant for variant in self.variants if variant.control)

    def served(self, key: str) -> VariantReport | None:
        """Return the variant of that key, if it is served."""
        return next((variant for variant in self.variants if variant.key == key and variant.enabled), None)

    @property
    def enabled(self) -> set[str]:
        """The keys of all variants that are served."""
        return {variant.key for variant in self.variants if variant.enabled}

    @property
    def stale(self) -> bool:
        """Whether 'lately' is long ago: nobody whose window could have closed by now came within seven days."""
        analysis, window = self.facts.analysis, self.experiment.definition.window
        return analysis is not None and self.facts.now - analysis.last > window + course.WEEK

    def proved(self, kind: ProofKind, *, metric: str | None = None) -> list[ProofReport]:
        """Return what was proved of everybody and all of today's variants, by the objective or the metric named."""
        key = self.experiment.objective.key if metric is None else metric
        found = (proof for proof in self.proofs if proof.current and proof.segment is None)
        return [proof for proof in found if proof.kind == kind and proof.metric == key]

    def against_control(self, kind: ProofKind, *, metric: str | None = None) -> dict[str, ProofReport]:
        """Return what was proved of each variant against the control, by its key: the first such proof."""
        found = [proof for proof in self.proved(kind, metric=metric) if proof.other == self.control.key]
        return {proof.variant: proof for proof in reversed(found)}

    def since(self, proofs: Iterable[ProofReport]) -> str:
        """Return the day from which on all that these proofs speak of was counted."""
        firsts = [proof.first for proof in proofs if proof.first is not None]
        return course.date(max(firsts)) if firsts else self.facts.course.date
