"""Creating and editing experiments, as a person does it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from experiments.definition import parse
from experiments.model import Experiment, State
from experiments.store import Store

NEW = {
    "key": "pricing",
    "name": "Pricing",
    "unit": "visitor",
    "traffic": "50",
    "control": "0",
    "variants-0-key": "a",
    "variants-0-enabled": "on",
    "variants-0-weight": "1",
    "variants-0-headline": "Hello",
    "variants-1-key": "b",
    "variants-1-enabled": "on",
    "variants-1-weight": "2",
    "variants-1-content": '{"layout": {"wide": true}}',
    "metrics-0-key": "purchase",
    "metrics-0-kind": "conversion",
    "metrics-0-role": "objective",
    "metrics-0-window": "2",
    "metrics-0-window_unit": "hours",
    "policy": "thompson",
    "param-thompson.prior_successes": "3",
    "exploration": "10",
}
"""What a browser sends for a filled-in form."""


def form_of(experiment: Experiment, **changes: str) -> dict[str, str]:
    """What a browser sends when an experiment is edited."""
    form = NEW | {"key": experiment.key, "metrics-0-window": "30", "metrics-0-window_unit": "minutes", "name": "Spring"}
    del form["variants-1-content"]
    return form | {
        "based_on": str(experiment.version),
        "variants-1-headline": "Hey!",
        "variants-1-button": "Go",
        "variants-1-content": '{"layout": {"wide": true}}',
        "variants-1-weight": "1",
        **changes,
    }


def test_the_form_creates_a_draft(editor: Any, kept: Store) -> None:
    """Everything that was typed is in the experiment."""
    answer = editor.post("/new", NEW)
    assert (answer.status_code, answer.location) == (302, "/experiments/pricing")
    experiment = kept.experiment("pricing")
    assert experiment.state is State.DRAFT
    assert experiment.definition.traffic == 0.5
    assert experiment.definition.variants[0].content == {"headline": "Hello"}
    assert experiment.definition.variants[1].content == {"layout": {"wide": True}}
    assert experiment.objective.window_seconds == 7200
    assert experiment.exploration == 0.1
    assert "learns late" in editor.get("/experiments/pricing").text


@pytest.mark.parametrize(("goal", "share"), [("earn", 0.05), ("prove", 0.4), ("custom", 0.1)])
def test_the_goal_is_a_plain_choice(editor: Any, kept: Store, goal: str, share: float) -> None:
    """Earn and prove have shares of their own; only who sets it himself has the dial's."""
    assert editor.post("/new", NEW | {"goal": goal, "may_change": "yes"}).status_code == 302
    experiment = kept.experiment("pricing")
    assert (experiment.definition.goal, experiment.definition.may_change) == (goal, True)
    assert experiment.exploration == share
    page = editor.get("/experiments/pricing/edit").text
    assert re.search(rf'name="goal" value="{goal}" checked', page)


def test_a_goal_that_cannot_be_had_is_explained(editor: Any) -> None:
    """What is worse on average may be best for some: said at the choice, with what to do."""
    context = {"context-0-name": "device", "context-0-type": "category", "context-0-values": "mobile"}
    answer = editor.post("/new", NEW | context | {"policy": "linucb", "goal": "prove"})
    assert answer.status_code == 422
    assert 'id="goal-problem"' in answer.text
    assert "leave the context out" in answer.text


def test_the_results_say_who_is_out_of_the_race(editor: Any, kept: Store) -> None:
    """A variant that was proved to be worse is named."""
    editor.post("/new", NEW | {"goal": "prove"})
    kept.set_beaten("pricing", ("b",), based_on=1, by="proof")
    assert "out of the race: b" in editor.get("/experiments/pricing").text


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("key", "Not A Key"),
        ("variants-1-key", "B!"),
        ("audience", '{"device": {"$near": 1}}'),
        ("param-thompson.prior_successes", "-5"),
        ("metrics-0-key", "no spaces"),
        ("starts_at", "yesterday"),
        ("policy", "nonsense"),
    ],
)
def test_what_is_wrong_stands_at_its_field(editor: Any, kept: Store, field: str, text: str) -> None:
    """422, the field is marked, and everything that was typed is still there."""
    answer = editor.post("/new", NEW | {field: text})
    assert answer.status_code == 422
    assert kept.experiments() == []
    assert 'value="Pricing"' in answer.text
    if field != "policy":
        assert f'id="{field}-problem"' in answer.text


