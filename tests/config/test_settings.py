"""Where a setting comes from, and which place wins."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from iotauth_cli.config import load
from iotauth_cli.errors import ConfigError
from support import require_peer
from support_stand_in import Answer, identity_xml, stand_in


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def project(home: Path) -> Path:
    (home / "project").mkdir()
    return home / "project"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_nearer_places_win(home: Path, project: Path) -> None:
    """Flag before variable before project file before user file before AWS's variables before default."""
    environ = {"HOME": str(home), "AWS_REGION": "eu-west-6"}
    seen = []
    for flags, variables, lines in [
        ({}, {}, {}),
        ({}, {}, {".config/iotauth/config.yaml": "region: eu-west-5"}),
        ({}, {}, {"project/iotauth.yaml": "region: eu-west-4"}),
        ({}, {"IOTAUTH_REGION": "eu-west-3"}, {}),
        ({"region": "eu-west-2"}, {"IOTAUTH_REGION": "eu-west-3"}, {}),
    ]:
        for name, text in lines.items():
            write(home / name, text)
        settings = load(flags, environ | variables, project)
        seen.append((settings.region, settings.sources["region"]))
    assert seen == [
        ("eu-west-6", "AWS_REGION"),
        ("eu-west-5", "~/.config/iotauth/config.yaml, line 1"),
        ("eu-west-4", "iotauth.yaml, line 1"),
        ("eu-west-3", "IOTAUTH_REGION"),
        ("eu-west-2", "--region"),
    ]


def test_the_nearest_parent_with_a_file_is_the_project(home: Path, project: Path) -> None:
    """A command in a sub-folder uses the project's file and its store, and looks no further up."""
    write(home / "iotauth.yaml", "table: not-this-one")
    write(project / "iotauth.yaml", "table: doors")
    deep = project / "firmware" / "src"
    deep.mkdir(parents=True)
    settings = load({}, {"HOME": str(home)}, deep)
    assert (settings.table, settings.project_dir) == ("doors", project)
    assert settings.sources["table"] == "~/project/iotauth.yaml, line 1"


def test_without_a_file_the_project_is_here(home: Path, project: Path) -> None:
    """Credentials are kept where the command was called."""
    assert load({}, {"HOME": str(home)}, project).project_dir == project


def test_a_named_file_is_used_and_must_exist(home: Path, project: Path) -> None:
    """--config wins over the file that lies here; a missing one is an error, not a default."""
    write(project / "iotauth.yaml", "table: here")
    write(home / "other" / "prod.yaml", "table: prod")
    environ = {"HOME": str(home)}
    assert load({"config": "../other/prod.yaml"}, environ, project).table == "prod"
    assert load({}, environ | {"IOTAUTH_CONFIG": "../other/prod.yaml"}, project).project_dir == home / "other"
    with pytest.raises(ConfigError, match=r"no file `nowhere\.yaml`"):
        load({"config": "nowhere.yaml"}, environ, project)


def test_an_empty_setting_is_not_set(home: Path, project: Path) -> None:
    """`region:` with nothing behind it, and an empty variable, leave the word to the next place."""
    write(project / "iotauth.yaml", "region:\ntable: ~\n")
    settings = load({}, {"HOME": str(home), "IOTAUTH_REGION": "", "AWS_DEFAULT_REGION": "eu-west-1"}, project)
    assert (settings.region, settings.table) == ("eu-west-1", "iotauth-clients")


@pytest.mark.parametrize(
    ("profile", "region"),
    [({}, "eu-west-1"), ({"profile": "doors"}, "eu-north-1"), ({"profile": "elsewhere"}, None)],
    ids=["default", "named", "unknown"],
)
def test_the_region_of_an_aws_profile_is_found(
    home: Path, project: Path, profile: dict[str, str], region: str | None
) -> None:
    """~/.aws/config is read as boto3 would read it, nested values and all, without loading boto3."""
    write(
        home / ".aws" / "config",
        "[default]\nregion = eu-west-1\ns3 =\n    max_concurrent_requests = 2\n[profile doors]\nregion = eu-north-1\n",
    )
    assert load(profile, {"HOME": str(home)}, project).region == region


