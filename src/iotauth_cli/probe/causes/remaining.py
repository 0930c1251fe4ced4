"""What is left when nothing certain fits: how far the evidence goes, and no further."""

from __future__ import annotations

from iotauth_cli.probe import clues
from iotauth_cli.probe.cause import ANY_END, UNKNOWN, Cause
from iotauth_cli.probe.causes.references import LOGGING, POLICY_ACTIONS, TRANSPORT, TROUBLESHOOTING
from iotauth_cli.probe.causes.remedies import AWS_IOT_LOG, FUNCTION_LOG
from iotauth_cli.probe.stages import STAGES, Symptom

CAUSES = (
    Cause(
        "no-server-name",
        stages=("connect",),
        symptoms=ANY_END,
        when=(clues.was_not_called, clues.sent_no_server_name),
        says="the device sent no server name, because `{host}` is an address",
        evidence=(clues.calls, clues.data_endpoint),
        remedy="connect to the name: leave out `--endpoint`",
        reference=TROUBLESHOOTING,
    ),
    Cause(
        "wrong-endpoint",
        stages=("connect",),
        symptoms=ANY_END,
        when=(clues.was_not_called, clues.is_not_where_devices_connect),
        says="`{endpoint}` is not where devices of this account connect",
        evidence=(clues.calls, clues.data_endpoint),
        remedy="leave out `--endpoint` and `--port`: `iotauth test-connect {client}{where}`",
        reference=TROUBLESHOOTING,
    ),
    Cause(
        "not-called",
        stages=("connect",),
        symptoms=ANY_END,
        when=(clues.was_not_called, clues.permission_is("given")),
        says="AWS IoT refused before it asked function `{function}`, though authorizer and permission are in order",
        evidence=(clues.calls, clues.test_outcome),
        remedy=f"look for client `{{client}}` in AWS IoT's own log: {AWS_IOT_LOG}",
        reference=LOGGING,
    ),
    Cause(
        "connect-unanswered",
        stages=("connect",),
        symptoms=(Symptom.TIMEOUT,),
        says="`{endpoint}` does not answer CONNECT",
        evidence=(clues.calls, clues.test_outcome),
        remedy="give it more time: `iotauth test-connect {client} --timeout 30{where}`",
        reference=TROUBLESHOOTING,
        answer=UNKNOWN,
    ),
    Cause(
        "connect-refused",
        stages=("connect",),
        symptoms=ANY_END,
        says="AWS IoT refused; either it did not ask the function, or it did not like the answer",
        evidence=(clues.calls, clues.test_outcome, clues.decision),
        remedy=f"the function's log tells which: {FUNCTION_LOG}",
        reference=TROUBLESHOOTING,
    ),
    Cause(
        "second-connection-failed",
        stages=("connect",),
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
        remedy="give it more time: `iotauth test-connect {client} --timeout 30{where}`",
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
