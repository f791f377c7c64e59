"""What the served policy earned against something simpler: uniform, the control, each variant for everybody."""

from __future__ import annotations

from experiments.analysis.values import UNIFORM, ContrastFinding, MetricFindings
from experiments.report.compared import compared, finite, label, shown, why_not
from experiments.report.facts import Facts
from experiments.report.numbers import Against, ServedContrast, ServedReport


def served_report(facts: Facts, found: MetricFindings) -> ServedReport | None:
    """Return the comparison, where a policy moved the traffic."""
    mean = found.served_mean
    if mean is None:
        return None
    limits = shown(mean)
    return ServedReport(
        estimate=None if limits is None else finite(limits.estimate),
        low=None if limits is None else finite(limits.low),
        high=None if limits is None else finite(limits.high),
        interval=label(mean),
        contrasts=tuple(_against(facts, contrast) for contrast in found.served),
    )


def _against(facts: Facts, finding: ContrastFinding) -> ServedContrast:
    if finding.other == UNIFORM:
        return ServedContrast(Against.UNIFORM, compared(finding), why=why_not(finding))
    kind = Against.CONTROL if finding.other == facts.experiment.control.key else Against.VARIANT
    return ServedContrast(kind, compared(finding), variant=finding.other, why=why_not(finding))
