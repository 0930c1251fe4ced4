"""The way of one client, or of one HTTP request, through the gateway's checks, as the log shows it."""

from __future__ import annotations

import time
from typing import NoReturn

from iotauth_cli.emulator.attempts import Attempt, Step


class Refused(Exception):
    """A check said no: which one, and the sentence for whoever reads the log."""

    def __init__(self, check: str, sentence: str) -> None:
        super().__init__(sentence)
        self.check = check
        self.sentence = sentence


class Trail:
    """The steps so far. *authorizer*, *request_id* and *principal_id* are filled in once they are known."""

    def __init__(self, peer: str, connection_id: str) -> None:
        self.connection_id = connection_id
        self.authorizer: str | None = None
        self.request_id: str | None = None
        self.principal_id: str | None = None
        self._peer = peer
        self._steps: list[Step] = []
        self._began = time.perf_counter()

    def passed(self, check: str, sentence: str) -> None:
        self._steps.append(Step(check, True, sentence))

    def failed(self, check: str, sentence: str) -> None:
        self._steps.append(Step(check, False, sentence))

    def refuse(self, check: str, sentence: str, cause: Exception | None = None) -> NoReturn:
        self.failed(check, sentence)
        raise Refused(check, sentence) from cause

    def attempt(self, outcome: str, client_id: str | None = None) -> Attempt:
        """Return the line for the log. What decided is the last step, passed or not."""
        return Attempt(
            outcome=outcome,
            decided_by=self._steps[-1].check,
            sentence=self._steps[-1].sentence,
            client_id=client_id,
            authorizer=self.authorizer,
            peer=self._peer,
            connection_id=self.connection_id,
            function_called=self.request_id is not None,
            request_id=self.request_id,
            duration_ms=(time.perf_counter() - self._began) * 1000,
            steps=tuple(self._steps),
        )
