"""Write docs/reference from the program itself. `--check` only tells whether it is up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs" / "reference"
GENERATED = "<!-- Written by scripts/reference.py from the program itself: do not edit. -->\n\n"


def commands() -> str:
    """Return the help of every command as one page."""
    from typer._click import Context

    from iotauth_cli.cli import Root

    def walk(command: object, parent: Context | None, name: str) -> Iterator[str]:
        context = Context(command, info_name=name, parent=parent, max_content_width=100, terminal_width=100)  # type: ignore[arg-type]
        yield f"{'##' if parent else '#'} `{context.command_path}`\n\n```text\n{context.get_help().rstrip()}\n```\n\n"
        for child in getattr(command, "table", {}):
            yield from walk(command.load(child), context, child)  # type: ignore[attr-defined]

    root = Root()
    root.rich_markup_mode = None
    return GENERATED + "".join(walk(root, None, "iotauth")).rstrip() + "\n"


def behaviour() -> str:
    """Return the emulator's choices where AWS documents nothing, with their sources."""
    from iotauth_cli.emulator.behaviour import BEHAVIOURS

    page = (
        "# What the emulator decides where AWS is silent\n\n"
        "C is how sure the choice is: D documented, O observed, I inferred, T the emulator's own.\n\n"
        "| key | value | what it means | C | source |\n| --- | --- | --- | --- | --- |\n"
    )
    rows = (f"| `{b.key}` | `{b.value}` | {b.meaning} | {b.confidence} | {b.source} |\n" for b in BEHAVIOURS)
    return GENERATED + page + "".join(rows)


PAGES = {"commands.md": commands, "emulator-behaviour.md": behaviour}


def main() -> int:
    check = "--check" in sys.argv
    stale = []
    for name, write in PAGES.items():
        path, text = DOCS / name, write()
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not check:
                DOCS.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    if stale:
        print(("out of date: " if check else "wrote ") + ", ".join(stale))
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
