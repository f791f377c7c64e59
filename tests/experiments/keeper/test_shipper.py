from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from experiments.definition import parse
from experiments.errors import Conflict, Unavailable
from experiments.journal import Journal, frame
from experiments.keeper.shipper import Shipper
from experiments.model import Experiment, State
from experiments.records import DecisionRecord, Record, RewardRecord
from experiments.service.identity import DecisionIds
from experiments.store import Store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(sqlite_url: str, clock) -> Iterator[Store]:
    """An empty SQLite store."""
    opened = Store.open(sqlite_url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def experiment(store: Store) -> Experiment:
    """A running A/B."""
    store.create_experiment(
        parse({"key": "k", "variants": [{"key": "a"}, {"key": "b"}], "metrics": [{"key": "m"}]}), by="t"
    )
    return store.set_state("k", State.RUNNING, by="t")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal folder."""
    path = tmp_path / "journal"
    path.mkdir()
    return path


def decisions(experiment: Experiment, time: int, count: int, *, ids: DecisionIds | None = None) -> list[DecisionRecord]:
    """That many decisions, a microsecond apart."""
    ids = ids or DecisionIds()
    return [
        DecisionRecord(
            id=ids.next(time + i),
            experiment=experiment.id,
            version=experiment.version,
            phase=experiment.phase,
            unit=f"{i:032x}",
            time=time + i,
            variant="a",
            probability=0.5,
            distribution=msgspec.Raw(b"[0.5,0.5]"),
            policy="thompson",
            policy_version=1,
            reason="policy",
        )
        for i in range(count)
    ]


def final_file(folder: Path, time: int, records: Sequence[Record], *, tail: bytes = b"") -> Path:
    """A journal file whose writer is gone."""
    path = folder / f"{time // 1000:013d}-{'0' * 16}.log"
    path.write_bytes(b"".join(frame(record) for record in records) + tail)
    return path


def shipped(store: Store, experiment: Experiment) -> int:
    """Decisions in the store."""
    return store.health(experiment.id).decisions


def test_a_living_journal_is_shipped_as_it_grows(store, experiment, folder, clock) -> None:
    """Each pass takes what is new, and the watermark follows the records."""
    journal = Journal(folder, clock, timer=False)
    shipper = Shipper(store, folder, clock=clock)
    for expected in (3, 6):
        clock.sleep(1)
        with journal.lock:
            for record in decisions(experiment, journal.time(), 3):
                journal.write(record)
        clock.sleep(1)
        done = shipper.ship()
        assert done is not None
        assert done.complete
        assert shipped(store, experiment) == expected
        assert store.watermark(clock(), ship_grace=60) == clock() - 1_000_000 + 2
    journal.close()


def test_a_final_file_is_shipped_cut_and_deleted(store, experiment, folder, clock) -> None:
    """A torn tail was never acknowledged: it is dropped with the file, and everything before it is kept."""
    records = decisions(experiment, clock(), 3)
    path = final_file(folder, clock(), records, tail=frame(records[0])[:-9])
    Shipper(store, folder, clock=clock).ship()
    assert shipped(store, experiment) == 3
    assert not path.exists()
    assert store.offset(path.name) == 0


def test_every_cut_of_the_last_record_leaves_the_others(store, experiment, folder, clock) -> None:
    """Wherever the machine stopped within the last record, the ones before it are shipped once."""
    records = decisions(experiment, clock(), 3)
    last = frame(records[2])
    for cut in range(0, len(last), 7):
        final_file(folder, clock() + cut * 1000, records[:2], tail=last[:cut])
        Shipper(store, folder, clock=clock).ship()
        assert shipped(store, experiment) == 2


def test_refused_records_are_bisected_out(store, experiment, folder, clock) -> None:
    """Records that the database refuses go to quarantine with the reason, and nothing waits behind them."""
    records = decisions(experiment, clock(), 50)
    stranger = msgspec.structs.replace(records[0], experiment=4_000, id="0" * 31 + "1")
    mixed: list[Record] = [*records[:20], stranger, *records[20:40], stranger, *records[40:]]
    path = final_file(folder, clock(), mixed)
    Shipper(store, folder, clock=clock).ship()
    assert shipped(store, experiment) == 50
    assert store.health(experiment.id).quarantined == 2
    assert not path.exists()


def test_a_damaged_line_is_set_aside(store, experiment, folder, clock) -> None:
    """A line whose checksum is wrong goes to quarantine; the lines around it are shipped."""
    first, second, third = (frame(record) for record in decisions(experiment, clock(), 3))
    path = folder / f"{clock() // 1000:013d}-{'0' * 16}.log"
    path.write_bytes(first + second.replace(b'"a"', b'"b"') + third)
    Shipper(store, folder, clock=clock).ship()
    assert shipped(store, experiment) == 2
    assert store.health(experiment.id).quarantined == 1


class Failing:
    """A store of which one call fails, before or after it has done its work."""

    def __init__(self, store: Store, call: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, call, after

    def __getattr__(self, name: str):
        def called(*args, **kwargs):
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Unavailable("planted")
            result = getattr(self._store, name)(*args, **kwargs)
            if self._left == 0:
                raise Unavailable("planted")
            return result

        return called


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", range(1, 8))
def test_wherever_the_database_fails_everything_arrives_once(store, experiment, folder, clock, call, after) -> None:
    """A shipper that loses the database at any call, or dies there, leaves the next one to go on exactly."""
    records: list[Record] = [*decisions(experiment, clock(), 5)]
    records += [
        RewardRecord(experiment=experiment.id, decision=record.id, metric="m", value=1.0, time=clock() + 9)
        for record in decisions(experiment, clock(), 5)
    ]
    final_file(folder, clock(), records[:5])
    final_file(folder, clock() + 1000, records[5:])
    broken = Shipper(Failing(store, call, after=after), folder, clock=clock)
    try:
        broken.ship()
    except Unavailable:
        broken.close()
    Shipper(store, folder, clock=clock).ship()
    health = store.health(experiment.id)
    assert (health.decisions, health.duplicates, health.quarantined) == (5, 0, 0)
    assert not list(folder.glob("*.log"))


def test_an_offset_that_moved_is_no_records_fault(store, experiment, folder, clock) -> None:
    """Where another shipper was faster, nothing goes to quarantine."""
    journal = Journal(folder, clock, timer=False)
    shipper = Shipper(store, folder, clock=clock)
    shipper.ship()
    path = next(folder.glob("*.log"))
    with journal.lock:
        journal.write(decisions(experiment, journal.time(), 1)[0])
    store.ship(path.name, start=store.offset(path.name), end=path.stat().st_size, records=[])
    with pytest.raises(Conflict):
        shipper.ship()
    assert store.health(experiment.id).quarantined == 0
    journal.close()


def test_one_ships_at_a_time(store, folder, clock) -> None:
    """A second shipper of the same folder stands by until the first is gone."""
    first, second = Shipper(store, folder, clock=clock), Shipper(store, folder, clock=clock)
    assert first.ship() is not None
    assert second.ship() is None
    first.close()
    assert second.ship() is not None


def test_a_new_file_holds_the_watermark(store, experiment, folder, clock) -> None:
    """The watermark never passes what a journal that is not shipped yet may hold."""
    old = Journal(folder, clock, timer=False)
    shipper = Shipper(store, folder, clock=clock)
    shipper.ship()
    clock.sleep(5)
    late = clock()
    new = Journal(folder, clock, timer=False)
    clock.sleep(5)
    old.tick()  # the old journal promises that nothing before now is missing, the new one does not
    shipper.ship(seconds=0)
    assert store.watermark(clock(), ship_grace=60) <= late
    old.close()
    new.close()


def test_a_journal_begun_behind_a_shippers_back_holds_the_watermark_of_all_hosts(
    store, experiment, folder, clock, tmp_path: Path
) -> None:
    """Between two passes of one host another may lead: it waits for what it cannot see yet."""
    here, there = Shipper(store, folder, clock=clock, host="a"), Shipper(store, tmp_path, clock=clock, host="b")
    Journal(folder, clock, timer=False).close()
    here.ship()
    assert not list(folder.glob("*.log"))
    seen = clock()
    clock.sleep(1)
    begun = Journal(folder, clock, timer=False)
    clock.sleep(1)
    there.ship()
    assert store.watermark(clock(), ship_grace=60) <= seen
    begun.close()
    here.ship()
    here.leave()
    there.ship()
    assert store.watermark(clock(), ship_grace=60) > seen


def test_files_that_wait_for_their_turn_are_not_silent(store, experiment, folder, clock) -> None:
    """A backlog that takes longer than the grace matures nothing before it is shipped."""
    oldest = clock()
    for _ in range(3):
        final_file(folder, clock(), decisions(experiment, clock(), 2))
        clock.sleep(1)
    shipper = Shipper(store, folder, clock=clock)
    for _ in range(5):
        shipper.ship(seconds=0)
        clock.sleep(30)
    assert store.watermark(clock(), ship_grace=60) <= oldest
    shipped = shipper.ship()
    assert shipped is not None
    assert shipped.complete
    assert store.watermark(clock(), ship_grace=60) == shipped.time


WRITER = """
import sys, time
from pathlib import Path
import msgspec
from experiments.journal import Journal
from tests.experiments.keeper.test_shipper import decisions
from types import SimpleNamespace
clock = lambda: time.time_ns() // 1000
journal = Journal(Path(sys.argv[1]), clock)
experiment = SimpleNamespace(id=int(sys.argv[2]), version=1, phase=1)
from experiments.service.identity import DecisionIds
ids = DecisionIds()
while True:
    with journal.lock:
        record = decisions(experiment, journal.time(), 1, ids=ids)[0]
        record = msgspec.structs.replace(record, unit=record.id)
        journal.write(record)
    print(record.id, flush=True)
"""


def test_what_a_killed_writer_acknowledged_is_shipped_once(store, experiment, folder, clock) -> None:
    """After SIGKILL every acknowledged record is in the store, whatever state the file was left in."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(experiment.id)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(500)]
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += [line.strip() for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    writer.wait()
    writer.stdout.close()
    Shipper(store, folder, clock=clock).ship()
    logged = [decision.decision for batch in store.log(experiment.id) for decision in batch]
    assert set(acknowledged) <= set(logged)
    assert len(logged) == len(set(logged))
