"""``landit plan``: one JSON object with ``--json``, a table without, one clear line when refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dashboard.commands import landit


def run(*arguments: object) -> Result:
    """Plan."""
    return CliRunner(env={"COLUMNS": "100"}).invoke(landit, ["plan", *map(str, arguments)])


def answer(*arguments: object) -> dict[str, Any]:
    """The JSON object of a plan."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_rows_and_days_of_a_lift() -> None:
    """The number of visitors for 80% power, in whole weeks; watched, 1.64 times as many."""
    once = answer("--baseline", 0.1, "--lift", "10%", "--daily", 2_000)
    assert (once["method"], once["rows"], once["per_variant"], once["days"]) == ("fixed", 29_497, [14_749, 14_749], 21)
    watched = answer("--baseline", "10%", "--lift", 0.1, "--daily", 2_000, "--sequential")
    assert watched["rows"] == once["sequential"]["rows"]
    assert watched["rows"] / once["rows"] == pytest.approx(1.64, abs=0.01)
    assert (watched["days"], watched["planned_rows"]) == (28, 29_497)


def test_variants_weights_covariates_and_means() -> None:
    """More variants and uneven splits take more, a covariate less; a mean needs its standard deviation."""
    plain = answer("--baseline", 0.1, "--lift", 0.1)["rows"]
    assert answer("--baseline", 0.1, "--lift", 0.1, "--variants", 4)["rows"] > 2 * plain
    uneven = answer("--baseline", 0.1, "--lift", 0.1, "--weights", "9,1")
    assert uneven["rows"] > 2 * plain
    assert uneven["per_variant"][0] == pytest.approx(9 * uneven["per_variant"][1], rel=0.001)
    assert answer("--baseline", 0.1, "--lift", 0.1, "--rho", 0.5)["rows"] == pytest.approx(0.75 * plain, rel=1e-3)
    assert answer("--baseline", 20, "--sd", 60, "--lift", 0.05)["variants"] == 2


def test_the_smallest_lift_and_the_power_of_given_rows() -> None:
    """Whichever of lift and power is not known."""
    small = answer("--baseline", 0.1, "--rows", 29_497)
    assert small["lift"] == pytest.approx(0.1, abs=1e-4)
    assert answer("--baseline", 0.1, "--lift", 0.1, "--rows", 29_497)["power"] == pytest.approx(0.8, abs=1e-3)


def test_a_bandit() -> None:
    """It is simulated, with a constant exploration or to prove."""
    found = answer("--baseline", 0.1, "--lift", 0.9, "--bandit", "--exploration", "20%")
    assert (found["method"], found["exploration"], found["drop"]) == ("bandit", 0.2, False)
    assert found["rows"] == found["bandit"]["rows"] > found["sequential"]["rows"]
    shown = run("--baseline", 0.1, "--lift", 0.9, "--bandit", "--variants", 3)
    assert shown.exit_code == 0
    assert "exploration 0.4, beaten variants lose their share" in shown.stdout


def test_people_get_a_table() -> None:
    """A line a way, and what they rest on."""
    shown = run("--baseline", 0.1, "--lift", 0.1, "--weights", "2,1,1", "--daily", 1_000).stdout
    lines = {line.strip().split("  ")[0]: line for line in shown.splitlines()}
    assert "+10.00%" in lines["read once"]
    assert "54,331" in lines["read once"]
    assert "13,583 to 27,166" in lines["read once"]
    assert "watched" in lines
    assert "tested at 0.025" in shown
    assert '"planned_rows": 54331' in shown


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--baseline", 0.1), 1, "lift or rows must be given"),
        (("--baseline", 12, "--lift", 0.1), 1, "baseline must be a rate between 0 and 1 unless sd is given, found 12"),
        (("--baseline", 0.1, "--lift", "nan"), 1, "lift must be a number other than 0, found nan"),
        (("--baseline", 0.1, "--lift", 0.1, "--variants", 1), 1, "variants must be 2 to 1000, found 1"),
        (("--baseline", 0.1, "--lift", 0.1, "--weights", "1,a"), 1, "is not a list of numbers"),
        (("--baseline", 0.1, "--lift", 0.1, "--weights", "1,1", "--variants", 3), 1, "2 numbers for 3 variants"),
        (("--baseline", 0.1, "--lift", 0.1, "--exploration", 0.2), 1, "Add --bandit"),
        (("--baseline", 0.1, "--lift", 0.1, "--bandit", "--exploration", 0), 1, "exploration must be above 0"),
        (("--baseline", 0.1, "--lift", 0.1, "--daily", "nan"), 1, "daily must be above 0"),
        (("--baseline", 0.9, "--rows", 20), 1, "no lift of the baseline 0.9 can be found with 20 rows"),
        (("--baseline", "ten", "--lift", 0.1), 2, "neither a number nor a percentage"),
        (("--lift", 0.1), 2, "--baseline"),
    ],
)
def test_what_cannot_be_planned_is_one_line(arguments: tuple[object, ...], code: int, message: str) -> None:
    """Refused with 1, misused with 2; nothing on stdout, no traceback."""
    result = run(*arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""
    assert code == 2 or result.stderr.count("\n") == 1
