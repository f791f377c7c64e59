"""The store's own log and its Parquet export: the same numbers, the promised columns."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from experiments.definition import parse
from experiments.errors import Conflict, Invalid, NotFound
from experiments.keeper import counter
from experiments.keeper.recount import recount
from experiments.model import Experiment, State
from experiments.replay import Log, evaluate, export, read_log
from experiments.replay.importing import import_log
from experiments.store import LoggedDecision, Store
from tests.store.made import imported

Make = Callable[..., dict[str, Any]]
Open = Callable[[dict[str, Any]], Log]

COLUMNS = {
    "decision", "experiment", "version", "phase", "unit", "time", "variant", "probability", "variants", "distribution",
    "policy", "policy_version", "reason", "analysis", "seq", "context", "reward_reward",
}  # fmt: skip


@pytest.fixture
def filled(store: Store, columns: Make, parquet_log: Open) -> Store:
    """A store, once on each kind of database, with an imported experiment whose units come twice."""
    log = columns(1500) | {"unit": [f"visitor-{i // 2}" for i in range(1500)]}
    import_log(parquet_log(log), "spring", store=store, by="test", now=1_800_000_000_000_000, pseudonym=_pseudonym)
    return store


def _pseudonym(unit: str) -> str:
    return unit.encode().hex().zfill(32)[-32:]


def test_store_export_and_source_agree(filled: Store, parquet_log: Open, tmp_path: Path) -> None:
    """The store's log and its export give the same report to the last bit, and the source the same values."""
    written = export(filled, "spring", tmp_path / "out")
    assert written.rows == 1500
    stored = evaluate(read_log("store:spring", store=filled), target="policy:linucb")
    exported = evaluate(read_log(f"parquet:{tmp_path / 'out'}"), target="policy:linucb")
    assert replace(exported, log=stored.log) == stored
    source = evaluate(read_log(f"parquet:{tmp_path / 'log.parquet'}"), target="variant:b", estimators=["ips"])
    found = evaluate(read_log("store:spring", store=filled), target="variant:b", estimators=["ips"])
    assert found.estimates[0].estimate.value == pytest.approx(source.estimates[0].estimate.value, rel=1e-9)
    assert found.clustered


def test_an_export_has_the_promised_columns(filled: Store, tmp_path: Path) -> None:
    """A row a decision, with its whole vector and its rewards, and pseudonyms only."""
    written = export(filled, "spring", tmp_path / "out")
    table = pq.read_table(written.file)
    assert set(table.column_names) == COLUMNS
    first = table.slice(0, 1).to_pylist()[0]
    assert (first["experiment"], first["version"], first["phase"], first["seq"]) == ("spring", 1, 1, 1)
    assert first["variants"] == ["a", "b", "c"]
    assert first["distribution"][first["variants"].index(first["variant"])] == first["probability"]
    assert np.sum(first["distribution"]) == pytest.approx(1.0)
    assert first["unit"] == _pseudonym("visitor-0")
    assert first["time"] == 1_800_000_000_000_000


def test_an_import_is_a_finished_experiment(filled: Store) -> None:
    """Stopped, marked as imported, with sums; its moving traffic is not taken for a fixed split."""
    experiment = filled.experiment("spring")
    assert (experiment.state, experiment.imported) == (State.STOPPED, True)
    assert experiment.definition.policy.name == "thompson"
    assert experiment.exploration == 0.0
    assert sum(sums.rows for sums in filled.sums(experiment.id)) == 1500


