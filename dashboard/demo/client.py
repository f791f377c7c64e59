"""The API as a site calls it: one kept-alive connection, standard library only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from experiments.errors import LanditError

TIMEOUT_SECONDS = 10.0


class RequestError(LanditError):
    """The server answered with an error; the message holds its status and body, ``code`` is ``http_STATUS``."""


class Client:
    """Calls ``POST /choose`` and ``POST /reward`` of one server. Not for several threads at once."""

    def __init__(self, url: str, key: str) -> None:
        address = urlsplit(url)
        self._connection = HTTPConnection(address.hostname or "127.0.0.1", address.port or 80, timeout=TIMEOUT_SECONDS)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def choose(self, experiment: str, *, unit: str, context: Mapping[str, str]) -> dict[str, Any]:
        """The answer to a visitor of whom this is the first decision."""
        return self._post("/choose", {"experiment": experiment, "unit": unit, "context": dict(context)})

    def reward(self, decision: str, *, metric: str, value: float = 1.0) -> dict[str, Any]:
        """Send a reward for the decision of that token."""
        return self._post("/reward", {"decision": decision, "metric": metric, "value": value})

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request; a connection that the server has closed meanwhile is opened anew by the next call.

        Raises
        ------
        RequestError
            The answer is not a success.
        OSError
            There is no answer.
        """
        try:
            self._connection.request("POST", path, body=json.dumps(body), headers=self._headers)
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise ConnectionError(f"no answer from {path}: {error!r}") from error
        if not 200 <= response.status < 300:
            raise RequestError(
                f"{path} answered {response.status}: {text[:300].decode(errors='replace')}",
                code=f"http_{response.status}",
            )
        answer: dict[str, Any] = json.loads(text)
        return answer
