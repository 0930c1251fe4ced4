"""What is in an image, byte by byte: the own credential, and nobody else's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.credential import new_secret
from iotauth_cli.bundle import firmware_template
from iotauth_cli.device.image import Known, number, partitions, prove
from iotauth_cli.errors import DeviceError
from iotauth_cli.secret import Secret


def known(client_id: str, password: str) -> Known:
    return Known(client_id, f"{client_id}?x-amz-customauthorizer-name=iotauth", Secret(password))


OWN = known("my-door-1", new_secret())
OTHER = known("door-1", new_secret())
NAMED = known("cellar", "battery-staple")


def image(*credentials: Known) -> bytes:
    return b"\xe9\x07" + b"".join(b"\0" + text + b"\0" for each in credentials for text in each.texts) + b"\xff" * 64


def test_an_image_with_its_own_credential_alone_is_proven() -> None:
    """A longer name that ends with another's, `my-door-1`, is not mistaken for it."""
    prove(image(OWN), OWN, [OWN, OTHER, NAMED], "the image")


@pytest.mark.parametrize(
    ("content", "own", "sentence"),
    [
        (image(OTHER), OWN, "does not hold the password of client `my-door-1`"),
        (image(OWN).replace(b"customauthorizer", b"c"), OWN, "does not hold the user name of client `my-door-1`"),
        (image(OWN, OTHER), OWN, "holds the credential of client `door-1`"),
        (image(OWN, NAMED), OWN, "holds the credential of client `cellar`"),
        (image(OWN) + new_secret().encode(), OWN, "holds the credential of a client that is not known here"),
        (image(NAMED), None, "holds the credential of client `cellar`"),
        (image(OWN) + OTHER.texts[1], OWN, "holds the credential of client `door-1`"),
    ],
    ids=["stale", "no user name", "a second", "a password of people's", "a stranger", "meant for all", "only its name"],
)
def test_an_image_with_less_or_more_is_refused(content: bytes, own: Known | None, sentence: str) -> None:
    """The sentence names the client and never shows the secret."""
    with pytest.raises(DeviceError, match=sentence) as refused:
        prove(content, own, [OWN, OTHER, NAMED], "the image")
    told = f"{refused.value.message} {refused.value.hint}"
    assert not any(each.password.reveal() in told for each in (OWN, OTHER, NAMED))


def test_a_former_password_of_the_same_client_is_refused() -> None:
    """A build from before the rotation would lock the device out when the grace is over."""
    former = known("my-door-1", new_secret())
    with pytest.raises(DeviceError, match="holds the credential of client `my-door-1`"):
        prove(image(OWN) + former.texts[0], OWN, [OWN, former], "the image")


def test_a_short_password_of_another_is_no_proof_of_anything() -> None:
    """`mqtt` is in every image; such a client is told by its user name."""
    short = known("lamp", "mqtt")
    prove(image(OWN) + b"mqtt", OWN, [short], "the image")
    with pytest.raises(DeviceError, match="client `lamp`"):
        prove(image(OWN, short), OWN, [short], "the image")


@given(st.text("abc", min_size=8, max_size=12), st.text("abc", min_size=8, max_size=12))
def test_another_s_text_is_found_unless_it_is_part_of_one_s_own(own: str, other: str) -> None:
    """Whatever the two passwords share, the other's is found exactly where it stands outside of ours."""
    content = b"\0" + own.encode() + b"\0" + f"u-{own}".encode() + b"\0"
    me, stranger = Known("me", f"u-{own}", Secret(own)), Known("you", "u-of-yours-alone", Secret(other))
    prove(content, me, [me, stranger], "the image")
    alone = content + b"\0" + other.encode() + b"\0"
    if own == other:
        prove(alone, me, [me, stranger], "the image")
    elif other not in own:
        with pytest.raises(DeviceError, match="client `you`"):
            prove(alone, me, [me, stranger], "the image")


def test_the_template_s_partition_table_is_read() -> None:
    """Programs and credentials lie where the firmware and the flasher both look."""
    found = {each.name: each for each in partitions((firmware_template() / "partitions.csv").read_text())}
    assert (found["creds"].offset, found["creds"].size) == (0x3D0000, 0x6000)
    assert (found["app0"].kind, found["app0"].offset) == ("app", 0x10000)


def test_offsets_that_are_left_out_follow_the_row_before() -> None:
    """Programs begin at a multiple of 64 KiB, everything else at one of 4 KiB."""
    found = partitions("# name\nnvs, data, nvs, , 0x5000\nphy,data,phy,,4K\nfactory, app, factory, , 1M,\n")
    assert [each.offset for each in found] == [0x9000, 0xE000, 0x10000]
    assert found[2].size == 1024 * 1024


@pytest.mark.parametrize(("text", "bytes_"), [("0x6000", 0x6000), ("24576", 24576), ("24K", 24576), ("1M", 1 << 20)])
def test_sizes_are_read_in_every_spelling(text: str, bytes_: int) -> None:
    assert number(text) == bytes_


def test_what_is_no_table_is_refused() -> None:
    """A row with too few cells, or words for numbers."""
    for text in ("only, two", "a, data, nvs, here, there"):
        with pytest.raises(ValueError, match=re.compile(".")):
            partitions(text)
