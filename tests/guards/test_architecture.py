"""Imports point down the house, and some things are done in one place only."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import REPOSITORY

CLI = REPOSITORY / "src" / "iotauth_cli"
KERNEL = REPOSITORY / "lambda_src" / "iotauth_authorizer"

KERNEL_ROOM = "iotauth_authorizer"
VOCABULARY = {"errors", "secret", "__init__"}
PURE = {"policy", "token"}
DISK = {"files", "bundle", "config", "credentials"}
DOORS = {"aws", "device", "probe", "emulator"}

# The house of docs/concepts/architecture.md: what each room may import besides itself.
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "secret": set(),
    "policy": VOCABULARY | {KERNEL_ROOM},
    "token": VOCABULARY | {KERNEL_ROOM},
    "files": VOCABULARY | {KERNEL_ROOM},
    "bundle": VOCABULARY | {KERNEL_ROOM} | {"files"},
    "config": VOCABULARY | {KERNEL_ROOM} | {"files"},
    "credentials": VOCABULARY | {KERNEL_ROOM} | {"files"},
    **{door: VOCABULARY | PURE | DISK | {KERNEL_ROOM} for door in DOORS},
    "operations": VOCABULARY | PURE | (DISK - {"config"}) | DOORS | {KERNEL_ROOM},
    "cli": VOCABULARY | {"operations", "config", "secret"},
    "__main__": VOCABULARY | {"cli"},
}
CONTEXT_MAY_ALSO = PURE | DISK | DOORS | {KERNEL_ROOM}  # cli/context.py alone builds the doors


def sources(root: Path) -> list[Path]:
    found = sorted(path for path in root.rglob("*.py") if "__pycache__" not in path.parts)
    assert found, f"{root} has moved, and its walls would stand unguarded"
    return found


def room_of(path: Path) -> str:
    first = path.relative_to(CLI).parts[0]
    return first.removesuffix(".py")


def imported_names(tree: ast.AST) -> Iterator[str]:
    """Yield every dotted name an import statement in *tree* may load, type-only ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for name in imported_names(ast.parse(path.read_text())):
        package, *rest = name.split(".")
        if package == KERNEL_ROOM:
            rooms.add(KERNEL_ROOM)
        elif package == "iotauth_cli":
            is_room = rest and ((CLI / rest[0]).is_dir() or (CLI / f"{rest[0]}.py").exists())
            rooms.add(rest[0] if is_room else "__init__")
    return rooms


@pytest.mark.parametrize("path", sources(CLI), ids=lambda path: str(path.relative_to(CLI)))
def test_imports_point_down_the_house(path: Path) -> None:
    """A room imports itself and what the table allows it, nothing above it and no other door."""
    room = room_of(path)
    allowed = MAY_IMPORT[room] | {room}
    if path == CLI / "cli" / "context.py":
        allowed |= CONTEXT_MAY_ALSO
    assert imported_rooms(path) <= allowed


@pytest.mark.parametrize("path", sources(KERNEL), ids=lambda path: path.name)
def test_the_kernel_imports_the_standard_library_only(path: Path) -> None:
    """What runs in AWS needs nothing but Python."""
    packages = {name.split(".")[0] for name in imported_names(ast.parse(path.read_text()))}
    assert packages - {KERNEL_ROOM} <= sys.stdlib_module_names


def test_the_front_desk_imports_operations_inside_functions() -> None:
    """A command's module loads without the rooms below: that is what keeps start-up short."""
    for path in sources(CLI / "cli"):
        for node in ast.parse(path.read_text()).body:
            names = set(imported_names(node)) if isinstance(node, (ast.Import, ast.ImportFrom)) else set()
            heavy = {n for n in names if n.startswith(("iotauth_cli.operations", "iotauth_authorizer"))}
            assert not heavy, f"{path.name} imports {heavy} at module level"


def test_the_pure_rooms_do_no_input_or_output() -> None:
    """Policies and the decision touch no file, socket, process or environment."""
    effects = {
        "os",
        "socket",
        "subprocess",
        "ssl",
        "http",
        "urllib",
        "pathlib",
        "sqlite3",
        "asyncio",
        "shutil",
    }
    pure = [
        *sources(CLI / "policy"),
        *(KERNEL / f"{n}.py" for n in ("authorize", "grants", "event", "record")),
    ]
    for path in pure:
        names = [name for name in imported_names(ast.parse(path.read_text())) if not name.startswith("urllib.parse")]
        assert not {name.split(".")[0] for name in names} & effects, path.name


def calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def test_one_place_prints() -> None:
    """Only cli/output.py and the entry point write to the terminal."""
    allowed = {CLI / "cli" / "output.py", CLI / "__main__.py"}
    client = CLI / "emulator" / "lambda_runtime" / "client.py"  # in the function's process, stdout is its log
    for path in [*sources(CLI), *sources(KERNEL)]:
        if path in allowed or path == client or path.parent == KERNEL:
            continue
        tree = ast.parse(path.read_text())
        assert "print" not in calls(tree), path
        writes = [ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Attribute)]
        assert not [w for w in writes if w in ("sys.stdout.write", "sys.stderr.write")], path


def test_one_matcher() -> None:
    """Only policy/match.py compares wildcards; nobody reaches for fnmatch or glob translation."""
    for path in [*sources(CLI), *sources(KERNEL)]:
        names = set(imported_names(ast.parse(path.read_text())))
        assert not {n for n in names if n.split(".")[0] in ("fnmatch", "glob")}, path


CREDENTIAL_HASHES = {"pbkdf2_hmac", "scrypt", "bcrypt", "argon2"}


def test_one_hash_module() -> None:
    """Only credential.py names a password hash; elsewhere hashing is for signatures and content."""
    for path in [*sources(CLI), *sources(KERNEL)]:
        if path == KERNEL / "credential.py":
            continue
        named = {n.attr for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Attribute)}
        assert not named & CREDENTIAL_HASHES, path


# Who starts other programs, and which: the table in docs/concepts/architecture.md says why.
STARTS_CHILDREN = {
    "device/child.py": "PlatformIO, esptool",
    "device/formats/nvs_bin.py": "Espressif's partition generator",
    "emulator/__main__.py": "itself, let go by the terminal",
    "emulator/control/cloudformation/sam.py": "SAM's transform",
    "emulator/lambda_runtime/interpreter.py": "the interpreter of a function's runtime",
    "emulator/lambda_runtime/process.py": "the function",
    "emulator/lifecycle.py": "the emulator",
    "operations/git.py": "git",
    "operations/importing/encryption.py": "age, gpg",
    "operations/secret_history.py": "git",
    "probe/awscrt.py": "AWS's own client",
}
WAYS_TO_START = {"os.fork", "os.popen", "os.posix_spawn", "os.system", "asyncio.create_subprocess_exec"}


def test_few_modules_start_other_programs() -> None:
    """A child outlives us, inherits what is open and prints; each that is needed is known by name."""
    found = set()
    for path in sources(CLI):
        tree = ast.parse(path.read_text())
        called = {ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        if called & WAYS_TO_START or {"subprocess", "multiprocessing"} & set(imported_names(tree)):
            found.add(path.relative_to(CLI).as_posix())
    assert found == STARTS_CHILDREN.keys()


HEAVY = {
    "boto3",
    "botocore",
    "cryptography",
    "paho",
    "yaml",
    "rich",
    "platformio",
    "sqlite3",
    "asyncio",
    "ssl",
}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["client", "--help"],
        ["config", "show"],
        ["client", "add", "--help"],
        ["policy", "operator", "--account", "123456789012", "--region", "eu-west-1"],
    ],
    ids=" ".join,
)
def test_offline_commands_load_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    """A command that asks nobody starts without AWS, TLS, tables or event loops."""
    script = (
        "import sys; from iotauth_cli.__main__ import main; code = main(sys.argv[1:]); "
        "sys.stderr.write('\\n' + ' '.join(sorted({m.split('.')[0] for m in sys.modules}))); sys.exit(code)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert not HEAVY & set(ran.stderr.splitlines()[-1].split())


def test_version_loads_nothing_at_all(tmp_path: Path) -> None:
    """`--version` is answered before typer is imported."""
    script = "import sys; from iotauth_cli.__main__ import main; main(['--version']); sys.exit('typer' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0
    assert ran.stdout.startswith("iotauth ")


def test_no_emulator_branch_outside_config() -> None:
    """The emulator is an address: only `config` asks whether it is wanted."""
    for path in sources(CLI):
        if path.is_relative_to(CLI / "config") or path.is_relative_to(CLI / "emulator"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.If, ast.IfExp)):
                asked = {n.attr for n in ast.walk(node.test) if isinstance(n, ast.Attribute)}
                assert not asked & {"emulator", "is_emulator"}, f"{path}:{node.lineno}"
