"""The offline commands: one JSON object with ``--json``, one clear line and exit code 1 when refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from dashboard.commands import landit as command
from experiments.errors import Invalid, NotFound
from experiments.replay.worlds import find_world

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def log(columns: Make, tmp_path: Path) -> str:
    """The name of a log in a file."""
    pq.write_table(pa.table(columns(2000)), tmp_path / "log.parquet")
    return f"parquet:{tmp_path / 'log.parquet'}"


def landit(*arguments: object) -> Result:
    """Run a command."""
    return CliRunner(env={"LANDIT_WORLDS": None}).invoke(command, [str(argument) for argument in arguments])


def answer(*arguments: object) -> dict[str, Any]:
    """The JSON object of a command that did its job."""
    result = landit(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_evaluate_prints_the_promised_json(log: str) -> None:
    """The fields that others read, and no store is opened for a file."""
    found = answer("evaluate", log, "--target", "uniform", "--data", "/nonexistent")
    assert {"rows", "effective_sample_size", "max_weight", "sum_of_weights", "estimates"} <= set(found)
    assert [one["estimator"] for one in found["estimates"]] == ["ips", "snips", "dm", "dr"]
    assert all({"value", "stderr", "low", "high", "difference"} <= set(one) for one in found["estimates"])


def test_evaluate_prints_a_table(log: str) -> None:
    """A line an estimator, and what limits it."""
    result = landit("evaluate", log, "--target", "policy:linucb", "--set", "alpha=0.5", "--estimators", "ips,dr")
    assert result.exit_code == 0
    assert "ips" in result.stdout
    assert "effective" in result.stdout


def test_replay_prints_the_promised_json(log: str) -> None:
    """Rounds, rewards and speed."""
    found = answer("replay", log, "--policy", "thompson", "--seed", 3)
    assert {"policy", "rounds", "mean_reward", "last_quarter_mean_reward", "seconds", "rounds_per_second"} <= set(found)


def test_simulate_prints_the_promised_json() -> None:
    """A mean over seeds, and each seed's own."""
    found = answer("simulate", "digits", "--policy", "linucb", "--rounds", 200, "--seeds", "1,2")
    assert found["rounds"] == 200
    assert [one["seed"] for one in found["seeds"]] == [1, 2]
    assert found["mean_reward"] == pytest.approx(np.mean([one["mean_reward"] for one in found["seeds"]]))


def test_simulate_sets_policies_side_by_side() -> None:
    """Every world with every policy, each with its standard error, and what else the machine was busy with."""
    options = ("--policy", "linucb", "--policy", "fixed", "--rounds", 100, "--seeds", "1,2", "--set", "alpha=0.5")
    found = answer("simulate", "digits", "shift", *options)
    assert found["load"] >= 0
    assert [(one["world"], one["policy"], one["params"]) for one in found["runs"]] == [
        (world, policy, {"alpha": 0.5} if policy == "linucb" else {})
        for world in ("digits", "shift")
        for policy in ("linucb", "fixed")
    ]
    for one in found["runs"]:
        means = [run["mean_reward"] for run in one["seeds"]]
        assert one["standard_error"] == pytest.approx(np.std(means, ddof=1) / np.sqrt(2))


def test_simulate_prints_a_table() -> None:
    """A line a world and policy."""
    result = CliRunner().invoke(command, ["simulate", "digits", "shift", "--policy", "fixed", "--rounds", "50"])
    assert result.exit_code == 0
    assert "standard error" in result.stdout
    assert "load before" in result.stdout


def test_import_and_export_round_trip(log: str, sqlite_url: str, tmp_path: Path) -> None:
    """A log becomes an experiment, the experiment a log, and both evaluate alike."""
    place = ("--store", sqlite_url, "--data", tmp_path / "data")
    assert answer("experiment", "import", "spring", log, *place)["state"] == "stopped"
    assert answer("export", "spring", "--to", tmp_path / "out", *place)["rows"] == 2000
    questions = ("--target", "variant:b", "--reward-model", "tabular:5")
    stored = answer("evaluate", "store:spring", *questions, *place)
    exported = answer("evaluate", f"parquet:{tmp_path / 'out'}", *questions)
    assert stored | {"log": ""} == exported | {"log": ""}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("evaluate", "log.csv", "--target", "uniform"), "is no log"),
        (("evaluate", "csv:none.csv", "--target", "uniform"), "There is no file none.csv"),
        (("simulate", "mars", "--policy", "linucb"), "'mars' is no world"),
        (("simulate", "logistic", "--policy", "linucb"), "needs the file logistic.npz"),
        (("simulate", "digits", "--policy", "best"), "policy must be one of"),
        (("simulate", "digits", "--policy", "linucb", "--set", "alpha"), "is not KEY=NUMBER"),
        (("simulate", "digits", "--policy", "linucb", "--set", "beta=1"), "unknown parameter 'beta'"),
        (("simulate", "digits", "--policy", "linucb", "--seeds", "one"), "is not a list of whole numbers"),
        (("simulate", "digits", "--policy", "linucb", "--rounds", "20001"), "rounds must be in 1..20000"),
    ],
)
def test_refusals_are_one_line(arguments: tuple[str, ...], said: str) -> None:
    """Exit code 1, one line on stderr, nothing on stdout."""
    result = landit(*arguments, "--json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_named_worlds_are_looked_for(tmp_path: Path) -> None:
    """``logistic`` is a file in the folder of worlds; ``file:`` names one directly."""
    np.savez(tmp_path / "logistic.npz", contexts=np.zeros((5, 2), np.float32), expected_rewards=np.full((5, 3), 0.5))
    assert find_world("logistic", folder=tmp_path).arms == 3
    assert len(find_world(f"file:{tmp_path / 'logistic.npz'}")) == 5


def test_wrong_world_files_are_refused(tmp_path: Path) -> None:
    """Missing arrays, impossible numbers, other files."""
    np.savez(tmp_path / "lacks.npz", contexts=np.zeros((5, 2)))
    np.savez(tmp_path / "wrong.npz", contexts=np.zeros((5, 2)), expected_rewards=np.full((5, 3), 2.0))
    np.savez(tmp_path / "words.npz", contexts=np.array([["a"]]), expected_rewards=np.zeros((1, 1)))
    (tmp_path / "text.npz").write_text("hello")
    for name in ("lacks", "wrong", "words", "text"):
        with pytest.raises(Invalid):
            find_world(f"file:{tmp_path / name}.npz")
    with pytest.raises(NotFound):
        find_world(f"file:{tmp_path / 'none.npz'}")
