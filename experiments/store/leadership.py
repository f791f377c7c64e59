"""Leadership: one keeper at a time, by a lease whose epoch every step of the leader carries."""

from __future__ import annotations

from sqlalchemy import BigInteger, Connection, cast, func, insert, select, update

from experiments.errors import Conflict
from experiments.model import Micros
from experiments.store.engine import AnySelect, Room
from experiments.tables import Leases

_KEEPER = "keeper"


class Leadership(Room):
    """Who leads. PostgreSQL judges by its own clock, SQLite by the host's: there is only one host."""

    def lease(self, holder: str, *, seconds: float) -> int | None:
        """Take or renew the leadership.

        Parameters
        ----------
        holder
            A name that no other keeper has.
        seconds
            How long it lasts unless it is renewed.

        Returns
        -------
        int or None
            The epoch, which rises whenever the leadership passes on; None while another holds it.
        """
        with self._database.writing() as connection:
            now = self._now(connection)
            expires = now + int(seconds * 1_000_000)
            lease = connection.execute(_locked()).one_or_none()
            if lease is None:
                row = {"name": _KEEPER, "holder": holder, "epoch": 1, "expires": expires}
                connection.execute(insert(Leases), row)
                return 1
            if lease.holder not in (holder, None) and lease.expires > now:
                return None
            epoch: int = lease.epoch + (lease.holder != holder)
            values = {"holder": holder, "epoch": epoch, "expires": expires}
            connection.execute(update(Leases).where(Leases.name == _KEEPER).values(values))
            return epoch

    def release(self, holder: str) -> None:
        """Give the leadership up, if it is held, so that another need not wait for its end."""
        held = (Leases.name == _KEEPER, Leases.holder == holder)
        with self._database.writing() as connection:
            connection.execute(update(Leases).where(*held).values(holder=None, expires=0))

    def _now(self, connection: Connection) -> Micros:
        if self._database.is_sqlite:
            return self._clock()
        micros = cast(func.extract("epoch", func.now()) * 1_000_000, BigInteger)
        return connection.execute(select(micros)).scalar_one()


def require_epoch(connection: Connection, epoch: int) -> None:
    """Lock the lease for this transaction, and refuse a leader of the past (``Conflict``)."""
    lease = connection.execute(_locked()).one_or_none()
    if lease is None or lease.epoch != epoch:
        found = "none" if lease is None else lease.epoch
        raise Conflict(f"the leadership has passed on: epoch {found}, this step has {epoch}.", code="epoch")


def _locked() -> AnySelect:
    return select(Leases.holder, Leases.epoch, Leases.expires).where(Leases.name == _KEEPER).with_for_update()
