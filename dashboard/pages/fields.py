"""The rows of the editor's form: what a person typed of a variant, a metric, an attribute, a segment, kept as typed.

Each row knows its way from the JSON of an experiment (``of``) and back (``body``); what a definition may be is decided
in :mod:`experiments.definition`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from dashboard.pages.reading import FieldReader

USUAL_CONTENT = ("headline", "text", "image", "button")
"""Keys of a variant's content that have their own field; all others are in its JSON."""
WINDOW_UNITS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
BETTER = {"": None, "more": True, "less": False}
"""What the choice of a direction means; empty is what is usual for the kind."""

Row = TypeVar("Row", "VariantFields", "AttributeFields", "MetricFields", "SegmentFields")


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
    cost: str = ""
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
            content=pretty(content),
            attributes=pretty(variant.get("attributes", {})),
            weight=number(variant.get("weight", 1.0)),
            cost=number(variant.get("cost") or None),
            control=variant.get("control", False),
            enabled=variant.get("enabled", True),
            **usual,
        )

    def body(self, reader: FieldReader, at: str) -> dict[str, Any]:
        """Return the variant's JSON."""
        content = reader.mapping(f"{at}-content", self.content)
        for name in USUAL_CONTENT:
            typed = getattr(self, name).strip()
            if typed and name in content:
                reader.problems[f"{at}-content"] = f"{name!r} is in the JSON and in its own field: keep one."
            elif typed:
                content[name] = typed
        return {
            "key": self.key.strip(),
            "name": self.name.strip(),
            "content": content,
            "attributes": reader.mapping(f"{at}-attributes", self.attributes),
            "control": self.control,
            "enabled": self.enabled,
            "weight": reader.number(f"{at}-weight", self.weight, needed=True),
            "cost": reader.number(f"{at}-cost", self.cost) or 0,
        }


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
            period=number(attribute.get("period")),
            center=number(attribute.get("center") or None),
            scale=number(None if attribute.get("scale") == 1 else attribute.get("scale")),
            columns=number(attribute.get("columns")),
            standardize=attribute.get("standardize", False),
            always_known="yes" if attribute.get("always_known") else "",
        )

    @classmethod
    def blank(cls) -> AttributeFields:
        """Return a new attribute of the context: as a number, it would be standardized."""
        return cls(standardize=True)

    def body(self, reader: FieldReader, at: str) -> dict[str, Any]:
        """Return the attribute's JSON: what its type has, and no more."""
        attribute: dict[str, Any] = {"name": self.name.strip(), "type": self.type}
        if self.always_known:
            attribute["always_known"] = True
        if self.type in {"category", "tags"}:
            attribute["values"] = reader.values(f"{at}-values", self.values)
        if self.type == "number" and self.standardize:
            attribute["standardize"] = True
        wanted = {"cyclic": ("period",), "number": ("center", "scale"), "text": ("columns",)}.get(self.type, ())
        for name in wanted:
            value = reader.number(f"{at}-{name}", getattr(self, name))
            if value is not None:
                attribute[name] = value
        return attribute


@dataclass
class MetricFields:
    """One metric as typed; the share it may lose is a percentage."""

    key: str = ""
    kind: str = "conversion"
    role: str = "secondary"
    window: str = "30"
    window_unit: str = "minutes"
    default: str = ""
    min: str = ""
    max: str = ""
    cap: str = ""
    increase: str = ""
    """One of :data:`BETTER`."""
    numerator: str = ""
    denominator: str = ""
    margin: str = ""
    pauses: bool = False

    @classmethod
    def of(cls, metric: Mapping[str, Any]) -> MetricFields:
        """Spread a metric's JSON over the fields."""
        unit, size = next(item for item in WINDOW_UNITS.items() if metric["window_seconds"] % item[1] == 0)
        return cls(
            key=metric["key"],
            kind=metric["kind"],
            role=metric["role"],
            window=number(metric["window_seconds"] // size),
            window_unit=unit,
            increase=next(word for word, value in BETTER.items() if value is metric.get("increase")),
            numerator=metric.get("numerator") or "",
            denominator=metric.get("denominator") or "",
            margin=percent(metric["margin"]) if metric.get("margin") else "",
            pauses=metric.get("pauses", False),
            **{name: number(metric[name] or None) for name in ("default", "min")},
            **{name: number(metric[name]) for name in ("max", "cap")},
        )

    def body(self, reader: FieldReader, at: str) -> dict[str, Any]:
        """Return the metric's JSON: a ratio has its two parts, every other kind a range of values."""
        window = reader.number(f"{at}-window", self.window, needed=True) or 0
        metric: dict[str, Any] = {
            "key": self.key.strip(),
            "kind": self.kind,
            "role": self.role,
            "window_seconds": round(window * WINDOW_UNITS.get(self.window_unit, 1)),
            "increase": BETTER.get(self.increase),
            "margin": reader.share(f"{at}-margin", self.margin or "0"),
            "pauses": self.pauses and self.role == "guardrail",
        }
        if self.kind == "ratio":
            return metric | {name: getattr(self, name).strip() or None for name in ("numerator", "denominator")}
        for name in ("default", "min"):
            metric[name] = reader.number(f"{at}-{name}", getattr(self, name)) or 0
        for name in ("max", "cap"):
            metric[name] = reader.number(f"{at}-{name}", getattr(self, name))
        return metric


@dataclass
class SegmentFields:
    """One attribute by whose values results are looked at, as typed."""

    attribute: str = ""
    cuts: str = ""

    @classmethod
    def of(cls, segment: Mapping[str, Any]) -> SegmentFields:
        """Spread a segment's JSON over the fields."""
        return cls(segment["attribute"], ", ".join(number(cut) for cut in segment.get("cuts", ())))

    def body(self, reader: FieldReader, at: str) -> dict[str, Any]:
        """Return the segment's JSON."""
        return {"attribute": self.attribute.strip(), "cuts": reader.numbers(f"{at}-cuts", self.cuts)}


def rows(typed: Mapping[str, str], prefix: str, kind: type[Row]) -> Iterator[Row]:
    """Yield the rows ``prefix-0-...``, ``prefix-7-...`` in the order of their numbers; gaps were removed."""
    numbers = {name.split("-")[1] for name in typed if name.startswith(f"{prefix}-") and name.count("-") >= 2}
    for place in sorted((item for item in numbers if item.isdecimal() and len(item) < 6), key=int):
        values: dict[str, Any] = {
            item.name: typed.get(f"{prefix}-{place}-{item.name}", "") for item in fields(kind) if item.type == "str"
        }
        boxes = [item.name for item in fields(kind) if item.type == "bool"]
        values |= {name: f"{prefix}-{place}-{name}" in typed for name in boxes}
        yield kind(**values)


def pretty(value: Mapping[str, Any]) -> str:
    """JSON to be edited; nothing where there is nothing."""
    return json.dumps(value, indent=2, ensure_ascii=False) if value else ""


def number(value: float | None) -> str:
    """A number as a person types it.

    >>> number(5.0), number(0.25), number(None)
    ('5', '0.25', '')
    """
    return "" if value is None else repr(int(value) if value == int(value) else value)


def percent(share: float) -> str:
    """A share as a percentage without its sign.

    >>> percent(0.125)
    '12.5'
    """
    return number(round(share * 100, 10))
