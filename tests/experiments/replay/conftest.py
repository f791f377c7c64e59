"""Logs for the tests: the real one where it can be had, and small ones written for a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from experiments.errors import Unavailable
from experiments.replay import Log, read_log
from experiments.replay.openbandit import fetch

Columns = dict[str, Any]


@pytest.fixture(scope="session")
def open_bandit(pytestconfig: pytest.Config) -> Path:
    """The folder of the Open Bandit Dataset, kept between runs; only a machine without a registry goes without."""
    try:
        return fetch(Path(pytestconfig.rootpath) / ".pytest_cache" / "open-bandit")
    except Unavailable as error:
        pytest.skip(str(error))


def make_columns(rows: int, *, seed: int = 0, arms: int = 3) -> Columns:
    """A log with whole distributions of a policy that depends on the device; variant b is best on mobile."""
    rng = np.random.default_rng(seed)
    mobile = rng.random(rows) < 0.5
    vectors = np.where(mobile[:, None], [[0.2, 0.5, 0.3]], [[0.5, 0.3, 0.2]])[:, :arms]
    chosen = (rng.random((rows, 1)) > np.cumsum(vectors, axis=1)).sum(axis=1)
    expected = np.where(mobile[:, None], [[0.1, 0.6, 0.2]], [[0.4, 0.1, 0.2]])[np.arange(rows), chosen]
    keys = np.array(["a", "b", "c"])
    return {
        "variant": keys[chosen].tolist(),
        "probability": vectors[np.arange(rows), chosen].tolist(),
        "variants": [["a", "b", "c"]] * rows,
        "distribution": vectors.tolist(),
        "reward": (rng.random(rows) < expected).astype(float).tolist(),
        "context": ['{"device":"mobile"}' if one else '{"device":"desktop"}' for one in mobile],
    }


@pytest.fixture
def columns() -> Callable[..., Columns]:
    """A function that makes the columns of a log."""
    return make_columns


@pytest.fixture
def parquet_log(tmp_path: Path) -> Callable[[Columns], Log]:
    """A function that writes columns to a Parquet file and opens it as a log."""

    def write(values: Columns) -> Log:
        path = tmp_path / "log.parquet"
        pq.write_table(pa.table(values), path)
        return read_log(f"parquet:{path}")

    return write


@pytest.fixture
def csv_log(tmp_path: Path) -> Callable[[Columns], Log]:
    """A function that writes flat columns to a CSV file and opens it as a log."""

    def write(values: Columns) -> Log:
        path = tmp_path / "log.csv"
        pyarrow.csv.write_csv(pa.table(values), path)
        return read_log(f"csv:{path}")

    return write