def test_a_broken_aws_file_is_named(home: Path, project: Path) -> None:
    """Not our file, but the error says which one it is."""
    write(home / ".aws" / "config", "region = eu-west-1\n")
    with pytest.raises(ConfigError, match=r"~/\.aws/config is broken: file contains no section headers"):
        load({}, {"HOME": str(home)}, project)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("tabel: x", "iotauth.yaml, line 1: unknown setting `tabel`", "did you mean `table`?"),
        ("# first\npassword: x", "iotauth.yaml, line 2: unknown setting `password`", "the settings are authorizer"),
        ("emulator: maybe", "iotauth.yaml, line 1: `emulator` must be true or false, not `maybe`", None),
        ("account: 12345", "iotauth.yaml, line 1: `account` must have 12 digits, not `12345`", None),
        ("table: [a, b]", "iotauth.yaml, line 1: `table` must be text, not a list", None),
        ("\ntable: {a: b}", "iotauth.yaml, line 2: `table` must be text, not a mapping", None),
        ("table: a\ntable: b", "iotauth.yaml, line 2: `table` is set a second time", None),
        ("? [a]\n: b", "iotauth.yaml, line 1: the name of a setting must be text", None),
        ("just words", "iotauth.yaml does not hold settings", "they look like `table: iotauth-clients`"),
        ("table: 'open\nregion: x", "iotauth.yaml, line 2: not YAML: found unexpected end of stream", "settings look"),
        ("table:\tx: y", "iotauth.yaml, line 1: not YAML", "settings look"),
    ],
)
def test_a_broken_file_is_named_with_its_line(
    home: Path, project: Path, text: str, message: str, hint: str | None
) -> None:
    """Whatever is wrong with the file, the error says where, in the file's own words."""
    write(project / "iotauth.yaml", text)
    with pytest.raises(ConfigError) as caught:
        load({}, {"HOME": str(home)}, project)
    assert caught.value.message.startswith(message)
    assert hint is None or (caught.value.hint or "").startswith(hint)


def test_a_wrong_variable_is_named(project: Path) -> None:
    """The source of a wrong value is in the message, file or not."""
    with pytest.raises(ConfigError, match="IOTAUTH_EMULATOR: `emulator` must be true or false, not `sure`"):
        load({}, {"IOTAUTH_EMULATOR": "sure"}, project)


@pytest.mark.parametrize(
    ("flags", "variables", "text", "expected"),
    [
        ({}, {}, None, "home/.local/state/iotauth/emulator"),
        ({}, {"XDG_STATE_HOME": "{root}/state"}, None, "state/iotauth/emulator"),
        ({}, {}, "state_dir: .emulator", "home/project/.emulator"),
        ({}, {}, "state_dir: ~/emulator", "home/emulator"),
        ({"state_dir": "here"}, {}, "state_dir: .emulator", "home/project/sub/here"),
    ],
)
def test_where_the_emulator_keeps_its_state(
    tmp_path: Path,
    project: Path,
    flags: dict[str, str],
    variables: dict[str, str],
    text: str | None,
    expected: str,
) -> None:
    """A relative path counts from where it was written: the file's folder, or here for a flag."""
    (project / "sub").mkdir()
    if text:
        write(project / "iotauth.yaml", text)
    environ = {"HOME": str(tmp_path / "home")} | {k: v.format(root=tmp_path) for k, v in variables.items()}
    assert load(flags, environ, project / "sub").state_dir == tmp_path / expected


def test_flags_of_other_commands_are_left_alone(project: Path) -> None:
    """The common flags travel together; only those that are settings count."""
    settings = load({"as_json": True, "yes": True, "emulator": True}, {}, project)
    assert settings.emulator
    assert set(settings.sources.values()) == {"default", "--emulator"}


def test_ports_are_numbers_that_can_be_ports(home: Path, project: Path) -> None:
    """None leaves the choice to the emulator; what cannot be a port is refused with its source."""
    environ = {"HOME": str(home)}
    assert load({}, environ, project)[-4:-2] == (None, None)
    settings = load({"port": 0}, environ | {"IOTAUTH_CONTROL_PORT": "4599"}, project)
    assert (settings.port, settings.control_port) == (0, 4599)
    for wrong in ("8443x", "-1", "65536", "٨"):
        with pytest.raises(ConfigError, match=r"IOTAUTH_PORT: `port` must be a number"):
            load({}, environ | {"IOTAUTH_PORT": wrong}, project)


