"""Experiments: what is in force, what was, and the legal ways from one to the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from bandit.features import Schema
from bandit.validation import InvalidInput
from experiments.contenders import still_beaten
from experiments.definition import changes_phase, frozen_fields_changed
from experiments.errors import Conflict, Invalid, NotFound, wrong
from experiments.measuring import frozen_metrics
from experiments.model import Definition, Experiment, Metric, State
from experiments.standards import still_standard
from experiments.store.audit import write_audit
from experiments.store.codec import from_json, to_json
from experiments.store.engine import AnyRow, AnySelect, Room
from experiments.store.values import ExperimentVersion
from experiments.tables import Experiments as Heads
from experiments.tables import ExperimentVersions as Versions
from experiments.tables import Metrics, Variants

TRANSITIONS = {
    State.DRAFT: {State.RUNNING},
    State.RUNNING: {State.PAUSED, State.STOPPED},
    State.PAUSED: {State.RUNNING, State.STOPPED},
    State.STOPPED: {State.STOPPED, State.ARCHIVED},  # stopped again: with another winner
    State.ARCHIVED: set(),
}


class Experiments(Room):
    """Create, save, start, stop and read experiments."""

    def create_experiment(self, definition: Definition, *, by: str, imported: bool = False) -> Experiment:
        """Keep a new experiment as version 1: a draft, or stopped where its decisions are to be imported.

        Raises
        ------
        Conflict
            There is an experiment of that key.
        """
        key, now = definition.key, self._clock()
        with self._database.writing() as connection:
            if connection.scalar(select(Heads.id).where(Heads.key == key)) is not None:
                raise Conflict(f"the experiment {key!r} exists.", hint="Choose another key.", code="exists")
            row = {"key": key, "version": 1, "imported": imported, "created": now}
            experiment_id = connection.execute(insert(Heads).returning(Heads.id), row).scalar_one()
            _write_version(
                connection,
                experiment_id,
                definition,
                time=now,
                by=by,
                version=1,
                phase=1,
                state=State.STOPPED if imported else State.DRAFT,
                winner=None,
                beaten=(),
                standards={},
            )
            write_audit(connection, now, by, "import" if imported else "create", key, {"version": 1})
            return _read(connection, key)

    def save_experiment(self, definition: Definition, *, based_on: int, by: str) -> Experiment:
        """Keep a changed definition as the next version, and as a new phase where it moves traffic (SEMANTICS §2).

        Raises
        ------
        NotFound
            There is no such experiment; its key cannot be changed.
        Conflict
            It is not at version ``based_on`` any more, or it is archived.
        Invalid
            It has started, and a field changed that is frozen since then.
        """
        with self._database.writing() as connection:
            old = _read(connection, definition.key)
            _require_base(old, based_on)
            if old.state is State.ARCHIVED:
                raise Conflict(f"the experiment {old.key!r} is archived.", hint="Copy it instead.")
            frozen = _frozen(connection, old, definition)
            if frozen:
                hint = "Copy the experiment instead."
                raise Invalid(f"{', '.join(frozen)}: cannot change after the start.", hint=hint, code="frozen")
            if old.winner is not None and old.winner not in {variant.key for variant in definition.variants}:
                raise Invalid(f"variants: {old.winner!r} is the winner and cannot be removed.")
            beaten = still_beaten(old, definition)
            phase = old.phase + (changes_phase(old.definition, definition) or beaten != old.beaten)
            standards = still_standard(old, definition)
            return self._next_version(
                connection, old, definition, by=by, action="save", phase=phase, beaten=beaten, standards=standards
            )

    def set_beaten(self, key: str, beaten: tuple[str, ...], *, based_on: int, by: str) -> Experiment:
        """Take variants out of the race, or back in, as the next version and a new phase: it moves traffic.

        Raises
        ------
        NotFound
            There is no such experiment.
        Conflict
            It is not at version ``based_on`` any more.
        Invalid
            ``beaten`` names no variant, or leaves none that is enabled.
        """
        with self._database.writing() as connection:
            old = _read(connection, key)
            _require_base(old, based_on)
            unknown = set(beaten) - set(old.variant_keys)
            if unknown:
                raise Invalid(f"beaten: must be variants of {key!r}, found {sorted(unknown)}.")
            if not any(variant.enabled and variant.key not in beaten for variant in old.definition.variants):
                raise Invalid(f"beaten: must leave an enabled variant of {key!r}, found {list(beaten)}.")
            return self._next_version(
                connection, old, old.definition, by=by, action="beaten", phase=old.phase + 1, beaten=beaten
            )

    def set_standards(
        self, key: str, standards: dict[str, tuple[float, float]], *, based_on: int, by: str
    ) -> Experiment:
        """Keep the centers and scales that numbers have from now on, as the next version and a new phase.

        Raises
        ------
        NotFound
            There is no such experiment.
        Conflict
            It is not at version ``based_on`` any more.
        Invalid
            They are of other numbers than those that the experiment declares with ``standardize``.
        """
        with self._database.writing() as connection:
            old = _read(connection, key)
            _require_base(old, based_on)
            try:
                Schema(old.definition.context, standards=standards)
            except InvalidInput as error:
                raise Invalid(f"standards: {error}.") from None
            return self._next_version(
                connection, old, old.definition, by=by, action="standards", phase=old.phase + 1, standards=standards
            )

    def set_state(
        self,
        key: str,
        state: State,
        *,
        by: str,
        winner: str | None = None,
        based_on: int | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Experiment:
        """Start, pause, stop or archive; ``winner`` is the variant to ship once stopped, ``detail`` goes to the audit.

        Raises
        ------
        NotFound
            There is no such experiment.
        Conflict
            The state does not follow from the present one, or the experiment is not at ``based_on`` any more.
        Invalid
            A winner without stopping, or one that is not a variant.
        """
        with self._database.writing() as connection:
            old = _read(connection, key)
            if based_on is not None:
                _require_base(old, based_on)
            _check_transition(old, state, winner)
            return self._next_version(
                connection,
                old,
                old.definition,
                by=by,
                action=state.value,
                detail=detail,
                state=state,
                winner=winner or old.winner,
            )

    def experiment(self, key: str) -> Experiment:
        """Read an experiment by its key (``NotFound``)."""
        with self._database.reading() as connection:
            return _read(connection, key)

    def experiment_by_id(self, experiment_id: int) -> Experiment:
        """Read an experiment by the store's number (``NotFound``)."""
        with self._database.reading() as connection:
            row = connection.execute(_in_force().where(Heads.id == experiment_id)).one_or_none()
            if row is None:
                raise NotFound(f"there is no experiment of number {experiment_id}.")
            return _experiment(row, _slots(connection, row.id))

    def experiments(self) -> list[Experiment]:
        """Read all experiments, the newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(_in_force().order_by(Heads.id.desc())).all()
            return [_experiment(row, _slots(connection, row.id)) for row in rows]

    def versions(self, key: str) -> list[ExperimentVersion]:
        """Read what was in force when, the oldest first (``NotFound``)."""
        with self._database.reading() as connection:
            present = _read(connection, key)
            slots = _slots(connection, present.id)
            rows = connection.execute(_history().where(Heads.id == present.id).order_by(Versions.version)).all()
        return [
            ExperimentVersion(
                version=row.version,
                phase=row.phase,
                state=State(row.state),
                time=row.time,
                by=row.by,
                experiment=_experiment(row, slots),
            )
            for row in rows
        ]

    def _next_version(
        self,
        connection: Connection,
        old: Experiment,
        definition: Definition,
        *,
        by: str,
        action: str,
        detail: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Experiment:
        """Put the next version in force."""
        before = {name: getattr(old, name) for name in ("phase", "state", "winner", "beaten", "standards")}
        facts: dict[str, Any] = before | changes
        version = old.version + 1
        connection.execute(update(Heads).where(Heads.id == old.id).values(version=version))
        now = self._clock()
        _write_version(connection, old.id, definition, time=now, by=by, version=version, **facts)
        told = {name: value for name, value in changes.items() if value not in (None, (), {})}
        write_audit(connection, now, by, action, old.key, {"version": version, **told, **(detail or {})})
        return _read(connection, old.key)


def _write_version(
    connection: Connection,
    experiment_id: int,
    definition: Definition,
    *,
    version: int,
    beaten: tuple[str, ...],
    standards: dict[str, tuple[float, float]],
    **facts: Any,
) -> None:
    """Keep what is in force from now on. ``facts``: phase, state, winner, time, by."""
    row = {"experiment_id": experiment_id, "version": version, "definition": to_json(definition)}
    learned = {
        "beaten": to_json(beaten) if beaten else None,
        "standards": to_json(standards) if standards else None,
    }
    connection.execute(insert(Versions), row | facts | learned)
    _add_variants(connection, experiment_id, definition, version)
    _add_metrics(connection, experiment_id, definition, version=version, draft=facts["state"] is State.DRAFT)


def _frozen(connection: Connection, old: Experiment, definition: Definition) -> list[str]:
    """Name what changes and may not; a metric that comes back is to be what it was when it was last counted."""
    if old.state is State.DRAFT:
        return []
    new = {metric.key for metric in definition.metrics} - {metric.key for metric in old.definition.metrics}
    earlier: dict[str, Metric] = {}
    for row in connection.execute(_history().where(Heads.id == old.id).order_by(Versions.version)) if new else ():
        if row.state != State.DRAFT:
            earlier |= {metric.key: metric for metric in msgspec.json.decode(row.definition, type=Definition).metrics}
    back = [metric for metric in definition.metrics if metric.key in new]
    return frozen_fields_changed(old.definition, definition) + frozen_metrics(earlier, back)


def _require_base(experiment: Experiment, based_on: int) -> None:
    if experiment.version != based_on:
        raise Conflict(
            f"{experiment.key!r} is at version {experiment.version}, and the change was based on {based_on}.",
            hint="Read it again and repeat the change.",
            code="stale",
        )


def _check_transition(experiment: Experiment, state: State, winner: str | None) -> None:
    if winner is not None and state is not State.STOPPED:
        raise Invalid(f"winner: only a stopped experiment has one, found {winner!r} with {state.value!r}.")
    if winner is not None and winner not in experiment.variant_keys:
        raise Invalid(f"winner: must be one of {', '.join(experiment.variant_keys)}, found {winner!r}.")
    again = state is experiment.state and winner is None
    if again or state not in TRANSITIONS[experiment.state]:
        following = " or ".join(sorted(TRANSITIONS[experiment.state] - {experiment.state})) or "nothing"
        raise Conflict(
            f"the experiment {experiment.key!r} is {experiment.state.value} and cannot become {state.value}.",
            hint=f"After {experiment.state.value} comes {following}.",
            code="wrong_state",
        )


def _history() -> AnySelect:
    columns = (
        Heads.id,
        Heads.key,
        Heads.imported,
        Heads.created,
        Versions.version,
        Versions.phase,
        Versions.state,
        Versions.winner,
        Versions.time,
        Versions.by,
        Versions.definition,
        Versions.beaten,
        Versions.standards,
    )
    return select(*columns).join(Versions, Versions.experiment_id == Heads.id)


def _in_force() -> AnySelect:
    return _history().where(Versions.version == Heads.version)


def _read(connection: Connection, key: str) -> Experiment:
    row = connection.execute(_in_force().where(Heads.key == key)).one_or_none()
    if row is None:
        raise NotFound(f"there is no experiment {key!r}.", hint="landit experiment list shows them all.")
    return _experiment(row, _slots(connection, row.id))


def _slots(connection: Connection, experiment_id: int) -> dict[str, int]:
    rows = connection.execute(select(Variants.key, Variants.slot).where(Variants.experiment_id == experiment_id))
    return {row.key: row.slot for row in rows}


def _experiment(row: AnyRow, slots: dict[str, int]) -> Experiment:
    definition = msgspec.json.decode(row.definition, type=Definition)
    return Experiment(
        id=row.id,
        definition=definition,
        slots=tuple(slots[variant.key] for variant in definition.variants),
        version=row.version,
        phase=row.phase,
        state=State(row.state),
        winner=row.winner,
        created=row.created,
        updated=row.time,
        imported=row.imported,
        beaten=() if row.beaten is None else tuple(from_json(row.beaten)),
        standards={} if row.standards is None else {name: (c, s) for name, (c, s) in from_json(row.standards).items()},
    )


def _add_variants(connection: Connection, experiment_id: int, definition: Definition, version: int) -> None:
    """Give each new variant the next slot; one that comes back has its own again."""
    known = _slots(connection, experiment_id)
    new = [variant.key for variant in definition.variants if variant.key not in known]
    rows = [
        {"experiment_id": experiment_id, "slot": slot, "key": key, "since_version": version}
        for slot, key in enumerate(new, start=len(known))
    ]
    if rows:
        connection.execute(insert(Variants), rows)


def _add_metrics(
    connection: Connection, experiment_id: int, definition: Definition, *, version: int, draft: bool
) -> None:
    """Give each new metric the next number; its kind stays once there can be rows of it."""
    of_experiment = Metrics.experiment_id == experiment_id
    known = {row.key: row.kind for row in connection.execute(select(Metrics.key, Metrics.kind).where(of_experiment))}
    for metric in definition.metrics:
        kind = known.get(metric.key, metric.kind)
        if kind != metric.kind and not draft:
            raise wrong(
                f"metrics.{metric.key}.kind", f"must be {kind} as before", metric.kind.value, hint="Take another key."
            )
        if kind != metric.kind:
            connection.execute(update(Metrics).where(of_experiment, Metrics.key == metric.key).values(kind=metric.kind))
    new = [metric for metric in definition.metrics if metric.key not in known]
    rows = [
        {"experiment_id": experiment_id, "number": number, "key": metric.key, "kind": metric.kind}
        for number, metric in enumerate(new, start=len(known))
    ]
    if rows:
        connection.execute(insert(Metrics), [row | {"since_version": version} for row in rows])
