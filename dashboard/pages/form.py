"""The editor's form: what a person typed, kept as typed, and its way to and from the JSON of an experiment.

A field that does not parse is reported under its HTML name, and everything else that was typed is still there when the
page comes back. What a definition may be is not decided here but in :mod:`experiments.definition`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from bandit import registry
from dashboard.pages.reading import FieldReader, FormInvalid, listed

USUAL_CONTENT = ("headline", "text", "image", "button")
"""Keys of a variant's content that have their own field; all others are in its JSON."""
WINDOW_UNITS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}

Row = TypeVar("Row", "VariantFields", "AttributeFields")


@dataclass
class VariantFields:
    """One variant as typed."""

    key: str = ""
    name: str = ""
    headline: str = ""
    text: str = ""
    image: str = ""
    button: str = ""
    content: str = ""
    attributes: str = ""
    weight: str = "1"
    control: bool = False
    enabled: bool = True

    @classmethod
    def of(cls, variant: Mapping[str, Any]) -> VariantFields:
        """Spread a variant's JSON over the fields."""
        content = dict(variant.get("content", {}))
        usual = {name: content.pop(name) for name in USUAL_CONTENT if isinstance(content.get(name), str)}
        return cls(
            key=variant["key"],
            name=variant.get("name", ""),
            content=_pretty(content),
            attributes=_pretty(variant.get("attributes", {})),
            weight=_number(variant.get("weight", 1.0)),
            control=variant.get("control", False),
            enabled=variant.get("enabled", True),
            **usual,
        )


@dataclass
class AttributeFields:
    """One attribute of the context, or of the variants, as typed."""

    name: str = ""
    type: str = "category"
    values: str = ""
    period: str = ""
    center: str = ""
    scale: str = ""
    columns: str = ""
    standardize: bool = False
    always_known: str = ""
    """Not shown; kept so that saving changes nothing that was not touched."""

    @classmethod
    def of(cls, attribute: Mapping[str, Any]) -> AttributeFields:
        """Spread an attribute's JSON over the fields."""
        values = list(attribute.get("values", ()))
        plain = all("," not in value and value == value.strip() and not value.startswith("[") for value in values)
        return cls(
            name=attribute["name"],
            type=attribute["type"],
            values=", ".join(values) if plain else json.dumps(values, ensure_ascii=False),
            period=_number(attribute.get("period")),
            center=_number(attribute.get("center") or None),
            scale=_number(None if attribute.get("scale") == 1 else attribute.get("scale")),
            columns=_number(attribute.get("columns")),
            standardize=attribute.get("standardize", False),
            always_known="yes" if attribute.get("always_known") else "",
        )

    @classmethod
    def blank(cls) -> AttributeFields:
        """Return a new attribute of the context: as a number, it would be standardized."""
        return cls(standardize=True)


