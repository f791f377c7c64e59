"""The journal: a worker's append-only files, complete and checksummed records, written before the answer.

A file is named ``<ms>-<64 random bits>.log``. While its writer lives it holds a ``flock`` on it; a free lock means that
the file is final. A record is one line, ``crc32 length json``, written by one ``write(2)``: when that fails or falls
short, the file is never appended to again. So a file is a valid prefix and at most one torn line.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import msgspec

from experiments.errors import Unavailable
from experiments.model import Micros
from experiments.records import MarkRecord, Record

SUFFIX = ".log"
FILE_BYTES = 16 << 20
FILE_AGE = 60_000_000
"""µs after which a new file is begun, so that the shipper can delete the old one."""
MARK_AFTER = 250_000
"""µs without a record after which a mark is written, so that the watermark advances on idle journals too."""
SYNC_SECONDS = 0.02
"""Time between two ``fdatasync``: what a loss of power may cost at the durability "process"."""

_HEADER = len("01234567 ")
_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
_log = logging.getLogger(__name__)


class Journal:
    """The journal of one worker.

    To write, take :attr:`lock`, read the time by :meth:`time` and call :meth:`write`, all inside the lock: then times
    never decrease within a journal, and whatever was accepted before a record's time stands above that record.

    Parameters
    ----------
    directory
        Where the files are made; created if missing.
    clock
        The time in µs since 1970 UTC.
    fsync
        Make every record durable against a loss of power before :meth:`write` returns.
    timer
        Call :meth:`tick` every 20 ms on a thread; without it the caller does.

    Raises
    ------
    Unavailable
        The first file cannot be made.
    """

    def __init__(
        self, directory: Path, clock: Callable[[], Micros], *, fsync: bool = False, timer: bool = True
    ) -> None:
        self.lock = threading.Lock()
        self.failures = 0
        self._directory = directory
        self._clock = clock
        self._fsync = fsync
        self._seen: Micros = 0
        self._last: Micros = 0
        self._retired: list[_File] = []
        self._file = self._begin()
        if self._file is None:
            raise Unavailable(
                f"no journal can be written in {directory}", hint="Free disk space, or make the folder writable."
            )
        self._stop = threading.Event()
        self._timer = threading.Thread(target=self._run, name="journal", daemon=True) if timer else None
        if self._timer is not None:
            self._timer.start()

    def time(self) -> Micros:
        """The time of the next record; the caller holds the lock. A clock that steps back stands still instead."""
        self._seen = self._clock()
        self._last = max(self._last, self._seen)
        return self._last

    def write(self, record: Record) -> None:
        """Append ``record``; the caller holds the lock and took the record's time inside it.

        Raises
        ------
        Unavailable
            It is not certain that the record was written. The file is given up; :meth:`tick` opens another.
        """
        self.append(_encode(record))

    def append(self, body: bytes) -> None:
        """Append the record that ``body`` is the JSON of; see :meth:`write`."""
        if self._file is None:
            raise _unavailable()
        try:
            self._file.append(seal(body))
            if self._fsync:
                self._file.sync()
        except OSError as error:
            self._retire(error)
            raise _unavailable() from error

    def tick(self) -> None:
        """Do what is due: begin another file, mark idle time, sync, close what is no longer written."""
        with self.lock:
            now = self._clock()
            if self._file is None or self._file.full(now):
                self._retire()
                self._file = self._begin()
            elif not 0 <= now - self._seen < MARK_AFTER:
                self._mark()
            current, retired, self._retired = self._file, self._retired, []
        for file in retired:
            self._close(file)
        if current is not None and current.dirty:
            self._sync(current)

    def close(self) -> None:
        """Stop the timer and give the file up: its lock becomes free, so the shipper takes it as final."""
        if self._timer is not None:
            self._stop.set()
            self._timer.join()
        with self.lock:
            self._retire()
        for file in self._retired:
            self._close(file)

    def _run(self) -> None:
        while not self._stop.wait(SYNC_SECONDS):
            self.tick()

    def _begin(self) -> _File | None:
        """Begin a file with a mark, which shows that the disk takes records. None where it does not."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            file = _File(self._directory, self.time(), born=self._seen)
        except OSError as error:
            self._count(error)
            return None
        try:
            file.append(frame(MarkRecord(time=self._last)))
        except OSError as error:
            self._count(error)
            file.discard()
            return None
        return file

    def _mark(self) -> None:
        with contextlib.suppress(Unavailable):  # counted already; the next tick begins another file
            self.write(MarkRecord(time=self.time()))

    def _retire(self, error: OSError | None = None) -> None:
        """Never write to the current file again; the next tick closes it."""
        if error is not None:
            self._count(error)
        if self._file is not None:
            self._retired.append(self._file)
            self._file = None

    def _sync(self, file: _File) -> None:
        try:
            file.sync()
        except OSError as error:
            with self.lock:
                if self._file is file:
                    self._retire(error)

    def _close(self, file: _File) -> None:
        try:
            file.close()
        except OSError as error:
            self._count(error)

    def _count(self, error: OSError) -> None:
        self.failures += 1
        _log.error("journal: %s", error)


