"""Write docs/reference from the program itself. `--check` only tells whether it is up to date."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs" / "reference"
GENERATED = "<!-- Written by scripts/reference.py from the program itself: do not edit. -->\n\n"


def commands() -> str:
    """Return the help of every command as one page."""
    from typer._click import Context

    from iotauth_cli.cli import Root

    def walk(command: object, parent: Context | None, name: str) -> Iterator[str]:
        context = Context(command, info_name=name, parent=parent, max_content_width=100, terminal_width=100)  # type: ignore[arg-type]
        yield f"{'##' if parent else '#'} `{context.command_path}`\n\n```text\n{context.get_help().rstrip()}\n```\n\n"
        for child in getattr(command, "table", {}):
            yield from walk(command.load(child), context, child)  # type: ignore[attr-defined]

    root = Root()
    root.rich_markup_mode = None
    return GENERATED + "".join(walk(root, None, "iotauth")).rstrip() + "\n"


def behaviour() -> str:
    """Return the emulator's choices where AWS documents nothing, with their sources."""
    from iotauth_cli.emulator.behaviour import Behaviour

    page = (
        "# What the emulator decides where AWS is silent\n\n"
        "Each line is a choice that AWS does not document, or a limit that sources give differently.\n\n"
        "| key | value | what it means | confidence | source |\n| --- | --- | --- | --- | --- |\n"
    )
    rows = (f"| `{c.key}` | `{c.value}` | {c.meaning} | {c.confidence} | {c.source} |\n" for c in Behaviour().choices())
    return GENERATED + page + "".join(rows)


def policy_rules() -> str:
    """Return what `policy lint` looks for."""
    from iotauth_cli.policy.rules import RULES

    page = (
        "# What `iotauth policy lint` finds\n\n"
        "An error is what AWS IoT refuses or what keeps the device out; a warning is what works otherwise than it\n"
        "reads, or gives more than it should.\n\n"
        "| rule | severity | why | not | but |\n| --- | --- | --- | --- | --- |\n"
    )
    rows = (f"| `{r.slug}` | {r.severity} | {r.explanation} | {r.example} | {r.better} |\n" for r in RULES.values())
    return GENERATED + page + "".join(rows)


def settings() -> str:
    """Return every setting with its variable, default and meaning."""
    from iotauth_cli.config import DEFAULTS

    page = (
        "# Settings\n\n"
        "First found wins: flag, `IOTAUTH_*` variable, `iotauth.yaml` here or in the nearest parent,\n"
        "`~/.config/iotauth/config.yaml`, AWS's own places, default. `iotauth config show` prints every\n"
        "value with its source. Secrets are never read from a file of settings.\n\n"
        "| setting | variable | default | meaning |\n| --- | --- | --- | --- |\n"
    )
    rows = (
        f"| `{key}` | `IOTAUTH_{key.upper()}` | {f'`{default}`' if default else MEANT[key]} | {MEANINGS[key]} |\n"
        for key, default in DEFAULTS.items()
    )
    return GENERATED + page + "".join(rows)


MEANINGS = {
    "authorizer": "the authorizer that commands mean when none is named",
    "table": "the table of clients",
    "function": "the authorizer function that `authorizer create` makes",
    "region": "the AWS region",
    "profile": "the AWS profile, as in `~/.aws/config`",
    "emulator": "true: talk to the emulator on this machine in AWS's place",
    "account": "refuse to work with the keys of any other AWS account",
    "state_dir": "where the emulator keeps its state",
    "port": "the emulator's port for devices; 0 for any that is free",
    "control_port": "the emulator's port for AWS's APIs; 0 for any that is free",
}
MEANT = {
    "region": "as AWS's tools find it",
    "profile": "as AWS's tools find it",
    "account": "any",
    "state_dir": "`~/.local/state/iotauth/emulator`",
    "port": "`8443`",
    "control_port": "`4588`",
}


def table() -> str:
    """Return the table's schema as the kernel's own module describes it."""
    from iotauth_authorizer import record

    assert record.__doc__ is not None
    title, _, body = record.__doc__.partition("\n")
    return GENERATED + f"# The table\n\n{title}\n\n```text\n{body.strip()}\n```\n"


