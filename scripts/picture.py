"""Run a command in a terminal of its own and draw what stands there at its end as an SVG.

python scripts/picture.py docs/images/quickstart.svg 100 iotauth quickstart
python scripts/picture.py docs/images/estimate.svg 84x36 iotauth estimate --devices 10000  # its first 36 lines
"""

from __future__ import annotations

import io
import os
import pty
import re
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.style import Style
    from rich.text import Text


def record(command: list[str], columns: int) -> tuple[str, int]:
    """Return what *command* wrote to a terminal *columns* wide, and its exit code."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(COLUMNS=str(columns), TERM="xterm-256color")
        os.execvp(command[0], command)
    seen = bytearray()
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux says EIO when the last writer is gone
            break
        if not chunk:
            break
        seen += chunk
    return seen.decode().replace("\r\n", "\n"), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def screen(text: str, columns: int) -> Text:
    """Return what a terminal shows after *text*: lines that were drawn anew stand there once."""
    import pyte
    from rich.text import Text

    terminal = pyte.Screen(columns, text.count("\n") + 50)
    terminal.set_mode(pyte.modes.LNM)  # a line feed also returns, as it does behind a terminal's driver
    pyte.Stream(terminal).feed(text)
    shown = Text()
    for y in range(terminal.lines):
        cells = (terminal.buffer[y][x] for x in range(columns))
        runs = ((style, "".join(cell.data for cell in run)) for style, run in groupby(cells, style_of))
        line = Text.assemble(*((run, style) for style, run in runs))
        line.rstrip()
        shown.append_text(line).append("\n")
    shown.rstrip()
    return shown


def style_of(cell: Any) -> Style:
    from rich.style import Style

    colour = {"default": None, "brown": "yellow"}.get(cell.fg, cell.fg)
    if colour and re.fullmatch("[0-9a-f]{6}", colour):
        colour = f"#{colour}"
    return Style(color=colour and colour.replace("bright", "bright_"), bold=cell.bold, italic=cell.italics)


def draw(text: str, columns: int, lines: int | None, title: str) -> str:
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    console.print(Text("\n").join(screen(text, columns).split("\n")[:lines]))
    # Rich's template fetches a font from elsewhere; a picture in a repository fetches nothing.
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title=title), flags=re.DOTALL)


def main() -> int:
    target, size, *command = sys.argv[1:]
    columns, _, lines = size.partition("x")
    text, code = record(command, int(columns))
    said = " ".join(command)
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(target).write_text(draw(f"$ {said}\n{text}", int(columns), int(lines) if lines else None, said))
    return code


if __name__ == "__main__":
    sys.exit(main())