MEASURED = {
    "metrics-1-key": "left",
    "metrics-1-kind": "bounce",
    "metrics-1-role": "guardrail",
    "metrics-1-window": "30",
    "metrics-1-window_unit": "minutes",
    "metrics-1-margin": "5",
    "metrics-1-pauses": "on",
    "metrics-2-key": "per-visit",
    "metrics-2-kind": "ratio",
    "metrics-2-role": "secondary",
    "metrics-2-window": "30",
    "metrics-2-window_unit": "minutes",
    "metrics-2-numerator": "purchase",
    "metrics-2-denominator": "left",
    "metrics-2-increase": "less",
    "metrics-2-default": "7",
    "context-0-name": "age",
    "context-0-type": "number",
    "segments-0-attribute": "age",
    "segments-0-cuts": "30, 50",
    "covariate": "age",
    "planned_rows": "20000",
    "smallest_lift": "5",
    "variants-1-cost": "0.5",
}
"""Fields of whatever is asked of results besides the goal."""


def test_everything_that_is_measured_comes_from_the_form(editor: Any, kept: Store) -> None:
    """A guardrail, a ratio, a segment, a covariate, a plan, a cost; what a ratio does not have is left out."""
    assert editor.post("/new", NEW | MEASURED).status_code == 302
    definition = kept.experiment("pricing").definition
    guardrail, ratio = definition.metrics[1:]
    assert (guardrail.kind, guardrail.role, guardrail.margin, guardrail.pauses) == ("bounce", "guardrail", 0.05, True)
    assert (ratio.numerator, ratio.denominator, ratio.increase, ratio.default) == ("purchase", "left", False, 0)
    assert [(segment.attribute, segment.cuts) for segment in definition.segments] == [("age", (30, 50))]
    assert (definition.covariate, definition.planned_rows, definition.smallest_lift) == ("age", 20_000, 0.05)
    assert definition.variants[1].cost == 0.5


@pytest.mark.parametrize(
    ("field", "text", "place"),
    [
        ("metrics-2-numerator", "nothing", "metrics-2-numerator"),
        ("metrics-1-role", "objective", "metrics"),
        ("metrics-1-margin", "200", "metrics-1-margin"),
        ("segments-0-attribute", "size", "segments-0-attribute"),
        ("segments-0-cuts", "50, 30", "segments-0-cuts"),
        ("segments-0-cuts", "", "segments-0-cuts"),
        ("covariate", "size", "covariate"),
        ("planned_rows", "3", "planned_rows"),
        ("smallest_lift", "-1", "smallest_lift"),
        ("variants-1-cost", "-1", "variants-1-cost"),
    ],
)
def test_what_cannot_be_measured_stands_at_its_field(editor: Any, field: str, text: str, place: str) -> None:
    """One clear line, where it belongs."""
    answer = editor.post("/new", NEW | MEASURED | {field: text})
    assert answer.status_code == 422
    assert f'id="{place}-problem"' in answer.text


def test_what_is_measured_stays_after_the_start(editor: Any, kept: Store) -> None:
    """Windows, segments and the plan are shown and cannot be typed over; a metric can be added."""
    editor.post("/new", NEW | MEASURED)
    experiment = kept.set_state("pricing", State.RUNNING, by="test")
    page = editor.get("/experiments/pricing/edit").text
    for name in ("metrics-1-window", "segments-0-attribute", "covariate", "planned_rows"):
        assert "readonly" in page.partition(f'name="{name}"')[2].partition(">")[0], name
    more = {"metrics-3-key": "clicks", "metrics-3-kind": "count", "metrics-3-role": "secondary"}
    more |= {"metrics-3-window": "30", "metrics-3-window_unit": "minutes", "based_on": str(experiment.version)}
    assert editor.post("/experiments/pricing/edit", NEW | MEASURED | more).status_code == 302
    assert [metric.key for metric in kept.experiment("pricing").definition.metrics][3:] == ["clicks"]


def test_a_taken_key_is_refused(editor: Any, experiment: Experiment) -> None:
    """409, and the form is still filled in."""
    answer = editor.post("/new", NEW | {"key": "spring"})
    assert answer.status_code == 409
    assert "exists" in answer.text


