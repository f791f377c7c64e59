"""The journal: nothing acknowledged is lost, nothing damaged stops the rest."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments import journal as module
from experiments.errors import Unavailable
from experiments.journal import FILE_AGE, MARK_AFTER, Journal, frame, is_final, read_lines
from experiments.records import MarkRecord, Record, RepeatRecord, RewardRecord


@pytest.fixture
def journal(tmp_path: Path, clock: Any) -> Iterator[Journal]:
    """A journal whose timer is the test."""
    journal = Journal(tmp_path, clock, timer=False)
    yield journal
    journal.close()


def put(journal: Journal, name: str = "d") -> RepeatRecord:
    """Write one record as callers do."""
    with journal.lock:
        record = RepeatRecord(decision=name, time=journal.time())
        journal.write(record)
    return record


def files(folder: Path) -> list[Path]:
    """The journals, oldest first."""
    return sorted(folder.glob("*.log"))


def records(path: Path) -> list[Record]:
    """What can be read of a file, marks left out."""
    return [line.record for line in read_lines(path).lines if not isinstance(line.record, MarkRecord) and line.record]


def test_what_is_written_is_read_back(journal: Journal, tmp_path: Path) -> None:
    """In order, from any offset that was an end."""
    written = [put(journal, str(i)) for i in range(5)]
    (path,) = files(tmp_path)
    reading = read_lines(path)
    assert records(path) == written
    assert reading.end == path.stat().st_size
    assert not reading.torn
    for i, line in enumerate(reading.lines):
        assert read_lines(path, line.end).lines == reading.lines[i + 1 :]


def test_a_record_is_one_write(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A complete line or nothing: a kill between two writes cannot happen."""
    calls: list[bytes] = []
    monkeypatch.setattr(module, "write", lambda _, line: calls.append(line) or len(line))
    record = put(journal)
    assert calls == [frame(record)]


def test_a_small_limit_still_returns_whole_lines(journal: Journal, tmp_path: Path) -> None:
    """Reading piece by piece gives every line once."""
    for i in range(20):
        put(journal, str(i))
    (path,) = files(tmp_path)
    offset, lines = 0, []
    while piece := read_lines(path, offset, limit=50).lines:
        lines += piece
        offset = piece[-1].end
    assert tuple(lines) == read_lines(path).lines


def test_cutting_the_file_at_every_byte_leaves_the_valid_prefix(journal: Journal, tmp_path: Path) -> None:
    """Exhaustive over the whole file: never a doubled, a garbled or a missing record."""
    for i in range(10):
        put(journal, str(i))
    (path,) = files(tmp_path)
    whole, cut = path.read_bytes(), tmp_path / "cut"
    lines = read_lines(path).lines
    for size in range(len(whole) + 1):
        cut.write_bytes(whole[:size])
        reading = read_lines(cut)
        expected = tuple(line for line in lines if line.end <= size)
        assert reading.lines == expected
        assert reading.torn is (size != (expected[-1].end if expected else 0))


def test_a_changed_byte_costs_its_record_and_no_other(journal: Journal, tmp_path: Path) -> None:
    """The damaged line is reported where it stands, so that it can be set aside."""
    for i in range(3):
        put(journal, str(i))
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    lines = read_lines(path).lines
    target = lines[2]
    for position in range(target.start, target.end):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x15]) + whole[position + 1 :])
        found = read_lines(path).lines
        damaged = [line for line in found if line.record is None]
        assert damaged, position
        assert all(line.problem and line.raw == path.read_bytes()[line.start : line.end - 1] for line in damaged)
        assert {line.record for line in found if line.record} <= {line.record for line in lines}
        assert [line for line in found if line.end <= target.start] == list(lines[:2])


def test_a_journal_is_final_when_its_writer_is_gone(journal: Journal, tmp_path: Path) -> None:
    """The lock tells, not the age."""
    (path,) = files(tmp_path)
    assert not is_final(path)
    journal.close()
    assert is_final(path)


