"""How fast logs are evaluated: ``landit bench offline``."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandit.offpolicy import Sums
from bandit.types import Floats
from experiments.replay import evaluate, read_log

ARMS = 10
KERNEL_ROWS = 1_000_000
FILE_ROWS = 200_000
REPEATS = 3


def bench_offline() -> dict[str, Any]:
    """Measure the kernel on arrays in memory, and whole evaluations from Parquet, one thread each.

    Returns
    -------
    dict
        ``rows``: each with ``what``, ``rows_per_second`` (median of three) and ``bytes_per_row``, the size of a row as
        it is read: arrays in memory, or the file on disk.
    """
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        _write_log(path, rng)
        return {"rows": [*_kernel(rng), *_files(path)]}


def _kernel(rng: np.random.Generator) -> list[dict[str, Any]]:
    target, model = (rng.dirichlet(np.ones(ARMS), KERNEL_ROWS) for _ in range(2))
    chosen = rng.integers(0, ARMS, KERNEL_ROWS)
    rewards = (rng.random(KERNEL_ROWS) < 0.1).astype(np.float64)
    propensities = np.full(KERNEL_ROWS, 1 / ARMS)
    row = 3 * 8

    def run(model: Floats | None, *, block: int = 16_384) -> None:
        for low in range(0, KERNEL_ROWS, block):
            part = slice(low, low + block)
            Sums.of(
                target[part],
                chosen[part],
                rewards=rewards[part],
                propensities=propensities[part],
                model=None if model is None else model[part],
            )

    return [
        _measure("sums for ips, snips (10 arms)", KERNEL_ROWS, row + 8 * ARMS, lambda: run(None)),
        _measure("sums for ips, snips, dm, dr, sndr (10 arms)", KERNEL_ROWS, row + 16 * ARMS, lambda: run(model)),
    ]


def _files(path: Path) -> list[dict[str, Any]]:
    size = path.stat().st_size / FILE_ROWS
    log = read_log(f"parquet:{path}")

    def ask(estimators: list[str], model: str = "tabular:10") -> None:
        evaluate(log, target="uniform", estimators=estimators, reward_model=model)

    every = ["ips", "snips", "dm", "dr"]
    questions: dict[str, Callable[[], None]] = {
        "evaluate parquet: ips, snips": lambda: ask(["ips", "snips"]),
        "evaluate parquet: ips, snips, dm, dr, tabular": lambda: ask(every),
        "evaluate parquet: ips, snips, dm, dr, ridge on 2 attributes": lambda: ask(every, "ridge"),
    }
    return [_measure(what, FILE_ROWS, size, run) for what, run in questions.items()]


def _measure(what: str, rows: int, size: float, run: Callable[[], None]) -> dict[str, Any]:
    run()  # compiles, and fills the caches
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return {"what": what, "rows_per_second": rows / median(seconds), "bytes_per_row": size}


def _write_log(path: Path, rng: np.random.Generator) -> None:
    keys = [f"v{arm}" for arm in range(ARMS)]
    vectors = rng.dirichlet(np.ones(ARMS) * 5, FILE_ROWS)
    chosen = rng.integers(0, ARMS, FILE_ROWS)
    contexts = [f'{{"device":"{"mobile" if i % 3 else "desktop"}","hour":{i % 24}}}' for i in range(FILE_ROWS)]
    offsets = pa.array(np.arange(0, FILE_ROWS * ARMS + 1, ARMS, dtype=np.int32))
    table = pa.table(
        {
            "variant": pa.array([keys[arm] for arm in chosen]),
            "probability": vectors[np.arange(FILE_ROWS), chosen],
            "variants": pa.ListArray.from_arrays(offsets, pa.array(keys * FILE_ROWS)),
            "distribution": pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel())),
            "reward": (rng.random(FILE_ROWS) < 0.1).astype(np.float64),
            "context": contexts,
        }
    )
    pq.write_table(table, path, row_group_size=8192, compression="zstd")
