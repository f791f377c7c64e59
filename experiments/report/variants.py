"""The rows of a report: each variant's mean, its interval where one is valid, and what is believed of it."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.analysis.values import ContrastFinding, MetricFindings, VariantFinding
from experiments.model import ProofKind, Variant
from experiments.report.believed import Beliefs
from experiments.report.compared import audit_label, compared, finite, label, proofs_against, shown, why_not
from experiments.report.facts import Facts
from experiments.report.final import finals
from experiments.report.numbers import FinalTest, VariantReport
from experiments.report.traffic import current_shares, total_shares
from experiments.statistics.moments import Moments


def variant_reports(facts: Facts, found: MetricFindings, beliefs: Beliefs) -> tuple[VariantReport, ...]:
    """Return one row a variant, in the order of the experiment."""
    share, share_now = total_shares(facts.buckets), current_shares(facts.latest)
    view = _View(facts, found, beliefs, share, share_now)
    return tuple(view.row(variant, moments) for variant, moments in zip(facts.variants, facts.objective, strict=True))


class _View:
    """Everything that is known of the objective, by the variant's key."""

    def __init__(
        self,
        facts: Facts,
        found: MetricFindings,
        beliefs: Beliefs,
        share: Mapping[str, float],
        share_now: Mapping[str, float],
    ) -> None:
        self._facts, self._beliefs = facts, beliefs
        self._share, self._share_now = share, share_now
        self._means: Mapping[str, VariantFinding] = {finding.variant: finding for finding in found.variants}
        self._contrasts: Mapping[str, ContrastFinding] = {finding.variant: finding for finding in found.contrasts}
        self._control = facts.experiment.control.key
        metric = facts.experiment.objective
        self._proved: Mapping[str, ProofKind] = proofs_against(facts, metric.key, other=self._control)
        self._finals: Mapping[str, FinalTest] = finals(facts, metric, contrasts=len(found.contrasts))

    def row(self, variant: Variant, moments: Moments) -> VariantReport:
        """Return the row of one variant."""
        key, mean = variant.key, self._means.get(variant.key)
        found = shown(mean)
        control = key == self._control
        contrast = self._contrasts.get(key)
        return VariantReport(
            key=key,
            name=variant.name or key,
            control=control,
            enabled=variant.enabled,
            visitors=moments.rows,
            conversions=moments.nonzero,
            total=finite(moments.total),
            rate=finite(moments.mean),
            low=None if found is None else finite(found.low),
            high=None if found is None else finite(found.high),
            interval=label(mean),
            share=self._share.get(key, 0.0) if self._share else None,
            share_now=self._share_now.get(key, 0.0) if self._share_now else None,
            belief_best=self._beliefs.best.get(key),
            expected_loss=self._beliefs.loss.get(key),
            contrast=None if control else compared(contrast, proved=self._proved.get(key), final=self._finals.get(key)),
            estimate=None if found is None else finite(found.estimate),
            audit_low=None if mean is None else finite(mean.audit_low),
            audit_high=None if mean is None else finite(mean.audit_high),
            audit=audit_label(mean),
            belief_lift=self._beliefs.lifts.get(key),
            recent=None if control else self._recent(key),
            compared="" if control else why_not(contrast),
        )

    def _recent(self, key: str) -> float | None:
        analysis = self._facts.analysis
        return None if analysis is None else finite(analysis.recently(key, self._control))
