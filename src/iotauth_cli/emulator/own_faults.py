"""How a fault of the emulator's own is written down: what kind it is and the way to it, no message.

An exception's message and its chain may quote what a device or an operator sent, and the log
outlives the request. Kinds, files, lines and function names are ours alone.
"""

from __future__ import annotations

import traceback
from pathlib import Path

FRAMES = 6  # the innermost: where it happened, and who asked


def way_to(error: BaseException) -> str:
    """Return `KeyError in store.py:12 (find) < service.py:40 (describe)`, innermost first."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    way = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} ({frame.name})" for frame in reversed(frames))
    return f"{type(error).__name__} in {way}" if way else type(error).__name__