def test_a_killed_writer_leaves_a_final_journal_with_all_it_acknowledged(tmp_path: Path) -> None:
    """kill -9: the lock goes with the process, what was written stays."""
    program = (
        "import sys, time; from pathlib import Path; from experiments.journal import Journal\n"
        "from experiments.records import RepeatRecord\n"
        "journal = Journal(Path(sys.argv[1]), lambda: time.time_ns() // 1000)\n"
        "for i in range(10**9):\n"
        "    with journal.lock: journal.write(RepeatRecord(decision=str(i), time=journal.time()))\n"
        "    print(i, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(100)]
        writer.kill()
    (path,) = files(tmp_path)
    assert is_final(path)
    found = [record.decision for record in records(path) if isinstance(record, RepeatRecord)]
    assert found[: len(acknowledged)] == [str(i) for i in acknowledged]


def test_nobody_sees_a_journal_without_its_lock(tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets its name after it was locked; else the shipper would delete it under its writer."""
    seen: list[list[Path]] = []
    lock = module.fcntl.flock
    monkeypatch.setattr(module.fcntl, "flock", lambda *args: (seen.append(files(tmp_path)), lock(*args)))
    Journal(tmp_path, clock, timer=False).close()
    assert seen == [[]]


def short(line: bytes) -> bytes:
    """Half of what was to be written."""
    return line[: len(line) // 2]


@pytest.mark.parametrize("kept", [lambda _: b"", short], ids=["full disk", "short write"])
def test_after_a_failed_write_another_file_is_begun(
    journal: Journal, tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch, kept: Callable[[bytes], bytes]
) -> None:
    """The caller hears of it, the old file is never appended to, and the next tick writes again."""
    before = put(journal, "before")
    real = module.write

    def failing(fd: int, line: bytes) -> int:
        if kept(line):
            return real(fd, kept(line))
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write", failing)
        for _ in range(3):
            with pytest.raises(Unavailable):
                put(journal, "lost")
        journal.tick()
        with pytest.raises(Unavailable):
            put(journal, "lost")
        assert len(files(tmp_path)) == 1
    clock.now += 1_000
    journal.tick()
    after = put(journal, "after")
    old, new = files(tmp_path)
    assert (records(old), records(new)) == ([before], [after])
    assert is_final(old)
    assert not is_final(new)
    assert journal.failures > 0


def test_fsync_makes_each_record_durable_before_it_is_acknowledged(
    tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sync a record; a failed one is not acknowledged."""
    journal = Journal(tmp_path, clock, fsync=True, timer=False)
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    put(journal)
    put(journal)
    assert len(synced) == 2

    def failing(fd: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fdatasync", failing)
    with pytest.raises(Unavailable):
        put(journal)
    monkeypatch.undo()
    journal.close()


def test_a_tick_syncs_what_was_written_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """And costs nothing while nothing is written."""
    journal.tick()
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    put(journal)
    journal.tick()
    journal.tick()
    assert len(synced) == 1


def test_a_file_is_turned_over_by_age_and_by_size(
    journal: Journal, tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the shipper can delete the old one."""
    put(journal, "a")
    clock.now += FILE_AGE
    journal.tick()
    put(journal, "b")
    monkeypatch.setattr(module, "FILE_BYTES", 10)
    clock.now += 1_000
    journal.tick()
    assert [is_final(path) for path in files(tmp_path)] == [True, True, False]
    assert [len(records(path)) for path in files(tmp_path)] == [1, 1, 0]


def test_an_idle_journal_marks_the_time(journal: Journal, tmp_path: Path, clock: Any) -> None:
    """Everything accepted before a mark's time stands above it, so the watermark advances."""
    put(journal)
    clock.now += MARK_AFTER - 1
    journal.tick()
    clock.now += 1
    journal.tick()
    journal.tick()
    (path,) = files(tmp_path)
    marks = [line.record.time for line in read_lines(path).lines if isinstance(line.record, MarkRecord)]
    assert marks == [clock.now - MARK_AFTER, clock.now]


def test_times_never_step_back(journal: Journal, tmp_path: Path, clock: Any) -> None:
    """Whatever the clock does, and marks go on."""
    for step in (5_000, -3_600_000_000, 1, 7_200_000_000, -1):
        clock.now += step
        put(journal)
        clock.now += MARK_AFTER
        journal.tick()
    for path in files(tmp_path):
        times = [line.record.time for line in read_lines(path).lines if line.record]
        assert times == sorted(times)
    assert sum(len(records(path)) for path in files(tmp_path)) == 5


def test_a_clock_that_was_set_back_costs_one_file(journal: Journal, tmp_path: Path, clock: Any) -> None:
    """Not one every tick until it has caught up."""
    clock.now -= 3_600_000_000
    for _ in range(20):
        clock.now += MARK_AFTER
        journal.tick()
    assert len(files(tmp_path)) <= 2


def test_a_folder_that_cannot_be_written_is_refused_at_start(tmp_path: Path, clock: Any) -> None:
    """Better than at the first visitor."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="no journal"):
        Journal(tmp_path / "file", clock, timer=False)


def test_records_of_every_kind_come_back(journal: Journal, tmp_path: Path) -> None:
    """With what they leave out."""
    with journal.lock:
        record = RewardRecord(experiment=1, unit="u", metric="m", value=0.1, time=journal.time(), at=5)
        journal.write(record)
    (path,) = files(tmp_path)
    assert records(path) == [record]


def test_the_timer_ticks_by_itself(tmp_path: Path, clock: Any) -> None:
    """Closing joins its thread and leaves a final file."""
    journal = Journal(tmp_path, clock)
    put(journal)
    journal.close()
    (path,) = files(tmp_path)
    assert is_final(path)
    with pytest.raises(Unavailable):
        put(journal)
