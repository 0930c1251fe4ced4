"""How large the policy documents of one answer may be.

AWS IoT takes at most 10 documents of at most 2,048 characters each from an authorizer.
Source: AWS IoT developer guide, "Defining your Lambda function". Whether white space counts is
not documented for these (it does not for attached policies), so the compact form is counted:
what AWS makes of a document that the function returns as an object.
"""

from __future__ import annotations

import json

from iotauth_authorizer.event import MAX_POLICY_DOCUMENT_CHARACTERS, MAX_POLICY_DOCUMENTS

__all__ = ["MAX_POLICY_DOCUMENTS", "MAX_POLICY_DOCUMENT_CHARACTERS", "characters"]


def characters(document: object) -> int:
    """Return how many characters a document, given as parsed JSON, has without white space."""
    return len(json.dumps(document, separators=(",", ":"), ensure_ascii=False))
