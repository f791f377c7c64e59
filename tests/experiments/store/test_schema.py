"""The schema: one owner, equal to the tables, and never guessed at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, insert, text
from sqlalchemy.exc import IntegrityError

from experiments.errors import StoreError, Unavailable
from experiments.records import MarkRecord
from experiments.store import AnalysisState, Store, migrate
from experiments.store.codec import pack
from experiments.store.engine import Database
from experiments.store.schema import MIGRATIONS, _revisions
from experiments.tables import AnalysisRows, Base, Decisions, Experiments, ExperimentVersions, Metrics, Proofs, Variants

DEFINITION = '{"key":"spring","variants":[{"key":"a"},{"key":"b"}],"metrics":[{"key":"sale"}]}'
ONE = {"experiment_id": 1}
OLD: list[tuple[type[Base], dict[str, object]]] = [
    (Experiments, {"id": 1, "key": "spring", "version": 1, "imported": False, "created": 0}),
    (ExperimentVersions, ONE | {"version": 1, "phase": 1, "state": "running", "time": 0, "by": "ann"}),
    *((Variants, ONE | {"slot": slot, "key": key, "since_version": 1}) for slot, key in enumerate("ab")),
    (Metrics, ONE | {"number": 0, "key": "sale", "kind": "conversion", "since_version": 1}),
    (Decisions, ONE | {"id": "0" * 32, "version": 1, "phase": 1, "unit": "1" * 32, "time": 0, "slot": 1}),
    (AnalysisRows, ONE | {"seq": 1, "step": 1, "decision_id": "0" * 32, "unit": "1" * 32, "phase": 1}),
]
OLD[1][1]["definition"] = DEFINITION
OLD[-2][1].update(probability=0.75, distribution=pack(np.array([0.25, 0.75])), policy="thompson", policy_version=1)
OLD[-2][1].update(reason="policy", context="{}")
OLD[-1][1]["outcomes"] = '{"sale":1.0}'


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    """The engine of a migrated database."""
    database = Database(store_url)
    yield database.engine
    database.close()


def test_migrations_and_tables_agree(engine: Engine) -> None:
    """Alembic finds nothing to do between the migrated database and the tables."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_create_all_equals_migrations(sqlite_url: str) -> None:
    """On SQLite, where Alembic sees less, the very statements of ``create_all`` are those of the migrations."""

    def statements(engine: Engine) -> dict[str, list[str]]:
        """The words of each statement; the order of constraints says nothing."""
        query = "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
        with engine.connect() as connection:
            found = {row.name: sorted(re.findall(r"\w+|<>", row.sql)) for row in connection.execute(text(query))}
        return {name: words for name, words in found.items() if not name.startswith(("alembic_", "sqlite_"))}

    migrated, created = create_engine(sqlite_url), create_engine("sqlite://")
    Base.metadata.create_all(created)
    assert statements(migrated) == statements(created)
    migrated.dispose()
    created.dispose()


def test_revisions_are_in_order() -> None:
    """The files' names say what Alembic says: which revisions there are, one after the other."""
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert [script.revision for script in scripts.walk_revisions()][::-1] == _revisions()
    assert scripts.get_heads() == _revisions()[-1:]


