"""What a template is written as: files, the template first, and what is to be said beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace

CODE_FOLDER = "function"  # of a SAM template
CODE_ZIP = "function.zip"


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
