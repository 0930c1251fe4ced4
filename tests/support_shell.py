"""Type commands as a person would: real processes, an own home, an own directory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass
class Shell:
    """Runs `iotauth` in *cwd* with *home* as home. Keeps everything it saw in `transcript`."""

    cwd: Path
    home: Path
    program: tuple[str, ...] = (sys.executable, "-m", "iotauth_cli")
    extra: Mapping[str, str] = field(default_factory=dict)
    transcript: list[Ran] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "LANG": "C.UTF-8",
            **self.extra,
        }

    def run(self, *arguments: str, stdin: str = "", check: bool = True) -> Ran:
        process = subprocess.run(
            [*self.program, *arguments],
            cwd=self.cwd,
            env=self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=100,
        )
        ran = Ran(process.returncode, process.stdout, process.stderr)
        self.transcript.append(ran)
        assert not check or ran.code == 0, f"{' '.join(arguments)} gave {ran.code}\n{ran.text}"
        return ran

    def start_emulator(self) -> None:
        """Start on free ports; the ready file tells every later command where."""
        self.run("emulator", "start", "--port", "0", "--control-port", "0")

    def stop_emulator(self) -> None:
        self.run("emulator", "stop", check=False)
