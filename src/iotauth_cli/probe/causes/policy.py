"""Causes that lie in the policy which the function returns."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe import clues, told
from iotauth_cli.probe.cause import ANY_END, Cause
from iotauth_cli.probe.causes.references import POLICY_ACTIONS, POLICY_EXAMPLES
from iotauth_cli.probe.mqtt5 import NOT_AUTHORIZED
from iotauth_cli.probe.stages import Symptom

connect = partial(Cause, stages=("connect",), symptoms=ANY_END, reference=POLICY_ACTIONS)
subscribe = partial(Cause, stages=("subscribe",), symptoms=ANY_END, reference=POLICY_EXAMPLES)
publish = partial(Cause, stages=("publish", "request"), symptoms=ANY_END, reference=POLICY_EXAMPLES)
receive = partial(Cause, stages=("receive",), symptoms=(Symptom.TIMEOUT,), reference=POLICY_ACTIONS)

ALLOW = "have the policy of function `{function}` allow `{action}` on `{resource}`"
REMOVE = "take that statement out of the policy of function `{function}`"

UNAUTHORIZED = (clues.code_is(NOT_AUTHORIZED), clues.policy_is_unknown)  # it said so itself, in MQTT 5
WILL = (clues.decided_by("iot:Publish"),)
RETAIN = (clues.decided_by("iot:RetainPublish"),)

CAUSES = (
    connect(
        "will-denied",
        when=(*WILL, clues.policy_denies),
        says="the policy forbids client `{client}` to leave a will on `{will}`",
        evidence=(told.calls, told.decision),
        remedy=REMOVE,
    ),
    connect(
        "will-not-granted",
        when=(*WILL, clues.policy_is_silent, clues.function_is_ours),
        says="client `{client}` may connect, but not leave a will on `{will}`, so it may not connect with one",
        evidence=(told.calls, told.decision, told.near_misses),
        remedy="leave it on a topic that it may publish to: `iotauth client show {client}{where}` lists them",
    ),
    connect(
        "will-not-granted",
        when=(*WILL, clues.policy_is_silent),
        says="client `{client}` may connect, but not leave a will on `{will}`, so it may not connect with one",
        evidence=(told.calls, told.decision, told.near_misses),
        remedy="leave the will out, or " + ALLOW,
    ),
    connect(
        "connect-denied",
        when=(clues.policy_denies,),
        says="the policy forbids client `{client}` to connect",
        evidence=(told.calls, told.decision),
        remedy=REMOVE,
    ),
    connect(
        "connect-not-granted",
        when=(clues.policy_is_silent,),
        says="the function lets client `{client}` in, but its policy does not let it connect",
        evidence=(told.calls, told.decision, told.near_misses),
        remedy=ALLOW,
    ),
    subscribe(
        "subscribe-denied",
        when=(clues.policy_denies,),
        says="the policy forbids client `{client}` to subscribe to `{filter}`",
        evidence=(told.decision,),
        remedy=REMOVE,
    ),
    subscribe(
        "subscribe-not-granted",
        when=(clues.policy_is_silent, clues.function_is_ours),
        says="client `{client}` may not subscribe to `{filter}`",
        evidence=(told.decision, told.near_misses),
        remedy="grant it: `iotauth client update {client} --add --subscribe '{filter}'{where}`; "
        "policies compare filters as text",
    ),
    subscribe(
        "subscribe-not-granted",
        when=(clues.policy_is_silent,),
        says="client `{client}` may not subscribe to `{filter}`",
        evidence=(told.decision, told.near_misses),
        remedy=ALLOW,
    ),
    publish(
        "retain-denied",
        when=(*RETAIN, clues.policy_denies),
        says="the policy forbids client `{client}` to publish retained messages to `{topic}`",
        evidence=(told.decision,),
        remedy=REMOVE,
    ),
    publish(
        "retain-not-granted",
        when=(*RETAIN, clues.policy_is_silent, clues.function_is_ours),
        says="client `{client}` may publish to `{topic}`, but not with the retain flag",
        evidence=(told.decision, told.near_misses),
        remedy="grant it: `iotauth client update {client} --retain{where}`; or publish without the retain flag",
    ),
    publish(
        "retain-not-granted",
        when=(*RETAIN, clues.policy_is_silent),
        says="client `{client}` may publish to `{topic}`, but not with the retain flag",
        evidence=(told.decision, told.near_misses),
        remedy="publish without the retain flag, or " + ALLOW,
    ),
    publish(
        "publish-denied",
        when=(clues.policy_denies,),
        says="the policy forbids client `{client}` to publish to `{topic}`",
        evidence=(told.decision,),
        remedy=REMOVE,
    ),
    publish(
        "publish-not-granted",
        when=(clues.policy_is_silent, clues.function_is_ours),
        says="client `{client}` may not publish to `{topic}`",
        evidence=(told.decision, told.near_misses),
        remedy="grant it: `iotauth client update {client} --add --publish '{topic}'{where}`",
    ),
    publish(
        "publish-not-granted",
        when=(clues.policy_is_silent,),
        says="client `{client}` may not publish to `{topic}`",
        evidence=(told.decision, told.near_misses),
        remedy=ALLOW,
    ),
    receive(
        "receive-denied",
        when=(clues.policy_denies,),
        says="the policy forbids client `{client}` to receive what is published to `{topic}`",
        evidence=(told.decision,),
        remedy=REMOVE,
    ),
    receive(
        "receive-not-granted",
        when=(clues.policy_is_silent,),
        says="client `{client}` may subscribe, but not receive what is published to `{topic}`",
        evidence=(told.decision, told.near_misses),
        remedy=ALLOW,
    ),
    subscribe(
        "subscribe-not-granted",
        when=UNAUTHORIZED,
        says="the broker does not authorize client `{client}` to subscribe to `{filter}`",
        evidence=(told.test_outcome,),
        remedy="see what its policy allows: `iotauth policy show {client}{where}`; policies compare filters as text",
    ),
    publish(
        "publish-not-granted",
        when=UNAUTHORIZED,
        says="the broker does not authorize client `{client}` to publish to `{topic}` as it does",
        evidence=(told.test_outcome,),
        remedy="see what its policy allows: `iotauth policy show {client}{where}`",
    ),
)
