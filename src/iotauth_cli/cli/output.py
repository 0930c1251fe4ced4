"""The only voice: stdout carries results, stderr carries talk.

Nothing else in iotauth prints. A command builds its `Output` from the flags and hands it
finished values; whether they become text, a table or JSON is decided here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from iotauth_cli.errors import InputError, IotauthError
from iotauth_cli.secret import Secret, discreet

if TYPE_CHECKING:
    from iotauth_cli.cli.progress import Progress

Row = Sequence[str]
STDOUT_GONE = 3  # whoever read our results went away: the outside world failed
CLEARED = "\r\x1b[K"  # back to the line's beginning, and nothing on it
UNWRITABLE = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG)


def write_line(text: str, stream: TextIO | None = None, end: str = "\n") -> None:
    print(text, file=stream or sys.stdout, end=end)


# Control characters, those that turn the direction of writing, and halves of a character, which are how bytes that are
# no UTF-8 come in and cannot be written. Client ids, topics and rows come from elsewhere, and a terminal obeys.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """Spell out what would steer the terminal: ESC becomes `\\x1b`."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def as_text(document: Any, indent: int | None = 2) -> str:
    """Return *document* as JSON that is safe to look at: JSON itself escapes only the lower controls."""
    import json

    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class Printed(NamedTuple):
    """What of a long table was printed: how many rows, and the last one's document."""

    rows: int = 0
    last: Any = None


