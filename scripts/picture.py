"""Run a command in a terminal of its own and draw what it printed as an SVG.

python scripts/picture.py docs/images/quickstart.svg 100 iotauth quickstart
"""

from __future__ import annotations

import io
import os
import pty
import re
import sys
from pathlib import Path


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


def draw(text: str, columns: int, title: str) -> str:
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text.rstrip()))
    # Rich's template fetches a font from elsewhere; a picture in a repository fetches nothing.
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title=title), flags=re.DOTALL)


def main() -> int:
    target, columns, *command = sys.argv[1:]
    text, code = record(command, int(columns))
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(target).write_text(draw(f"$ {' '.join(command)}\n{text}", int(columns), " ".join(command)))
    return code


if __name__ == "__main__":
    sys.exit(main())
