"""YAML as people write templates: functions in their short form, in the order given, long texts as they are."""

from __future__ import annotations

from typing import Any


class Short(str):
    """A function of CloudFormation with one text for an argument."""

    tag = ""


class Ref(Short):
    tag = "!Ref"


class Sub(Short):
    tag = "!Sub"


class GetAtt(Short):
    tag = "!GetAtt"


def dump(document: Any) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """A dumper of its own, so that nobody else's learns these tags."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: Any) -> bool:
            return True

        def choose_scalar_style(self) -> Any:
            """Write `!Ref ClientTable` without quotes, where YAML needs none."""
            style = super().choose_scalar_style()
            event: Any = self.event
            analysis: Any = self.analysis
            is_short = style == "'" and event.tag in ("!Ref", "!GetAtt")
            return "" if is_short and analysis.allow_block_plain else style

    def short(dumper: Any, data: Short) -> Any:
        return dumper.represent_scalar(data.tag, str(data))

    def text(dumper: Any, data: str) -> Any:
        style = "|" if "\n" in data and not any(line != line.rstrip() for line in data.split("\n")) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    for kind in (Ref, Sub, GetAtt):
        Dumper.add_representer(kind, short)
    Dumper.add_representer(str, text)
    return str(yaml.dump(document, Dumper=Dumper, sort_keys=False, width=10_000, allow_unicode=True))
