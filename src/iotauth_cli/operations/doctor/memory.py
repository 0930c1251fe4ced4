"""A session that asks each question once, whoever asks and however many do so at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from iotauth_authorizer.aws_credentials import Credentials
from iotauth_cli.aws.session import Session

READS = ("describe_", "get_", "list_")
ATTEMPTS = 2  # where nobody answers, the reason is to be told within the time limit
AT_ONCE = 8  # calls; boto3's clients have ten connections each, and AWS IoT takes ten calls a second


class Once:
    """Answers by question. Whoever comes while one is being asked waits for its answer, or its error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Hashable, Future[Any]] = {}

    def __call__(self, key: Hashable, question: Callable[[], Any]) -> Any:
        with self._lock:
            is_new = key not in self._answers
            answer = self._answers.setdefault(key, Future())
        if is_new:
            try:
                answer.set_result(question())
            except BaseException as problem:
                answer.set_exception(problem)
        return answer.result()


@dataclass(frozen=True)
class Remembering(Session):
    """Reads of *inner*, remembered. Whatever changes something is refused: an examination changes nothing."""

    inner: Session | None = None
    once: Once = field(default_factory=Once, compare=False)
    making: threading.Lock = field(default_factory=threading.Lock, compare=False)
    turns: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE), compare=False)

    @classmethod
    def of(cls, session: Session) -> Remembering:
        """Return one that tries as often as somebody waits who wants to know what is wrong: twice."""
        inner = replace(session, attempts=ATTEMPTS)
        inner._clients.update(session._clients)
        return cls(inner.target, inner.sleep, inner, callers=inner.callers, ask=inner.ask)

    def close_but(self, session: Session) -> None:
        """Close every connection that is not *session*'s too."""
        assert self.inner is not None
        for name, client in list(self.inner._clients.items()):
            if session._clients.get(name) is not client:
                client.close()

    def keys(self) -> Credentials:
        assert self.inner is not None
        with self.making:
            return self.inner.keys()

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        assert operation.startswith(READS), f"{service}:{operation} changes something"

        def ask() -> dict[str, Any]:
            with self.turns:
                return self._asked(service).call(service, operation, **parameters)

        answer: dict[str, Any] = self.once((service, operation, *sorted(parameters.items())), ask)
        return answer

    def pages(self, service: str, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        def ask() -> list[dict[str, Any]]:
            with self.turns:
                return list(self._asked(service).pages(service, operation, **parameters))

        yield from self.once(("pages", service, operation, *sorted(parameters.items())), ask)

    def client(self, service: str) -> Any:
        return self._asked(service).client(service)

    def _asked(self, service: str) -> Session:
        """Return who asks, with the client of *service* made: boto3 makes one at a time, or breaks."""
        assert self.inner is not None
        with self.making:
            self.inner.client(service)
        return self.inner
