"""Causes of a refusal before the function is asked, in the order in which AWS IoT looks."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe import clues, told
from iotauth_cli.probe.cause import ANY_END, ENTRANCE, Cause
from iotauth_cli.probe.causes.references import CUSTOM_AUTH, DOMAINS, PROTOCOLS, TROUBLESHOOTING
from iotauth_cli.probe.causes.remedies import CREATE

refused = partial(Cause, stages=ENTRANCE, symptoms=ANY_END)

CAUSES = (
    refused(
        "no-alpn",
        when=(clues.offers_no_alpn, clues.may_not_have_been_called),
        says="the device offers no ALPN protocol, so the port expects HTTP of it and hangs up",
        evidence=(told.alpn, told.calls),
        remedy="have the device offer ALPN `mqtt`; here, leave out `--no-alpn`",
        reference=PROTOCOLS,
    ),
    refused(
        "wrong-alpn",
        when=(clues.offers_another_alpn, clues.may_not_have_been_called),
        says="the device offers another ALPN protocol than `mqtt`, the one for custom authentication",
        evidence=(told.alpn, told.calls),
        remedy="have the device offer ALPN `mqtt`; here, leave out `--alpn`",
        reference=PROTOCOLS,
    ),
    refused(
        "port-for-certificates",
        when=(clues.is_port_for_certificates, clues.may_not_have_been_called),
        says="port {port} is for devices with a certificate, and hangs up on one with a password",
        evidence=(told.calls,),
        remedy="use port 443, the only one for custom authentication: leave out `--port`",
        reference=PROTOCOLS,
    ),
    refused(
        "two-question-marks",
        when=(clues.user_name_is_malformed, clues.may_not_have_been_called),
        says="the user name has more than one `?`, which AWS IoT does not take",
        evidence=(told.calls,),
        remedy="give what stands before the `?` with `--username`, and the authorizer with `--authorizer`",
        reference=CUSTOM_AUTH,
    ),
    refused(
        "domain-disabled",
        when=(clues.domain_is_disabled, clues.may_not_have_been_called),
        says="domain configuration `{domain}`, by which the device came, is DISABLED",
        evidence=(told.calls,),
        remedy="enable it: `{aws} iot update-domain-configuration --domain-configuration-name {domain} "
        "--domain-configuration-status ENABLED`",
        reference=DOMAINS,
    ),
    refused(
        "no-authorizer-named",
        when=(clues.names_no_authorizer, clues.authorizer_is_absent),
        says="the user name names no authorizer, and {place} has no default one",
        evidence=(told.calls,),
        remedy="name one: `{again} --authorizer NAME{where}`",
        reference=CUSTOM_AUTH,
    ),
    refused(
        "authorizer-missing",
        when=(clues.authorizer_is_absent,),
        says="there is no authorizer `{authorizer}` in {place}",
        evidence=(told.calls,),
        remedy=f"create it: {CREATE}",
        reference=TROUBLESHOOTING,
    ),
    refused(
        "authorizer-inactive",
        when=(clues.authorizer_is_inactive, clues.may_not_have_been_called),
        says="authorizer `{authorizer}` is INACTIVE, so AWS IoT does not ask it",
        evidence=(told.calls,),
        remedy="activate it: `iotauth authorizer enable {authorizer}{where}`",
        reference=TROUBLESHOOTING,
    ),
    refused(
        "signature-missing",
        when=(clues.signature_is_missing, clues.may_not_have_been_called),
        says="authorizer `{authorizer}` wants a signed token, and the user name carries none",
        evidence=(told.calls,),
        remedy="sign one: `iotauth keys sign --for-client {client} --authorizer {authorizer}{where}`",
        reference=CUSTOM_AUTH,
    ),
    refused(
        "token-with-newline",
        when=(clues.signature_is_wrong, clues.signed_when("trimmed"), clues.may_not_have_been_called),
        says="the token of client `{client}` has white space at its end, which was not signed",
        evidence=(told.calls,),
        remedy="cut the line end off where the token is read: `printf %s`, not `echo`, when a file is made",
        reference=CUSTOM_AUTH,
    ),
    refused(
        "signature-not-encoded",
        when=(clues.signature_is_wrong, clues.signed_when("encoded"), clues.may_not_have_been_called),
        says="the signature stands in the user name as it is, so each `+` in it arrives as a space",
        evidence=(told.calls,),
        remedy="percent-encode it once (`+` as `%2B`), or take the user name of `iotauth keys sign --for-client "
        "{client} --authorizer {authorizer}{where}`",
        reference=CUSTOM_AUTH,
    ),
    refused(
        "signature-wrong",
        when=(clues.signature_is_wrong, clues.may_not_have_been_called),
        says="no key of authorizer `{authorizer}` has signed the token of client `{client}`",
        evidence=(told.calls,),
        remedy="its key may be retired; sign it anew: `iotauth keys sign --for-client {client} "
        "--authorizer {authorizer}{where}`",
        reference=CUSTOM_AUTH,
    ),
    refused(
        "function-missing",
        when=(clues.function_is_absent,),
        says="authorizer `{authorizer}` asks a function that is not there: `{function_arn}`",
        remedy=f"create it: {CREATE}",
        reference=TROUBLESHOOTING,
    ),
    refused(
        "no-permission",
        when=(clues.permission_is("none"), clues.may_not_have_been_called),
        says="AWS IoT may not invoke function `{function}`",
        evidence=(told.permission, told.calls),
        remedy=f"permit it: {CREATE}",
        reference=TROUBLESHOOTING,
    ),
    refused(
        "permission-for-another-authorizer",
        when=(clues.permission_is("other-authorizer"), clues.may_not_have_been_called),
        says="AWS IoT may invoke function `{function}`, but not for authorizer `{authorizer}`",
        evidence=(told.permission, told.calls),
        remedy=f"permit it: {CREATE}",
        reference=TROUBLESHOOTING,
    ),
    refused(
        "permission-for-another-account",
        when=(clues.permission_is("other-account"), clues.may_not_have_been_called),
        says="AWS IoT may invoke function `{function}`, but only for another account",
        evidence=(told.permission, told.calls),
        remedy=f"permit it: {CREATE}",
        reference=TROUBLESHOOTING,
    ),
    refused(
        "function-not-ready",
        when=(clues.function_is_not_ready, clues.may_not_have_been_called),
        says="function `{function}` is still being created or updated",
        evidence=(told.calls,),
        remedy="wait a little and run the same command again",
        reference=TROUBLESHOOTING,
    ),
)
