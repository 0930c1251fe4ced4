"""Where a command is about to work, said before it does: nothing is created in the wrong region silently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from iotauth_cli.cli.render import counted

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.elsewhere import Place
    from iotauth_cli.operations.installation import Step


def where(context: Context) -> str:
    """Return the place in one line: region and who chose it, account, whose keys. It asks nobody.

    The account is there if the settings name it or AWS was asked, as everything that plans has done.
    """
    target = context.target
    if target.region_source is None:  # there is but one
        return target.label
    source = target.region_source.partition(", [")[0]
    account, who = context.session.known_account, context.session.known_caller
    return ", ".join(
        [
            target.label if source.startswith("--") else f"{target.label} (region from {source})",
            *([f"account {account}"] if account else []),
            *([target.keys_from] if target.keys_from else []),
            *([f"as {who}"] if who else []),
        ]
    )


def agrees(context: Context, steps: Sequence[Step]) -> bool:
    """Ask before an authorizer is created where the project has never been while it works elsewhere on AWS.

    Raises:
        InputError: nobody can be asked, and `--yes` was not given.
    """
    found = elsewhere(context, steps)
    if not found:
        return True
    context.output.warn(told(found))
    return context.output.confirm(f"create another in {where(context)}?")


def tell_elsewhere(context: Context, steps: Sequence[Step]) -> None:
    """Say what `agrees` would ask about: a plan that is only looked at asks nothing."""
    found = elsewhere(context, steps)
    if found:
        context.output.say(f"{told(found)}; to create another one has to be agreed to")


def elsewhere(context: Context, steps: Sequence[Step]) -> tuple[Place, ...]:
    """Return where else this project works, if *steps* would make an authorizer in a place that is new to it."""
    from iotauth_cli.operations import elsewhere

    if not elsewhere.creates_authorizer(steps):
        return ()
    store = context.store
    return elsewhere.places(store.directory, here=store.target_name, account=context.session.account)


def told(found: Sequence[Place]) -> str:
    return f"this project works in {' and in '.join(map(sentence, found))}"


def sentence(place: Place) -> str:
    """Return a place with what makes it one: ``AWS eu-west-1, account 1234…: authorizer `doors`, 12 credentials``."""
    name = ", ".join(
        [
            f"AWS {place.region}",
            *([f"account {place.account}"] if place.account else []),
            *([f"profile {place.profile}"] if place.profile else []),
        ]
    )
    things = [
        *(f"authorizer `{authorizer}`" for authorizer in place.authorizers),
        *([counted(place.credentials, "credential")] if place.credentials else []),
        *(["signing keys"] if place.has_keys else []),
    ]
    return f"{name} ({', '.join(things)})"
