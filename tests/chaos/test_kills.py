from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.server.serve import serve
from dashboard.settings import Settings
from experiments.errors import Conflict, StoreError, Unavailable
from tests.chaos.load import Client, judge, settle
from tests.chaos.server import Server, Victim
from tests.chaos.siege import begin, siege
from tests.serving import until

NOBODY = "postgresql://landit@127.0.0.1:1/landit"
"""A database that is down: nobody listens on that port."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A data directory and a port; whatever a test starts on them is ended with it."""
    made = Server(tmp_path / "data")
    yield made
    made.close()


def test_no_kill_costs_a_promise(tmp_path: Path) -> None:
    """Worker, keeper, supervisor and group die under load: nothing acknowledged is lost, doubled or changed."""
    report = siege(tmp_path / "data", Victim, clients=2, between=0.5)
    assert report.verdict.decisions > 100
    assert report.verdict.kept, report.verdict
    assert report.relearned
    assert report.recounted
    assert report.exit_code == 0


def test_a_full_disk_is_said_and_survived(server: Server) -> None:
    """While no byte can be written the answer is 503, never a decision; when there is room again, it is 200."""
    server.start()
    client = Client(server.port, begin(server), seed=0)
    worker = server.answering().pid
    limits = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (0, limits[1]))
    assert all(client.ask() is None for _ in range(5))
    assert server.get("/healthz")[0] == 200
    resource.prlimit(worker, resource.RLIMIT_FSIZE, limits)
    until(lambda: client.ask() is not None, "decisions are made again")
    client.finish()
    _refuses_a_second(server)


def _refuses_a_second(server: Server) -> None:
    """A second server on the same data folder, or on the same port, is refused."""
    other = server.data.parent / "other"
    with pytest.raises(Conflict, match="served already"):
        serve(Settings.read({}, data=server.data))
    with pytest.raises(Conflict, match="cannot listen"):
        serve(Settings.read({}, data=other, port=server.port))


def test_it_starts_without_its_database(server: Server) -> None:
    """What was published is served while the database is away, and nothing of it is lost when that is back."""
    server.start()
    key = begin(server)
    assert server.stop()[0] == 0
    server.start("--store", NOBODY)
    client = Client(server.port, key, seed=0)
    client.start()
    until(lambda: len(client.promises) > 20, "decisions are made without a database")
    promises = client.finish()
    assert server.stop()[0] == 0
    settle(server.data)
    assert judge(server.data, promises).kept


def test_nothing_published_and_no_database_is_refused(tmp_path: Path) -> None:
    """A first start needs the database, and says so."""
    with pytest.raises((Unavailable, StoreError)):
        serve(Settings.read({}, data=tmp_path, store=NOBODY))
