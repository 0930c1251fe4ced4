"""Rows 1 to 28: authorizers in the control plane, the endpoint's name, the function's permission."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from iotauth_cli import token as tokens
from support_parity.asking import PERMITTED, has_default, refused, unchecked
from support_parity.world import World

INVALID = ("InvalidRequestException", 400)
UNKNOWN = ("ResourceNotFoundException", 404)


def described(world: World, name: str) -> dict[str, Any]:
    found: dict[str, Any] = world.boto("iot").describe_authorizer(authorizerName=name)["authorizerDescription"]
    return found


def creating(world: World, name: str, **settings: Any) -> Any:
    """Return a call that creates *name*, which is removed at the end if it is created against expectation."""
    return lambda: world.parts.create_authorizer(name, **settings)


def signing(world: World, *numbers: int) -> dict[str, Any]:
    keys = {f"key{number}": world.public_key(number) for number in numbers}
    return {"signingDisabled": False, "tokenKeyName": "token", "tokenSigningPublicKeys": keys}


@pytest.mark.rows(1, 2)
def test_names_outside_the_pattern(world: World, rows: Any) -> None:
    """Dots, colons, spaces and a 129th character are no part of an authorizer's name."""
    for mark in ".: ":
        rows.check(1, refused(creating(world, f"{world.prefix}{mark}b")), INVALID)
    rows.check(2, refused(creating(world, world.prefix.ljust(129, "a"))), INVALID)


@pytest.mark.rows(3)
def test_a_name_is_used_once(world: World, rows: Any) -> None:
    """409, with the id and the ARN of the one that is there."""
    iot = world.boto("iot")
    arn = described(world, world.prefix)["authorizerArn"]
    settings = {"authorizerFunctionArn": world.parts.function_arn, "signingDisabled": True}
    with pytest.raises(iot.exceptions.ResourceAlreadyExistsException) as error:
        iot.create_authorizer(authorizerName=world.prefix, **settings)
    answer = error.value.response
    seen = answer["ResponseMetadata"]["HTTPStatusCode"], answer.get("resourceId"), answer.get("resourceArn")
    rows.check(3, seen, (409, world.prefix, arn))


@pytest.mark.rows(4, 5, 6, 8)
def test_what_signing_wants(world: World, rows: Any) -> None:
    """Keys, the name of the token, 2048 bits; and the token's name has a pattern."""
    name = f"{world.prefix}-s"
    short = tokens.public_key_pem(rsa.generate_private_key(65537, 1024))
    keys = {"key0": world.public_key(0)}
    rows.check(4, refused(creating(world, name, signingDisabled=False, tokenKeyName="token")), INVALID)
    rows.check(5, refused(creating(world, name, signingDisabled=False, tokenSigningPublicKeys=keys)), INVALID)
    weak = {**signing(world), "tokenSigningPublicKeys": {"weak": short}}
    rows.check(6, refused(creating(world, name, **weak)), INVALID)
    for token_name in ("to ken", "to.ken"):
        rows.check(8, refused(creating(world, name, **{**signing(world, 0), "tokenKeyName": token_name})), INVALID)


@pytest.mark.rows(7, 12, 16, 17, 19)
def test_the_life_of_an_unsigned_one(world: World, rows: Any) -> None:
    """Created with a name and an ARN, not deleted while ACTIVE, listed and deleted once INACTIVE, and then unknown."""
    iot, name = world.boto("iot"), f"{world.prefix}-life"
    made = world.parts.create_authorizer(name)
    rows.check(7, (made["authorizerName"], made["authorizerArn"].split(":")[-1]), (name, f"authorizer/{name}"))
    rows.check(16, refused(lambda: iot.delete_authorizer(authorizerName=name)), ("DeleteConflictException", 409))
    assert name not in inactive(world)
    iot.update_authorizer(authorizerName=name, status="INACTIVE")
    rows.check(
        19, world.eventually(lambda: name in inactive(world) and world.prefix not in inactive(world), True), True
    )
    rows.check(17, refused(lambda: iot.delete_authorizer(authorizerName=name)), (PERMITTED, 200))
    rows.check(12, refused(lambda: described(world, name)), UNKNOWN)


def inactive(world: World) -> list[str]:
    pages = world.boto("iot").get_paginator("list_authorizers").paginate(status="INACTIVE")
    return [each["authorizerName"] for page in pages for each in page["authorizers"]]


@pytest.mark.rows(11)
def test_what_describe_shows(world: World, rows: Any) -> None:
    """The public keys in clear, dates, and no tags."""
    found = described(world, world.parts.signed)
    keys = {name: pem.strip() for name, pem in found["tokenSigningPublicKeys"].items()}
    wanted = {f"key{number}": world.public_key(number).strip() for number in (0, 1)}
    seen = keys == wanted, found["creationDate"].timestamp() > 1e9, "tags" in found, found["signingDisabled"]
    rows.check(11, seen, (True, True, False, False))


