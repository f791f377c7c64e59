"""Readers: every kind of file gives the same log, and says what is wrong with it."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.errors import Invalid, NotFound
from experiments.replay import Log, Recorded, evaluate, read_log
from experiments.replay.contexts import infer_schema

Make = Callable[..., dict[str, Any]]
Open = Callable[[dict[str, Any]], Log]


def flat(log: dict[str, Any]) -> dict[str, Any]:
    """The columns of a log as a CSV file holds them."""
    return {
        "variant": log["variant"],
        "probability": log["probability"],
        "reward": log["reward"],
        "device": [json.loads(context)["device"] for context in log["context"]],
    }


def dsjson(log: dict[str, Any]) -> str:
    """The columns of a log as dsjson lines, the chosen action first as Personalizer writes it."""
    lines = []
    for variant, vector, reward, context in zip(
        log["variant"], log["distribution"], log["reward"], log["context"], strict=True
    ):
        chosen = "abc".index(variant)
        order = [chosen, *(arm for arm in range(3) if arm != chosen)]
        line = {
            "_label_cost": -reward,
            "_label_probability": vector[chosen],
            "_label_Action": chosen + 1,
            "_labelIndex": chosen,
            "Timestamp": "2026-01-02T03:04:05.1234567Z",
            "a": [arm + 1 for arm in order],
            "p": [vector[arm] for arm in order],
            "c": {"GUser": json.loads(context), "_multi": [{"TAction": {"id": arm}} for arm in range(3)]},
            "VWState": {"m": "x"},
        }
        lines.append(json.dumps(line))
    return "\n".join(lines) + "\n"


def test_csv_dsjson_and_parquet_give_the_same_numbers(
    columns: Make, parquet_log: Open, csv_log: Open, tmp_path: Path
) -> None:
    """One log in three formats: equal estimates of DR with a contextual model."""
    log = columns(1200)
    (tmp_path / "log.dsjson").write_text(dsjson(log))
    logs = [parquet_log(log), csv_log(flat(log)), read_log(f"dsjson:{tmp_path / 'log.dsjson'}")]
    assert [one.recorded for one in logs] == [Recorded.EVERY, Recorded.CHOSEN, Recorded.EVERY]
    first, *others = ([one.estimate.value for one in evaluate(each, target="uniform").estimates] for each in logs)
    for other in others:
        assert other == pytest.approx(first, rel=1e-9)


def test_dsjson_times_and_variants(columns: Make, tmp_path: Path) -> None:
    """Actions are variants by number, times are UTC in µs, shared features keep their path."""
    path = tmp_path / "log.dsjson"
    path.write_text(dsjson(columns(50)))
    log = read_log(f"dsjson:{path}")
    assert log.variants == ("1", "2", "3")
    assert next(log.rows()).times[0] == 1_767_323_045_123_456
    assert {attribute.name for attribute in log.schema.attributes} == {"GUser.device"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_label_cost": None}, "Line 2 of log.dsjson is no dsjson decision"),
        ({"a": [1, 2], "p": [0.5, 0.5]}, "Line 2 of the log must have the actions 1 to 3"),
        ({"_label_probability": 0.0}, r"Row 2 of the log: its probability must be in \(0, 1\]"),
        ({"pdrop": 0.5}, r"Line 2 of log.dsjson was kept with probability 0.5 \(pdrop\)"),
        ({"Timestamp": "yesterday"}, "Line 2 of the log: 'yesterday' is no ISO 8601 time"),
    ],
)
def test_wrong_dsjson_lines_are_refused(columns: Make, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """A damaged line is an error with its number, never a row of zeros."""
    lines = dsjson(columns(300)).splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | change)
    (tmp_path / "log.dsjson").write_text("\n".join(lines))
    with pytest.raises(Invalid, match=message):
        evaluate(read_log(f"dsjson:{tmp_path / 'log.dsjson'}"), target="uniform", estimators=["ips"])


def test_deferred_dsjson_lines_are_left_out(columns: Make, tmp_path: Path) -> None:
    """``_skipLearn`` lines are not counted, and the others keep their line numbers."""
    lines = dsjson(columns(3)).splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | {"_skipLearn": True})
    (tmp_path / "log.dsjson").write_text("\n".join(lines))
    assert next(read_log(f"dsjson:{tmp_path / 'log.dsjson'}").rows()).numbers.tolist() == [2, 3]


def test_missing_csv_columns_are_named(csv_log: Open) -> None:
    """One line says which are missing and which are there."""
    with pytest.raises(Invalid) as refused:
        csv_log({"arm": ["a"], "click": [1]})
    assert str(refused.value) == "log.csv lacks the columns variant, reward. Its columns are: arm, click."


def test_a_csv_value_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    """A word where a number belongs is named."""
    (tmp_path / "log.csv").write_text("variant,reward\na,1\nb,high\n")
    with pytest.raises(Invalid, match=r"log\.csv cannot be read as CSV.*high"):
        evaluate(read_log(f"csv:{tmp_path / 'log.csv'}"), target="uniform", estimators=["dm"])


def test_an_empty_csv_probability_is_refused(tmp_path: Path) -> None:
    """An empty cell is missing, and missing is not 1."""
    (tmp_path / "log.csv").write_text("variant,reward,probability\na,1,0.5\nb,0,\n")
    with pytest.raises(Invalid, match="Row 2 of the log: its probability"):
        evaluate(read_log(f"csv:{tmp_path / 'log.csv'}"), target="uniform", estimators=["ips"])


def test_missing_parquet_columns_are_named(parquet_log: Open, columns: Make) -> None:
    """One line says which are missing and which are there; two reward columns are ambiguous."""
    with pytest.raises(Invalid, match=r"lacks the columns variant, reward\. Its columns are: arm\."):
        parquet_log({"arm": ["a"]})
    log = columns(10)
    with pytest.raises(Invalid, match="has the reward columns reward, reward_click"):
        parquet_log(log | {"reward_click": log["reward"]})


def test_files_that_are_something_else_are_refused(tmp_path: Path) -> None:
    """Text named Parquet, an empty CSV, an empty dsjson, nothing at all."""
    (tmp_path / "log.parquet").write_text("variant,reward\n")
    (tmp_path / "empty").write_text("")
    for spec in (f"parquet:{tmp_path / 'log.parquet'}", f"csv:{tmp_path / 'empty'}", f"dsjson:{tmp_path / 'empty'}"):
        with pytest.raises(Invalid):
            read_log(spec)
    for kind in ("csv", "parquet", "dsjson", "obd"):
        with pytest.raises(NotFound):
            read_log(f"{kind}:{tmp_path / 'nothing'}")


def test_types_of_attributes_are_inferred() -> None:
    """Booleans, numbers, categories and tags are told apart; numbers are centred and scaled."""
    schema = infer_schema([{"b": True, "n": 1, "c": "x", "t": ["s"]}, {"b": False, "n": 3.0, "c": "y", "t": []}])
    assert [attribute.type.value for attribute in schema.attributes] == ["boolean", "number", "category", "tags"]
    assert (schema.attributes[1].center, schema.attributes[1].scale) == (2.0, 1.0)


def write_long(path: Path, columns: dict[str, Any], times: int) -> None:
    """A log so many times as long."""
    table = pa.table(columns)
    with pq.ParquetWriter(path, table.schema) as writer:
        for _ in range(times):
            writer.write_table(table)


def test_memory_does_not_grow_with_the_log(columns: Make, tmp_path: Path) -> None:
    """Four times the rows, the same peak: of Python's and numpy's memory, and of Arrow's."""
    log = columns(8192)
    peaks = []
    for times in (2, 8):
        path = tmp_path / f"{times}.parquet"
        write_long(path, log, times)
        if times == 2:
            evaluate(read_log(f"parquet:{path}"), target="uniform")  # compiled and imported
        tracemalloc.start()
        report = evaluate(read_log(f"parquet:{path}"), target="uniform")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert report.rows == times * 8192
        assert pa.total_allocated_bytes() < 1 << 24
    assert peaks[1] < 1.2 * peaks[0]
