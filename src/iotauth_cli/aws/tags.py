"""Tags of what AWS IoT keeps: small notes in AWS itself, which every machine can read.

A key has up to 128 characters, a value up to 256, of letters, digits and ``_ . : / = + - @``; `aws:` is Amazon's own.
Source: AWS IoT developer guide, "Tagging your AWS IoT resources".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iotauth_cli.aws.session import Session


def holding(authorizer: str) -> str:
    """Return an authorizer's name as the value of a tag: a comma may not be in one, and no name has a `+`."""
    return authorizer.replace(",", "+")


def of(session: Session, arn: str) -> dict[str, str]:
    """Return the tags of *arn*."""
    pages = session.pages("iot", "list_tags_for_resource", resourceArn=arn)
    return {tag["Key"]: tag.get("Value", "") for page in pages for tag in page.get("tags", ())}


def put(session: Session, arn: str, tags: Mapping[str, str]) -> None:
    """Set *tags*, all in one call; others stay."""
    session.call("iot", "tag_resource", resourceArn=arn, tags=[{"Key": k, "Value": v} for k, v in tags.items()])


def remove(session: Session, arn: str, keys: Sequence[str]) -> None:
    """Take tags away; that one is not there is no error."""
    session.call("iot", "untag_resource", resourceArn=arn, tagKeys=list(keys))
