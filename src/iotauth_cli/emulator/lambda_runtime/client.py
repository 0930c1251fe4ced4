"""The Lambda runtime inside the child process: fetch an event, call the handler, post what it returned.

This file runs alone, under whichever interpreter the function asks for, so it imports the standard
library only, nothing of iotauth, and keeps to syntax that Python 3.9 reads. A function finds here what it
finds in AWS: its own code, the standard library and the AWS SDK, and nothing else; a package that was not
bundled is missing here too. What is said when something fails is, word for word, what AWS's own runtime
(awslambdaric) says; recorded answers of that runtime are replayed in the tests.

The process ends itself when the emulator goes away, however abruptly: see `die_with_the_emulator`. It reaches
nothing but this machine: see `loopback`, and `aws_sdk` for how an SDK finds the emulator.
"""

from __future__ import annotations

import contextlib
import decimal
import importlib
import json
import logging
import os
import signal
import site
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType, TracebackType
from typing import Any

Handler = Callable[[Any, Any], Any]
ErrorResult = dict[str, Any]

API = "/2018-06-01/runtime"
LINE_BREAK = "\r"  # holds the lines of one log event together; "\n" ends the event
INDENT = "\u00a0"  # CloudWatch would strip ordinary leading spaces
LOG_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"


class Fault(Exception):
    """Something between the runtime and the handler is wrong; *kind* is Lambda's error type."""

    def __init__(self, kind: str, message: str, trace: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace


class EmulatorGone(Exception):
    """The other end of the Runtime API was closed."""


class Connection:
    """One kept-alive connection to the Runtime API.

    Not http.client: importing it costs a third of a cold start and its header parser a third of a
    warm call. The peer is always the emulator, which sends a Content-Length with every response.
    """

    def __init__(self, address: str) -> None:
        host, port = address.rsplit(":", 1)
        self._host = address
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def request(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> tuple[Mapping[str, str], bytes]:
        """Send one request and wait, however long it takes, for its response: headers and body."""
        head = (
            f"{method} {API}{path} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            self._socket.sendall(head.encode("ascii") + body)
            return self._response()
        except OSError as error:
            raise EmulatorGone from error

    def _response(self) -> tuple[Mapping[str, str], bytes]:
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        headers = {}
        for line in head.decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers["content-length"])
        while len(self._buffer) < length:
            self._receive()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return headers, body

    def _receive(self) -> None:
        received = self._socket.recv(65536)
        if not received:
            raise EmulatorGone
        self._buffer += received


class CognitoIdentity:
    """Who called through Amazon Cognito: nobody, when AWS IoT calls."""

    cognito_identity_id = None
    cognito_identity_pool_id = None

    def __repr__(self) -> str:
        return "CognitoIdentity([cognito_identity_id=None,cognito_identity_pool_id=None])"


class LambdaContext:
    """The second argument of a handler. Attributes: AWS Lambda developer guide, "Python context object"."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers["lambda-runtime-invoked-function-arn"]
        self.tenant_id = None
        self.client_context = None
        self.identity = CognitoIdentity()
        self._deadline_ms = int(headers["lambda-runtime-deadline-ms"])

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message: object) -> None:
        sys.stdout.write(str(message))

    def __repr__(self) -> str:
        shown = [f"{name}={value}" for name, value in vars(self).items() if not name.startswith("_")]
        return f"LambdaContext([{','.join(shown)}])"


class RequestIdFilter(logging.Filter):
    """Gives every log record the id of the invocation it was written in."""

    request_id = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = self.request_id
        return True


class StdoutHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        sys.stdout.write(self.format(record))


def find_handler(name: str) -> Handler:
    """Import what ``package/module.function`` names.

    Raises:
        Fault: it cannot be found or imported. Whatever else the module raises passes through.
    """
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise Fault(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)",
        )
    module = import_module(module_name)
    try:
        handler: Handler = getattr(module, function_name)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'") from None
    return handler


def import_module(name: str) -> ModuleType:
    if name.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {name} as a handler module")
    try:
        return importlib.import_module(name.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{name}': {error}") from error
    except SyntaxError as error:
        trace = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{name}': {error}", [trace]) from error


def unmarshal(body: bytes) -> Any:
    try:
        return json.loads(body)
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error


def marshal(result: object) -> tuple[bytes, str]:
    """Return a handler's result as bytes with their content type; bytes pass as they are."""
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return to_json(result), "application/json"
    except Exception as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def to_json(value: object) -> bytes:
    # "replace": a lone surrogate is legal in a Python text and JSON escape, not in UTF-8.
    return json.dumps(value, default=plain, ensure_ascii=ASCII_ONLY).encode("utf-8", "replace")


def plain(value: object) -> object:
    """Turn what AWS's encoder takes beyond json's own types: numbers of boto3's tables, and bytes."""
    if isinstance(value, decimal.Decimal):
        whole = value.is_finite() and value == value.to_integral_value()
        return int(value) if whole else float("nan" if value.is_nan() else value)
    if isinstance(value, bytes):
        return value.decode("utf-8")
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


# AWS's encoder writes UTF-8 from Python 3.12 on and escapes before it.
ASCII_ONLY = os.environ.get("AWS_EXECUTION_ENV", "") in {f"AWS_Lambda_python3.{minor}" for minor in range(12)}


def describe(error: BaseException) -> ErrorResult:
    """Return what failed in the members that Lambda gives an error, the request id still empty."""
    if isinstance(error, Fault):
        return error_result(error.message, error.kind, error.trace)
    return error_result(str(error), type(error).__name__, stack_of(error.__traceback__))


def error_result(message: str, kind: str, trace: Sequence[str]) -> ErrorResult:
    return {"errorMessage": message, "errorType": kind, "requestId": "", "stackTrace": list(trace)}


def stack_of(trace: TracebackType | None) -> list[str]:
    """Format the frames from the user's first one on: what lies above is this file."""
    frames = [(frame.filename, frame.lineno, frame.name, frame.line) for frame in traceback.extract_tb(trace)]
    users = next((index for index, frame in enumerate(frames) if frame[0] != __file__), 0)
    return traceback.format_list(frames[users:])  # type: ignore[arg-type]  # tuples print without markers


def log_error(result: ErrorResult) -> None:
    """Write *result* as one log event, in the layout of AWS's runtime."""
    title = ": ".join(part for part in (result["errorType"], result["errorMessage"]) if part)
    lines = [f"[ERROR] {title}", "Traceback (most recent call last):"]
    for entry in result["stackTrace"]:
        lines += [indent(line) for line in entry.splitlines()] or [""]
    sys.stdout.write(LINE_BREAK.join(lines) + "\n")


def indent(line: str) -> str:
    text = line.lstrip(" ")
    return INDENT * (len(line) - len(text)) + text


def set_up_logging() -> RequestIdFilter:
    """Give the root logger Lambda's handler, so that ``logging.basicConfig`` in a function does nothing."""
    logging.Formatter.converter = time.gmtime
    handler = StdoutHandler()
    handler.setFormatter(logging.Formatter(LOG_FORMAT, "%Y-%m-%dT%H:%M:%S"))
    request_ids = RequestIdFilter()
    handler.addFilter(request_ids)
    logging.getLogger().addHandler(handler)
    return request_ids


def load_beside(name: str) -> Any:
    """Import the file *name* beside this one and keep it to ourselves: a function may have a module of that name."""
    module = importlib.import_module(name)
    del sys.modules[name]
    return module


def set_up_path(task_root: str, sdk_directory: str) -> None:
    """Let imports see the function's code, then PYTHONPATH, the standard library and last the AWS SDK."""
    load_beside("loopback").stay()
    load_beside("aws_sdk").install(sdk_directory)
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [task_root] + [entry for entry in sys.path if entry != here]
    site.setquit()  # -S leaves out exit() and quit(), which functions do call


def die_with_the_emulator() -> None:
    """Kill this process group as soon as the emulator is gone, whatever the handler is doing.

    Standard input is a pipe whose other end only the emulator holds; the kernel closes it also after
    kill -9. A handler that sleeps or loops would otherwise outlive the emulator unseen.
    """
    lifeline = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)

    def wait() -> None:
        os.read(lifeline, 1)
        os.killpg(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def load(connection: Connection, name: str) -> Handler:
    """Return the handler called *name*; failing, report it and end the process."""
    try:
        return find_handler(name)
    except Exception as error:
        result = describe(error)
        log_error(result)
        flush()
        connection.request("POST", "/init/error", to_json(result))
        sys.exit(1)


def serve(connection: Connection, handler: Handler, request_ids: RequestIdFilter) -> None:
    """Answer events, one after the other, until the emulator goes away."""
    while True:
        headers, body = connection.request("GET", "/invocation/next")
        request_id = request_ids.request_id = headers["lambda-runtime-aws-request-id"]
        try:
            answer, content_type = marshal(handler(unmarshal(body), LambdaContext(headers)))
            verdict = "response"
        except Exception as error:
            result = {**describe(error), "requestId": request_id}
            log_error(result)
            answer, content_type, verdict = to_json(result), "application/json", "error"
        flush()
        connection.request("POST", f"/invocation/{request_id}/{verdict}", answer, content_type)


def flush() -> None:
    """Push out what was printed before the answer is, so that it lands in this invocation's log."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a function may have put anything in their place
            stream.flush()


def main() -> None:
    sdk_directory = sys.argv.pop()
    die_with_the_emulator()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    set_up_path(os.environ["LAMBDA_TASK_ROOT"], sdk_directory)
    request_ids = set_up_logging()
    try:
        connection = Connection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        serve(connection, load(connection, os.environ["_HANDLER"]), request_ids)
    except EmulatorGone:
        sys.exit(1)


if __name__ == "__main__":
    main()
