"""The Open Bandit Dataset: published values reproduced from the real log."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.errors import CannotEstimate, Invalid, NotFound, Unavailable
from experiments.replay import evaluate, openbandit, read_log, replay
from experiments.replay.importing import import_log
from experiments.store import Store

MATRIX = Path(__file__).parent / "bts_action_dist_all.csv"
"""The constant policy (items by positions) that the reference values were computed with."""

REFERENCE = {
    "ips": 0.004552880,
    "snips": 0.004775833,
    "dm": 0.004484924,
    "dr": 0.004639311,
    "sndr": 0.004646872,
}


def rounded(value: float, digits: int = 6) -> float:
    """A value to significant digits."""
    return float(f"{value:.{digits}g}")


def test_reference_values_are_reproduced(open_bandit: Path) -> None:
    """IPS, its standard error, SNIPS, DM, DR, SNDR and the facts of the weights, to 6 significant digits."""
    report = evaluate(
        read_log(f"obd:{open_bandit / 'random' / 'all'}"),
        target=f"matrix:{MATRIX}",
        estimators=list(REFERENCE),
        reward_model="tabular:10",
    ).to_json()
    found = {one["estimator"]: one for one in report["estimates"]}
    assert {name: rounded(one["value"]) for name, one in found.items()} == {
        name: rounded(value) for name, value in REFERENCE.items()
    }
    assert rounded(found["ips"]["stderr"]) == rounded(0.002089772)
    assert (found["ips"]["low"], found["ips"]["high"]) == pytest.approx((0.0004570, 0.0086488), abs=1e-7)
    assert rounded(report["sum_of_weights"]) == rounded(9533.164)
    assert rounded(report["effective_sample_size"]) == rounded(1639.502)
    assert rounded(report["max_weight"]) == rounded(19.5984)
    assert report["rows"] == 10_000
    assert report["logged"]["value"] == pytest.approx(0.0038)


def test_the_reverse_question_has_its_reference_values(open_bandit: Path) -> None:
    """From the Thompson log to uniform: propensities that differ by row."""
    report = evaluate(
        read_log(f"obd:{open_bandit / 'bts' / 'all'}"), target="uniform", estimators=["ips", "snips"]
    ).to_json()
    ips, snips = (one["value"] for one in report["estimates"])
    assert (rounded(ips), rounded(snips)) == (rounded(0.002359640), rounded(0.002333714))


def test_replay_over_the_real_log_accepts_its_share(open_bandit: Path) -> None:
    """About one row in 34 is accepted, and another seed accepts others."""
    log = read_log(f"obd:{open_bandit / 'random' / 'men'}")
    one, other = (replay(log, policy="thompson", seed=seed) for seed in (1, 2))
    assert one != other
    assert one.rounds == pytest.approx(10_000 / 34, abs=5 * np.sqrt(10_000 / 34))


def test_the_random_log_becomes_an_experiment(open_bandit: Path, sqlite_url: str, tmp_path: Path) -> None:
    """It is uniform, so its vectors are known: imported, it evaluates as it did. (Its first 2,000 rows.)"""
    source, head = open_bandit / "random" / "men", tmp_path / "men"
    shutil.copytree(source, head)
    lines = (source / "men.csv").read_text().splitlines(keepends=True)
    (head / "men.csv").write_text("".join(lines[:2001]))
    store = Store.open(sqlite_url, clock=lambda: 1)
    log = read_log(f"obd:{head}")
    done = import_log(log, "men", store=store, by="test", now=1, pseudonym=str)
    assert done.rows == 2000
    assert done.experiment.definition.policy.name == "fixed"
    before, after = (evaluate(one, target="uniform") for one in (log, read_log("store:men", store=store)))
    assert [one.estimate.value for one in after.estimates] == pytest.approx(
        [one.estimate.value for one in before.estimates], rel=1e-9
    )
    assert after.unsupported == 0.0
    assert sum(sums.total for sums in store.sums(done.experiment.id)) == pytest.approx(before.logged.value * 2000)
    store.close()


def test_a_log_without_whole_vectors_is_no_experiment(open_bandit: Path, sqlite_url: str) -> None:
    """The Thompson log holds the chosen probability only, and a report needs every one: nothing is stored."""
    store = Store.open(sqlite_url, clock=lambda: 1)
    log = read_log(f"obd:{open_bandit / 'bts' / 'men'}")
    with pytest.raises(CannotEstimate, match="needs the probability of every variant"):
        import_log(log, "men", store=store, by="test", now=1, pseudonym=str)
    assert store.experiments() == []
    store.close()


def test_its_own_policy_is_not_known_whole(open_bandit: Path) -> None:
    """``logged`` is refused where only the chosen probability is logged."""
    with pytest.raises(CannotEstimate, match="probability of the chosen variant only"):
        evaluate(read_log(f"obd:{open_bandit / 'random' / 'men'}"), target="logged")


def test_missing_columns_are_named(open_bandit: Path, tmp_path: Path) -> None:
    """One line says which columns are missing and which are there."""
    shutil.copy(open_bandit / "random" / "men" / "item_context.csv", tmp_path)
    (tmp_path / "men.csv").write_text("timestamp,item_id,click\n2019-11-24 00:00:00+00:00,1,0\n")
    with pytest.raises(Invalid) as refused:
        read_log(f"obd:{tmp_path}")
    assert "lacks the columns position, propensity_score, user_feature_0" in str(refused.value)
    assert "timestamp, item_id, click" in str(refused.value)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    """A missing folder, and one without its files, are told apart."""
    with pytest.raises(NotFound, match="There is no folder"):
        read_log(f"obd:{tmp_path / 'none'}")
    with pytest.raises(Invalid, match=r"must hold one CAMPAIGN\.csv"):
        read_log(f"obd:{tmp_path}")


def test_an_unreachable_registry_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip's failure becomes one clear error, and nothing is left behind."""

    def fail(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "noise\nERROR: No matching distribution found\n")

    monkeypatch.setattr(openbandit.subprocess, "run", fail)
    with pytest.raises(Unavailable, match="No matching distribution found"):
        openbandit.fetch(tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_a_tampered_log_is_refused(tmp_path: Path) -> None:
    """A file that is not the published one is not put in place."""
    with pytest.raises(Invalid, match="is not the published log"):
        openbandit._place(tmp_path / "all.csv", b"other", checksum="7168295b6e0a9eab")
    assert list(tmp_path.iterdir()) == []
