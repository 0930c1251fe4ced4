"""Causes on the way to the port: the name, and the TCP connection."""

from __future__ import annotations

from iotauth_cli.probe import clues, told
from iotauth_cli.probe.cause import UNKNOWN, Cause
from iotauth_cli.probe.causes.references import CONNECTING, PROTOCOLS
from iotauth_cli.probe.stages import Symptom as S

CAUSES = (
    Cause(
        "wrong-endpoint",
        stages=("dns", "tcp"),
        symptoms=(S.NO_SUCH_HOST, S.PORT_CLOSED, S.TIMEOUT, S.UNREACHABLE),
        when=(clues.is_not_where_devices_connect,),
        says="`{endpoint}` does not answer, and is not where devices of this account connect",
        evidence=(told.data_endpoint,),
        remedy="leave out `--endpoint` and `--port`: `{again}{where}`",
        reference=CONNECTING,
        answer=UNKNOWN,
    ),
    Cause(
        "no-such-host",
        stages=("dns",),
        symptoms=(S.NO_SUCH_HOST,),
        says="there is no host `{host}`",
        remedy="correct `--endpoint`, or ask this machine's resolver: `getent hosts {host}`",
        reference=CONNECTING,
        answer=UNKNOWN,
    ),
    Cause(
        "resolver-failed",
        stages=("dns",),
        symptoms=(S.NAME_NOT_RESOLVED, S.TIMEOUT),
        says="this machine could not find out the address of `{host}`",
        remedy="check the network and its name server: `getent hosts {host}`",
        reference=CONNECTING,
        answer=UNKNOWN,
    ),
    Cause(
        "port-closed",
        stages=("tcp",),
        symptoms=(S.PORT_CLOSED,),
        when=(clues.is_on_this_machine,),
        says="nothing listens on `{endpoint}`",
        remedy="start the emulator: `iotauth emulator start`",
        reference=CONNECTING,
        answer=UNKNOWN,
    ),
    Cause(
        "port-closed",
        stages=("tcp",),
        symptoms=(S.PORT_CLOSED,),
        says="nothing listens on `{endpoint}`",
        remedy="use port 443, the only one for custom authentication: leave out `--port`",
        reference=PROTOCOLS,
        answer=UNKNOWN,
    ),
    Cause(
        "unreachable",
        stages=("tcp",),
        symptoms=(S.TIMEOUT, S.UNREACHABLE),
        says="nobody answers at `{endpoint}`: there is no way there, or a firewall is in it",
        remedy="allow this machine to reach it; try `nc -vz {host} {port}`",
        reference=PROTOCOLS,
        answer=UNKNOWN,
    ),
)
