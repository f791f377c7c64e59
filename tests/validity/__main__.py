"""The long form: ``python -m tests.validity [--part N] [--processes P] FILE``.

Every setting's outcome is a line of JSON in FILE; settings that are there already are left out, so that it can be
stopped and goes on. ``--part 4`` plays a quarter of the runs; ``--table`` prints FILE as a table.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from tests.validity.adaptive import Setting, simulate
from tests.validity.splits import METRICS, peek, width_at_n_star
from tests.validity.worlds import WORLDS

EXPLORATION = (0.04, 0.2)
RUNS = {"thompson": (4000, 400), "linear_thompson": (400, 400), "auto": (400, 400)}
"""Runs of 10,000 and of 100,000 visitors."""


def main() -> int:
    """Play what is asked for, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.validity", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--part", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    lines = [json.loads(line) for line in asked.file.read_text().splitlines()] if asked.file.exists() else []
    if asked.table:
        sys.stdout.write(table(lines))
        shares = [(line[name], line["bar"]) for line in lines for name in ("missed", "false_best")]
        return int(any(share is not None and share > bar for share, bar in shares))
    done = {line["what"] for line in lines}
    with ProcessPoolExecutor(asked.processes) as pool, asked.file.open("a") as out:
        jobs = [pool.submit(play, *job) for job in _jobs(asked.part) if _name(*job) not in done]
        for job in as_completed(jobs):
            out.write(json.dumps(job.result()) + "\n")
            out.flush()
            sys.stdout.write(f"{job.result()}\n")
    return 0


def play(setting: Setting | None, metric: str | None, runs: int) -> dict[str, Any]:
    """Return one line: of a bandit's setting, or of a fixed split with this metric."""
    began = time.process_time()
    line = _bandit(setting) if setting is not None else _split(metric or "", runs)
    return {"what": _name(setting, metric, runs), **line, "cpu_seconds": round(time.process_time() - began, 1)}


def _bandit(setting: Setting) -> dict[str, Any]:
    found = simulate(setting)
    arms = setting.world.arms
    return {
        "world": setting.world.name,
        "policy": setting.policy,
        "exploration": setting.exploration,
        "rows": setting.rows,
        "runs": found.runs,
        "missed": max(found.missed_means.max(), found.missed_pairs.max()),
        "missed_variant": found.missed_means[:arms].max(),
        "missed_contrast": found.missed_pairs[:arms, :arms].max(),
        "missed_served": max(found.missed_means[arms:].max(), found.missed_pairs[arms:].max()),
        "naive_missed": found.naive_missed.max(),
        "false_best": found.false_best,
        "right_best": found.right_best,
        "width": [float(found.width.min()), float(found.width.max())],
        "bias_z": float(np.abs(found.bias / np.maximum(found.bias_error, 1e-12)).max()),
        "bar": found.bar,
    }


def _split(metric: str, runs: int) -> dict[str, Any]:
    found = peek(metric, runs=runs)
    return {
        "world": metric,
        "policy": "fixed",
        "exploration": 1.0,
        "rows": 100_000,
        "runs": runs,
        "missed": max(found.mean, found.difference),
        "missed_variant": found.mean,
        "missed_contrast": found.difference,
        "missed_served": None,
        "naive_missed": found.plain,
        "false_best": None,
        "right_best": None,
        "width": [width_at_n_star()] * 2,
        "bias_z": None,
        "bar": found.bar,
    }


def table(lines: list[dict[str, Any]]) -> str:
    """Return the lines as Markdown, in the order of the settings."""
    head = "world | policy | ε | rows | runs | a variant | a contrast | served, uniform | plain mean | false best | "
    text = [f"| {head}right best | width |", f"|{'---|' * 12}"]
    for line in sorted(lines, key=lambda line: (line["rows"], line["policy"], line["world"], line["exploration"])):
        narrow, wide = line["width"]
        missed = " | ".join(_cell(line[name]) for name in ("missed_variant", "missed_contrast", "missed_served"))
        text.append(
            f"| {line['world']} | {line['policy']} | {line['exploration']:g} | {line['rows']:,} | {line['runs']:,} "
            f"| {missed} | {line['naive_missed']:.2f} | {_cell(line['false_best'])} | {_cell(line['right_best'])} "
            f"| {narrow:.2f} to {wide:.2f} |"
        )
    error = max((math.sqrt(0.05 * 0.95 / line["runs"]) for line in lines), default=0.0)
    return "\n".join([*text, "", f"Largest standard error of a share of .05: {error:.3f}.", ""])


def _cell(share: float | None) -> str:
    """Return a share, or that there is none: of a split nobody asks for a best variant, or what was served."""
    return "-" if share is None else f"{share:.3f}"


def _jobs(part: int) -> Iterator[tuple[Setting | None, str | None, int]]:
    for metric in METRICS:
        yield None, metric, 4000 // part
    for place, (rows, batch) in enumerate(((10_000, 100), (100_000, 500))):
        for policy, runs in RUNS.items():
            for world in WORLDS:
                for exploration in EXPLORATION:
                    count = max(runs[place] // part, 1)
                    yield Setting(world, policy, exploration, rows=rows, batch=batch, runs=count), None, count


def _name(setting: Setting | None, metric: str | None, runs: int) -> str:
    if setting is None:
        return f"{metric}, fixed split, {runs} runs"
    return f"{setting.world.name}, {setting.policy}, {setting.exploration:g}, {setting.rows} rows, {runs} runs"


if __name__ == "__main__":
    sys.exit(main())
