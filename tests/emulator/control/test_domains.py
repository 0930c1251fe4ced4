"""Domain configurations as boto3 creates, reads, changes and deletes them."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from iotauth_cli.emulator.behaviour import Behaviour
from support_control import Control, code_of, message_of

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/11112222-3333-4444-5555-666677778888"
CHOICE = {"defaultAuthorizerName": "doors", "allowAuthorizerOverride": False}
INVALID = ("InvalidRequestException", 400)


@pytest.fixture
def iot(control: Control) -> Any:
    client = control.client("iot")
    client.create_authorizer(
        authorizerName="doors",
        authorizerFunctionArn="arn:aws:lambda:us-east-1:123456789012:function:doors",
        signingDisabled=True,
    )
    return client


def create(iot: Any, name: str = "gate", **settings: Any) -> str:
    made = iot.create_domain_configuration(domainConfigurationName=name, **settings)
    assert made["domainConfigurationName"] == name
    return str(made["domainConfigurationArn"])


def describe(iot: Any, name: str = "gate") -> dict[str, Any]:
    found: dict[str, Any] = iot.describe_domain_configuration(domainConfigurationName=name)
    del found["ResponseMetadata"]
    return found


def disable(iot: Any, name: str = "gate") -> None:
    iot.update_domain_configuration(domainConfigurationName=name, domainConfigurationStatus="DISABLED")


def names(iot: Any, **settings: Any) -> list[str]:
    return [
        each["domainConfigurationName"] for each in iot.list_domain_configurations(**settings)["domainConfigurations"]
    ]


def test_without_a_name_aws_gives_one(iot: Any) -> None:
    """It leads to this machine, no certificate is asked for, and everything else has AWS's defaults."""
    arn = create(iot)
    assert re.fullmatch(r"arn:aws:iot:us-east-1:123456789012:domainconfiguration/gate/[a-z0-9]{5}", arn)
    found = describe(iot)
    assert re.fullmatch(r"d[a-z0-9]{20}-ats\.iot\.us-east-1\.localhost", found.pop("domainName"))
    assert found.pop("lastStatusChangeDate").timestamp() > 0
    assert found == {
        "domainConfigurationName": "gate",
        "domainConfigurationArn": arn,
        "serverCertificates": [],
        "domainConfigurationStatus": "ENABLED",
        "serviceType": "DATA",
        "domainType": "AWS_MANAGED",
        "tlsConfig": {"securityPolicy": "IoTSecurityPolicy_TLS13_1_2_2022_10"},
        "authenticationType": "DEFAULT",
        "applicationProtocol": "DEFAULT",
    }


