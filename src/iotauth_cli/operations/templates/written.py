"""What a template is written as: files, the template first, and what is to be said beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

CODE_FOLDER = "function"  # of a SAM template
CODE_ZIP = "function.zip"
ENDS_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # to YAML, to Terraform, or to a terminal


@dataclass(frozen=True)
class File:
    """*name* is a path below the folder that is written to."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Written:
    files: tuple[File, ...]
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The template itself."""
        return self.files[0].content.decode()

    def with_files(self, more: tuple[File, ...]) -> Written:
        return replace(self, files=(*self.files, *more))


def comment(lines: Iterable[str]) -> str:
    """Return *lines* as a comment of either language. Names in them come from elsewhere, and none ends it."""
    return "".join(f"# {ENDS_A_LINE.sub(' ', line)}".rstrip() + "\n" for line in lines)
