"""Causes that lie in the message or the topic itself: what AWS IoT takes from nobody, whatever the policy says."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe import clues, told
from iotauth_cli.probe.cause import ANY_END, Cause
from iotauth_cli.probe.causes.references import LIMITS, MQTT
from iotauth_cli.probe.stages import Symptom

NO = (*ANY_END, Symptom.REJECTED)

message = partial(Cause, stages=("publish", "request"), symptoms=NO)
topic = partial(Cause, stages=("publish", "request", "subscribe"), symptoms=NO, reference=LIMITS)

CAUSES = (
    message(
        "qos-2",
        when=(clues.publishes_at_qos_2, clues.qos_was_not_taken),
        says="the device publishes at QoS 2, which AWS IoT does not have",
        remedy="publish at QoS 0 or 1",
        reference=MQTT,
    ),
    message(
        "payload-too-large",
        when=(clues.payload_is_too_large,),
        says="the message to `{topic}` is larger than AWS IoT takes",
        evidence=(told.payload,),
        remedy="send it in pieces, or put it into S3 and publish where it lies",
        reference=LIMITS,
    ),
    topic(
        "topic-too-deep",
        when=(clues.topic_is_too_deep,),
        says="the topic has more levels than AWS IoT takes",
        evidence=(told.topic_size,),
        remedy="use a topic with seven slashes at most",
    ),
    topic(
        "topic-too-long",
        when=(clues.topic_is_too_long,),
        says="the topic is longer than AWS IoT takes",
        evidence=(told.topic_size,),
        remedy="use a topic of 256 bytes at most",
    ),
)
