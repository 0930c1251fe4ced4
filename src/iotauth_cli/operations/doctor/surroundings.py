"""What an account has set beside the authorizer, and what devices therefore meet."""

from __future__ import annotations

from iotauth_cli.aws import domains as configurations
from iotauth_cli.aws import iot
from iotauth_cli.aws.domains import DomainConfiguration
from iotauth_cli.operations.doctor.finding import Finding, Outcome, some
from iotauth_cli.operations.doctor.scene import Scene

WITH_CUSTOM_AUTH = ("CUSTOM_AUTH", "CUSTOM_AUTH_X509", "DEFAULT")
LOUD = ("DEBUG", "INFO")


def default_authorizer(scene: Scene) -> Outcome:
    """Whoever names no authorizer meets the default one, wherever that leads."""
    ours, found = scene.premises.wish.authorizer, iot.find_default(scene.session)
    if found is None:
        return "none: devices name theirs"
    if found.name == ours:
        return f"`{ours}`: devices need not name it"
    fix = scene.aws(f"iot set-default-authorizer --authorizer-name {ours}")
    return Finding("note", f"devices that name no authorizer are sent to `{found.name}`, not to `{ours}`", fix)


def domains(scene: Scene) -> Outcome:
    """A domain configuration that names the authorizer has to be on, and to authenticate by authorizers."""
    ours = scene.premises.wish.authorizer
    naming = [each for each in configurations.every(scene.session, with_awss_own=True) if each.authorizer == ours]
    wrong = [text for text in map(trouble, naming) if text]
    if wrong:
        name = next(domain.name for domain in naming if trouble(domain))
        fix = scene.aws(f"iot describe-domain-configuration --domain-configuration-name {name}")
        return Finding("warning", "; ".join(wrong), fix)
    if not naming:
        return "none names the authorizer"
    return f"{some([domain.domain_name for domain in naming])} leads to it"


def trouble(domain: DomainConfiguration) -> str | None:
    """Say why nobody comes to the authorizer through *domain*."""
    if not domain.is_enabled:
        return f"domain configuration `{domain.name}` names the authorizer and is disabled"
    if domain.authentication not in WITH_CUSTOM_AUTH:
        kind = domain.authentication
        return f"domain configuration `{domain.name}` names the authorizer and authenticates by `{kind}`, without it"
    return None


def logging(scene: Scene) -> Outcome:
    """AWS IoT's own log costs by the line: on while somebody looks for something, off afterwards."""
    found = iot.logging(scene.session)
    if found is None or not found.is_on:
        return "off; `iotauth logs enable` turns it on while you look for something"
    whose = "every device" if found.level in LOUD else some([name for name, level in found.levels if level in LOUD])
    if whose:
        sentence = f"AWS IoT logs every message of {whose}, and each line is paid for"
        return Finding("note", sentence, "iotauth logs disable")
    return f"on, level {found.level}"