def modules() -> str:
    """Return every module with the first line of its docstring, room by room."""
    root = DOCS.parent.parent
    page = "# Every module\n\nThe first line of each module's own docstring, in the order of the folders.\n"
    for source in ("lambda_src", "src"):
        for folder in sorted({path.parent for path in (root / source).rglob("*.py")}):
            rows = [(path.name, first_line(path)) for path in sorted(folder.glob("*.py"))]
            name = folder.relative_to(root / source)
            page += f"\n## `{name}`\n\n| module | what it is for |\n| --- | --- |\n"
            page += "".join(f"| `{module}` | {line} |\n" for module, line in rows)
    return GENERATED + page


def first_line(path: Path) -> str:
    """Return the first sentence or paragraph of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split()).replace("|", "\\|")


def causes() -> str:
    """Return the table by which `test-connect` finds out what is wrong."""
    from iotauth_cli.probe.causes import CAUSES
    from iotauth_cli.probe.explanations.ours import in_general

    page = (
        "# What can be wrong\n\n"
        "`iotauth test-connect` goes through this table from the top; the first row that fits is its diagnosis. A row\n"
        "fits if the step that failed and what was seen are its own, and if all that stands under *and* was seen to\n"
        "hold: what nobody may look at proves nothing. `iotauth explain CAUSE` shows a row in the terminal.\n\n"
        "| cause | step | seen | and | so | remedy | reference |\n| --- | --- | --- | --- | --- | --- | --- |\n"
    )
    for cause in CAUSES:
        seen = "whatever was seen" if len(cause.symptoms) > MANY else ", ".join(map(str, cause.symptoms))
        steps = "any" if len(cause.stages) > MANY else ", ".join(cause.stages)
        holds = "; ".join(condition_in_words(condition) for condition in cause.when)
        cells = (f"`{cause.name}`", steps, seen, holds, in_general(cause.says), in_general(cause.remedy))
        page += "| " + " | ".join(in_cell(cell) for cell in (*cells, cause.reference)) + " |\n"
    return GENERATED + page


MANY = 8  # of symptoms or steps: so many that no list of them says more than "any"


def in_cell(text: str) -> str:
    return text.replace("|", "\\|")


def condition_in_words(condition: Callable[..., bool]) -> str:
    """Return a condition of `probe.clues` in words: its function's name, and what it was made for."""
    name, _, _ = condition.__qualname__.partition(".")
    made_for = [str(cell.cell_contents) for cell in condition.__closure__ or ()]
    return " ".join([name.replace("_", " "), *(f"`{each}`" for each in made_for)])


def explanations() -> str:
    """Return what `iotauth explain` knows, family by family."""
    from iotauth_cli.probe.explanations import EXPLANATIONS, FAMILIES

    page = (
        "# What codes and messages mean\n\n"
        "What `iotauth explain` knows, with the source of each row. Causes lead to [what can be wrong](causes.md).\n"
    )
    for family in FAMILIES.values():
        rows = [row for row in EXPLANATIONS if row.family == family.name]
        page += f"\n## {family.title[:1].upper()}{family.title[1:]}\n\nFamily `{family.name}`.\n\n"
        page += "| name | code | means | may be | next | source |\n| --- | --- | --- | --- | --- | --- |\n"
        for row in rows:
            codes = ", ".join(hex(code) if family.in_hex else str(code) for code in row.codes)
            likely = ", ".join(f"`{name}`" for name in row.causes)
            cells = (f"`{row.name}`", codes, row.means, likely, row.next, row.source)
            page += "| " + " | ".join(in_cell(cell) for cell in cells) + " |\n"
    return GENERATED + page