@dataclass
class ExperimentForm:
    """A whole experiment as typed; numbers are text until :meth:`body`."""

    key: str = ""
    name: str = ""
    hypothesis: str = ""
    unit: str = "visitor"
    traffic: str = "100"
    audience: str = ""
    metric_key: str = "conversion"
    metric_kind: str = "conversion"
    metric_window: str = "30"
    metric_window_unit: str = "minutes"
    metric_default: str = "0"
    metric_min: str = "0"
    metric_max: str = ""
    metric_cap: str = ""
    policy: str = "auto"
    goal: str = "custom"
    exploration: str = "20"
    may_change: str = ""
    """``yes`` where a variant that is worse today may be better tomorrow."""
    starts_at: str = ""
    ends_at: str = ""
    tags: str = ""
    interactions: str = ""
    params: dict[str, str] = field(default_factory=dict)
    """Typed parameters by ``POLICY.NAME``, of every policy that the form showed."""
    variants: list[VariantFields] = field(default_factory=list)
    context: list[AttributeFields] = field(default_factory=list)
    variant_attributes: list[AttributeFields] = field(default_factory=list)

    @classmethod
    def empty(cls) -> ExperimentForm:
        """Return the form of a new experiment: two variants, the first the control."""
        return cls(variants=[VariantFields(key="a", name="Today's page", control=True), VariantFields(key="b")])

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> ExperimentForm:
        """Spread the JSON of an experiment over the fields."""
        metric, policy = definition["metrics"][0], definition["policy"]
        unit, size = next(item for item in WINDOW_UNITS.items() if metric["window_seconds"] % item[1] == 0)
        exploration = definition.get("exploration")
        return cls(
            **{name: definition[name] for name in ("key", "name", "hypothesis", "unit")},
            traffic=_percent(definition["traffic"]),
            audience=_pretty(definition.get("audience") or {}),
            metric_key=metric["key"],
            metric_kind=metric["kind"],
            metric_window=_number(metric["window_seconds"] // size),
            metric_window_unit=unit,
            **{f"metric_{name}": _number(metric[name]) for name in ("default", "min", "max", "cap")},
            policy=policy["name"],
            params={f"{policy['name']}.{name}": str(value) for name, value in policy["params"].items()},
            goal=definition.get("goal", "custom"),
            exploration=_percent(0.2 if exploration is None else exploration),
            may_change="yes" if definition.get("may_change") else "",
            starts_at=_local_time(definition.get("starts_at")),
            ends_at=_local_time(definition.get("ends_at")),
            tags=", ".join(definition["tags"]),
            interactions=", ".join(" * ".join(pair) for pair in definition.get("interactions", ())),
            variants=[VariantFields.of(variant) for variant in definition["variants"]],
            context=[AttributeFields.of(attribute) for attribute in definition["context"]],
            variant_attributes=[AttributeFields.of(made) for made in definition.get("variant_attributes", ())],
        )

    @classmethod
    def read(cls, typed: Mapping[str, str]) -> ExperimentForm:
        """Read what a browser sent; missing fields are empty, unknown ones ignored."""
        plain = {item.name: typed.get(item.name, "") for item in fields(cls) if item.type == "str"}
        params = {name.removeprefix("param-"): typed[name].strip() for name in typed if name.startswith("param-")}
        form = cls(
            **plain,
            params=params,
            variants=list(_rows(typed, "variants", VariantFields)),
            context=list(_rows(typed, "context", AttributeFields)),
            variant_attributes=list(_rows(typed, "variant_attributes", AttributeFields)),
        )
        for index, row in enumerate(form.variants):
            row.control = typed.get("control") == str(index)
        return form

    def body(self) -> dict[str, Any]:
        """Return the JSON of the experiment; FormInvalid where fields do not parse."""
        reader = FieldReader()
        body = {
            "key": self.key.strip(),
            "name": self.name.strip(),
            "hypothesis": self.hypothesis.strip(),
            "unit": self.unit,
            "traffic": reader.share("traffic", self.traffic),
            "variants": [_variant(reader, f"variants-{i}", row) for i, row in enumerate(self.variants)],
            "context": _attributes(reader, "context", self.context),
            "interactions": reader.pairs("interactions", self.interactions),
            "variant_attributes": _attributes(reader, "variant_attributes", self.variant_attributes),
            "audience": reader.mapping("audience", self.audience) or None,
            "metrics": [self._metric(reader)],
            "policy": {"name": self.policy, "params": self._params(reader)},
            "goal": self.goal or "custom",
            "exploration": reader.share("exploration", self.exploration) if self.goal in {"", "custom"} else None,
            "may_change": bool(self.may_change),
            "starts_at": _iso(self.starts_at),
            "ends_at": _iso(self.ends_at),
            "tags": listed(self.tags),
        }
        if reader.problems:
            raise FormInvalid(reader.problems)
        return body

    def _metric(self, reader: FieldReader) -> dict[str, Any]:
        window = reader.number("metric_window", self.metric_window, needed=True) or 0
        metric = {
            "key": self.metric_key.strip(),
            "kind": self.metric_kind,
            "role": "objective",
            "window_seconds": round(window * WINDOW_UNITS.get(self.metric_window_unit, 1)),
        }
        for name in ("default", "min"):
            metric[name] = reader.number(f"metric_{name}", getattr(self, f"metric_{name}")) or 0
        for name in ("max", "cap"):
            metric[name] = reader.number(f"metric_{name}", getattr(self, f"metric_{name}"))
        return metric

    def _params(self, reader: FieldReader) -> dict[str, Any]:
        mine = {name: text for name, text in self.params.items() if name.startswith(f"{self.policy}.") and text}
        known = (
            {item.name: item for item in registry.parameters(self.policy)} if self.policy in registry.names() else {}
        )
        read = {name.split(".", 1)[1]: reader.number(f"param-{name}", text) for name, text in mine.items()}
        for name in read.keys() & known.keys():
            reader.check(f"param-{self.policy}.{name}", known[name], read[name])
        return read


def _variant(reader: FieldReader, prefix: str, row: VariantFields) -> dict[str, Any]:
    content = reader.mapping(f"{prefix}-content", row.content)
    for name in USUAL_CONTENT:
        typed = getattr(row, name).strip()
        if typed and name in content:
            reader.problems[f"{prefix}-content"] = f"{name!r} is in the JSON and in its own field: keep one."
        elif typed:
            content[name] = typed
    return {
        "key": row.key.strip(),
        "name": row.name.strip(),
        "content": content,
        "attributes": reader.mapping(f"{prefix}-attributes", row.attributes),
        "control": row.control,
        "enabled": row.enabled,
        "weight": reader.number(f"{prefix}-weight", row.weight, needed=True),
    }


def _attributes(reader: FieldReader, path: str, rows: list[AttributeFields]) -> list[dict[str, Any]]:
    return [_attribute(reader, f"{path}-{i}", row) for i, row in enumerate(rows)]


def _attribute(reader: FieldReader, prefix: str, row: AttributeFields) -> dict[str, Any]:
    attribute: dict[str, Any] = {"name": row.name.strip(), "type": row.type}
    if row.always_known:
        attribute["always_known"] = True
    if row.type in {"category", "tags"}:
        attribute["values"] = reader.values(f"{prefix}-values", row.values)
    if row.type == "number" and row.standardize:
        attribute["standardize"] = True
    wanted = {"cyclic": ("period",), "number": ("center", "scale"), "text": ("columns",)}.get(row.type, ())
    for name in wanted:
        value = reader.number(f"{prefix}-{name}", getattr(row, name))
        if value is not None:
            attribute[name] = value
    return attribute


def _rows(typed: Mapping[str, str], prefix: str, kind: type[Row]) -> Iterator[Row]:
    """Yield the rows ``prefix-0-...``, ``prefix-7-...`` in the order of their numbers; gaps were removed."""
    numbers = {name.split("-")[1] for name in typed if name.startswith(f"{prefix}-") and name.count("-") >= 2}
    for number in sorted((item for item in numbers if item.isdecimal() and len(item) < 6), key=int):
        values: dict[str, Any] = {
            item.name: typed.get(f"{prefix}-{number}-{item.name}", "") for item in fields(kind) if item.type == "str"
        }
        boxes = [item.name for item in fields(kind) if item.type == "bool"]
        values |= {name: f"{prefix}-{number}-{name}" in typed for name in boxes}
        yield kind(**values)


def _pretty(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) if value else ""


def _number(value: float | None) -> str:
    return "" if value is None else repr(int(value) if value == int(value) else value)


def _percent(share: float) -> str:
    return _number(round(share * 100, 10))


def _local_time(iso: str | None) -> str:
    return "" if iso is None else iso.removesuffix("Z")


def _iso(local: str) -> str | None:
    text = local.strip()
    if not text:
        return None
    return f"{text}:00Z" if text.count(":") == 1 else f"{text}Z"
