"""botocore's models as the control plane reads them: what they say, how fast, and that handlers keep to them."""

from __future__ import annotations

import ast
import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iotauth_cli.emulator.control.service import Service
from iotauth_cli.emulator.control.wire import models
from iotauth_cli.emulator.control.wire.models import Shape
from iotauth_cli.emulator.control.wire.patterns import compile_pattern
from support import REPOSITORY
from support_control import Control

CONTROL = REPOSITORY / "src" / "iotauth_cli" / "emulator" / "control"


def shapes_in(shape: Shape, depth: int = 6) -> Iterator[Shape]:
    """Yield *shape* and every shape in it; *depth* ends those that hold themselves."""
    yield shape
    parts: list[Shape] = []
    if shape.type == "structure":
        parts = list(shape.members.values())
    elif shape.type == "list":
        parts = [shape.element]
    elif shape.type == "map":
        parts = [shape.key, shape.value]
    for part in parts if depth else ():
        yield from shapes_in(part, depth - 1)


def inputs_of(service: Service) -> Iterator[Shape]:
    """Yield every shape in the inputs of the operations that *service* serves."""
    model = models.load(service.name)
    assert model is not None
    for name in service.operations:
        operation = model.operation(name)
        assert operation is not None, f"{service.name} has no operation {name}"
        if operation.input is not None:
            yield from shapes_in(operation.input)


def services_of(control: Control) -> dict[str, Service]:
    """Return the services by the package that they live in."""
    return {"iot": control.iot, "lambda_": control.functions, "logs": control.logs, "iam": control.iam}


def parameters_used(path: Path) -> Iterator[str]:
    """Yield the text keys by which *path* reads anything called ``parameters``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript):
            holder, key = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            holder, key = node.func.value, node.args[0]
        else:
            continue
        is_parameters = isinstance(holder, ast.Name) and holder.id == "parameters"
        if is_parameters and isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value


@pytest.mark.parametrize("package", ["iot", "lambda_", "logs", "iam"])
def test_handlers_read_parameters_that_the_model_has(control: Control, package: str) -> None:
    """A name misspelt in a handler would never be found in a request."""
    known = {name for shape in inputs_of(services_of(control)[package]) for name in shape.traits.get("members", ())}
    used = {key for path in (CONTROL / package).glob("*.py") for key in parameters_used(path)}
    assert used
    assert used <= known


@pytest.mark.parametrize("name", ["..", "../iot", "IOT", "no-such-service", ""])
def test_a_name_that_is_no_service_has_no_model(name: str) -> None:
    """It comes from a request header, so it never becomes a path that leads elsewhere."""
    assert models.load(name) is None


def test_a_model_is_read_compressed_or_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian ships botocore's data uncompressed; the newest version of an API wins."""
    model = {"metadata": {"protocol": "json"}, "shapes": {}, "operations": {}}
    for version, name, data in (
        ("2019-01-01", "service-2.json", b"{}"),
        ("2020-01-01", "service-2.json", json.dumps(model).encode()),
    ):
        (tmp_path / "plain" / version).mkdir(parents=True)
        (tmp_path / "plain" / version / name).write_bytes(data)
    (tmp_path / "packed" / "2020-01-01").mkdir(parents=True)
    (tmp_path / "packed" / "2020-01-01" / "service-2.json.gz").write_bytes(gzip.compress(json.dumps(model).encode()))
    monkeypatch.setattr(models, "_data_directory", lambda: tmp_path)
    models.load.cache_clear()
    try:
        for name in ("plain", "packed"):
            found = models.load(name)
            assert found is not None
            assert found.protocols == ("json",)
    finally:
        models.load.cache_clear()


def test_the_control_plane_does_without_botocores_code() -> None:
    """Only its data is read; importing botocore would cost 100 ms and twice the memory."""
    program = (
        "import sys; from iotauth_cli.emulator.control import router; "
        "from iotauth_cli.emulator.control.wire import models; "
        "assert models.load('iot').operation('CreateAuthorizer').input.members; "
        "print(sorted({'botocore', 'boto3', 'urllib3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_pattern_of_the_served_operations_is_checked(control: Control) -> None:
    """None of them is beyond Python, so none is left out."""
    shapes = [shape for service in services_of(control).values() for shape in inputs_of(service)]
    patterns = {shape.traits["pattern"] for shape in shapes if "pattern" in shape.traits}
    assert len(patterns) > 30  # botocore's models gain some with time
    assert {pattern for pattern in patterns if compile_pattern(pattern) is None} == set()


@pytest.mark.parametrize(
    ("pattern", "fitting", "unfitting"),
    [
        (r"[\w=,@-]+", ["a-b", "A_1=,@"], ["é", "a.b", "a\n", ""]),
        (r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$", ["", "türe 7", "日本/½"], ["#", "a\n"]),
        (r"[\w-_]*", ["a-b_c"], ["a.b"]),
        (r"[\s\S]*", ["", "é\u00a0\n"], []),
        (r"\p{Print}+", ["a b~"], ["é", "\x7f", ""]),
        (
            r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*",
            ["a\té\U0001f512"],
            ["\x00", "\x0b"],
        ),
        (r"\d{12}", ["123456789012"], ["١٢٣٤٥٦٧٨٩٠١٢", "1"]),
    ],
)
def test_javas_patterns_mean_the_same_in_python(pattern: str, fitting: list[str], unfitting: list[str]) -> None:
    """ASCII classes, Unicode categories, hyphens after a class and surrogate pairs; always the whole text."""
    compiled = compile_pattern(pattern)
    assert compiled is not None
    assert all(compiled.fullmatch(text) for text in fitting)
    assert not any(compiled.fullmatch(text) for text in unfitting)


@pytest.mark.parametrize("pattern", [r"[^\p{C}]*", "[a", "(?<n>a)[[a]&&[b]]"])
def test_a_pattern_that_python_cannot_say_is_not_checked(pattern: str) -> None:
    """Refusing what AWS takes would be worse than the reverse."""
    assert compile_pattern(pattern) is None
