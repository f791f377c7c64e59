"""The results page, its live parts, report.json and the CSV say the same."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from experiments.access import Scope, UserRole
from experiments.definition import parse
from experiments.model import Experiment, State
from experiments.report import ExperimentReport, build_report
from experiments.store import LoggedDecision, Store
from tests.dashboard.reports import BODY, rich

SPLIT = (0.5, 0.5)


def decision(experiment: Experiment, number: int, *, variant: int, reward: float, time: int) -> LoggedDecision:
    """One decision of a fixed split with its reward."""
    return LoggedDecision(
        decision=f"{number:032x}",
        version=1,
        phase=1,
        unit=f"{number:032x}",
        time=time,
        variant=experiment.variant_keys[variant],
        probability=0.5,
        variants=experiment.variant_keys,
        distribution=np.array(SPLIT),
        policy="fixed",
        policy_version=1,
        reason="policy",
        analysis=True,
        seq=number,
        context={},
        rewards={"purchase": reward},
    )


@pytest.fixture
def filled(kept: Store, body: dict[str, Any], clock: Callable[[], int]) -> Experiment:
    """An imported experiment of 400 decisions: 200 a variant, 20 and 50 conversions."""
    definition = parse(body | {"policy": {"name": "fixed"}, "tags": ["simulated"]})
    experiment = kept.create_experiment(definition, by="test", imported=True)
    start = clock() - 3_600_000_000
    rows = [
        decision(experiment, i + 1, variant=i % 2, reward=float(i < (40, 100)[i % 2]), time=start + i * 1_000_000)
        for i in range(400)
    ]
    kept.import_log(experiment, [rows])
    return experiment


def numbers(page: str, variant: str) -> dict[str, str]:
    """The numbers of a variant's row, by name."""
    row = page.partition(f'data-variant="{variant}"')[2].partition("</tr>")[0]
    return dict(re.findall(r'data-number="(\w+)"[^>]*>([^<]*)', row))


def test_page_live_parts_and_json_agree(editor: Any, filled: Experiment) -> None:
    """One report behind all of them."""
    report = editor.get("/experiments/spring/report.json").json
    assert [(v["visitors"], v["conversions"]) for v in report["variants"]] == [(200, 20), (200, 50)]
    for path in ("/experiments/spring", "/experiments/spring/live"):
        page = editor.get(path).text
        for variant in report["variants"]:
            shown = numbers(page, variant["key"])
            assert shown["visitors"] == str(variant["visitors"])
            assert shown["conversions"] == str(variant["conversions"])
            assert shown["rate"] == f"{100 * variant['rate']:.2f}%"
    assert numbers(page, "b")["rate"] == "25.00%"


def test_intervals_and_beliefs_are_shown_for_what_they_are(editor: Any, filled: Experiment) -> None:
    """Limits of the report for a fixed split; beliefs carry their label."""
    report = editor.get("/experiments/spring/report.json").json
    page = editor.get("/experiments/spring").text
    low = report["variants"][1]["low"]
    assert low is not None
    assert f"{100 * low:.2f}%" in page
    assert "A belief, not a proof" in page


def test_a_bandit_shows_why_there_is_no_interval(editor: Any, kept: Store, experiment: Experiment) -> None:
    """``not shown`` and the reason, in the words of the report."""
    kept.set_state("spring", State.RUNNING, by="test")
    report = editor.get("/experiments/spring/report.json").json
    assert report["variants"][0]["low"] is None
    assert report["variants"][0]["interval"] in editor.get("/experiments/spring").text


def test_figures_hold_the_reports_numbers(editor: Any, filled: Experiment) -> None:
    """What Plotly draws is what the table says."""
    drawn = figures(editor.get("/experiments/spring/live").text)
    report = editor.get("/experiments/spring/report.json").json
    assert [trace["x"][0] for trace in drawn["rates"]["data"]] == [v["rate"] for v in report["variants"]]
    assert [trace["y"] for trace in drawn["traffic"]["data"]] == list(report["traffic"]["shares"].values())


