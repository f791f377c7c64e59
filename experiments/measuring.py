"""What an experiment measures and by what it tells results apart, checked: metrics, segments, the covariate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise

from bandit.features import Attribute, AttributeType
from experiments.errors import wrong
from experiments.metrics import Metric, MetricKind, Role
from experiments.model import MAX_METRICS, Definition, Segment

MAX_VALUES = 20
"""Of a segment: each is a table of results of its own."""
_ROW = ("kind", "window_seconds", "default", "min", "max", "cap", "numerator", "denominator")
"""Whatever of a metric says what an outcome means."""
_CLAIM = ("role", "increase", "margin")
"""Whatever of a metric says what a proof of it means."""
_PLAN = ("segments", "covariate", "planned_rows", "smallest_lift", "may_change")
"""What has to be fixed before there are results."""
_BLANK = Metric(key="blank")


def check_measures(definition: Definition) -> None:
    """Check the metrics with their roles, the segments and the covariate.

    Raises
    ------
    Invalid
        A metric is impossible, there is not exactly one objective, the policy could not learn it, or a segment or the
        covariate is not a declared attribute of the right type; the message holds the path and the value found.
    """
    metrics = definition.metrics
    check_distinct("metrics", [metric.key for metric in metrics])
    if len(metrics) > MAX_METRICS:
        raise wrong("metrics", f"must be 1 to {MAX_METRICS}", len(metrics))
    found = [f"{metric.key} ({metric.role})" for metric in metrics]
    if len(_of_role(definition, Role.OBJECTIVE)) != 1:
        raise wrong("metrics", "exactly one must be the objective", found)
    for i, metric in enumerate(metrics):
        _check_metric(f"metrics[{i}]", metric)
        _check_parts(f"metrics[{i}]", metric, definition)
    _check_objective(definition)
    _check_segments(definition)
    _check_covariate(definition)


def frozen_measures(old: Definition, new: Definition) -> list[str]:
    """Name what changed of metrics, control, segments and plan that may not change once there are rows."""
    changed = []
    if _of_role(old, Role.OBJECTIVE) != _of_role(new, Role.OBJECTIVE):
        changed.append("metrics (the objective)")
    before = {metric.key: metric for metric in old.metrics if metric.role is not Role.OBJECTIVE}
    changed += frozen_metrics(before, (metric for metric in new.metrics if metric.role is not Role.OBJECTIVE))
    if _controls_otherwise(old, new):
        changed.append("variants (the control)")
    return changed + [name for name in _PLAN if getattr(old, name) != getattr(new, name)]


def frozen_metrics(before: Mapping[str, Metric], metrics: Iterable[Metric]) -> list[str]:
    """Name what may not change of metrics that were counted before under the same keys, also if not of late."""
    return [
        f"metrics.{metric.key}.{name}"
        for metric in metrics
        for name in (*_ROW, *_CLAIM)
        if metric.key in before and getattr(before[metric.key], name) != getattr(metric, name)
    ]


def _controls_otherwise(old: Definition, new: Definition) -> bool:
    """Whether somebody marks another control, or none, while the one before is still there."""
    marked = any(variant.control for variant in (*old.variants, *new.variants))
    there = old.control.key in {variant.key for variant in new.variants}
    return marked and there and old.control.key != new.control.key


def check_distinct(path: str, keys: Iterable[str]) -> None:
    """Raise ``Invalid`` where a key is there twice."""
    repeated = [key for key, count in Counter(keys).items() if count > 1]
    if repeated:
        raise wrong(path, "must be distinct", repeated)


def _of_role(definition: Definition, role: Role) -> list[Metric]:
    return [metric for metric in definition.metrics if metric.role is role]


def _check_metric(path: str, metric: Metric) -> None:
    if metric.binary and metric.max not in (None, 1):
        raise wrong(f"{path}.max", f"must be 1 for a {metric.kind}", metric.max)
    if metric.min > metric.highest:
        raise wrong(f"{path}.min", f"must be at most max ({metric.highest:g})", metric.min)
    if metric.kind is MetricKind.DURATION and metric.min < 0:
        raise wrong(f"{path}.min", "must not be negative for a duration", metric.min)
    if metric.kind is MetricKind.BOUNCE and metric.default != 0:
        raise wrong(f"{path}.default", "must be left out for a bounce, which is 1 without any reward", metric.default)
    if not metric.min <= metric.default <= metric.highest and metric.kind is not MetricKind.BOUNCE:
        condition = f"must be within min ({metric.min:g}) and max ({metric.highest:g})"
        raise wrong(f"{path}.default", condition, metric.default)
    if metric.cap is not None and metric.cap <= metric.min:
        raise wrong(f"{path}.cap", f"must exceed min ({metric.min:g})", metric.cap)
    if metric.pauses and metric.role is not Role.GUARDRAIL:
        raise wrong(f"{path}.pauses", "is for guardrails", metric.role.value)


def _check_parts(path: str, metric: Metric, definition: Definition) -> None:
    """A ratio names its two parts and has no rewards of its own; others name none."""
    parts = {"numerator": metric.numerator, "denominator": metric.denominator}
    if metric.kind is not MetricKind.RATIO:
        for name, key in parts.items():
            if key is not None:
                raise wrong(f"{path}.{name}", f"is for a ratio, and {metric.key} is a {metric.kind}", key)
        return
    usable = [other.key for other in definition.metrics if other.has_outcome]
    for name, key in parts.items():
        if key not in usable:
            condition = f"must be a metric that is no ratio ({', '.join(usable)})"
            raise wrong(f"{path}.{name}", condition, key)
    if metric.numerator == metric.denominator:
        raise wrong(f"{path}.denominator", "must be another metric than the numerator", metric.denominator)
    names = [name for name in ("default", "min", "max", "cap") if getattr(metric, name) != getattr(_BLANK, name)]
    own = {name: getattr(metric, name) for name in names}
    if own:
        raise wrong(path, f"a ratio has no {' or '.join(own)} of its own", own)


def _check_objective(definition: Definition) -> None:
    at, objective = next((i, m) for i, m in enumerate(definition.metrics) if m.role is Role.OBJECTIVE)
    if not objective.has_outcome:
        hint = "Make its numerator the objective, and the ratio a secondary metric."
        raise wrong(f"metrics[{at}].role", "must not be objective for a ratio", objective.key, hint=hint)
    if not objective.better_up and definition.policy.name != "fixed":
        hint = "Take its opposite, such as a conversion of those who stayed, or the policy fixed."
        condition = f"must be a metric of which more is better, as {definition.policy.name} learns to raise it"
        raise wrong(f"metrics[{at}]", condition, f"{objective.key} ({objective.kind})", hint=hint)


def _check_segments(definition: Definition) -> None:
    check_distinct("segments", [segment.attribute for segment in definition.segments])
    declared = {attribute.name: attribute for attribute in definition.context}
    for i, segment in enumerate(definition.segments):
        attribute = declared.get(segment.attribute)
        if attribute is None:
            condition = f"must be declared in the context ({', '.join(declared) or 'which is empty'})"
            raise wrong(f"segments[{i}].attribute", condition, segment.attribute)
        _check_segment(f"segments[{i}]", segment, attribute)


def _check_segment(path: str, segment: Segment, attribute: Attribute) -> None:
    if attribute.type is AttributeType.NUMBER:
        if not 1 <= len(segment.cuts) < MAX_VALUES:
            hint = "Say where one group ends and the next begins."
            raise wrong(f"{path}.cuts", f"must be 1 to {MAX_VALUES - 1} for a number", len(segment.cuts), hint=hint)
        if any(low >= high for low, high in pairwise(segment.cuts)):
            raise wrong(f"{path}.cuts", "must rise", list(segment.cuts))
    elif attribute.type not in (AttributeType.CATEGORY, AttributeType.BOOLEAN):
        raise wrong(f"{path}.attribute", "must be a category, a boolean or a number", attribute.type.value)
    elif segment.cuts:
        raise wrong(f"{path}.cuts", f"are for numbers, and {attribute.name} is a {attribute.type}", list(segment.cuts))
    elif len(attribute.values) > MAX_VALUES:
        raise wrong(f"{path}.attribute", f"must have at most {MAX_VALUES} known values", len(attribute.values))


def _check_covariate(definition: Definition) -> None:
    numbers = [attribute.name for attribute in definition.context if attribute.type is AttributeType.NUMBER]
    if definition.covariate is not None and definition.covariate not in numbers:
        condition = f"must be a number declared in the context ({', '.join(numbers) or 'which has none'})"
        raise wrong("covariate", condition, definition.covariate)
