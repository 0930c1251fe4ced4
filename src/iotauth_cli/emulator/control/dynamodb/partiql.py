"""ExecuteStatement and BatchExecuteStatement, as far as inserts go.

    INSERT INTO "table" VALUE {'name': value, ...}        value := ? | 'text' | number | true | false | null

That is what a bulk import needs: the one write of DynamoDB that is batched and yet conditional,
since an insert of a key that exists fails alone, with DuplicateItem. Everything else that PartiQL
can say is refused by name.
Source: Amazon DynamoDB developer guide, "PartiQL insert statements for DynamoDB" and "Running
batch operations with PartiQL for DynamoDB"; the codes of failed statements: botocore's model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from iotauth_cli.emulator.control.dynamodb.capacity import Meter
from iotauth_cli.emulator.control.dynamodb.errors import invalid
from iotauth_cli.emulator.control.dynamodb.items import ItemStore
from iotauth_cli.emulator.control.dynamodb.table_store import TableStore
from iotauth_cli.emulator.control.dynamodb.values import Value
from iotauth_cli.emulator.control.dynamodb.write_operations import WriteOperations
from iotauth_cli.emulator.control.dynamodb.writes import Write, read_put
from iotauth_cli.emulator.control.service import Context, Parameters, Result, ServiceError

BATCH_CODES = {  # of an operation of its own, and of a statement in a batch
    "DuplicateItemException": "DuplicateItem",
    "ResourceNotFoundException": "ResourceNotFound",
    "ValidationException": "ValidationError",
}
OTHER_STATEMENTS = ("SELECT", "UPDATE", "DELETE", "EXISTS")
PARAMETER = None  # in a template: the next of the statement's parameters stands here

TOKEN = re.compile(
    r"""\s*(?:
    '(?P<text>(?:[^']|'')*)'
  | "(?P<name>(?:[^"]|"")*)"
  | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<symbol>[{}:,?])
  | (?P<end>\Z)
  | (?P<other>\S)
    )""",
    re.VERBOSE,
)


class Insert(NamedTuple):
    """A statement: attribute names with their literal values, or `PARAMETER`."""

    table: str
    template: tuple[tuple[str, Value | None], ...]

    def item(self, parameters: list[Value]) -> dict[str, Value]:
        """Return the item, its places taken by *parameters*.

        Raises:
            ServiceError: there are more or fewer of them.
        """
        if sum(value is PARAMETER for _, value in self.template) != len(parameters):
            raise invalid("Number of parameters in request and statement don't match.")
        left = iter(parameters)
        return {name: next(left) if value is PARAMETER else value for name, value in self.template}


class PartiqlOperations:
    def __init__(self, tables: TableStore, items: ItemStore, writes: WriteOperations) -> None:
        self.tables = tables
        self.items = items
        self.writes = writes

    def execute_statement(self, parameters: Parameters, context: Context) -> Result:
        meter = Meter(parameters)
        self._insert(self._read(parameters, context), meter)
        return {"Items": [], **meter.total()}

    def batch_execute_statement(self, parameters: Parameters, context: Context) -> Result:
        meter = Meter(parameters)
        with self.items.transaction():
            responses = [self._respond(statement, context, meter) for statement in parameters["Statements"]]
        return {"Responses": responses, **meter.totals()}

    def _respond(self, statement: dict[str, Any], context: Context, meter: Meter) -> dict[str, Any]:
        table = {}
        try:
            table = {"TableName": parse(statement["Statement"]).table}
            self._insert(self._read(statement, context), meter)
        except ServiceError as error:
            return {"Error": {"Code": BATCH_CODES[error.code], "Message": error.message}, **table}
        return table

    def _read(self, parameters: Parameters, context: Context) -> Write:
        insert = parse(parameters["Statement"])
        item = insert.item(parameters.get("Parameters", []))
        return read_put({"TableName": insert.table, "Item": item}, self.tables, context.region)

    def _insert(self, write: Write, meter: Meter) -> None:
        if self.items.get(write.table, write.place) is not None:
            raise ServiceError("DuplicateItemException", "Duplicate primary key exists in table")
        new = write.decide(None)
        meter.wrote(write.table.name, new)
        self.writes.store(write, new)


@lru_cache(maxsize=64)  # an import sends one text a million times
def parse(text: str) -> Insert:
    """Read a statement.

    Raises:
        ServiceError: it is none, or one that only AWS can carry out.
    """
    reader = Reader(text)
    first = reader.word()
    if first in OTHER_STATEMENTS:
        raise unsupported(first)
    reader.expect("INSERT")
    reader.expect("INTO")
    table = reader.take("name", "word")
    if table == "":
        raise malformed()
    reader.expect("VALUE")
    template = tuple(reader.members())
    if not reader.is_over:
        raise unsupported("ON CONFLICT or RETURNING") if reader.word() in ("ON", "RETURNING") else malformed()
    return Insert(table, template)


class Reader:
    """The tokens of a statement, one after the other."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.kind, self.content = "", ""
        self.advance()

    def advance(self) -> None:
        found = TOKEN.match(self.text, self.position)
        assert found is not None, "the pattern takes any character"
        assert found.lastgroup is not None
        self.position, self.kind, self.content = found.end(), found.lastgroup, found[found.lastgroup]

    @property
    def is_over(self) -> bool:
        return self.kind == "end"

    def word(self) -> str:
        return self.content.upper() if self.kind == "word" else ""

    def take(self, *kinds: str) -> str:
        if self.kind not in kinds:
            raise malformed()
        content = self.content
        self.advance()
        return content

    def expect(self, content: str) -> None:
        if self.kind not in ("word", "symbol") or self.content.upper() != content:
            raise malformed()
        self.advance()

    def members(self) -> Iterator[tuple[str, Value | None]]:
        names: set[str] = set()
        separator = "{"
        while not (self.kind == "symbol" and self.content == "}" and names):
            self.expect(separator)
            name = unquoted(self.take("text"), "'")
            if name in names:
                raise invalid(f"Duplicate attribute name {name} in the statement")
            names.add(name)
            self.expect(":")
            yield name, self.value()
            separator = ","
        self.advance()

    def value(self) -> Value | None:
        kind, content = self.kind, self.content
        if kind == "symbol" and content == "{":
            raise unsupported("a map as a literal", "pass it as a parameter, `?`")
        if kind == "other" and content in "[<":
            raise unsupported("a list or set as a literal", "pass it as a parameter, `?`")
        if kind not in ("symbol", "text", "number", "word"):
            raise malformed()
        self.advance()
        if kind == "symbol" and content == "?":
            return PARAMETER
        if kind == "text":
            return {"S": unquoted(content, "'")}
        if kind == "number":
            return {"N": content}
        constant = {"TRUE": {"BOOL": True}, "FALSE": {"BOOL": False}, "NULL": {"NULL": True}}.get(content.upper())
        if kind != "word" or constant is None:
            raise malformed()
        return constant


def unquoted(text: str, quote: str) -> str:
    return text.replace(quote * 2, quote)


def malformed() -> ServiceError:
    return invalid("Statement wasn't well formed, can't be processed: Unexpected token")


def unsupported(what: str, hint: str | None = None) -> ServiceError:
    advice = f"; {hint}" if hint else ""
    return invalid(f"the local emulator does not support {what} in a PartiQL statement, only INSERT{advice}")
