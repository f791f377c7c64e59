"""The family of errors. Each says what was wrong, with the value found, and what to do next.

    LanditError
    ├── Invalid               a field, a file or a definition is wrong                422
    │   └── NotJSON           the body is not JSON at all                             400
    ├── Unauthorized          no key, or one that is unknown or revoked               401
    ├── Forbidden             the key or role may not do this                         403
    ├── NotFound              no such experiment, decision, variant, user...          404
    ├── Conflict              somebody else changed it first; a wrong state           409
    ├── TooLarge              a body or a field above its limit                       413
    ├── Unavailable           it cannot be made durable, or nothing is published      503
    ├── StoreError            the database cannot be used (URL, schema, secret)       503
    └── CannotEstimate        the log does not support what is asked of it            422

``dashboard/errors.py`` turns them into HTTP, ``experiments/cli/experiments.py`` into one line and exit code 1.
"""

from __future__ import annotations


class LanditError(Exception):
    """Something that a person can put right.

    Parameters
    ----------
    message
        What was wrong, with the value found. One sentence.
    hint
        What to do next. One sentence, or empty where there is nothing to do.
    code
        Overrides the class's ``code`` where a caller can act on a finer one.
    """

    status = 500
    code = "error"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class Invalid(LanditError):
    """A field, a file or a definition is wrong."""

    status, code = 422, "invalid"


class NotJSON(Invalid):
    """The body is not JSON."""

    status, code = 400, "not_json"


class Unauthorized(LanditError):
    """There is no key, or it is unknown or revoked."""

    status, code = 401, "unauthorized"


class Forbidden(LanditError):
    """The key or the role may not do this."""

    status, code = 403, "forbidden"


class NotFound(LanditError):
    """There is no such thing."""

    status, code = 404, "not_found"


class Conflict(LanditError):
    """It was changed by somebody else first, or its state does not allow this."""

    status, code = 409, "conflict"


class TooLarge(LanditError):
    """A body or a field is above its limit."""

    status, code = 413, "too_large"


class Unavailable(LanditError):
    """It cannot be made durable now, or nothing is published yet; the caller may try again."""

    status, code = 503, "unavailable"


class StoreError(LanditError):
    """The database cannot be used: its URL, its schema or the secret that belongs to it."""

    status, code = 503, "store"


class CannotEstimate(LanditError):
    """The log does not support what is asked of it."""

    status, code = 422, "cannot_estimate"


def wrong(path: str, condition: str, found: object, *, hint: str = "") -> Invalid:
    """The error of a field: its path, what it must be, and what was found there, cut to a line.

    >>> print(wrong("traffic", "must be at most 1", 2))
    traffic: must be at most 1, found 2.
    """
    text = repr(found)
    return Invalid(f"{path}: {condition}, found {text if len(text) <= 80 else text[:77] + '...'}.", hint=hint)