class Output(NamedTuple):
    """How to speak, as the flags say. A named tuple, because a dataclass takes a millisecond to make."""

    as_json: bool = False
    quiet: bool = False
    assume_yes: bool = False
    may_ask: bool = True

    def say(self, *lines: str) -> None:
        """Tell the person what happens. Goes to stderr, so that pipes stay clean."""
        if not self.quiet:
            sys.stdout.flush()
            for line in lines:
                write_line(emphasise(line, sys.stderr), sys.stderr)

    def warn(self, line: str) -> None:
        """Tell what must not be overlooked, ``--quiet`` or not. Goes to stderr."""
        sys.stdout.flush()
        write_line(emphasise(line, sys.stderr), sys.stderr)

    def result(self, document: Any, text: str | Sequence[str] = ()) -> None:
        """Print the result of a command: *document* under ``--json``, else *text*."""
        if self.as_json:
            write_line(as_text(document))
            return
        for line in [text] if isinstance(text, str) else text:
            write_line(emphasise(line, sys.stdout))

    def raw(self, content: bytes) -> None:
        """Print a file as it is: what a pipe is to pass on unchanged.

        Raises:
            InputError: it is no text, and a terminal would show it.
        """
        if b"\0" in content and sys.stdout.isatty():
            raise InputError("a terminal cannot show this file", hint="send it to a file: `… > FILE`")
        sys.stdout.flush()
        if hasattr(sys.stdout, "buffer"):
            sys.stdout.buffer.write(content)
        else:  # a test's
            sys.stdout.write(content.decode())

    def show(self, *lines: str) -> None:
        """Print a part of the result as soon as it is known. Under ``--json`` the document comes at the end."""
        if not self.as_json:
            for line in lines:
                write_line(emphasise(line, sys.stdout))
            sys.stdout.flush()

    def stream(self, document: Any, line: str, *below: str) -> None:
        """Print one of results that have no end, at once; under ``--json`` each is a document on a line of its own.

        *below* are lines of somebody else's, in which backticks are backticks.
        """
        if self.as_json:
            write_line(as_text(document, indent=None))
        else:
            write_line("\n".join([emphasise(line, sys.stdout), *map(harmless, below)]))
        sys.stdout.flush()

    def payload(self, content: bytes) -> None:
        """Print bytes of somebody else's at once: unchanged into a pipe or a file, harmless at a terminal."""
        if sys.stdout.isatty():
            write_line(harmless(content.decode(errors="backslashreplace")), end="")
            sys.stdout.flush()
        else:
            self.raw(content)
            getattr(sys.stdout, "buffer", sys.stdout).flush()

    def waiting(self, text: str = "") -> None:
        """Name what is being waited for, on a line that the next one replaces; nothing unless stderr is a terminal."""
        if not self.quiet and sys.stderr.isatty():
            sys.stderr.write(f"{CLEARED}{emphasise(text, sys.stderr)}")
            sys.stderr.flush()

    def progress(self, doing: str, *, unit: str, total: int | None = None) -> AbstractContextManager[Progress]:
        """Show on stderr how far long work has come: a bar at a terminal, a line every ten seconds elsewhere.

        ``with output.progress("importing", unit="clients", total=n) as progress: progress.advance(25)``
        """
        from iotauth_cli.cli.progress import progress

        return progress(doing, unit, total, silent=self.quiet or self.as_json, write=self.say)

    def table(self, document: Any, columns: Row, rows: Sequence[Row], *, empty: str) -> None:
        """Print *rows* under *columns*; *empty* is said on stderr when there are none."""
        if self.as_json:
            self.result(document)
        elif not rows:
            self.say(empty)
        else:
            for line in fitted(columns, [[harmless(cell) for cell in row] for row in rows], terminal_width()):
                write_line(line)

    def long_table(
        self, columns: Row, rows: Iterable[tuple[Any, Row]], *, within: tuple[str, Callable[[], Any]] | None = None
    ) -> Printed:
        """Print *rows*, each with its document, as they come: any number of them takes the same memory.

        Under ``--json`` they are an array with a line for each, which is complete only if nothing failed.
        *within* is a name for the array, and what gives the other members of its object when all rows are known.
        """
        from iotauth_cli.cli.layout import Layout, parts

        printed, layout = Printed(), None
        opening = "[" if within is None else f'{{"{within[0]}": ['
        for part in parts(rows):
            cells = [[harmless(cell) for cell in row] for _, row in part]
            if self.as_json:
                lines = ",\n".join(as_text(document, indent=None) for document, _ in part)
                write_line(f"{opening}\n{lines}" if not printed.rows else f",\n{lines}", end="")
            else:
                layout = layout or Layout.of(columns, cells, terminal_width())
                write_line(layout.text(cells, is_first=not printed.rows))
            printed = Printed(printed.rows + len(part), part[-1][0])
        if self.as_json:
            closing = "]" if within is None else f"], {as_text(within[1](), indent=None)[1:]}"
            write_line(f"\n{closing}" if printed.rows else opening + closing)
        return printed

    def facts(self, document: Any, facts: Sequence[tuple[str, str]]) -> None:
        """Print what is known about one thing: *document* under ``--json``, else a line for each fact."""
        width = max((len(name) for name, _ in facts), default=0)
        # A fact of several lines carries its name once.
        before = ["", *(name for name, _ in facts)]
        labels = ["" if name == last else name for (name, _), last in zip(facts, before, strict=False)]
        self.result(document, [f"{label:<{width}}  {fact}" for label, (_, fact) in zip(labels, facts, strict=True)])

    def read_password(self, what: str = "password") -> Secret:
        """Read a password, or *what* else is secret, from stdin, without `echo`'s line end; hidden at a terminal.

        Raises:
            InputError: nobody is there to type one, or it is not UTF-8.
        """
        if sys.stdin.isatty():
            if not self.may_ask:
                raise InputError(f"a {what} was expected on stdin", hint=f"pipe it in: `… --{what}-stdin < file`")
            import getpass

            return Secret(getpass.getpass(f"{what}: ", stream=sys.stderr))
        try:
            return Secret(re.sub(r"\r?\n\Z", "", sys.stdin.read()))
        except UnicodeDecodeError:
            # `from None`: the cause quotes what was read.
            raise InputError(f"the {what} on stdin is not UTF-8 text") from None

    def read_code(self, question: str) -> str:
        """Ask at the terminal for a code, which is not shown. Whether anybody is there says `may_wait`."""
        import getpass

        try:
            return getpass.getpass(harmless(question), stream=sys.stderr)
        except EOFError:
            return ""

    def read_bytes(self, limit: int) -> bytes:
        """Read stdin as it is, to its end or to *limit* bytes: it may have no end."""
        return sys.stdin.buffer.read(limit)

    def confirm(self, question: str) -> bool:
        """Ask before something is lost. Without a terminal only ``--yes`` means yes."""
        if self.assume_yes:
            return True
        if not (self.may_ask and sys.stdin.isatty()):
            raise InputError("this needs a yes and there is nobody to ask", hint="add `--yes` to go ahead")
        sys.stderr.write(f"{harmless(question)} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def choose(self, question: str, choices: Sequence[str]) -> int | None:
        """Ask which of *choices* is meant; return its place, or None where nobody can be asked or gave an answer."""
        if not self.may_wait:
            return None
        lines = [question, *(f"  {number}  {choice}" for number, choice in enumerate(choices, 1)), "number: "]
        sys.stderr.write(harmless("\n".join(lines)))
        sys.stderr.flush()
        answer = sys.stdin.readline().strip()
        return int(answer) - 1 if answer.isdecimal() and 1 <= int(answer) <= len(choices) else None

    @property
    def may_wait(self) -> bool:
        """Whether somebody sits there who can answer, or do something that we wait for."""
        return self.may_ask and sys.stdin.isatty()


def terminal_width() -> int:
    """Return how wide stdout's lines may be; without a terminal there is no limit, unless COLUMNS sets one."""
    return shutil.get_terminal_size(fallback=(sys.maxsize, 24)).columns


def fitted(columns: Row, rows: Sequence[Row], width: int) -> list[str]:
    """Lay out a table of at least one row for a terminal of *width* columns."""
    from iotauth_cli.cli.layout import Layout

    return Layout.of(columns, rows, width).text(rows, is_first=True).split("\n")


def aligned(columns: Row, rows: Sequence[Row]) -> list[str]:
    """Lay out a table in plain text, two spaces between columns, nothing cut off."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [columns, *rows]
    ]


def emphasise(text: str, stream: TextIO) -> str:
    """Make *text* harmless, and bold what stands in backticks where *stream* is a terminal that wants colour."""
    text = harmless(text)
    if "`" not in text or not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return text
    return "".join(f"\x1b[1m{part}\x1b[22m" if index % 2 else part for index, part in enumerate(parts))


def show_error(problem: IotauthError, *, as_json: bool, debug: bool) -> None:
    """Say what is wrong and what to do; under ``--json`` the same as a document on stdout.

    A denial comes with the statement that would allow what was denied; under ``--debug`` an answer of AWS's with
    the id under which AWS knows the request.
    """
    clear_waiting()
    statement = getattr(problem, "statement", None)
    request_id = problem.request_id if debug else None
    if as_json:
        error = {"code": problem.code, "message": problem.message, "hint": problem.hint}
        extra = {"statement": statement, "request_id": request_id}
        error.update({name: value for name, value in extra.items() if value is not None})
        write_line(as_text({"ok": False, "error": error}))
    else:
        write_line(emphasise(f"error: {problem.message}", sys.stderr), sys.stderr)
        if problem.hint:
            write_line(emphasise(f"hint: {problem.hint}", sys.stderr), sys.stderr)
        if statement is not None:
            write_line(as_text(statement), sys.stderr)
        if request_id is not None:
            write_line(harmless(f"request id: {request_id}"), sys.stderr)
    if debug:
        show_traceback(problem)


def show_bug(problem: BaseException, *, as_json: bool, debug: bool) -> None:
    """Admit a bug without printing its values: a traceback may hold what nobody may see."""
    name = type(problem).__name__
    where = innermost_place(problem)
    told = IotauthError(
        f"iotauth has a bug: {name} in {where}",
        hint="run it again with `--debug` and report what it prints",
    )
    show_error(told, as_json=as_json, debug=False)
    if debug:
        show_traceback(problem)


def innermost_place(problem: BaseException) -> str:
    import traceback

    frames = traceback.extract_tb(problem.__traceback__)
    ours = [frame for frame in frames if "iotauth_" in frame.filename] or frames
    return f"{os.path.basename(ours[-1].filename)}:{ours[-1].lineno}" if ours else "nowhere"


def show_traceback(problem: BaseException) -> None:
    """Print it for a bug report: a message of somebody else's may quote a generated secret, or steer the terminal."""
    import traceback

    from iotauth_cli.operations.secret_scan import masked

    text = "".join(traceback.format_exception(problem)).rstrip()
    write_line(harmless(discreet(masked(text))), sys.stderr)


def clear_waiting() -> None:
    """Take away what `Output.waiting` left on the line, which an error would else be written behind."""
    if sys.stderr.isatty():
        sys.stderr.write(CLEARED)


def say_interrupted() -> None:
    clear_waiting()
    write_line("interrupted", sys.stderr)


def replace_closed_streams() -> None:
    """Give a program that was started with `>&-` something to write to, or to read the end of."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # stays open to the end


def give_up_stdout() -> int:
    """Stop writing to a pipe that nobody reads, without a second complaint at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return STDOUT_GONE
