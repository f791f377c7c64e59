"""What people and keys may be called, and which origins a key may have: the same by page and by command line."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from experiments.errors import Invalid

LONGEST_EMAIL = 254
LONGEST_NAME = 100


def email(text: str) -> str:
    """Return an address as it is kept: without space around it, in small letters.

    Raises
    ------
    Invalid
        It does not look like one.

    >>> email(" Ann@Example.com ")
    'ann@example.com'
    """
    address = text.strip().lower()
    name, at, host = address.partition("@")
    if not (name and at and host) or len(address) > LONGEST_EMAIL or not address.isprintable() or " " in address:
        raise Invalid(f"An address looks like ann@example.com, found {text[:80]!r}.")
    return address


def key_name(text: str) -> str:
    """Return the name of a key without space around it.

    Raises
    ------
    Invalid
        It is empty, too long, or holds what cannot be shown.
    """
    name = text.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise Invalid(f"A name has 1 to {LONGEST_NAME} characters that can be shown, found {text[:80]!r}.")
    return name


def origins(texts: Iterable[str]) -> list[str]:
    """Return the origins of a key as browsers send them.

    Raises
    ------
    Invalid
        One of them is no origin.
    """
    found = list(texts)
    for origin in found:
        try:
            parts = urlsplit(origin)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query or parts.fragment:
            raise Invalid(f"An origin looks like https://www.example.com, found {origin[:80]!r}.")
    return found
