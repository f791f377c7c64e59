"""The serving benchmark, as far as it can be tested without measuring."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.bench.choose import bench_choose, floor
from dashboard.bench.data import bodies, prepare
from experiments.errors import LanditError
from experiments.model import State
from experiments.published import load
from experiments.service.requests import decode_choose


def test_without_wrk_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LanditError, match="wrk is not on PATH") as caught:
        bench_choose()
    assert "apt-get install wrk" in caught.value.hint


def test_the_floor_answers_84_bytes() -> None:
    """As large as the answers that earlier measurements were made with."""
    assert [len(chunk) for chunk in floor({}, lambda *_: lambda _: None)] == [84]


def test_what_is_measured_is_served(tmp_path: Path) -> None:
    """Two running experiments of ten variants, the same in the store and in the published folder."""
    store = prepare(tmp_path)
    catalog = load(tmp_path / "published")
    assert catalog is not None
    assert {one.experiment.key: one.experiment for one in catalog.experiments} == {
        one.key: one for one in store.experiments()
    }
    for one in catalog.experiments:
        assert (one.experiment.state, len(one.experiment.slots)) == (State.RUNNING, 10)
        assert {decode_choose(body).experiment for body in bodies(one.experiment.key)} == {one.experiment.key}
    store.close()