def aws_errors() -> str:
    """Return every error of AWS's that is put into words, and the words."""
    from iotauth_cli.aws.denials import POLICIES
    from iotauth_cli.aws.error_table import LIMITS, ROWS

    page = (
        "# What AWS answers, and how it is said\n\n"
        "Every error code that a call of iotauth's can be answered with, by botocore's service models and by each\n"
        "service's own page of common errors; a code that is not here keeps AWS's words. `--debug` adds the id under\n"
        "which AWS knows the request. In the sentences, *failed* is for example “`iot:CreateAuthorizer` of\n"
        "authorizer `doors` failed”, *what* “authorizer `doors`”, *said* what AWS said, *label* “AWS eu-west-1”; in\n"
        "commands `AWS` is the AWS CLI for that place. `code` is that of the document under `--json`.\n\n"
        "| about | AWS's codes | `code` | exit | sentence | hint |\n| --- | --- | --- | --- | --- | --- |\n"
    )
    for row in ROWS:
        codes = ", ".join(f"`{code}`" for code in row.codes)
        ending = (f"`{row.kind.code}`", str(row.kind.exit_code))
        cells = (row.about, codes, *ending, in_words(row.says), in_words(row.hint))
        page += "| " + " | ".join(in_cell(cell) for cell in cells) + " |\n"
    page += (
        "\n## Which policy denies\n\n"
        "What IAM says of a denial, and what becomes of it. The statement to add is printed for what is not allowed\n"
        "anywhere; where a policy denies, no statement would help.\n\n"
        "| AWS says | said as | who can change it |\n| --- | --- | --- |\n"
    )
    page += "".join(f"| {name} | {policy.words} | {policy.owner} |\n" for name, policy in POLICIES.items())
    page += (
        "\n## Which limit is reached\n\n"
        "A code for a limit names none; the call tells which it can be. Source: each service's page of quotas.\n\n"
        "| call | limit | Service Quotas |\n| --- | --- | --- |\n"
    )
    page += "".join(f"| `{action}` | {limit} | `{service}` |\n" for action, (limit, service) in LIMITS.items())
    return GENERATED + page


def in_words(text: str) -> str:
    """Return a text with its places in italics, `{said}` as *said*; inside of commands in capitals."""
    parts = re.sub(r"`{(\w+)}`", r"{\1}", text).split("`")
    parts[::2] = [re.sub(r"{(\w+)}", r"*\1*", part) for part in parts[::2]]
    parts[1::2] = [re.sub(r"{(\w+)}", lambda found: found[1].upper(), part) for part in parts[1::2]]
    return "`".join(parts)


SOURCES = """
| tag | source |
| --- | --- |
| M:name | the service model that boto3 ships: `iot`, `iot-data` (data), `lambda` |
| D:page | AWS IoT developer guide, page of that name; `limits-2019` and `quota` are the pages on limits |
| D:2019, D:beta | the same guide's pages on custom authorizers as of 2019 and 2020 |
| G:owner/repo#n | an issue on GitHub |
| SDK:py | source of the AWS IoT Device SDK for Python |
| C:classmethod | published measurements of AWS IoT's MQTT 5 reason codes, 2022 |
| F:irobot | published observations of a custom-authorizer endpoint, 2026 |
"""


def conformance() -> str:
    """Return what AWS IoT does, row by row, and the test that holds the emulator to it."""
    import yaml

    tests = DOCS.parent.parent / "tests"
    rows = yaml.safe_load((tests / "vectors" / "conformance.yaml").read_text(encoding="utf-8"))
    held: dict[int, str] = {}
    for path in sorted(tests.rglob("test_*.py")):
        for number in re.findall(r"def test_row_(\d{3})_", path.read_text(encoding="utf-8")):
            held.setdefault(int(number), f"[{path.name}](../../{path.relative_to(tests.parent)})")
    page = (
        "# What AWS IoT does, and the emulator with it\n\n"
        f"C is how sure it is: D documented, O observed, I inferred, T the emulator's own choice.\n{SOURCES}"
    )
    section = None
    for row in rows:
        if row["section"] != section:
            section = row["section"]
            page += (
                f"\n## {section}\n\n| # | when | then | C | source | test |\n| --- | --- | --- | --- | --- | --- |\n"
            )
        cells = (row["row"], row["input"], row["outcome"], row["confidence"], row["source"])
        page += "| " + " | ".join(map(str, cells)) + f" | {held.get(row['row'], '')} |\n"
    return GENERATED + page


PAGES = {
    "modules.md": modules,
    "conformance.md": conformance,
    "commands.md": commands,
    "emulator-behaviour.md": behaviour,
    "policy-rules.md": policy_rules,
    "causes.md": causes,
    "explanations.md": explanations,
    "aws-errors.md": aws_errors,
    "settings.md": settings,
    "table.md": table,
}


def main() -> int:
    check = "--check" in sys.argv
    stale = []
    for name, write in PAGES.items():
        path, text = DOCS / name, write()
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not check:
                DOCS.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    if stale:
        print(("out of date: " if check else "wrote ") + ", ".join(stale))
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
