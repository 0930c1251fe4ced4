"""The entry point. `--version` is answered here, before anything is imported."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command line and return the exit code of `docs/reference/exit-codes.md`."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments in (["--version"], ["-V"]):
        from iotauth_cli import __version__

        sys.stdout.write(f"iotauth {__version__}\n")
        return 0
    import gc

    # Starting makes objects and drops few; to look for garbage meanwhile takes a tenth of the time.
    gc.set_threshold(100_000)
    from iotauth_cli.cli import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