def test_an_import_is_analysed(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The analysis of all rows is there at once, and comes back from them; one that is damaged is put right."""
    experiment = filled.experiment("spring")
    state = filled.analysis_state(experiment.id)
    assert state is not None
    assert (state.seq, state.time) == (1500, 1_800_000_000_000_000)
    monkeypatch.setattr(counter, "PAGE", 400)
    found = recount(filled, "spring", now=1)
    assert (found.matches, found.rows, found.mended) == (True, 1500, False)
    filled.put_analysis(replace(state, seq=3, blob=b"nonsense"))
    assert [(recount(filled, "spring", now=state.time).matches) for _ in range(2)] == [False, True]
    assert filled.analysis_state(experiment.id) == state


def test_a_second_export_needs_another_folder(filled: Store, tmp_path: Path) -> None:
    """Two exports in one folder would be read as one log."""
    export(filled, "spring", tmp_path / "out")
    with pytest.raises(Conflict, match="holds Parquet files already"):
        export(filled, "spring", tmp_path / "out")


def test_a_key_is_imported_once(filled: Store, tmp_path: Path) -> None:
    """The second import is a conflict, and the first one stays as it was."""
    log = read_log(f"parquet:{tmp_path / 'log.parquet'}")
    with pytest.raises(Conflict):
        import_log(log, "spring", store=filled, by="test", now=1, pseudonym=_pseudonym)
    assert evaluate(read_log("store:spring", store=filled), target="logged", estimators=["ips"]).rows == 1500


def test_an_import_that_died_goes_on_where_it_ended(
    store: Store, columns: Make, parquet_log: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was in stays in, once, and the rest of the log follows."""
    log = parquet_log(columns(300))
    ask = functools.partial(import_log, log, "spring", store=store, by="test", now=1, pseudonym=_pseudonym)
    whole = Store.import_log

    def dies(self: Store, experiment: Experiment, rows: Iterable[list[LoggedDecision]]) -> int:
        whole(self, experiment, [next(iter(rows))[:120]])
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(Store, "import_log", dies)
        with pytest.raises(ConnectionError):
            ask()
    assert ask().rows == 180
    experiment = store.experiment("spring")
    assert store.health(experiment.id).decisions == 300
    with monkeypatch.context() as patch:
        patch.setattr(Store, "analysis_state", lambda *_: None)
        assert ask().rows == 0, "only its analysis was missing"
    with pytest.raises(Conflict):
        ask()


def test_names_that_cannot_be_keys_are_refused(store: Store, columns: Make, parquet_log: Open) -> None:
    """A variant's name that no experiment may have is an error before anything is stored."""
    log = columns(300)
    log["variant"] = [key.upper() for key in log["variant"]]
    log["variants"] = [["A", "B", "C"]] * 300
    with pytest.raises(Invalid, match="variants"):
        import_log(parquet_log(log), "spring", store=store, by="test", now=1, pseudonym=_pseudonym)
    assert store.experiments() == []


def test_what_was_declared_goes_into_an_export(filled: Store, tmp_path: Path) -> None:
    """Interactions, learned scales and what variants say of themselves make the same schema and arms elsewhere."""
    variants = [{"key": "a", "attributes": {"tone": "calm"}}, {"key": "b"}, {"key": "c"}]
    numbers = [{"name": name, "type": "number", "standardize": True} for name in ("x", "y")]
    declared = {"context": numbers, "interactions": [["x", "y"]], "variants": variants}
    tone = {"name": "tone", "type": "category", "values": ["calm"]}
    now = filled.experiment("spring")
    body = msgspec.to_builtins(now.definition) | declared | {"variant_attributes": [tone]}
    saved = filled.save_experiment(parse(body), based_on=now.version, by="test")
    made = filled.set_standards("spring", {"x": (1.0, 2.0)}, based_on=saved.version, by="test")
    export(filled, "spring", tmp_path / "out")
    for log in (read_log("store:spring", store=filled), read_log(f"parquet:{tmp_path / 'out'}")):
        assert log.schema == made.schema
        assert log.arms.attributes == ({"tone": "calm"}, {}, {})
        assert log.schema.encode_arms(log.arms.attributes)[:, 0].tolist() == [1.0, 0.0, 0.0]


def test_names_of_attributes_become_keys(store: Store, columns: Make, parquet_log: Open) -> None:
    """Attributes that no experiment may declare are renamed, in the declaration and in every context."""
    log = columns(300)
    log["context"] = [text.replace('"device"', '"GUser.Device"') for text in log["context"]]
    done = import_log(parquet_log(log), "spring", store=store, by="test", now=1, pseudonym=_pseudonym)
    assert "guser.device" in {attribute.name for attribute in done.experiment.definition.context}
    kept = next(iter(store.log(done.experiment.id)))
    assert all("guser.device" in decision.context for decision in kept)


def test_an_unknown_experiment_is_said_so(store: Store, tmp_path: Path) -> None:
    """Reading or exporting what is not there."""
    with pytest.raises(NotFound):
        read_log("store:none", store=store)
    with pytest.raises(NotFound):
        export(store, "none", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_export_has_every_metric_that_rows_have(store: Store, tmp_path: Path) -> None:
    """A column each but for ratios, and the log that is read back speaks of the objective."""
    kinds = [("income", "revenue"), ("left", "bounce"), ("spent", "cost"), ("return", "ratio")]
    others: list[dict[str, Any]] = [{"key": key, "kind": kind, "role": "secondary"} for key, kind in kinds]
    others[3] |= {"numerator": "income", "denominator": "spent"}
    variants = [{"key": "a"}, {"key": "b", "cost": 0.5}]
    body = {"key": "spring", "unit": "decision", "variants": variants, "metrics": [*others, {"key": "sale"}]}
    made = store.create_experiment(parse(body), by="test", imported=True)
    logged = replace(imported(0, None), variant="b", rewards={"sale": 1.0, "income": 20.0})
    store.import_log(made, [[logged]])
    written = export(store, "spring", tmp_path / "out")
    (row,) = pq.read_table(written.file).to_pylist()
    rewards = {key: value for key, value in row.items() if key.startswith("reward_")}
    assert rewards == {"reward_income": 20.0, "reward_left": 1.0, "reward_spent": 0.5, "reward_sale": 1.0}
    log = read_log(f"parquet:{tmp_path / 'out'}")
    assert (log.metric, [rows.rewards.tolist() for rows in log.rows()]) == ("sale", [[1.0]])
