"""The door that a definition comes in by: JSON in, a checked :class:`~experiments.model.Definition` out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from bandit import policies, registry
from bandit.features import Attribute
from bandit.types import Arms
from bandit.validation import InvalidInput
from experiments.audience import compile_condition
from experiments.contenders import sees_context
from experiments.declarations import check_declarations, check_spelling
from experiments.delayed import learns_open_rows
from experiments.errors import Invalid, NotJSON, wrong
from experiments.goals import Goal
from experiments.measuring import check_distinct, check_measures, frozen_measures
from experiments.model import Definition, Micros, Role

MAX_VARIANTS = 200
MAX_BYTES = 1 << 20
LATE_SECONDS = 3600
UNUSUAL = 2.0
"""Stands in for a bound that nothing declares: what is for shares alone refuses it."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse(body: Mapping[str, Any] | bytes) -> Definition:
    """Read and check the definition of an experiment.

    Parameters
    ----------
    body
        The JSON of INTERFACES §1, as bytes or decoded.

    Raises
    ------
    NotJSON
        ``body`` is bytes, and they are not JSON.
    Invalid
        A field is wrong; the message holds its path, the condition and the value found.

    >>> parse(b'{"key": "spring", "variants": [{"key": "a"}, {"key": "b"}], "metrics": [{"key": "sale"}]}').key
    'spring'
    """
    plain = _decoded(body) if isinstance(body, bytes) else body
    _check_plain(plain)
    try:
        definition = msgspec.convert(plain, Definition)
    except msgspec.ValidationError as error:
        raise _explained(error, plain) from None
    check_spelling(plain)
    for check in _CHECKS:
        check(definition)
    return definition


def warnings(definition: Definition) -> list[str]:
    """Say what is allowed and yet likely to disappoint.

    >>> warnings(parse(b'{"key": "k", "variants": [{"key": "a"}], "metrics": [{"key": "m", "window_seconds": 86400}]}'))
    ['metrics[0].window_seconds: learns late: nothing is learned before the first reward windows of 24 h have closed.']
    """
    return [note for note in (_learns_late(definition), _learns_nothing(definition)) if note is not None]


def _learns_late(definition: Definition) -> str | None:
    rewarded = [(metric.window_seconds, -i) for i, metric in enumerate(definition.metrics) if metric.has_outcome]
    seconds, last = max(rewarded)
    if seconds <= LATE_SECONDS:
        return None
    late = (
        "nothing is learned before the first reward windows of {} h have closed."
        if learns_open_rows(definition)
        else "a reward window of {} h teaches nothing before it has closed; other policies learn from open ones, too."
    )
    return f"metrics[{-last}].window_seconds: learns late: {late.format(f'{seconds / 3600:g}')}"


def _learns_nothing(definition: Definition) -> str | None:
    """Say so where the policy would leave out rows of the objective, one by one and for ever."""
    objective = next(metric for metric in definition.metrics if metric.role is Role.OBJECTIVE)
    low, high = objective.bounds
    if low >= 0 and high <= 1:
        return None  # every family takes these
    ends = np.array([low if math.isfinite(low) else -UNUSUAL, high if math.isfinite(high) else UNUSUAL])
    arms = Arms(tuple(variant.key for variant in definition.variants))
    try:
        policies.create(definition.policy.name, arms=arms, **definition.policy.params).check_rewards(ends)
    except InvalidInput as error:
        return f"policy.name: {definition.policy.name} does not learn all of '{objective.key}': {error}, or auto."
    return None


def parse_time(text: str) -> Micros:
    """Read an ISO 8601 time that ends in Z.

    Raises
    ------
    ValueError
        It is not one.

    >>> parse_time("1970-01-01T00:00:01.5Z")
    1500000
    """
    if not text.endswith("Z"):
        raise ValueError(f"a time ends in Z (UTC), found {text!r}")
    delta = datetime.fromisoformat(text) - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def changes_phase(old: Definition, new: Definition) -> bool:
    """Say whether the change moves traffic, or what the policy knows (SEMANTICS §2)."""
    return _allocation(old) != _allocation(new)


def frozen_fields_changed(old: Definition, new: Definition) -> list[str]:
    """Name the changed fields that may not change after the start (SEMANTICS §2)."""
    changed = [name for name in ("key", "unit") if getattr(old, name) != getattr(new, name)]
    changed += frozen_measures(old, new)
    changed += _retyped("context", old.context, new.context)
    changed += _retyped("variant_attributes", old.variant_attributes, new.variant_attributes)
    return changed


def _retyped(path: str, old: Iterable[Attribute], new: Iterable[Attribute]) -> list[str]:
    types = {attribute.name: attribute.type for attribute in old}
    return [f"{path}.{a.name}.type" for a in new if types.get(a.name, a.type) != a.type]


