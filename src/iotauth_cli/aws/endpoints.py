"""Where the light clients' services answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iotauth_cli.aws import partitions
from iotauth_cli.aws.caller import Endpoint
from iotauth_cli.aws.errors import translated

if TYPE_CHECKING:
    from iotauth_cli.config import Target

# Any call will do: it is only made ready.
CALLS = {"dynamodb": "list_tables", "sts": "get_caller_identity"}


def plain(service: str, region: str) -> Endpoint:
    """Return where *service* answers if nothing else is set: in the region itself, as AWS recommends for STS too."""
    return Endpoint(partitions.endpoint(service, region), region)


def resolved(boto3: Any, service: str, target: Target) -> Endpoint:
    """Return where the session *boto3* would call *service*, and the region that it would sign for.

    Taken from a URL that is presigned and never sent: that has been through everything that botocore
    knows of endpoints. Its own session is new, so that no client that exists is changed.
    """
    from urllib.parse import parse_qs, urlsplit

    with translated(target, service):
        url = boto3.client(service).generate_presigned_url(CALLS[service])
    parts = urlsplit(url)
    scope = parse_qs(parts.query)["X-Amz-Credential"][0].split("/")
    return Endpoint(f"{parts.scheme}://{parts.netloc}{parts.path}", scope[2])
