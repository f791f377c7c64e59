from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from dashboard.server import supervisor as supervising
from dashboard.server.supervisor import Supervisor

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*multi-threaded, use of fork:DeprecationWarning"  # pytest may have threads, the server has none
)

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os, sys, threading, time
from pathlib import Path
from dashboard.server.child import _be
from dashboard.server.supervisor import Supervisor

def child(pipe):
    _be("test", pipe)
    Path(sys.argv[1]).write_text(str(os.getpid()))
    time.sleep(60)

with Supervisor([("test", child)], stop_seconds=1) as supervisor:
    supervisor.run(threading.Event())
"""


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


def test_a_child_dies_with_its_supervisor(tmp_path: Path) -> None:
    """After kill -9 of the supervisor its child is gone, too."""
    note = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT, str(note)], cwd=ROOT)
    _until(lambda: note.exists() and note.read_text() != "")
    child = int(note.read_text())
    parent.kill()
    parent.wait()
    _until(lambda: _gone(child))


@pytest.mark.parametrize("code", [0, 3])
def test_a_dead_child_is_started_again(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A child that ends, however, is started again, a little later each time, until all are told to stop."""
    monkeypatch.setattr(supervising, "DELAYS", (0.0, 0.01))
    lives, stop = tmp_path / "lives", threading.Event()

    def child(_pipe: int) -> None:
        with lives.open("a") as file:
            file.write("x")
        os._exit(code)

    def enough() -> None:
        if lives.exists() and len(lives.read_text()) >= 3:
            stop.set()

    with Supervisor([("test", child)], stop_seconds=1) as supervisor:
        supervisor.run(stop, between=enough)
    assert f"ended with {code}" in caplog.text


def test_a_child_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    """Whoever ignores the request to stop is killed when its time is over; the next name is told only then."""
    note, stop = tmp_path / "note", threading.Event()

    def stubborn(_pipe: int) -> None:
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        note.write_text(str(os.getpid()))
        time.sleep(60)

    def begun() -> None:
        if note.exists() and note.read_text():
            stop.set()

    with Supervisor([("stubborn", stubborn)], stop_seconds=0.1) as supervisor:
        supervisor.run(stop, between=begun)
    assert _gone(int(note.read_text()))


def test_children_may_start_ahead_and_end_with_the_block(tmp_path: Path) -> None:
    """Those of a name that were started ahead run alone, and are ended though nothing else ever ran."""

    def child(_pipe: int, name: str) -> None:
        (tmp_path / name).write_text(str(os.getpid()))
        time.sleep(60)

    roles = [(name, partial(child, name=name)) for name in ("first", "second")]
    note = tmp_path / "first"
    with Supervisor(roles, stop_seconds=1) as supervisor:
        supervisor.start("first")
        _until(lambda: note.exists() and note.read_text() != "")
    assert _gone(int(note.read_text()))
    assert not (tmp_path / "second").exists()
