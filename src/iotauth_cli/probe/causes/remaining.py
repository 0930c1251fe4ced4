"""What is left when nothing certain fits: how far the evidence goes, and no further."""

from __future__ import annotations

from iotauth_cli.probe import clues
from iotauth_cli.probe.cause import ANY_END, ENTRANCE, UNKNOWN, Cause
from iotauth_cli.probe.causes.references import LOGGING, MQTT, POLICY_ACTIONS, TRANSPORT, TROUBLESHOOTING
from iotauth_cli.probe.causes.remedies import AWS_IOT_LOG, FUNCTION_LOG
from iotauth_cli.probe.mqtt5 import ADMINISTRATIVE_ACTION, SESSION_TAKEN_OVER
from iotauth_cli.probe.stages import STAGES, Symptom

CAUSES = (
    Cause(
        "session-taken-over",
        stages=("connect", "subscribe", "publish", "receive", "stay", "end"),
        symptoms=ANY_END,
        when=(clues.code_is(SESSION_TAKEN_OVER),),
        says="another connection has taken client id `{client}` over, and the broker ended this one",
        remedy="give each device a client id of its own, or stop the other one: `iotauth client show {client}{where}`",
        reference=MQTT,
    ),
    Cause(
        "session-ended",
        stages=("subscribe", "publish", "receive", "stay", "end"),
        symptoms=ANY_END,
        when=(clues.code_is(ADMINISTRATIVE_ACTION),),
        says="somebody had the broker end the session of client `{client}`, or the authorizer's time limit has passed",
        evidence=(clues.lasted,),
        remedy="see whether the client is still let in, and for how long: `iotauth client show {client}{where}`",
        reference=MQTT,
    ),
    Cause(
        "ended-without-a-word",
        stages=("stay",),
        symptoms=ANY_END,
        when=(clues.gave_no_code,),
        says="the broker ended the connection and gave no reason: either another one has taken client id `{client}` "
        "over, or the session was ended on purpose",
        evidence=(clues.lasted,),
        remedy="MQTT 5 tells which: `{again} --mqtt5 --stay {stay}{where}`",
        reference=MQTT,
    ),
    Cause(
        "wrong-server-name",
        stages=ENTRANCE,
        symptoms=ANY_END,
        when=(clues.was_not_called, clues.sent_another_server_name),
        says="the device asked for `{server_name}` in TLS, which is no endpoint of this account",
        evidence=(clues.server_name, clues.calls, clues.data_endpoint),
        remedy="have the device send the endpoint's own name (SNI): `{host}`",
        reference=TROUBLESHOOTING,
    ),
    Cause(
        "no-server-name",
        stages=ENTRANCE,
        symptoms=ANY_END,
        when=(clues.was_not_called, clues.sent_no_server_name),
        says="the device sent no server name in TLS; AWS IoT wants the endpoint's",
        evidence=(clues.calls, clues.data_endpoint),
        remedy="connect to the name, not to an address, and send it (SNI); here, leave out `--endpoint`",
        reference=TROUBLESHOOTING,
    ),
    Cause(
        "wrong-endpoint",
        stages=ENTRANCE,
        symptoms=ANY_END,
        when=(clues.was_not_called, clues.is_not_where_devices_connect),
        says="`{endpoint}` is not where devices of this account connect",
        evidence=(clues.calls, clues.data_endpoint),
        remedy="leave out `--endpoint` and `--port`: `{again}{where}`",
        reference=TROUBLESHOOTING,
    ),
    Cause(
        "not-called",
        stages=ENTRANCE,
        symptoms=ANY_END,
        when=(clues.was_not_called, clues.permission_is("given")),
        says="AWS IoT refused before it asked function `{function}`, though authorizer and permission are in order",
        evidence=(clues.calls, clues.test_outcome),
        remedy=f"look for client `{{client}}` in AWS IoT's own log: {AWS_IOT_LOG}",
        reference=LOGGING,
    ),
    Cause(
        "connect-unanswered",
        stages=ENTRANCE,
        symptoms=(Symptom.TIMEOUT,),
        says="`{endpoint}` does not answer {step}",
        evidence=(clues.calls, clues.test_outcome),
        remedy="give it more time: `{again} --timeout 30{where}`",
        reference=TROUBLESHOOTING,
        answer=UNKNOWN,
    ),
    Cause(
        "connect-refused",
        stages=ENTRANCE,
        symptoms=ANY_END,
        says="AWS IoT refused; either it did not ask the function, or it did not like the answer",
        evidence=(clues.calls, clues.test_outcome, clues.decision),
        remedy=f"the function's log tells which: {FUNCTION_LOG}",
        reference=TROUBLESHOOTING,
    ),
    Cause(
        "second-connection-failed",
        stages=ENTRANCE,
        symptoms=tuple(Symptom),
        says="`{endpoint}` took one connection and failed the next: not all servers behind it are alike",
        remedy="run the same command again",
        reference=TRANSPORT,
        answer=UNKNOWN,
    ),
    Cause(
        "message-not-delivered",
        stages=("receive",),
        symptoms=(Symptom.TIMEOUT,),
        says="the message was taken, and did not come back in time",
        evidence=(clues.decision,),
        remedy="give it more time: `{again} --timeout 30{where}`",
        reference=POLICY_ACTIONS,
        answer=UNKNOWN,
    ),
    Cause(
        "cut-off",
        stages=STAGES,
        symptoms=tuple(Symptom),
        says="the connection ended in the middle, though nothing that can be seen forbids this step",
        evidence=(clues.decision,),
        remedy="run the same command again; stop whatever else uses client id `{client}`",
        reference=POLICY_ACTIONS,
        answer=UNKNOWN,
    ),
)
