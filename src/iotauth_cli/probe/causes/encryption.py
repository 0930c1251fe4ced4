"""Causes in the TLS handshake: who signed the certificate, for whom, and until when."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe import clues, told
from iotauth_cli.probe.cause import UNKNOWN, Cause
from iotauth_cli.probe.causes.references import PROTOCOLS, SERVER_CERTIFICATES, TRANSPORT, VALIDITY
from iotauth_cli.probe.stages import Symptom as S

handshake = partial(Cause, stages=("tls",))

CAUSES = (
    handshake(
        "foreign-ca",
        symptoms=(S.UNTRUSTED,),
        when=(clues.typed("ca"),),
        says="the certificate of `{endpoint}` is not signed by the root in `{ca_file}`",
        evidence=(told.certificate, told.trusted_root),
        remedy="leave out `--ca`, or give the root that signed it",
        reference=SERVER_CERTIFICATES,
    ),
    handshake(
        "foreign-ca",
        symptoms=(S.UNTRUSTED,),
        says="the certificate of `{endpoint}` is signed by nobody whom this machine trusts",
        evidence=(told.certificate, told.trusted_root),
        remedy="give the root that signed it: `{again} --ca FILE{where}`",
        reference=SERVER_CERTIFICATES,
    ),
    handshake(
        "expired-ca",
        symptoms=(S.EXPIRED,),
        when=(clues.leaf_is_in_date,),
        says="the root that signed the certificate of `{endpoint}` has expired",
        evidence=(told.certificate, told.term, told.trusted_root),
        remedy="give a root that is in date: `{again} --ca FILE{where}`",
        reference=VALIDITY,
    ),
    handshake(
        "expired-certificate",
        symptoms=(S.EXPIRED,),
        when=(clues.is_on_this_machine,),
        says="the certificate of `{endpoint}` has expired",
        evidence=(told.certificate, told.term),
        remedy="have the emulator sign a new one: `iotauth emulator stop`, then `iotauth emulator start`",
        reference=VALIDITY,
    ),
    handshake(
        "expired-certificate",
        symptoms=(S.EXPIRED,),
        says="the certificate of `{endpoint}` has expired, or this machine's clock is ahead",
        evidence=(told.certificate, told.term),
        remedy="compare the certificate's end with the clock: `date -u`",
        reference=VALIDITY,
    ),
    handshake(
        "clock-behind",
        symptoms=(S.NOT_YET_VALID,),
        says="the certificate of `{endpoint}` is not valid yet, so this machine's clock is behind",
        evidence=(told.certificate, told.term),
        remedy="set the clock; `date -u` shows it",
        reference=VALIDITY,
    ),
    handshake(
        "wrong-host-name",
        symptoms=(S.WRONG_NAME,),
        says="the certificate of `{endpoint}` is not made out to `{host}`",
        evidence=(told.certificate_names, told.data_endpoint),
        remedy="connect to a name that it has: `{again} --endpoint {certified}{where}`",
        reference=SERVER_CERTIFICATES,
    ),
    handshake(
        "invalid-certificate",
        symptoms=(S.INVALID_CERTIFICATE,),
        says="the certificate of `{endpoint}` does not hold: {met}",
        evidence=(told.certificate, told.term, told.trusted_root),
        remedy="see the whole chain: `openssl s_client -connect {endpoint} -showcerts`",
        reference=SERVER_CERTIFICATES,
    ),
    handshake(
        "not-tls",
        symptoms=(S.NOT_TLS,),
        says="what listens on `{endpoint}` does not speak TLS",
        evidence=(told.data_endpoint,),
        remedy="connect where devices do: leave out `--endpoint` and `--port`",
        reference=PROTOCOLS,
        answer=UNKNOWN,
    ),
    handshake(
        "wrong-alpn",
        symptoms=(S.NO_COMMON_PROTOCOL,),
        when=(clues.offers_another_alpn,),
        says="the server takes none of the ALPN protocols that the device offers",
        evidence=(told.alpn,),
        remedy="offer `mqtt`: leave out `--alpn`",
        reference=PROTOCOLS,
    ),
    handshake(
        "wrong-server-name",
        symptoms=(S.CLOSED, S.TLS_FAILED, S.NO_COMMON_PROTOCOL),
        when=(clues.sent_another_server_name,),
        says="the device asks for `{server_name}` in TLS, and `{endpoint}` breaks the handshake off",
        evidence=(told.server_name, told.data_endpoint),
        remedy="have the device send the endpoint's own name (SNI): `{host}`",
        reference=TRANSPORT,
    ),
    handshake(
        "no-server-name",
        symptoms=(S.CLOSED, S.TLS_FAILED),
        when=(clues.sent_no_server_name,),
        says="the device sends no server name in TLS, and `{endpoint}` breaks the handshake off",
        evidence=(told.data_endpoint,),
        remedy="have the device send the endpoint's name (SNI), and connect to the name, not to an address",
        reference=TRANSPORT,
    ),
    handshake(
        "handshake-broken-off",
        symptoms=(S.CLOSED, S.TLS_FAILED, S.NO_COMMON_PROTOCOL),
        says="`{endpoint}` broke the TLS handshake off: {met}",
        evidence=(told.data_endpoint,),
        remedy="connect where devices do, with no proxy between: leave out `--endpoint` and `--port`",
        reference=TRANSPORT,
    ),
    handshake(
        "handshake-unanswered",
        symptoms=(S.TIMEOUT,),
        says="`{endpoint}` took the connection and then said nothing",
        evidence=(told.data_endpoint,),
        remedy="connect where devices do: leave out `--endpoint` and `--port`",
        reference=TRANSPORT,
        answer=UNKNOWN,
    ),
)
