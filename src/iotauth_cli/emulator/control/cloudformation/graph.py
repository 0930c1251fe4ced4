"""In which order resources are made: each after what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from iotauth_cli.emulator.control.cloudformation.errors import invalid


def order(needs: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return the names in *needs* so that each comes after those that it needs; else as they stand.

    Needs that are not names themselves (parameters) do not count.

    Raises:
        ServiceError: ValidationError; some need each other in a circle, and which.
    """
    waiting = {name: {need for need in found if need in needs} for name, found in needs.items()}
    ordered: list[str] = []
    while waiting:
        ready = next((name for name, found in waiting.items() if not found), None)
        if ready is None:
            raise invalid(f"Circular dependency between resources: [{', '.join(_circle(waiting))}]")
        ordered.append(ready)
        del waiting[ready]
        for found in waiting.values():
            found.discard(ready)
    return tuple(ordered)


def _circle(waiting: Mapping[str, set[str]]) -> list[str]:
    """Return one circle, from a name to the one that needs it; everything in *waiting* waits for something."""
    path = [next(iter(waiting))]
    while (following := min(waiting[path[-1]])) not in path:
        path.append(following)
    return path[path.index(following) :]
