"""What is wrong before the function is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from iotauth_cli.aws.session import Session
from iotauth_cli.operations import connect
from iotauth_cli.operations.connect import Report, Visit
from iotauth_cli.probe.stages import Manner
from support_causes import SIGNED, SIGNED_CLIENT, Breakage, World
from support_world import CLIENT, answering, finish

ACCOUNT = "123456789012"
AUTHORIZER = f"arn:aws:iot:us-east-1:{ACCOUNT}:authorizer"


def in_another_region(world: World) -> Report:
    """What was made in one region is looked for in the next."""
    return world.knock(session=Session(world.place.target._replace(region="eu-west-1")), authorizer="doors-eu")


def inactive(world: World) -> Report:
    iot = world.emulator.client("iot")
    iot.update_authorizer(authorizerName=world.place.wish.authorizer, status="INACTIVE")
    try:
        return world.knock()
    finally:
        iot.update_authorizer(authorizerName=world.place.wish.authorizer, status="ACTIVE")


def by_a_disabled_domain(world: World) -> Report:
    """The device asks for the name of a domain configuration that somebody has switched off."""
    iot = world.emulator.client("iot")
    iot.create_domain_configuration(domainConfigurationName="gate")
    iot.update_domain_configuration(domainConfigurationName="gate", domainConfigurationStatus="DISABLED")
    name = iot.describe_domain_configuration(domainConfigurationName="gate")["domainName"]
    place = world.place
    knock = connect.prepare(place.session, place.store, place.wish, Visit(CLIENT))
    try:
        named = replace(knock, endpoint=replace(knock.endpoint, server_name=name))  # no resolver here knows it
        return finish(connect.knock(place.session, named))
    finally:
        iot.delete_domain_configuration(domainConfigurationName="gate")


def with_its_key_removed(world: World) -> Report:
    """Another key takes the place of the one that has signed."""
    iot = world.emulator.client("iot")
    found = iot.describe_authorizer(authorizerName=SIGNED.authorizer)["authorizerDescription"]
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    before = found["tokenSigningPublicKeys"]
    iot.update_authorizer(authorizerName=SIGNED.authorizer, tokenSigningPublicKeys=dict.fromkeys(before, pem))
    try:
        return world.knock_signed()
    finally:
        iot.update_authorizer(authorizerName=SIGNED.authorizer, tokenSigningPublicKeys=before)


def with_another_token(world: World, **members: object) -> Report:
    kept = world.signed.store.load(SIGNED_CLIENT)
    assert kept is not None
    return world.knock_signed(username=kept.device_username.replace("token=", "token=x", 1), **members)


def without_token(world: World, **members: object) -> Report:
    username = f"{SIGNED_CLIENT}?x-amz-customauthorizer-name={SIGNED.authorizer}"
    return world.knock_signed(username=username, **members)


def with_a_raw_signature(world: World) -> Report:
    """The `+` in it arrive as spaces; one signature in 200 has none."""
    kept = (world.signed.store.load(client_id) for client_id in (SIGNED_CLIENT, "signed-2"))
    chosen = next(each for each in kept if each is not None and "+" in (each.signature or ""))
    return world.signed.knock(Visit(chosen.client_id, timeout_s=8, mistake="unencoded-signature"))


def with_its_function_gone(world: World) -> Report:
    with world.place.deployed("gone", answering([])):
        world.emulator.client("lambda").delete_function(FunctionName="gone")
        return world.knock(authorizer="gone")


def permitted_for(world: World, authorizer: str, account: str) -> Report:
    with world.permitted_for(SourceArn=f"{AUTHORIZER}/{authorizer}", SourceAccount=account):
        return world.knock()


def permitted_for_nobody(world: World) -> Report:
    with world.permitted_for():
        return world.knock()


def with_the_function_throttled(world: World) -> Report:
    """Lambda refuses one call; the next, which is the test call, goes well."""
    world.inject("function-throttled", count=1)
    return world.knock()


HTTP = Manner("http", "headers")

BREAKAGES = (
    Breakage("no-alpn", "none offered", lambda world: world.knock(alpn=())),
    Breakage("wrong-alpn", "that of certificates", lambda world: world.knock(alpn=("x-amzn-mqtt-ca",))),
    Breakage("wrong-alpn", "that of HTTP/2", lambda world: world.knock(alpn=("h2",))),
    Breakage("alpn-for-mqtt", "over HTTPS", lambda world: world.knock(manner=HTTP, mistake="mqtt-alpn")),
    Breakage(
        "alpn-for-mqtt", "in a WebSocket", lambda world: world.knock(manner=Manner("websocket"), mistake="mqtt-alpn")
    ),
    Breakage("two-question-marks", "an SDK's metrics", lambda world: world.knock(mistake="two-question-marks")),
    Breakage("domain-disabled", "switched off", by_a_disabled_domain),
    Breakage("no-authorizer-named", "and no default", lambda world: world.knock(username="thermo-1?SDK=Python")),
    Breakage("authorizer-missing", "misspelt", lambda world: world.knock(authorizer="dors")),
    Breakage("authorizer-missing", "another region's", in_another_region),
    Breakage("authorizer-inactive", "switched off", inactive),
    Breakage("signature-missing", "no token", without_token),
    Breakage("signature-wrong", "another token", with_another_token),
    Breakage("signature-wrong", "over HTTPS", lambda world: with_another_token(world, manner=HTTP)),
    Breakage("signature-missing", "over HTTPS", lambda world: without_token(world, manner=HTTP)),
    Breakage("signature-wrong", "the key removed", with_its_key_removed),
    Breakage("token-with-newline", "a line end", lambda world: world.knock_signed(mistake="token-newline")),
    Breakage("signature-not-encoded", "as it is", with_a_raw_signature),
    Breakage("function-missing", "deleted", with_its_function_gone),
    Breakage("no-permission", "taken away", permitted_for_nobody),
    Breakage("permission-for-another-authorizer", "misspelt", lambda world: permitted_for(world, "windows", ACCOUNT)),
    Breakage("permission-for-another-account", "mistyped", lambda world: permitted_for(world, "doors", "999999999999")),
    Breakage("not-called", "Lambda throttles it", with_the_function_throttled),
)


@pytest.mark.parametrize("breakage", BREAKAGES, ids=str)
def test_what_ends_before_the_function_is_found_out(breakage: Breakage, broken_world: World) -> None:
    """Precisely this is wrong, and precisely this is said."""
    report = breakage.is_found_out_in(broken_world)
    assert report.was_called is not True


def test_a_signed_client_is_let_in_once_everything_is_restored(broken_world: World) -> None:
    """What the tests above broke of `signed-doors` is whole again."""
    assert broken_world.signed.knock(Visit(SIGNED_CLIENT)).ok