def _allocation(definition: Definition) -> tuple[object, ...]:
    """Whatever decides who gets what. Order, names and contents do not."""
    variants = {v.key: (v.enabled, v.weight, v.attributes) for v in definition.variants}
    return (
        variants,
        definition.audience,
        definition.traffic,
        definition.goal,
        definition.exploration,
        definition.may_change,
        definition.policy,
        definition.context,
        definition.interactions,
        definition.variant_attributes,
    )


def _decoded(body: bytes) -> Any:
    if len(body) > MAX_BYTES:
        raise Invalid(f"a definition has at most {MAX_BYTES} bytes, found {len(body)}.")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJSON(f"the definition is not JSON: {error}.", hint="Check it with any JSON validator.") from None


def _check_plain(body: Any) -> None:
    """Refuse what JSON, PostgreSQL or a page could not carry, wherever it stands."""
    try:
        size = len(msgspec.json.encode(body))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Invalid(f"the definition cannot be written as JSON: {error}.") from None
    if size > MAX_BYTES:
        raise Invalid(f"a definition has at most {MAX_BYTES} bytes, found {size}.")
    for path, leaf in _leaves(body):
        if isinstance(leaf, str) and "\0" in leaf:
            raise wrong(path, "must not hold NUL", leaf)
        if isinstance(leaf, float) and not math.isfinite(leaf):
            raise wrong(path, "must be finite", leaf)


def _leaves(body: Any) -> Iterator[tuple[str, Any]]:
    """Every key and every scalar, with its path."""
    waiting = [("", body)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, Mapping):
            yield from ((path, key) for key in value)
            waiting += [(f"{path}.{key}".lstrip("."), inner) for key, inner in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [(f"{path}[{i}]", inner) for i, inner in enumerate(value)]
        else:
            yield path, value


def _explained(error: msgspec.ValidationError, body: Any) -> Invalid:
    """msgspec names the condition and the path; the value found is looked up along it."""
    condition, _, place = str(error).partition(" - at ")
    path = place.strip("`").removeprefix("$").lstrip(".").removesuffix("[...]")
    found = body
    try:
        for name, index in re.findall(r"([^.\[\]]+)(?!\])|\[(\d+)\]", path):
            found = found[int(index)] if index else found[name]
    except (KeyError, IndexError, TypeError):
        return Invalid(f"{path or 'the definition'}: {condition}.")
    return wrong(path or "the definition", condition, found)


def _check_variants(definition: Definition) -> None:
    variants = definition.variants
    if not 1 <= len(variants) <= MAX_VARIANTS:
        raise wrong("variants", f"must be 1 to {MAX_VARIANTS}", len(variants))
    check_distinct("variants", [variant.key for variant in variants])
    controls = [variant.key for variant in variants if variant.control]
    if len(controls) > 1:
        raise wrong("variants", "at most one may be the control", controls)
    if not any(variant.enabled for variant in variants):
        raise wrong("variants", "at least one must be enabled", 0)


def _check_audience(definition: Definition) -> None:
    compile_condition(definition.audience)


def _check_policy(definition: Definition) -> None:
    policy = definition.policy
    if policy.name not in registry.names():
        raise wrong("policy.name", f"must be one of {', '.join(registry.names())}", policy.name)
    lacking = registry.missing(policy.name)
    if lacking is not None:
        raise wrong("policy.name", f"needs {lacking}", policy.name)
    known = {parameter.name: parameter for parameter in registry.parameters(policy.name)}
    for name, value in policy.params.items():
        if name not in known:
            raise wrong("policy.params", f"{policy.name} has {', '.join(known) or 'no parameters'}", name)
        try:
            known[name].check(value)
        except InvalidInput as error:
            raise Invalid(f"policy.params: {error}.") from None


def _check_goal(definition: Definition) -> None:
    if definition.goal is not Goal.CUSTOM and definition.exploration is not None:
        hint = f"The goal {definition.goal.value} has its own."
        raise wrong("exploration", "must be left out unless the goal is custom", definition.exploration, hint=hint)
    if definition.goal is Goal.PROVE and sees_context(definition):
        raise wrong(
            "goal",
            "must be earn or custom where the policy learns who prefers what",
            definition.goal.value,
            hint="What is worse on average may be best for some: leave the context out, or run an A/B test.",
        )


def _check_times(definition: Definition) -> None:
    times: dict[str, Micros] = {}
    for name in ("starts_at", "ends_at"):
        text: str | None = getattr(definition, name)
        if text is None:
            continue
        try:
            times[name] = parse_time(text)
        except ValueError:
            raise wrong(name, "must be a time like 2026-11-22T10:00:00Z", text) from None
    if len(times) == 2 and times["ends_at"] <= times["starts_at"]:
        raise wrong("ends_at", f"must be after starts_at ({definition.starts_at})", definition.ends_at)


_CHECKS: tuple[Callable[[Definition], None], ...] = (
    _check_variants,
    _check_audience,
    _check_policy,
    check_declarations,
    check_measures,
    _check_goal,
    _check_times,
)