def test_migrate_again(store_url: str) -> None:
    """Migrating a migrated database changes nothing."""
    migrate(store_url)
    migrate(store_url)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_old_database_is_upgraded(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """What the first schema held is there after the upgrade, with nothing known of what it had no place for."""
    make = None if kind == "sqlite" else request.getfixturevalue("create_database")
    url = f"sqlite:///{tmp_path}/old.db" if make is None else make("landit_old")
    database, config = Database(url), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for table, row in OLD:
            connection.execute(insert(table).values(row))
    database.close()
    migrate(url)
    store = Store.open(url, clock=int)
    made = store.experiment("spring")
    (row,) = store.analysis_rows(made.id)
    assert (row.seq, row.unit, row.outcomes, row.crossed) == (1, "1" * 32, {"sale": 1.0}, False)
    assert row.distribution.tolist() == [0.25, 0.75]
    assert (made.beaten, made.standards, made.definition.segments, made.definition.n_star) == ((), {}, (), 10_000)
    assert (store.analysis_state(made.id), store.proofs(made.id)) == (None, [])
    store.put_analysis(AnalysisState(made.id, 1, b"x", 2))
    store.close()


def test_a_proof_is_kept_once(engine: Engine) -> None:
    """The database itself refuses what says the same again, whoever writes it."""
    proof = ONE | {"identity": "f" * 64, "kind": "best", "metric": "sale", "variant": "b", "seq": 1, "time": 2}
    proof |= {"since": 1, "estimate": 0.1, "alpha": 0.05, "first": 0, "rivals": "[]"}
    with engine.begin() as connection:
        connection.execute(insert(Experiments).values(OLD[0][1]))
        connection.execute(insert(Proofs).values(proof))
    with engine.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(insert(Proofs).values(proof))


def test_newer_schema(store_url: str, engine: Engine, store: Store) -> None:
    """A database that a newer version migrated is neither opened nor migrated."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for use in (migrate, lambda url: Store.open(url, clock=int)):
        with pytest.raises(StoreError, match=r"'9999'.*Upgrade landit"):
            use(store_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :last"), {"last": _revisions()[-1]})


def test_no_schema(tmp_path: Path, create_database: Callable[[str], str]) -> None:
    """An empty database and a missing file say: landit migrate."""
    (tmp_path / "empty.db").touch()
    urls = [f"sqlite:///{tmp_path}/empty.db", f"sqlite:///{tmp_path}/none.db", create_database("landit_empty")]
    for url in urls:
        with pytest.raises(StoreError, match="Run: landit migrate"):
            Store.open(url, clock=int)
    assert not (tmp_path / "none.db").exists()


def test_migrate_makes_the_folder(tmp_path: Path) -> None:
    """The folder of an SQLite file is made; a file in its place is named."""
    migrate(f"sqlite:///{tmp_path}/a/b/landit.db")
    Store.open(f"sqlite:///{tmp_path}/a/b/landit.db", clock=int).close()
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/landit\.db"):
        migrate(f"sqlite:///{tmp_path}/file/landit.db")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://ann:hidden@host/landit", "mysql://ann:\\*\\*\\*@host/landit has the scheme 'mysql'"),
        ("landit.db", "cannot be read"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("", "cannot be read"),
    ],
)
def test_wrong_url(url: str, words: str) -> None:
    """A URL that is none of a store's is refused by name, without its password."""
    for use in (migrate, lambda url: Store.open(url, clock=int)):
        with pytest.raises(StoreError, match=words) as caught:
            use(url)
        assert "hidden" not in str(caught.value)


def test_no_such_database(postgres_server: str) -> None:
    """A database that does not exist is named; one that is down is a matter of time."""
    with pytest.raises(StoreError, match="nowhere"):
        migrate(Database(postgres_server).url.set(database="nowhere").render_as_string(hide_password=False))
    with pytest.raises(Unavailable, match="cannot be used now") as caught:
        migrate("postgresql://ann:hidden@127.0.0.1:1/landit")
    assert "hidden" not in str(caught.value)


def test_not_a_database(tmp_path: Path) -> None:
    """A file that is something else is not opened as a store."""
    (tmp_path / "text.db").write_text("Dear diary, " * 1000)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(f"sqlite:///{tmp_path}/text.db", clock=int)


def test_pragmas(sqlite_url: str) -> None:
    """SQLite runs in WAL, waits for a lock, and keeps references."""
    database = Database(sqlite_url)
    with database.reading() as connection:
        found = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    database.close()
    assert found == ["wal", 1, 1, 5000]


def test_views(store: Store, site: object, engine: Engine) -> None:
    """People read decisions and rewards with keys and times they understand."""
    ship, decision, reward = (getattr(site, name) for name in ("ship", "decision", "reward"))
    ship(decision(1, who="x", at=1.5, context={"device": "mobile"}), reward(1, at=2), MarkRecord(time=1))
    with engine.connect() as connection:
        seen = connection.execute(text("SELECT decision, variant, time FROM readable_decisions")).one()
        paid = connection.execute(text("SELECT decision, metric, value FROM readable_rewards")).one()
    assert (seen.decision, seen.variant, str(seen.time)[:10]) == (f"{1:032x}", "a", "2027-01-15")
    assert tuple(paid) == (f"{1:032x}", "sale", 1.0)
