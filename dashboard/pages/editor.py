"""Create and edit an experiment. The form keeps what was typed until it can be saved; the store decides what may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from bandit.features import AttributeType
from dashboard.extension import store
from dashboard.guard import auth
from dashboard.guard.auth import allow
from dashboard.pages import measures, policies
from dashboard.pages.fields import WINDOW_UNITS, AttributeFields, MetricFields, SegmentFields, VariantFields
from dashboard.pages.form import ExperimentForm
from dashboard.pages.reading import FormInvalid
from experiments.access import UserRole
from experiments.definition import parse, warnings
from experiments.errors import Conflict, Invalid
from experiments.model import Definition, Experiment, State, UnitKind

pages = Blueprint("editor", __name__)


@pages.get("/new")
@allow(UserRole.EDITOR)
def new() -> ResponseReturnValue:
    """Show the form of a new experiment, with what the plan page found out."""
    form = ExperimentForm.empty()
    form.planned_rows = request.args.get("planned_rows", "")
    form.smallest_lift = request.args.get("smallest_lift", "")
    return _page(form)


@pages.post("/new")
@allow(UserRole.EDITOR)
def create() -> ResponseReturnValue:
    """Create the experiment as a draft, or show what is not right yet."""
    form = ExperimentForm.read(request.form)
    if _rows_changed(form):
        return _page(form)
    try:
        experiment = store().create_experiment(parse(form.body()), by=auth.caller())
    except (Invalid, Conflict) as error:
        return _page(form, error=error)
    return _saved(experiment, "The experiment is a draft: look it over, then start it.")


@pages.get("/experiments/<key>/edit")
@allow(UserRole.EDITOR)
def edit(key: str) -> ResponseReturnValue:
    """Show the form of an experiment as it is."""
    experiment = store().experiment(key)
    return _page(ExperimentForm.of(msgspec.to_builtins(experiment.definition)), experiment)


@pages.post("/experiments/<key>/edit")
@allow(UserRole.EDITOR)
def save(key: str) -> ResponseReturnValue:
    """Save a changed experiment on top of the version that the form was made from."""
    experiment = store().experiment(key)
    form = ExperimentForm.read({**request.form.to_dict(), "key": key})
    if _rows_changed(form):
        return _page(form, experiment)
    try:
        definition = parse(form.body())
        changed = _changed_content(experiment, definition)
        if request.form.get("action") == "save-as-new":
            definition = as_new_variants(experiment.definition, definition, changed)
        elif changed and request.form.get("action") != "save-in-place":
            return _page(form, experiment, changed=changed)
        saved = store().save_experiment(definition, based_on=_based_on(experiment), by=auth.caller())
    except Conflict as error:
        return _stale(form, experiment, error)
    except Invalid as error:
        return _page(form, experiment, error=error)
    return _saved(saved, f"Saved as version {saved.version}.")


def as_new_variants(old: Definition, new: Definition, changed: list[str]) -> Definition:
    """Keep the variants ``changed`` as they were, switched off, and add what they became under fresh keys."""
    before = {variant.key: variant for variant in old.variants}
    taken = {variant.key for variant in new.variants}
    kept, added = [], []
    for variant in new.variants:
        if variant.key not in changed:
            kept.append(variant)
            continue
        fresh = _fresh_key(variant.key, taken)
        taken.add(fresh)
        kept.append(msgspec.structs.replace(before[variant.key], enabled=False, control=False))
        added.append(msgspec.structs.replace(variant, key=fresh, name=variant.name or before[variant.key].name))
    return msgspec.structs.replace(new, variants=(*kept, *added))


def field_of(message: str) -> str | None:
    """Return the HTML name of the field that a message of ``definition.parse`` begins with, if one is behind it.

    >>> field_of("variants[1].key: must match"), field_of("metrics[0].window_seconds: must be")
    ('variants-1-key', 'metrics-0-window')
    """
    path = message.partition(":")[0].strip()
    if found := re.match(rf"({'|'.join(_LISTS)})\[(\d+)\]\.(\w+)", path):
        return "-".join(found.groups()).removesuffix("_seconds")
    head = re.split(r"[.\[]", path)[0]
    return head if head in _FIELDS else None


_LISTS = ("variants", "metrics", "segments", "context", "variant_attributes")
"""What the form has a row of fields each for."""
_FIELDS = {
    *("key", "name", "hypothesis", "traffic", "audience", "starts_at", "ends_at", "tags", "interactions", "goal"),
    *("metrics", "segments", "covariate", "planned_rows", "smallest_lift"),
}
"""Fields of an experiment that have one place in the form."""


def _page(
    form: ExperimentForm,
    experiment: Experiment | None = None,
    *,
    error: Invalid | Conflict | None = None,
    changed: list[str] | None = None,
    stale: Experiment | None = None,
) -> ResponseReturnValue:
    problems = dict(error.problems) if isinstance(error, FormInvalid) else {}
    where = field_of(error.message) if error else None
    if error and where:
        problems[where] = error.message
    page = render_template(
        "experiments/edit.html",
        form=form,
        experiment=experiment,
        error=error,
        problems=problems,
        changed=changed or [],
        stale=stale,
        started=experiment is not None and experiment.state is not State.DRAFT,
        based_on=stale.version if stale else request.form.get("based_on") or (experiment and experiment.version),
        policies=policies.cards(),
        kinds=measures.kinds(),
        roles=measures.roles(),
        directions=measures.directions(),
        measured=_measured(experiment),
        units=list(UnitKind),
        types=list(AttributeType),
        window_units=list(WINDOW_UNITS),
        blank_variant=VariantFields(),
        blank_metric=MetricFields(),
        blank_segment=SegmentFields(),
        blank_attribute=AttributeFields.blank(),
        blank_variant_attribute=AttributeFields(),
    )
    return make_response(page, error.status if error else 409 if changed else 200)


def _saved(experiment: Experiment, said: str) -> ResponseReturnValue:
    flash(said, "good")
    for warning in warnings(experiment.definition):
        flash(warning, "warning")
    return redirect(url_for("results.page", key=experiment.key))


def _stale(form: ExperimentForm, experiment: Experiment, error: Conflict) -> ResponseReturnValue:
    """Explain that somebody saved in between, and keep what was typed."""
    now = store().experiment(experiment.key)
    return _page(form, now, error=error, stale=now if now.version != _based_on(experiment) else None)


def _based_on(experiment: Experiment) -> int:
    text = request.form.get("based_on", "")
    return int(text) if text.isdecimal() and len(text) < 10 else experiment.version


def _changed_content(experiment: Experiment, new: Definition) -> list[str]:
    """Return the variants whose content differs from what visitors of a started experiment have been seeing."""
    if experiment.state not in {State.RUNNING, State.PAUSED}:
        return []
    before = {variant.key: variant.content for variant in experiment.definition.variants}
    return [v.key for v in new.variants if v.key in before and before[v.key] != v.content]


def _fresh_key(key: str, taken: set[str]) -> str:
    stem = re.sub(r"-\d+$", "", key)[:58]
    return next(name for number in range(2, 10_000) if (name := f"{stem}-{number}") not in taken)


def _measured(experiment: Experiment | None) -> dict[str, str]:
    """Return key and role of the metrics that rows of a started experiment carry: their windows stay."""
    if experiment is None or experiment.state is State.DRAFT:
        return {}
    return {metric.key: metric.role.value for metric in experiment.definition.metrics}


def _rows_changed(form: ExperimentForm) -> bool:
    """Add or remove a row where the button of one was pressed (scripts do it in the browser)."""
    action = request.form.get("action", "")
    if (kind := action.removeprefix("add-")) != action and kind in _ROWS:
        name, blank = _ROWS[kind]
        getattr(form, name).append(blank())
        return True
    found = re.fullmatch(r"remove-(\w+)-(\d{1,5})", action)
    rows: list[Any] = getattr(form, _ROWS[found[1]][0]) if found and found[1] in _ROWS else []
    if not found or int(found[2]) >= len(rows):
        return False
    del rows[int(found[2])]
    return True


_ROWS: dict[str, tuple[str, Callable[[], Any]]] = {
    "variant": ("variants", VariantFields),
    "metric": ("metrics", MetricFields),
    "segment": ("segments", SegmentFields),
    "attribute": ("context", AttributeFields.blank),
    "variant_attribute": ("variant_attributes", AttributeFields),
}
"""What a button calls a row: where the form keeps such rows, and a new one."""