@pytest.mark.rows(13, 14, 15)
def test_what_update_changes(world: World, rows: Any) -> None:
    """The status and the date; not the signing switch, which is no member; and no keys where signing is off."""
    iot = world.make_client("iot")
    with world.parts.scratch("update") as name:
        before = described(world, name)
        world.advance(1.0)
        iot.update_authorizer(authorizerName=name, status="INACTIVE")
        after = described(world, name)
        rows.check(13, (after["status"], after["lastModifiedDate"] > before["lastModifiedDate"]), ("INACTIVE", True))
        iot.meta.events.register("before-call.iot.UpdateAuthorizer", with_signing_disabled)
        switched = refused(lambda: iot.update_authorizer(authorizerName=name, status="ACTIVE"))
        rows.check(14, (switched[1], described(world, name)["signingDisabled"]), (200, True))
        update = world.boto("iot").update_authorizer
        for fields in ({"tokenKeyName": "token"}, {"tokenSigningPublicKeys": {"key0": world.public_key(0)}}):
            rows.check(15, refused(lambda fields=fields: update(authorizerName=name, **fields)), INVALID)  # type: ignore[misc]


def with_signing_disabled(params: dict[str, Any], **_: Any) -> None:
    """Put a member into the request that botocore does not know."""
    params["body"] = json.dumps({**json.loads(params["body"]), "signingDisabled": False}).encode()


@pytest.mark.rows(18)
def test_listing(world: World, rows: Any) -> None:
    """Names and ARNs in pages; a page has 1 to 250."""
    iot, raw = world.boto("iot"), unchecked(world, "iot")
    page = iot.list_authorizers(pageSize=1)
    rows.check(18, (set(page["authorizers"][0]), "nextMarker" in page), ({"authorizerName", "authorizerArn"}, True))
    for size in (0, 251):
        rows.check(18, refused(lambda size=size: raw.list_authorizers(pageSize=size)), INVALID)  # type: ignore[misc]


@pytest.mark.account_wide
@pytest.mark.rows(20, 21, 22, 23, 43)
def test_the_default_authorizer(world: World, rows: Any) -> None:
    """None, one, not another beside it, and none again; who names no authorizer meanwhile is the default's."""
    iot = world.boto("iot")
    if has_default(world):
        pytest.skip("the account has a default authorizer, and it is left alone")
    rows.check(22, refused(iot.describe_default_authorizer), UNKNOWN)
    rows.check(20, refused(lambda: iot.set_default_authorizer(authorizerName=f"{world.prefix}-nobody")), UNKNOWN)
    world.parts.later("default authorizer", lambda: clear_default(world))
    iot.set_default_authorizer(authorizerName=world.parts.name)
    second = refused(lambda: iot.set_default_authorizer(authorizerName=world.parts.mute))
    rows.check(21, second, ("ResourceAlreadyExistsException", 409))
    device = world.eventually(lambda: world.connect(about="43", username="u").outcome, "accepted")
    rows.check(43, device, "accepted")
    clear_default(world)
    rows.check(23, world.eventually(lambda: refused(iot.describe_default_authorizer), UNKNOWN), UNKNOWN)


def clear_default(world: World) -> None:
    """Clear the default, if it is one of this run's."""
    iot = world.boto("iot")
    found = iot.describe_default_authorizer()["authorizerDescription"]["authorizerName"]
    if found.startswith(world.prefix):
        iot.clear_default_authorizer()


@pytest.mark.rows(24, 25)
def test_the_endpoint_s_name(world: World, rows: Any) -> None:
    """Without a type it is the old one, and `iot:Data-ATS` is the one to use."""
    describe = world.boto("iot").describe_endpoint
    host = describe(endpointType="iot:Data-ATS")["endpointAddress"]
    rows.check(24, "ats.iot." in describe()["endpointAddress"], False)
    rows.check(25, f"ats.iot.{world.region}." in host, True)


@pytest.mark.rows(26, 27, 28)
def test_the_function_s_permission(world: World, rows: Any) -> None:
    """Kept as ArnLike and StringEquals, under an id that is used once; an alias without any has no policy."""
    functions, permission = world.boto("lambda"), world.parts.permission(world.parts.name)
    rows.check(26, refused(lambda: functions.add_permission(**permission)), ("ResourceConflictException", 409))
    functions.publish_version(FunctionName=world.prefix)
    unpermitted = refused(lambda: functions.get_policy(FunctionName=world.prefix, Qualifier="1"))
    rows.check(27, unpermitted, UNKNOWN)
    statements = json.loads(functions.get_policy(FunctionName=world.prefix)["Policy"])["Statement"]
    (kept,) = (each for each in statements if each["Sid"] == world.parts.name)
    wanted = {
        "StringEquals": {"AWS:SourceAccount": world.account},
        "ArnLike": {"AWS:SourceArn": permission["SourceArn"]},
    }
    rows.check(28, kept["Condition"], wanted)
