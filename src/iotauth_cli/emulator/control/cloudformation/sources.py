"""From what a caller sends (template, parameters, tags, capabilities) to what a stack is to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotauth_cli.emulator.control.cloudformation import parameters, rules, sam, syntax, template
from iotauth_cli.emulator.control.cloudformation.errors import insufficient_capabilities, invalid
from iotauth_cli.emulator.control.cloudformation.shown import declared, needed_capabilities
from iotauth_cli.emulator.control.cloudformation.store import Source
from iotauth_cli.emulator.control.service import Context, NotImplementedHere, Parameters

IAM = {"CAPABILITY_IAM": {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}}  # the wider one says yes to the narrower
UNAVAILABLE = {
    "NotificationARNs": "notifications of stacks",
    "StackPolicyBody": "stack policies",
    "StackPolicyURL": "stack policies",
}


async def read(request: Parameters, context: Context, previous: Source | None = None) -> Source:
    """Return what *request* wants a stack to be; what it leaves out is as in *previous*.

    Raises:
        ServiceError: the template, a parameter or the capabilities are not in order.
    """
    for name, what in UNAVAILABLE.items():
        if request.get(name):
            raise NotImplementedHere(what)
    text = body(request, previous)
    document = syntax.parse(text)
    template.check_sections(document)
    parameters.check_declarations(declared(document))
    before = previous.parameters if previous else None
    texts = parameters.texts(declared(document), request.get("Parameters", ()), before)
    region = {"AWS::Region": context.region, "AWS::AccountId": context.account}
    rules.check(document.get("Rules") or {}, {**region, **parameters.values(declared(document), texts)})
    processed = document
    if document.get("Transform"):
        template.transforms(document["Transform"])
        processed = await sam.transform(document, texts, context.region)
    template.parse(processed)
    capabilities = tuple(request.get("Capabilities", ()))
    _check_capabilities({**processed, "Transform": document.get("Transform")}, capabilities)
    tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]} if "Tags" in request else None
    kept_tags = previous.tags if previous else {}
    return Source(text, syntax.build(processed), texts, kept_tags if tags is None else tags, capabilities)


def body(request: Parameters, previous: Source | None = None) -> str:
    """Return the template's text, from the request or, if it says so, from the stack before.

    Raises:
        ServiceError: there is none, or it lies in S3.
    """
    if request.get("TemplateURL"):
        raise NotImplementedHere("templates from S3; send the TemplateBody")
    if request.get("UsePreviousTemplate") and previous:
        return previous.text
    if not request.get("TemplateBody"):
        raise invalid("Either Template URL or Template Body must be specified.")
    text: str = request["TemplateBody"]
    return text


def _check_capabilities(processed: Mapping[str, Any], given: tuple[str, ...]) -> None:
    missing = [name for name in needed_capabilities(processed) if not IAM.get(name, {name}) & set(given)]
    if missing:
        raise insufficient_capabilities(missing)
