"""What advice rests on: a report's numbers, and what was proved about today's contents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.model import Experiment, ProofKind, State
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

    def proved(self, kind: ProofKind, *, metric: str | None = None) -> list[ProofReport]:
        """Return what was proved of everybody, by the objective unless another is named, about today's contents."""
        key = self.experiment.objective.key if metric is None else metric
        found = (proof for proof in self.proofs if proof.current and proof.segment is None)
        return [proof for proof in found if proof.kind == kind and proof.metric == key]

    def against_control(self, kind: ProofKind) -> set[str]:
        """Return the keys of variants of which it was proved against the control."""
        pairs = ((proof.variant, proof.other) for proof in self.proved(kind))
        return {variant for variant, other in pairs if other == self.control.key}
