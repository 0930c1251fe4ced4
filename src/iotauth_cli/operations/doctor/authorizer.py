"""The authorizer: there, active, with a function to call, the keys of this project, and leave to call."""

from __future__ import annotations

from shlex import quote

from iotauth_cli.aws import iot, lambda_
from iotauth_cli.errors import IotauthError
from iotauth_cli.operations import authorizers
from iotauth_cli.operations.authorizers import Plan
from iotauth_cli.operations.doctor.finding import Door, Finding, Outcome, Repair, Unseen, some
from iotauth_cli.operations.doctor.scene import Scene
from iotauth_cli.operations.installation import Step, Wish
from iotauth_cli.operations.installation.authorizer import Permission
from iotauth_cli.operations.installation.part import Part
from iotauth_cli.operations.invoke_permission import permission_for, unbound
from iotauth_cli.operations.signing.keyring import Keyring, Signing
from iotauth_cli.probe.evidence import PermissionFound
from iotauth_cli.token import fingerprint


def exists(scene: Scene) -> Outcome:
    found = scene.found_authorizer()
    if found is None:
        name = scene.premises.wish.authorizer
        sentence = f"there is no authorizer `{name}` in {scene.session.target.label}"
        return Finding("error", sentence, create(scene))
    return f"`{found.name}`"


def create(scene: Scene) -> str:
    return f"iotauth authorizer create {quote(scene.premises.wish.authorizer)}"


def enable(scene: Scene) -> str:
    return f"iotauth authorizer enable {quote(scene.premises.wish.authorizer)}"


def active(scene: Scene) -> Outcome:
    """Somebody may have turned it off on purpose, so it is only named."""
    found = scene.authorizer()
    if found.is_active:
        return "active"
    return Finding("error", f"authorizer `{found.name}` is inactive, so nobody is let in", enable(scene))


def function(scene: Scene) -> Outcome:
    """An authorizer can call a function that is gone, or one of the user's own."""
    found, wish = scene.authorizer(), scene.wish()
    arn = scene.function_arn()
    if arn.region != scene.session.target.region:
        return Finding("error", f"authorizer `{found.name}` calls a function of region `{arn.region}`", create(scene))
    if lambda_.find(scene.session, arn.qualified_name) is None:
        sentence = f"authorizer `{found.name}` calls function `{arn.qualified_name}`, which does not exist"
        return Finding("error", sentence, create(scene))
    if wish.function_arn is not None:
        sentence = f"authorizer `{found.name}` calls `{arn.qualified_name}`, and the settings name `{wish.function}`"
        return Finding("note", sentence, "iotauth config show")
    return f"`{arn.name}`"


def signing_keys(scene: Scene) -> Outcome:
    """Tokens that are signed here have to verify there: the key map must have the key of this project."""
    found = scene.authorizer()
    if found.signing_disabled:
        return "it wants no signed tokens"
    keyring, known = Keyring.of(scene.store, found.name), sign_here(scene, found)
    if known.signer is None:
        return "the private key is kept elsewhere"
    held = found.token_signing_public_keys.get(known.signer)
    repair = f"iotauth authorizer rotate-key {quote(found.name)}"
    if known.signer not in keyring.names():
        return Finding("error", f"the private key `{known.signer}` is not in `{keyring.folder}` any more", repair)
    if held is None or fingerprint(held) != fingerprint(keyring.public(known.signer)):
        sentence = f"key `{known.signer}`, which signs tokens here, is none of those of authorizer `{found.name}`"
        return Finding("error", sentence, repair)
    return f"key `{known.signer}` signs here and verifies there"


def sign_here(scene: Scene, found: iot.Authorizer) -> Signing:
    """Return how this project signs for *found*.

    Raises:
        Unseen: it does not: another project may.
    """
    known = Keyring.of(scene.store, found.name).signing
    if known is None:
        raise Unseen(f"this project does not sign for authorizer `{found.name}`: `{create(scene)} --signed` says how")
    return known


def token_key_name(scene: Scene) -> Outcome:
    """Devices send their token under this name: under another AWS IoT does not see it."""
    found = scene.authorizer()
    if found.signing_disabled:
        return "it wants no signed tokens"
    ours = sign_here(scene, found).token_key_name
    if ours == found.token_key_name:
        return f"`{ours}`"
    sentence = f"devices are told to send their token as `{ours}`, and authorizer `{found.name}` wants it as "
    return Finding("error", f"{sentence}`{found.token_key_name}`", f"{create(scene)} --signed")


def roll_over(scene: Scene) -> Outcome:
    found = scene.authorizer()
    names = sorted(found.token_signing_public_keys)
    if len(names) > 1:
        sentence = f"authorizer `{found.name}` takes tokens of {some(names)}: a change of keys is under way"
        return Finding("note", sentence, f"iotauth authorizer rotate-key {quote(found.name)} --status")
    return f"one key, `{names[0]}`" if names else "it wants no signed tokens"


def permission(scene: Scene) -> Outcome:
    """AWS IoT calls the function for this authorizer only if the function's resource policy says so."""
    found = given(scene)
    function, authorizer = scene.function_arn().name, scene.premises.wish.authorizer
    if found.state == "given":
        return f"AWS IoT may call `{function}`"
    whom = {
        "none": "AWS IoT may not call it",
        "other-authorizer": f"it may be called for {some(found.sources)} and not for authorizer `{authorizer}`",
        "other-account": f"it may be called for account {some(found.accounts)} alone",
    }[found.state]
    sentence = f"function `{function}`: {whom}, so nobody is let in"
    part = Permission(scene.session, scene.wish())
    # What is there can only be taken back and given anew; devices that come in between are refused.
    repair = bring(part, "create", f"let AWS IoT call `{function}`") if part.look() is None else None
    return Finding("error", sentence, create(scene), repair)


def given(scene: Scene) -> PermissionFound:
    arn = scene.authorizer().arn
    scene.function()
    return permission_for(arn, lambda_.statements(scene.session, scene.function_arn()))


def bound(scene: Scene) -> Outcome:
    """Without SourceArn and SourceAccount, AWS IoT may be used by another account to call the function."""
    found = given(scene)
    if found.state != "given":
        raise Unseen("AWS IoT may not call the function")
    arn = scene.authorizer().arn
    absent = unbound(lambda_.statements(scene.session, scene.function_arn()))
    if absent:
        function = scene.function_arn().name
        sentence = f"function `{function}` may be called without {some(absent)}, so other authorizers or accounts can"
        return Finding("warning", sentence, create(scene))
    if found.sources != (arn,):
        return f"for {some(found.sources)}"
    return "for this authorizer and this account alone"


def bring(part: Part, action: str, what: str) -> Repair:  # type: ignore[type-arg]
    """Return the repair that does with *part* what `authorizer create` would."""
    step = Step("create" if action == "create" else "update", part.resource, part.name, what)
    wish: Wish = part.wish

    def apply(door: Door) -> None:
        if isinstance(door, IotauthError):
            raise door
        list(authorizers.apply(door, Plan(wish, (step,))))

    return Repair(what, apply)