@pytest.fixture
def shown(kept: Store, monkeypatch: pytest.MonkeyPatch) -> ExperimentReport:
    """A running experiment whose report holds everything that there is to show."""
    kept.create_experiment(parse(BODY), by="test")
    found = rich(build_report(kept, kept.set_state("spring", State.RUNNING, by="test"), now=1_800_000_000_000_000))
    monkeypatch.setattr("dashboard.pages.results.build_report", lambda *_, **__: found)
    return found


@pytest.mark.parametrize(
    "words",
    [
        ("Ship &#39;Saving first&#39;: proved best on average since", "3 days"),
        ("12.80%", "11.70%", "14.00%", "+28.0%", "+12.0%", "+44.0%", "proved best"),
        ("each interval is 12% wider", "All visitors who could have seen every variant."),
        ("The audit line", "9.80%", "16.20%", "One look at the end", "under 0.0001"),
        ("Guardrails", "pauses the experiment", "may lose 5.0%", "less is better", "+3.36 pp"),
        ("Also watched", "5.575", "differs"),
        ("As served: purchase", "Every variant with the same chance", "for everybody"),
        ("not shown: too few visitors yet",),
        (
            "Which variant for whom",
            "Large figures: a belief, not a proof",
            "11.00%",
            "17.00%",
            "better than the control",
        ),
        ("What was proved, and when", "2027-01-03 18:13 UTC", "contents that were changed"),
        ("A belief, not a proof", "+27.0%", "99.5%"),
    ],
)
def test_everything_of_a_report_is_on_the_page(editor: Any, shown: ExperimentReport, words: tuple[str, ...]) -> None:
    """Estimates, contrasts, proofs, the audit line, other metrics, the policy, segments, beliefs; live as at first."""
    for path in ("/experiments/spring", "/experiments/spring/live"):
        page = editor.get(path).text
        assert [text for text in words if text not in page] == []


def test_a_draft_is_not_hidden_behind_empty_tables(editor: Any, kept: Store) -> None:
    """Before the first visitor there is nothing to say of other metrics, segments and comparisons."""
    kept.create_experiment(parse(BODY), by="test")
    page = editor.get("/experiments/spring").text
    assert "the experiment has not been started" in page
    for words in ("Guardrails", "Which variant for whom", "The audit line", "Nothing has been analysed"):
        assert words not in page


def test_what_choosing_proved_stands_beside_what_it_is_about(editor: Any, shown: ExperimentReport) -> None:
    """That choosing beats a variant for everybody is no praise of the variant."""
    results, _, rest = editor.get("/experiments/spring").text.partition("What choosing earned")
    assert "choosing proved better" not in results.partition("What was proved")[0]
    assert "choosing proved better" in rest


def test_the_chart_is_of_the_metric_that_was_chosen(editor: Any, shown: ExperimentReport) -> None:
    """A link a metric, which the refreshing keeps; what is no metric is the objective."""
    page = editor.get("/experiments/spring?metric=revenue").text
    assert figures(page)["rates"]["data"][1]["x"] == [shown.metrics[1].variants[1].estimate]
    assert "/experiments/spring/live?metric=revenue" in page
    assert figures(editor.get("/experiments/spring?metric=nothing").text)["rates"]["data"][1]["x"] == [0.128]


def test_the_sheet_ends_with_what_came_later(editor: Any, shown: ExperimentReport) -> None:
    """Columns keep their place; estimate, audit line and the contrast follow."""
    lines = editor.get("/experiments/spring/report.csv").text.splitlines()
    assert lines[0].startswith("key,name,visitors,conversions,rate,low,high,interval,share,belief_best,expected_loss,")
    rows = list(csv.DictReader(lines))
    assert (rows[1]["estimate"], rows[1]["control_lift_low"], rows[1]["control_proved"]) == ("0.128", "0.12", "best")
    assert rows[0]["control_lift"] == ""