def test_a_domain_of_ones_own_comes_with_its_certificate(iot: Any) -> None:
    """Name, certificate, authorizer and protocol come back as they were given; names have no case."""
    create(
        iot,
        domainName="IoT.Example.localhost",
        serverCertificateArns=[CERTIFICATE],
        authorizerConfig=CHOICE,
        authenticationType="CUSTOM_AUTH",
        applicationProtocol="SECURE_MQTT",
        tlsConfig={"securityPolicy": "IoTSecurityPolicy_TLS12_1_2_2022_10"},
    )
    found = describe(iot)
    assert found["domainName"] == "iot.example.localhost"
    assert found["domainType"] == "CUSTOMER_MANAGED"
    assert found["serverCertificates"] == [{"serverCertificateArn": CERTIFICATE, "serverCertificateStatus": "VALID"}]
    assert found["authorizerConfig"] == CHOICE
    assert (found["authenticationType"], found["applicationProtocol"]) == ("CUSTOM_AUTH", "SECURE_MQTT")
    assert found["tlsConfig"] == {"securityPolicy": "IoTSecurityPolicy_TLS12_1_2_2022_10"}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"name": "iot:gate"}, "domainConfigurationName"),
        ({"name": "a gate"}, "domainConfigurationName"),
        ({"serviceType": "JOBS"}, "AWS IoT has DATA only"),
        ({"authorizerConfig": {"defaultAuthorizerName": "doors"}}, "needs both"),
        ({"authorizerConfig": {"allowAuthorizerOverride": True}}, "needs both"),
        ({"authorizerConfig": {**CHOICE, "defaultAuthorizerName": "nobody"}}, "Authorizer nobody does not exist"),
        ({"serverCertificateArns": [CERTIFICATE]}, "for a domainName of your own"),
        ({"domainName": "iot.example.localhost"}, "needs the ARN of its certificate"),
        ({"domainName": "iot.example.com", "serverCertificateArns": [CERTIFICATE]}, "must end in .localhost"),
        ({"domainName": "localhost", "serverCertificateArns": [CERTIFICATE]}, "must end in .localhost"),
        ({"domainName": "-a.localhost", "serverCertificateArns": [CERTIFICATE]}, "not the name of a host"),
        ({"domainName": "a..localhost", "serverCertificateArns": [CERTIFICATE]}, "not the name of a host"),
        ({"domainName": "*.localhost", "serverCertificateArns": [CERTIFICATE]}, "not the name of a host"),
        ({"domainName": "a.localhost", "serverCertificateArns": [CERTIFICATE] * 2}, "serverCertificateArns"),
        ({"authenticationType": "MAGIC"}, "authenticationType"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_created_is_refused_and_leaves_nothing(
    iot: Any, settings: dict[str, Any], sentence: str
) -> None:
    """InvalidRequestException with a sentence that names what is wrong."""
    name = settings.pop("name", "gate")
    with pytest.raises(ClientError) as refused:
        iot.create_domain_configuration(domainConfigurationName=name, **settings)
    assert code_of(refused) == INVALID
    assert sentence in message_of(refused)
    assert names(iot) == ["iot:Data-ATS"]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"authenticationType": "AWS_X509"}, "authenticationType AWS_X509"),
        ({"authenticationType": "CUSTOM_AUTH_X509"}, "authenticationType CUSTOM_AUTH_X509"),
        ({"authenticationType": "AWS_SIGV4"}, "authenticationType AWS_SIGV4"),
        ({"serverCertificateConfig": {"enableOCSPCheck": True}}, "enableOCSPCheck"),
        (
            {"clientCertificateConfig": {"clientCertificateCallbackArn": "arn:aws:lambda:us-east-1:1:function:f"}},
            "clientCertificateCallbackArn",
        ),
    ],
)
def test_what_the_emulator_cannot_do_is_not_taken(iot: Any, settings: dict[str, Any], what: str) -> None:
    """Client certificates and OCSP are answered with 501 and their name, at create and at update."""
    create(iot, "there")
    for call, name in ((iot.create_domain_configuration, "gate"), (iot.update_domain_configuration, "there")):
        with pytest.raises(ClientError) as refused:
            call(domainConfigurationName=name, **settings)
        assert code_of(refused) == ("NotImplementedException", 501)
        assert message_of(refused) == f"the iotauth emulator does not implement {what}"
    assert names(iot) == ["iot:Data-ATS", "there"]


def test_names_of_configurations_and_of_domains_are_taken_once(iot: Any) -> None:
    """409 with the id and ARN that are in the way; the endpoint's own name is taken from the start."""
    own: dict[str, Any] = {"serverCertificateArns": [CERTIFICATE]}
    arn = create(iot, domainName="a.localhost", **own)
    endpoint = iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    for name, settings in (
        ("gate", {}),
        ("other", {"domainName": "A.localhost", **own}),
        ("other", {"domainName": endpoint, **own}),
    ):
        with pytest.raises(ClientError) as refused:
            create(iot, name, **settings)
        assert code_of(refused) == ("ResourceAlreadyExistsException", 409)
        members: Any = refused.value.response
        assert members["resourceId"]
        assert name != "gate" or members["resourceArn"] == arn


def test_update_changes_what_it_names_and_nothing_else(iot: Any) -> None:
    """The authorizer configuration is replaced or removed as a whole; the status date moves with the status alone."""
    create(iot, authorizerConfig=CHOICE, authenticationType="CUSTOM_AUTH", applicationProtocol="MQTT_WSS")
    before = describe(iot)
    iot.update_domain_configuration(
        domainConfigurationName="gate", authorizerConfig={**CHOICE, "allowAuthorizerOverride": True}
    )
    assert describe(iot) == {**before, "authorizerConfig": {**CHOICE, "allowAuthorizerOverride": True}}
    iot.update_domain_configuration(
        domainConfigurationName="gate", removeAuthorizerConfig=True, applicationProtocol="HTTPS"
    )
    after = describe(iot)
    assert "authorizerConfig" not in after
    assert (after["applicationProtocol"], after["lastStatusChangeDate"]) == ("HTTPS", before["lastStatusChangeDate"])
    disable(iot)
    assert describe(iot)["domainConfigurationStatus"] == "DISABLED"
    assert describe(iot)["lastStatusChangeDate"] > before["lastStatusChangeDate"]


