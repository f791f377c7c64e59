"""What all tables share: types of columns, and the names of constraints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import BigInteger, Dialect, ForeignKey, Integer, LargeBinary, MetaData, String, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine


class Id128(TypeDecorator[str]):
    """128 bits, 32 hex digits in Python: ``uuid`` on PostgreSQL, 16 bytes on SQLite. Both sort as the digits do."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type of the dialect."""
        return dialect.type_descriptor(postgresql.UUID() if dialect.name == "postgresql" else LargeBinary(16))

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], Any] | None:
        """Turn hex digits into what the driver takes, in one call a value: shipping binds millions."""
        return None if dialect.name == "postgresql" else _to_bytes

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], str | None]:  # noqa: ARG002
        """Turn what the driver gives into hex digits."""
        return _digits if dialect.name == "postgresql" else _to_hex


def _to_bytes(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def _to_hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _digits(value: UUID | None) -> str | None:
    return None if value is None else value.hex


class Base(DeclarativeBase):
    """What all tables share: named constraints, so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


Micros = Annotated[int, mapped_column(BigInteger)]
Hex = Annotated[str, mapped_column(Id128)]
Name = Annotated[str, mapped_column(String(64))]
Json = Annotated[str, mapped_column(Text)]
"""JSON as text: its bytes come back as they went in, on both databases."""
Floats = Annotated[bytes, mapped_column(LargeBinary)]
"""A vector of little-endian float64: exact, and without a parser."""
Serial = Annotated[int, mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)]
ExperimentId = Annotated[int, mapped_column(Integer, primary_key=True, autoincrement=False)]
ExperimentRef = Annotated[
    int, mapped_column(Integer, ForeignKey("experiments.id"), primary_key=True, autoincrement=False)
]
Number = Annotated[int, mapped_column(Integer, primary_key=True, autoincrement=False)]