def figures(page: str) -> dict[str, Any]:
    """What is drawn."""
    found = re.search(r'<script type="application/json">(.*?)</script>', page, re.S)
    assert found is not None
    drawn: dict[str, Any] = json.loads(found[1])
    return drawn


@pytest.mark.parametrize("path", ["/experiments", "/experiments/spring", "/experiments/spring/finish"])
def test_simulated_and_imported_are_labelled(editor: Any, filled: Experiment, path: str) -> None:
    """On every page that shows the experiment."""
    page = editor.get(path).text
    assert "Simulated visitors" in page
    assert "Imported" in page


def test_the_editor_labels_simulated_experiments(editor: Any, kept: Store, body: dict[str, Any]) -> None:
    """The form of a simulated experiment says so too, and a plain one does not."""
    kept.create_experiment(parse(body | {"tags": ["simulated"]}), by="test")
    kept.create_experiment(parse(body | {"key": "plain"}), by="test")
    assert "Simulated visitors" in editor.get("/experiments/spring/edit").text
    assert "Simulated visitors" not in editor.get("/experiments/plain/edit").text


def test_the_sheet_has_a_row_a_variant(editor: Any, filled: Experiment) -> None:
    """CSV of the same numbers."""
    rows = list(csv.DictReader(editor.get("/experiments/spring/report.csv").text.splitlines()))
    assert [(row["key"], row["visitors"]) for row in rows] == [("a", "200"), ("b", "200")]


def test_no_cell_is_a_formula(editor: Any, kept: Store, body: dict[str, Any]) -> None:
    """A name that begins like a formula is text to a spreadsheet."""
    body["variants"][0]["name"] = "=HYPERLINK(1)"
    kept.create_experiment(parse(body), by="test")
    rows = list(csv.DictReader(editor.get("/experiments/spring/report.csv").text.splitlines()))
    assert rows[0]["name"] == "'=HYPERLINK(1)"


def test_a_key_reads_the_report(app: Any, filled: Experiment, key_headers: Callable[[Scope], dict[str, str]]) -> None:
    """An admin key does what a session does."""
    answer = app.test_client().get("/experiments/spring/report.json", headers=key_headers(Scope.ADMIN))
    assert answer.json["experiment"] == "spring"


def test_only_those_who_may_are_offered_to_change(
    browser_of: Callable[[UserRole], Any], experiment: Experiment
) -> None:
    """A viewer sees results and no button that would be refused."""
    assert "/experiments/spring/edit" in browser_of(UserRole.EDITOR).get("/experiments/spring").text
    page = browser_of(UserRole.VIEWER).get("/experiments/spring").text
    assert "/experiments/spring/edit" not in page
    assert "/experiments/spring/state" not in page


def test_the_code_for_the_engineer_names_the_experiment(editor: Any, experiment: Experiment) -> None:
    """Both calls, with key, metric and address filled in."""
    page = editor.get("/experiments/spring").text
    assert "http://127.0.0.1:8080/choose" in page
    assert "&#34;metric&#34;: &#34;purchase&#34;" in page


def test_the_engineer_is_told_what_to_send_for_each_metric(editor: Any, shown: ExperimentReport) -> None:
    """Where there is more than the goal."""
    page = editor.get("/experiments/spring").text
    assert "One reward once somebody scrolls or stays" in page
    assert "it adds up" in page


def test_plotly_is_served_from_here(anonymous: Any, editor: Any, experiment: Experiment) -> None:
    """Under an address with its hash, to be kept for a year; other hashes do not exist."""
    address = re.search(r'src="(/assets/plotly-\w+\.js)"', editor.get("/experiments/spring").text)
    assert address is not None
    script = anonymous.get(address[1], headers={"Accept-Encoding": "gzip"})
    assert script.headers["Content-Encoding"] == "gzip"
    assert "immutable" in script.headers["Cache-Control"]
    assert anonymous.get(address[1]).data.startswith(b"/**\n* plotly.js")
    assert anonymous.get("/assets/plotly-0000.js").status_code == 404