def test_an_authorizer_configuration_is_not_given_and_removed_at_once(iot: Any) -> None:
    """What would be meant is not guessed."""
    create(iot)
    with pytest.raises(ClientError) as refused:
        iot.update_domain_configuration(
            domainConfigurationName="gate", authorizerConfig=CHOICE, removeAuthorizerConfig=True
        )
    assert code_of(refused) == INVALID


def test_an_enabled_configuration_is_not_deleted(iot: Any) -> None:
    """It must be DISABLED first; then it goes, and with it its name and its tags."""
    arn = create(iot, tags=[{"Key": "site", "Value": "north"}])
    assert iot.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "site", "Value": "north"}]
    with pytest.raises(ClientError) as refused:
        iot.delete_domain_configuration(domainConfigurationName="gate")
    assert code_of(refused) == INVALID
    disable(iot)
    iot.delete_domain_configuration(domainConfigurationName="gate")
    for call in (iot.describe_domain_configuration, iot.delete_domain_configuration, iot.update_domain_configuration):
        with pytest.raises(ClientError) as refused:
            call(domainConfigurationName="gate")
        assert code_of(refused) == ("ResourceNotFoundException", 404)
    with pytest.raises(ClientError):
        iot.list_tags_for_resource(resourceArn=arn)


def test_with_awss_patience_a_managed_one_waits_seven_days(control: Control, iot: Any) -> None:
    """The choice flipped to AWS's figure: a name that AWS gave stays a week, one's own goes at once."""
    control.behaviour = dataclasses.replace(Behaviour(), managed_domain_deletion_wait_s=7 * 86_400)
    control.restart()
    create(iot, "managed")
    create(iot, "own", domainName="a.localhost", serverCertificateArns=[CERTIFICATE])
    for name in ("managed", "own"):
        disable(iot, name)
    iot.delete_domain_configuration(domainConfigurationName="own")
    with pytest.raises(ClientError) as refused:
        iot.delete_domain_configuration(domainConfigurationName="managed")
    assert "DISABLED for 604800 s" in message_of(refused)


def test_the_list_has_pages_and_the_default_endpoint(iot: Any) -> None:
    """Names, ARNs and the service type; the account's own endpoint is among them and cannot be changed."""
    for name in ("a", "b", "c"):
        create(iot, name)
    first = iot.list_domain_configurations(pageSize=2)
    assert [each["domainConfigurationName"] for each in first["domainConfigurations"]] == ["a", "b"]
    assert names(iot, pageSize=2, marker=first["nextMarker"]) == ["c", "iot:Data-ATS"]
    assert all(each["serviceType"] == "DATA" for each in first["domainConfigurations"])
    assert names(iot, serviceType="JOBS") == []
    own = describe(iot, "iot:Data-ATS")
    assert own["domainName"] == iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    assert own["domainType"] == "ENDPOINT"
    with pytest.raises(ClientError) as refused:
        disable(iot, "iot:Data-ATS")
    assert code_of(refused) == INVALID


def test_the_eleventh_is_over_the_limit(iot: Any) -> None:
    """LimitExceeded is 410 in AWS IoT."""
    for number in range(10):
        create(iot, f"gate-{number}")
    with pytest.raises(ClientError) as refused:
        create(iot, "gate-10")
    assert code_of(refused) == ("LimitExceededException", 410)


def test_each_region_has_its_own_and_a_restart_keeps_them(control: Control, iot: Any) -> None:
    """The same name in another region is another configuration."""
    create(iot)
    elsewhere = control.client("iot", "eu-west-1")
    create(elsewhere)
    assert "eu-west-1" in describe(elsewhere)["domainName"]
    before = describe(iot)
    control.restart()
    assert describe(iot) == before
