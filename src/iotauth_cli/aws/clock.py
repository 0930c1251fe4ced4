"""What time it is at AWS, from the `Date` of any answer: asked without keys, which a wrong clock makes worthless."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from iotauth_authorizer.http1 import Broken, Connection
from iotauth_cli.aws import partitions
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError


def ahead_s(session: Session, timeout_s: float) -> float:
    """Return how far this machine's clock is ahead of AWS's, in seconds; behind is negative.

    `Date` has whole seconds and the answer travelled, so a second either way means nothing.

    Raises:
        AwsError: nobody answered, or the answer says no time.
    """
    target = session.target
    connection = Connection(target.identity_url or partitions.endpoint("sts", target.region), ca_file=target.table_ca)
    try:
        answer = connection.request("GET", "/", {}, timeout_s=timeout_s)
        theirs = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (Broken, OSError, KeyError, ValueError, TypeError) as problem:
        raise AwsError(f"{target.label} did not say what time it is", hint=target.when_unreachable) from problem
    finally:
        connection.close()
    return time.time() - theirs