class _File:
    """One file of a journal, locked for as long as it is open."""

    __slots__ = ("_born", "_fd", "_path", "_size", "dirty")

    def __init__(self, directory: Path, now: Micros, *, born: Micros) -> None:
        self._path = directory / f"{now // 1000:013d}-{secrets.token_hex(8)}{SUFFIX}"
        self._born, self._size, self.dirty = born, 0, False  # by the clock as it is: its age must not wait with ours
        draft = self._path.with_suffix(".new")
        self._fd = os.open(draft, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        # Locked before it gets its name: nobody ever sees a journal that has a free lock and a living writer.
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        draft.rename(self._path)

    def append(self, line: bytes) -> None:
        written = write(self._fd, line)
        self._size += written
        self.dirty = True
        if written != len(line):
            raise OSError(f"{written} of {len(line)} bytes were written to {self._path}")

    def full(self, now: Micros) -> bool:
        return self._size >= FILE_BYTES or not 0 <= now - self._born < FILE_AGE

    def sync(self) -> None:
        self.dirty = False
        os.fdatasync(self._fd)

    def close(self) -> None:
        try:
            self.sync()
        finally:
            os.close(self._fd)

    def discard(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._fd)


def write(fd: int, line: bytes) -> int:
    """Write as ``os.write`` does, but keep the interpreter's lock meanwhile.

    A record goes to the page cache in a microsecond. With four threads in a worker, giving the lock up for that meant
    0.43 context switches a request instead of 0.16 (measured).
    """
    written: int = _write(fd, line, len(line))
    if written < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return written


_write = ctypes.PyDLL(None, use_errno=True).write
_write.argtypes, _write.restype = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t), ctypes.c_ssize_t


@dataclass(frozen=True, slots=True)
class Line:
    """A complete line of a journal: ``record``, or None with the ``problem`` why it is not one."""

    start: int
    end: int
    raw: bytes
    record: Record | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands in a journal from an offset on; ``end`` is the offset behind the last complete line."""

    lines: tuple[Line, ...]
    end: int
    torn: bool
    """Something incomplete follows: it is being written, or, in a final file, never was acknowledged."""


def read_lines(path: Path, offset: int = 0, *, limit: int = 4 << 20) -> Reading:
    """Read the complete lines from ``offset`` on, about ``limit`` bytes of them.

    A line that is damaged is returned with its problem, so that the caller can set it aside and go on.
    """
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(limit)
        if len(data) == limit:
            data += file.readline()
    complete = data.rfind(b"\n") + 1
    lines = tuple(_lines(data[:complete], offset))
    return Reading(lines, offset + complete, torn=complete < len(data))


def is_final(path: Path) -> bool:
    """Whether its writer is gone: nothing will be appended any more."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def frame(record: Record) -> bytes:
    """The record as it stands in a file."""
    return seal(_encode(record))


def seal(body: bytes) -> bytes:
    """The line of the record whose JSON is ``body``."""
    return b"%08x %d %b\n" % (crc32(body), len(body), body)


def parse(line: bytes) -> Record:
    """The record of one complete line (without its newline).

    Raises
    ------
    ValueError
        The line is damaged; the message says how.
    """
    length, _, body = line[_HEADER:].partition(b" ")
    if not length.isdigit() or int(length) != len(body):
        raise ValueError(f"length {length[:20]!r} stands before {len(body)} bytes")
    if line[:_HEADER] != b"%08x " % crc32(body):
        raise ValueError(f"checksum {line[:_HEADER]!r} is not that of the record")
    return _decoder.decode(body)


def _lines(data: bytes, offset: int) -> Iterator[Line]:
    for raw in data.split(b"\n")[:-1]:
        end = offset + len(raw) + 1
        try:
            yield Line(offset, end, raw, parse(raw))
        except ValueError as error:
            yield Line(offset, end, raw, None, str(error))
        offset = end


def _unavailable() -> Unavailable:
    return Unavailable("the journal cannot be written", hint="Try again shortly; the server opens another file.")
