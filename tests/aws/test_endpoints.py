"""Where the light clients go: wherever boto3 would, in every region, and with everything that can be set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.loaders
import botocore.session
import pytest
from botocore.endpoint_provider import EndpointProvider

from iotauth_authorizer import dynamodb
from iotauth_cli.aws import partitions
from iotauth_cli.aws.caller import Endpoint
from iotauth_cli.aws.session import Session
from iotauth_cli.config import load

SERVICES = ("dynamodb", "sts")
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary-secret"}
CALLS = {"dynamodb": "list_tables", "sts": "get_caller_identity"}


def regions() -> Iterator[tuple[str, str]]:
    """Yield every region that botocore knows, with its partition."""
    session = botocore.session.get_session()
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("sts", partition_name=partition):
            yield region, partition


@pytest.mark.parametrize("service", SERVICES)
def test_every_region_of_every_partition_answers_where_botocore_says(service: str) -> None:
    """Our table of suffixes and botocore's rules come to the same address."""
    loader = botocore.loaders.create_loader()
    rules = EndpointProvider(loader.load_service_model(service, "endpoint-rule-set-1"), loader.load_data("partitions"))
    found = list(regions())
    assert {partition for _, partition in found} >= {"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-eusc"}
    for region, partition in found:
        theirs = rules.resolve_endpoint(Region=region, UseFIPS=False, UseDualStack=False).url
        assert partitions.endpoint(service, region) == theirs
        assert partitions.partition(region) == partition


def test_the_function_finds_its_table_wherever_iot_is_offered() -> None:
    """The kernel's own rule, which needs no table of ours, is right where AWS IoT exists."""
    session = botocore.session.get_session()
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("iot", partition_name=partition):
            assert dynamodb._endpoint(region) == partitions.endpoint("dynamodb", region)


SETTINGS: dict[str, tuple[dict[str, str], str]] = {
    "nothing": ({}, ""),
    "all services": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566/"}, ""),
    "one service": ({"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000/"}, ""),
    "one beats all": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1/", "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:2/"}, ""),
    "ignored": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1/", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, ""),
    "not ignored": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1/", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}, ""),
    "FIPS": ({"AWS_USE_FIPS_ENDPOINT": "true"}, ""),
    "no FIPS": ({"AWS_USE_FIPS_ENDPOINT": "false"}, "use_fips_endpoint = true"),
    "dual stack": ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, ""),
    "both": ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "use_fips_endpoint = true"),
    "file": ({}, "endpoint_url = http://127.0.0.1:7/"),
    "services section": ({}, "services = stand\n\n[services stand]\ndynamodb =\n  endpoint_url = http://127.0.0.1:8/"),
    "variable beats file": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:6/"}, "endpoint_url = http://127.0.0.1:7/"),
    "file, ignored": ({}, "ignore_configured_endpoint_urls = true\nendpoint_url = http://127.0.0.1:7/"),
    "no FIPS at all": ({"AWS_USE_FIPS_ENDPOINT": "false"}, "use_dualstack_endpoint = false"),
    "regional STS": ({"AWS_STS_REGIONAL_ENDPOINTS": "regional"}, "sts_regional_endpoints = regional"),
    "global STS of a file": ({}, "sts_regional_endpoints = legacy"),
    "FIPS of a file": ({}, "Use_FIPS_Endpoint = True"),
    "global STS": ({"AWS_STS_REGIONAL_ENDPOINTS": "legacy"}, ""),
}


def session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], lines: str, region: str
) -> Session:
    """Return our session as a command has it, in a home whose AWS file says *lines*."""
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "config").write_text(f"[default]\n{lines}\n")
    everything = {"HOME": str(home), "AWS_REGION": region} | KEYS | environ
    for name, value in everything.items():
        monkeypatch.setenv(name, value)
    return Session(load({}, everything, tmp_path).target(everything))


def as_boto3(service: str, region: str) -> Endpoint:
    """Return where botocore really sends a call, looked at where it leaves."""
    client = botocore.session.get_session().create_client(service, region_name=region)
    sent: list[Any] = []

    def stop(request: Any, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse
        from botocore.compat import HTTPHeaders

        sent.append(request)
        return AWSResponse(request.url, 200, HTTPHeaders(), None)

    client.meta.events.register_last("before-send", stop)
    try:
        getattr(client, CALLS[service])()
    except Exception:
        assert sent
    scope = sent[0].headers["Authorization"].decode().partition("Credential=")[2].split("/")
    return Endpoint(sent[0].url, scope[2])


@pytest.mark.parametrize("region", ["eu-west-1", "cn-north-1"])
@pytest.mark.parametrize("name", SETTINGS)
def test_the_light_clients_go_where_boto3_goes(
    name: str, region: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables, FIPS, dual stack, a file's sections: the same host, and a signature for the same region."""
    environ, lines = SETTINGS[name]
    ours = session(tmp_path, monkeypatch, environ, lines, region)
    for service in SERVICES:
        found, theirs = ours.endpoint(service), as_boto3(service, region)
        assert (found.url.rstrip("/"), found.region) == (theirs.url.rstrip("/"), theirs.region)


def test_boto3_is_asked_only_where_something_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command on rows starts without boto3."""
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    usual = "region = eu-west-1\noutput = json\nsts_regional_endpoints = regional\nuse_fips_endpoint = false"
    ours = session(tmp_path, monkeypatch, {"AWS_STS_REGIONAL_ENDPOINTS": "regional"}, usual, "eu-west-1")
    assert ours.endpoint("dynamodb").url == "https://dynamodb.eu-west-1.amazonaws.com"


def test_roots_of_a_file_count_for_the_light_clients_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A company's roots stand in the variable, or in the file that boto3 reads."""
    assert session(tmp_path, monkeypatch, {}, "ca_bundle = /etc/roots.pem", "eu-west-1").ca_file == "/etc/roots.pem"
