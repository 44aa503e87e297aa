"""One anatomy for every capability, so that any of them can be opened blind (docs/architecture.md).

`model.py` values, `record.py` state and its transitions, `decide.py` decisions, `ports.py` what is needed of
the world, `news.py` the words; then one module a use case. Functions call a use case by their own name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "layers/control_plane/candlefish"
CAPABILITIES = (
    "service",
    "traffic",
    "analysis",
    "release",
    "signals",
    "failover",
    "backups",
    "capacity",
    "cost",
    "views",
    "messages",
)
# Modules that know nothing of the world: they are functions of values.
PURE = ("model.py", "record.py", "decide.py", "news.py", "payloads.py")
FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
MODULES = [path for name in CAPABILITIES for path in sorted((PACKAGE / name).rglob("*.py"))]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Module and name of everything that is imported from, at run time or for types."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield node.module, alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""


def relative(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def is_protocol(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)


def test_every_folder_of_the_package_is_a_capability_or_has_a_place_of_its_own() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {*CAPABILITIES, "adapters", "bootstrap", "catalog"}


@pytest.mark.parametrize("name", CAPABILITIES)
def test_a_capability_says_in_its_first_lines_what_it_is(name: str) -> None:
    assert ast.get_docstring(tree(PACKAGE / name / "__init__.py"))


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_what_is_needed_of_the_world_stands_in_ports(path: Path) -> None:
    protocols = [
        node.name for node in tree(path).body if isinstance(node, ast.ClassDef) and is_protocol(node)
    ]
    assert path.name == "ports.py" or protocols == []


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "ports.py"], ids=relative)
def test_ports_hold_nothing_that_runs(path: Path) -> None:
    for node in tree(path).body:
        assert not isinstance(node, ast.FunctionDef), node.name


@pytest.mark.parametrize("path", [p for p in MODULES if p.name in PURE], ids=relative)
def test_values_transitions_decisions_and_words_know_nothing_of_the_world(path: Path) -> None:
    for module, name in imports(tree(path)):
        assert not module.endswith(".ports"), f"{module}.{name}"
        assert module.split(".")[0] not in ("time", "random", "os", "socket", "pathlib"), module


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "record.py"], ids=relative)
def test_a_transition_takes_a_record_first_and_is_called_by_what_it_does(path: Path) -> None:
    """A verb in the imperative: what ends in -ed says what was done, not what to do."""
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            verb = node.name.partition("_")[0]
            assert not verb.endswith("ed") or verb in ("need",), f"{node.name} is not in the imperative"


@pytest.mark.parametrize("name", CAPABILITIES)
def test_there_is_at_most_one_way_to_require_a_generation(name: str) -> None:
    path = PACKAGE / name / "record.py"
    if path.exists():
        found = [
            n.name for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef) and "require_" in n.name
        ]
        assert len(found) <= 1


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_calls_the_use_case_that_has_its_name_and_is_wired_in_the_one_form(function: str) -> None:
    body = tree(ROOT / "functions" / function / "app.py").body
    used = next(n for n in body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "use")
    assert isinstance(used.value, ast.Call) and ast.unparse(used.value.func) == "partial"
    assert ast.unparse(used.value.args[0]) == function
    assert len(used.value.args) == 1, "ports are handed in by name"
    source = {name: module for module, name in imports(ast.Module(body, []))}[function]
    assert source.split(".")[:2][0] == "candlefish" and source.split(".")[1] in CAPABILITIES
    (handler,) = [n for n in body if isinstance(n, ast.FunctionDef)]
    assert handler.name == "lambda_handler"
    assert [ast.unparse(d) for d in handler.decorator_list] in (["handler"], ["look"])
    (event,) = handler.args.args
    for annotation in (event.annotation, handler.returns):
        assert annotation is not None and ast.unparse(annotation) not in ("Any", "object")
    assert not any(isinstance(n, ast.ClassDef) for n in body), (
        "what crosses the machines stands in the package"
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_use_case_has_a_module_of_its_own_name(function: str) -> None:
    body = tree(ROOT / "functions" / function / "app.py").body
    source = {name: module for module, name in imports(ast.Module(body, []))}[function]
    assert source.rpartition(".")[2] == function