PROFILES = """
[default]
region = eu-west-1
[profile work]
region = eu-west-2
[profile "two words"]
region = eu-west-3
[work]
region = not-a-profile
[sso-session work]
region = not-a-profile
"""


@pytest.mark.parametrize(
    ("credentials", "variables", "expected"),
    [
        ("", {}, ("eu-west-1", "~/.aws/config, [default]")),
        ("", {"AWS_PROFILE": "work"}, ("eu-west-2", "~/.aws/config, [profile work]")),
        ("", {"AWS_PROFILE": "two words"}, ("eu-west-3", '~/.aws/config, [profile "two words"]')),
        ("[work]\nregion = eu-north-1\n", {"AWS_PROFILE": "work"}, ("eu-north-1", "~/.aws/credentials, [work]")),
        ("[work]\nregion = eu-north-1\n", {}, ("eu-west-1", "~/.aws/config, [default]")),
        ("", {"AWS_PROFILE": "work", "AWS_DEFAULT_REGION": "us-east-2"}, ("us-east-2", "AWS_DEFAULT_REGION")),
        ("", {"AWS_DEFAULT_PROFILE": "work", "AWS_PROFILE": "default"}, ("eu-west-2", "~/.aws/config, [profile work]")),
    ],
    ids=["default", "profile", "quoted", "credentials file", "another's", "variable", "two variables"],
)
def test_the_region_is_the_one_that_the_aws_cli_finds(
    home: Path, project: Path, credentials: str, variables: dict[str, str], expected: tuple[str, str]
) -> None:
    """Sections, both files and the order of the variables are AWS's; the AWS CLI itself is asked whether they are."""
    write(home / ".aws" / "config", PROFILES)
    write(home / ".aws" / "credentials", credentials)
    settings = load({}, {"HOME": str(home), **variables}, project)
    assert (settings.region, settings.sources["region"]) == expected
    aws = require_peer("aws")
    environ = {"HOME": str(home), "PATH": os.environ["PATH"], **variables}
    told = subprocess.run([aws, "configure", "list"], env=environ, capture_output=True, text=True)
    (line,) = (line for line in told.stdout.splitlines() if "region" in line)
    assert expected[0] in line


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"profile": "work"}, "eu-west-2"),
        ({"profile": "work", "region": "us-west-1"}, "us-west-1"),
        ({"region": "us-west-1"}, "us-west-1"),
    ],
    ids=["profile", "both", "region"],
)
def test_flags_mean_what_they_mean_to_the_aws_cli(
    home: Path, project: Path, flags: dict[str, str], expected: str
) -> None:
    """`--profile` and `--region` beat AWS_PROFILE and every file, there as here."""
    write(home / ".aws" / "config", PROFILES)
    keys = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = canary\n"
    write(home / ".aws" / "credentials", f"[work]\n{keys}[two words]\n{keys}")
    environ = {"HOME": str(home), "AWS_PROFILE": "two words"}
    assert load(flags, environ, project).region == expected
    words = [word for name, text in flags.items() for word in (f"--{name}", text)]
    with stand_in(lambda _: Answer(identity_xml("arn:aws:iam::123456789012:user/anna"), type="text/xml")) as sts:
        command = [require_peer("aws"), "sts", "get-caller-identity", "--endpoint-url", sts.url, *words]
        subprocess.run(command, env={"PATH": os.environ["PATH"], **environ}, capture_output=True, check=True)
    assert [request.region for request in sts.requests] == [expected]


@pytest.mark.parametrize(
    "region", ["eu_west_1", "EU-WEST-1", "x.example.com/", "eu-west-1 ", "-eu-west-1", "eu--west-1", "a" * 64]
)
def test_a_region_is_held_to_what_a_region_can_be(home: Path, project: Path, region: str) -> None:
    """Host names are made of it, and requests with a session token go there."""
    with pytest.raises(ConfigError, match="is not the name of an AWS region") as caught:
        load({"region": region}, {"HOME": str(home)}, project)
    assert str(caught.value).startswith("--region: ")
