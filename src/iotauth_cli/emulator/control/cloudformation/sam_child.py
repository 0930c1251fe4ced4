"""The process that runs AWS's SAM translator: a template comes in on stdin, one without SAM goes out on stdout."""

from __future__ import annotations

import json
import os
import sys
from typing import Any


class NoManagedPolicies:
    """The translator knows AWS's own policies by heart; in the emulator's account there are no others."""

    def load(self) -> dict[str, str]:
        return {}


def translated(question: dict[str, Any]) -> dict[str, Any]:
    from samtranslator.model.exceptions import ExceptionWithMessage
    from samtranslator.translator.transform import transform

    try:
        return {"template": transform(question["template"], question["parameters"], NoManagedPolicies())}
    except ExceptionWithMessage as error:
        causes = [str(cause.message) for cause in getattr(error, "causes", None) or [error]]
        return {"error": " ".join(causes)}
    except Exception as error:  # the translator's own failures on templates that it did not foresee
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    answer = json.dumps(translated(json.load(sys.stdin)))
    os.write(1, answer.encode())


if __name__ == "__main__":
    main()