def test_rows_come_and_go_without_scripts(editor: Any) -> None:
    """The buttons of the form add and remove rows where no script does."""
    assert 'name="variants-2-key"' in editor.post("/new", NEW | {"action": "add-variant"}).text
    assert 'name="metrics-1-key"' in editor.post("/new", NEW | {"action": "add-metric"}).text
    assert 'name="segments-0-attribute"' in editor.post("/new", NEW | {"action": "add-segment"}).text
    assert 'name="context-0-name"' in editor.post("/new", NEW | {"action": "add-attribute"}).text
    removed = editor.post("/new", NEW | {"action": "remove-variant-0"}).text
    assert 'name="variants-0-key" value="b"' in removed
    assert 'name="variants-1-key" value=' not in removed.partition("<template")[0]


def test_editing_saves_the_next_version(editor: Any, kept: Store, experiment: Experiment) -> None:
    """A draft is changed freely."""
    assert editor.get("/experiments/spring/edit").status_code == 200
    assert editor.post("/experiments/spring/edit", form_of(experiment, traffic="25")).status_code == 302
    assert kept.experiment("spring").definition.traffic == 0.25


def test_a_stale_save_explains_and_keeps_what_was_typed(editor: Any, kept: Store, experiment: Experiment) -> None:
    """409 with the newer version named; saving again goes on top of it."""
    kept.save_experiment(experiment.definition, based_on=1, by="somebody")
    answer = editor.post("/experiments/spring/edit", form_of(experiment, traffic="25", name="Mine"))
    assert answer.status_code == 409
    assert "Somebody saved version 2" in answer.text
    assert 'value="Mine"' in answer.text
    assert 'name="based_on" value="2"' in answer.text
    assert kept.experiment("spring").definition.name != "Mine"
    assert editor.post("/experiments/spring/edit", form_of(kept.experiment("spring"), name="Mine")).status_code == 302
    assert kept.experiment("spring").definition.name == "Mine"


@pytest.fixture
def running(kept: Store, experiment: Experiment) -> Experiment:
    """The experiment, started."""
    return kept.set_state("spring", State.RUNNING, by="test")


def test_changed_content_of_a_running_experiment_asks_first(editor: Any, kept: Store, running: Experiment) -> None:
    """Nothing is saved before somebody says whether the content is a new variant."""
    answer = editor.post("/experiments/spring/edit", form_of(running, **{"variants-1-headline": "Ho!"}))
    assert answer.status_code == 409
    assert "Save as a new variant" in answer.text
    assert kept.experiment("spring").version == running.version


def test_changed_content_becomes_a_new_variant(editor: Any, kept: Store, running: Experiment) -> None:
    """The old variant keeps its content and is switched off; the new one has a key of its own."""
    form = form_of(running, action="save-as-new", **{"variants-1-headline": "Ho!"})
    assert editor.post("/experiments/spring/edit", form).status_code == 302
    variants = {variant.key: variant for variant in kept.experiment("spring").definition.variants}
    assert list(variants) == ["a", "b", "b-2"]
    assert (variants["b"].enabled, variants["b"].content["headline"]) == (False, "Hey!")
    assert (variants["b-2"].enabled, variants["b-2"].content["headline"]) == (True, "Ho!")


def test_changed_content_can_be_kept_in_place(editor: Any, kept: Store, running: Experiment) -> None:
    """Whoever insists changes what visitors of the variant see."""
    form = form_of(running, action="save-in-place", **{"variants-1-headline": "Ho!"})
    assert editor.post("/experiments/spring/edit", form).status_code == 302
    assert kept.experiment("spring").definition.variants[1].content["headline"] == "Ho!"


def test_frozen_fields_are_explained(editor: Any, running: Experiment) -> None:
    """The goal of a started experiment stays; the answer says so."""
    answer = editor.post("/experiments/spring/edit", form_of(running, **{"metrics-0-key": "other"}))
    assert answer.status_code == 422
    assert "cannot change after the start" in answer.text


def test_nothing_that_is_typed_is_a_server_error(editor: Any, body: dict[str, Any]) -> None:
    """Odd bytes in every field are refused or kept, never a 500."""
    texts = ("\0", "\ud800".encode("utf-8", "surrogatepass"), "💥" * 5000, "{{7*7}}", "-1", "1e999", "[" * 9999)
    for number, field in enumerate(NEW):
        for text in (texts[number % len(texts)], texts[(number + 3) % len(texts)], "\0"):
            assert editor.post("/new", NEW | {field: text}).status_code in {302, 409, 422}, (field, text)
    assert parse(body)
