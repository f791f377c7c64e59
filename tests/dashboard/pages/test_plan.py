"""The plan page says what ``plan`` says, and what is wrong with a question."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from dashboard import aside
from dashboard.aside import bandit_way
from dashboard.pages.plan import PlanForm
from experiments.errors import Invalid, Unavailable
from experiments.statistics.planning.plan import Way, plan

QUESTION = {"kind": "rate", "baseline": "4", "lift": "10", "variants": "2", "daily": "2000", "power": "80"}
SIMULATED = Way(rows=345_678, per_variant=None, days=63, lift=0.1, power=0.8, stops_after=210_987, regret=0.45)


def test_the_page_says_what_the_plan_says(editor: Any) -> None:
    """Visitors, days and planned rows, watched and read once."""
    found = plan(0.04, 0.1, daily=2000)
    page = editor.get("/plan", query_string=QUESTION).text
    for rows in (found.fixed.rows, found.sequential.rows, found.sequential.stops_after, found.planned_rows):
        assert f"{rows:,}" in page
    assert f"planned_rows={found.planned_rows}" in page


def test_an_empty_address_shows_an_example(editor: Any) -> None:
    """Nobody is asked before he sees what the page is for."""
    assert "looking as often as you like" in editor.get("/plan").text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "value", "mean": "12", "sd": "30"}, "find a lift of 10.0%"),
        ({"lift": "", "rows": "50000"}, "With 50,000 visitors"),
        ({"rows": "50000"}, "50,000 visitors"),
        ({"rho": "0.7", "weights": "3, 1"}, "find a lift of 10.0%"),
    ],
)
def test_other_questions(editor: Any, changes: dict[str, str], words: str) -> None:
    """A value, the smallest lift for the visitors there are, the chance to find one, an unequal split."""
    answer = editor.get("/plan", query_string=QUESTION | changes)
    assert answer.status_code == 200
    assert words in answer.text


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("baseline", "400", "400 is not from 0 to 100 percent"),
        ("baseline", "0", "More than 0 and less than 100"),
        ("lift", "", "A number is needed here"),
        ("lift", "0", "lift must"),
        ("lift", "1e999", "is not a number"),
        ("lift", "0.00001", "plan for a larger one"),
        ("variants", "1", "from 2 to 50"),
        ("variants", "1e9", "from 2 to 50"),
        ("variants", "2.5", "from 2 to 50"),
        ("weights", "1, 2, 3", "2 variants need 2 weights"),
        ("weights", "1, -1", "weights must be positive"),
        ("daily", "none", "is not a number"),
        ("daily", "-3", "daily must be above 0"),
        ("power", "100", "power must be above alpha"),
        ("rho", "2", "rho must be above -1"),
        ("rows", "1", "rows must be 2 to"),
        ("kind", "value", "A number is needed here"),
    ],
)
def test_what_is_wrong_is_one_clear_line(editor: Any, field: str, text: str, words: str) -> None:
    """422, the words, and what was typed is still there."""
    answer = editor.get("/plan", query_string=QUESTION | {field: text})
    assert answer.status_code == 422
    assert words.lower() in answer.text.lower()
    assert 'value="2000"' in answer.text or field == "daily"


def test_a_bandit_is_simulated_only_when_asked(editor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the numbers of the form and its own exploration."""
    asked: list[dict[str, Any]] = []

    def simulated(numbers: dict[str, Any]) -> Way:
        asked.append(numbers)
        return SIMULATED

    monkeypatch.setattr("dashboard.pages.plan.bandit_way", simulated)
    assert "345,678" not in editor.get("/plan", query_string=QUESTION).text
    page = editor.get("/plan", query_string=QUESTION | {"bandit": "yes", "exploration": "30"}).text
    assert "345,678" in page
    assert (asked[0]["exploration"], asked[0]["lift"], len(asked)) == (0.3, 0.1, 1)


def test_the_simulation_runs_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes in is JSON, what comes out a way; a refusal keeps its sentence; a failure and a wait have theirs."""
    printed = '{"rows": 9, "per_variant": null, "days": 7, "lift": 0.1, "power": 0.8, "stops_after": 8, "regret": 0.4}'
    done = subprocess.CompletedProcess([], 0, stdout=printed)

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert command[1:] == ["-m", "dashboard.aside"]
        assert options["input"] == '{"baseline": 0.1, "lift": 0.1}'
        if isinstance(done, Exception):
            raise done
        return done

    monkeypatch.setattr("dashboard.aside.subprocess.run", run)
    question = {"baseline": 0.1, "lift": 0.1}
    assert bandit_way(question) == Way(9, None, 7, 0.1, 0.8, 8, 0.4)
    done.stdout = aside.answer('{"baseline": 0.1, "lift": -0.1}')
    with pytest.raises(Invalid, match="needs a lift above 0"):
        bandit_way(question)
    done.returncode = 1
    with pytest.raises(Unavailable, match="failed"):
        bandit_way(question)
    done = subprocess.TimeoutExpired([], 1)  # type: ignore[assignment]
    with pytest.raises(Unavailable, match="too long"):
        bandit_way(question)


def test_one_simulation_at_a_time(editor: Any) -> None:
    """Whoever comes second is asked to come back, and visitors are served meanwhile."""
    with aside._one:
        answer = editor.get("/plan", query_string=QUESTION | {"bandit": "yes"})
    assert answer.status_code == 503
    assert "Another bandit is being simulated" in answer.text


def test_a_plan_goes_into_the_editor(editor: Any) -> None:
    """Planned visitors and the lift that matters are filled in."""
    link = re.search(r'href="(/new\?[^"]+)"', editor.get("/plan", query_string=QUESTION).text)
    assert link is not None
    page = editor.get(link[1].replace("&amp;", "&")).text
    assert 'name="smallest_lift" value="10"' in page
    assert f'name="planned_rows" value="{plan(0.04, 0.1).planned_rows}"' in page


def test_nothing_that_is_typed_is_a_server_error(editor: Any) -> None:
    """Odd bytes in every field are refused or taken, never a 500."""
    texts = ("\0", "💥" * 500, "-1", "1e308", "1e-308", "nan", ",,,", "9" * 400)
    for number, name in enumerate(vars(PlanForm())):
        if name != "bandit":
            text = texts[number % len(texts)]
            assert editor.get("/plan", query_string=QUESTION | {name: text}).status_code in {200, 422}, (name, text)
