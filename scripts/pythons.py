"""Print the interpreters on this machine that iotauth supports, oldest first, one per minor version."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

OLDEST = (3, 10)


def candidates() -> Iterator[Path]:
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if folder:
            yield from Path(folder).glob("python3.[0-9]*")
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from root.glob("versions/*/bin/python3")


def version(python: Path) -> tuple[int, int] | None:
    """Return the interpreter's minor version; None if it is no working, final CPython."""
    code = "import sys; v = sys.version_info; print(v[0], v[1], sys.implementation.name, v[3])"
    try:
        answer = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    major, minor, name, level = answer.stdout.split()
    return (int(major), int(minor)) if (name, level) == ("cpython", "final") else None


def main() -> None:
    found: dict[tuple[int, int], Path] = {}
    for python in candidates():
        if python.name.count("-") or not os.access(python, os.X_OK):
            continue
        release = version(python)
        if release and release >= OLDEST:
            found.setdefault(release, python)
    for release in sorted(found):
        print(found[release])


if __name__ == "__main__":
    main()
