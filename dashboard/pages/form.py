"""The editor's form: what a person typed, kept as typed, and its way to and from the JSON of an experiment.

A field that does not parse is reported under its HTML name, and everything else that was typed is still there when the
page comes back. What a definition may be is not decided here but in :mod:`experiments.definition`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from bandit import registry
from dashboard.pages.fields import (
    AttributeFields,
    MetricFields,
    SegmentFields,
    VariantFields,
    number,
    percent,
    pretty,
    rows,
)
from dashboard.pages.reading import FieldReader, FormInvalid, listed


@dataclass
class ExperimentForm:
    """A whole experiment as typed; numbers are text until :meth:`body`."""

    key: str = ""
    name: str = ""
    hypothesis: str = ""
    unit: str = "visitor"
    traffic: str = "100"
    audience: str = ""
    policy: str = "auto"
    goal: str = "custom"
    exploration: str = "20"
    may_change: str = ""
    """``yes`` where a variant that is worse today may be better tomorrow."""
    covariate: str = ""
    planned_rows: str = ""
    smallest_lift: str = ""
    """A percentage."""
    starts_at: str = ""
    ends_at: str = ""
    tags: str = ""
    interactions: str = ""
    params: dict[str, str] = field(default_factory=dict)
    """Typed parameters by ``POLICY.NAME``, of every policy that the form showed."""
    variants: list[VariantFields] = field(default_factory=list)
    metrics: list[MetricFields] = field(default_factory=list)
    segments: list[SegmentFields] = field(default_factory=list)
    context: list[AttributeFields] = field(default_factory=list)
    variant_attributes: list[AttributeFields] = field(default_factory=list)

    @classmethod
    def empty(cls) -> ExperimentForm:
        """Return the form of a new experiment: two variants, the first the control, and one metric, the objective."""
        return cls(
            variants=[VariantFields(key="a", name="Today's page", control=True), VariantFields(key="b")],
            metrics=[MetricFields(key="conversion", role="objective")],
        )

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> ExperimentForm:
        """Spread the JSON of an experiment over the fields."""
        policy = definition["policy"]
        exploration, smallest = definition.get("exploration"), definition.get("smallest_lift")
        return cls(
            **{name: definition[name] for name in ("key", "name", "hypothesis", "unit")},
            traffic=percent(definition["traffic"]),
            audience=pretty(definition.get("audience") or {}),
            policy=policy["name"],
            params={f"{policy['name']}.{name}": str(value) for name, value in policy["params"].items()},
            goal=definition.get("goal", "custom"),
            exploration=percent(0.2 if exploration is None else exploration),
            may_change="yes" if definition.get("may_change") else "",
            covariate=definition.get("covariate") or "",
            planned_rows=number(definition.get("planned_rows")),
            smallest_lift="" if smallest is None else percent(smallest),
            starts_at=_local_time(definition.get("starts_at")),
            ends_at=_local_time(definition.get("ends_at")),
            tags=", ".join(definition["tags"]),
            interactions=", ".join(" * ".join(pair) for pair in definition.get("interactions", ())),
            variants=[VariantFields.of(variant) for variant in definition["variants"]],
            metrics=[MetricFields.of(metric) for metric in definition["metrics"]],
            segments=[SegmentFields.of(segment) for segment in definition.get("segments", ())],
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
            variants=list(rows(typed, "variants", VariantFields)),
            metrics=list(rows(typed, "metrics", MetricFields)),
            segments=list(rows(typed, "segments", SegmentFields)),
            context=list(rows(typed, "context", AttributeFields)),
            variant_attributes=list(rows(typed, "variant_attributes", AttributeFields)),
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
            **{name: self._rows(reader, name) for name in ("variants", "metrics", "segments", "context")},
            "interactions": reader.pairs("interactions", self.interactions),
            "variant_attributes": self._rows(reader, "variant_attributes"),
            "audience": reader.mapping("audience", self.audience) or None,
            "policy": {"name": self.policy, "params": self._params(reader)},
            "goal": self.goal or "custom",
            "exploration": reader.share("exploration", self.exploration) if self.goal in {"", "custom"} else None,
            "may_change": bool(self.may_change),
            "covariate": self.covariate.strip() or None,
            "planned_rows": reader.number("planned_rows", self.planned_rows),
            "smallest_lift": reader.share("smallest_lift", self.smallest_lift, most=None, needed=False),
            "starts_at": _iso(self.starts_at),
            "ends_at": _iso(self.ends_at),
            "tags": listed(self.tags),
        }
        if reader.problems:
            raise FormInvalid(reader.problems)
        return body

    def _rows(self, reader: FieldReader, name: str) -> list[dict[str, Any]]:
        return [row.body(reader, f"{name}-{i}") for i, row in enumerate(getattr(self, name))]

    def _params(self, reader: FieldReader) -> dict[str, Any]:
        mine = {name: text for name, text in self.params.items() if name.startswith(f"{self.policy}.") and text}
        known = (
            {item.name: item for item in registry.parameters(self.policy)} if self.policy in registry.names() else {}
        )
        read = {name.split(".", 1)[1]: reader.number(f"param-{name}", text) for name, text in mine.items()}
        for name in read.keys() & known.keys():
            reader.check(f"param-{self.policy}.{name}", known[name], read[name])
        return read


def _local_time(iso: str | None) -> str:
    return "" if iso is None else iso.removesuffix("Z")


def _iso(local: str) -> str | None:
    text = local.strip()
    if not text:
        return None
    return f"{text}:00Z" if text.count(":") == 1 else f"{text}Z"
