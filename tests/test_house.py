"""The house keeps its own rules: who imports whom, no circles, torch only where it belongs, small files and functions.

Imports are read from the source, deferred and typing ones included.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "tailor"
MODULES = {
    ".".join(("tailor", *path.relative_to(SRC).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(SRC.rglob("*.py"))
}

GROUND = {"errors", "records", "plugins", "config", "disk", "run"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "records": {"errors"},
    "plugins": {"errors"},
    "config": {"errors"},
    "disk": {"errors"},
    "run": {"errors", "records", "config", "disk"},
    "environment": set(),
    "examples": GROUND,
    "formats": GROUND,
    "documents": GROUND,
    "curate": GROUND,
    "render": GROUND,
    "methods": GROUND,
    "kernels": GROUND,
    "weights": GROUND,
    "completers": GROUND,
    "completers.local": GROUND | {"weights", "render"},
    "metrics": GROUND | {"completers.base"},
    "train": GROUND | {"formats", "render", "methods", "kernels", "weights", "metrics.base"},
    "evaluate": GROUND | {"metrics", "completers"},
    "advise": GROUND | {"evaluate", "completers"},
    "report": GROUND | {"metrics.base"},
    "testing.plain": set(),  # `tailor verify` lays this engine beside it: it must not be this engine
}
"""Rooms, or single modules of them, that each room may import beside itself.

`worker`, `cli` and `testing` may import everything below them.
"""

TOP = {"worker", "cli", "testing", "__main__"}
TORCH = {"methods", "kernels", "weights", "train", "completers.local", "testing.plain"}
HUB = {"weights", "kernels", "testing.plain"}
FOREIGN_TRAINERS = {"trl", "accelerate", "datasets", "litellm", "gradio", "streamlit"}
PICKLES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
HEAVY = ["torch", "transformers", "peft", "scipy", "pyarrow", "numpy.random", "sacrebleu", "pandas"]
FILE_LINES = 400
FUNCTION_LINES = 60


def _imports(path: Path, module: str) -> set[str]:
    """Full names of the modules that a file imports, wherever in it."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [base])])
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names}
    return found


IMPORTS = {module: _imports(path, module) for module, path in MODULES.items()}


def _room(module: str) -> str:
    """The room of a module: `completers.local` has rules of its own, every other one those of its folder."""
    inside = module.removeprefix("tailor").removeprefix(".")
    return inside if inside in ALLOWED else inside.partition(".")[0]


def _own(names: set[str]) -> set[str]:
    return {name for name in names if name in MODULES and name != "tailor"}


@pytest.mark.parametrize("module", [name for name in MODULES if name != "tailor"])
def test_a_room_imports_only_what_it_may(module: str) -> None:
    room = _room(module)
    if room in TOP:
        return
    assert room in ALLOWED, f"{module}: say in this test what the room {room!r} may import"
    for imported in _own(IMPORTS[module]):
        target = _room(imported)
        inside = target.partition(".")[0] == room.partition(".")[0]
        allowed = {target, imported.removeprefix("tailor.")} & ALLOWED[room]
        assert inside or allowed, f"{module} imports {imported}"


@pytest.mark.parametrize("module", list(MODULES))
def test_heavy_and_unsafe_libraries_stay_where_they_belong(module: str) -> None:
    room = _room(module)
    libraries = {name.partition(".")[0] for name in IMPORTS[module]}
    assert "torch" not in libraries or room in TORCH | {"testing"}, f"{module} imports torch"
    assert not libraries & {"transformers", "peft", "bitsandbytes"} or room in HUB, f"{module} imports a hub library"
    assert not libraries & (FOREIGN_TRAINERS | PICKLES), f"{module} imports {libraries & (FOREIGN_TRAINERS | PICKLES)}"


def test_a_methods_settings_can_be_read_without_torch() -> None:
    for module, path in MODULES.items():
        if _room(module) == "methods":
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not any(name.partition(".")[0] == "torch" for name in names), module


def test_no_import_goes_round_in_a_circle() -> None:
    graph = {module: _own(names) for module, names in IMPORTS.items()}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for imported in graph[module]:
                visit(imported, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("module", list(MODULES))
def test_files_and_functions_can_be_read_in_one_sitting(module: str) -> None:
    source = MODULES[module].read_text(encoding="utf-8")
    assert source.count("\n") <= FILE_LINES, f"{module} is two files"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{module}.{node.name} is {length} lines long"


@pytest.mark.parametrize("module", [name for name in MODULES if name != "tailor"])
def test_every_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))


def test_names_do_not_hide_what_a_file_is_for() -> None:
    vague = {"utils", "util", "common", "misc", "helpers", "v2", "legacy", "experimental"}
    assert not [module for module in MODULES if set(module.split(".")) & vague]


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"], ["check", "--help"], ["runs", "/nonexistent"]])
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['tailor', *{arguments!r}]\n"
        "from tailor.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"heavy = set({HEAVY!r}) & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("set_by_user", "wanted"),
    [({}, "20000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_idle_threads_ask_for_work_as_long_as_tailor_says_or_the_user(
    set_by_user: dict[str, str], wanted: str | None
) -> None:
    """PyTorch reads it when it is imported, so that `import tailor` has to set it and must not import PyTorch."""
    code = "import os, sys, tailor; print(os.environ.get('GOMP_SPINCOUNT')); assert 'torch' not in sys.modules"
    ours = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    environment = {name: value for name, value in os.environ.items() if name not in ours} | set_by_user
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [str(wanted)], done.stderr
