"""The numbers of a house, counted in a tiny one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools.house import (
    circles,
    contracts,
    defined,
    doubled,
    floor,
    imports,
    length,
    look_ups,
    modules,
    of,
    parameters,
    repeated,
    report,
    returns_any,
    rooms,
    stray_protocols,
    upward,
    wiring,
)

FILES = {
    "layers/control_plane/candlefish/errors.py": "class Refused(Exception): ...\n",
    "layers/control_plane/candlefish/service/ports.py": "class Records(Protocol): ...\n",
    "layers/control_plane/candlefish/release/model.py": (
        "from candlefish.errors import Refused\n"
        "class Answer: ...\n"
        "class Clock(Protocol[T]): ...\n"
        "class _Hidden: ...\n"
        "def begin(a, *, b, c):\n    return a\n"
    ),
    "layers/control_plane/candlefish/capacity/model.py": (
        "class Answer: ...\nclass _Hidden: ...\ndef begin(): ...\n"
        "def late():\n    from candlefish.adapters import table\n"
    ),
    "layers/control_plane/candlefish/adapters/table.py": "from ..service import ports\n",
    "lab/world.py": "from lab import scenario\n",
    "lab/scenario.py": "import lab.world\nfrom cli.view import table\n",
    "cli/view.py": "table = settings()['TABLE_NAME'] or os.environ.get('TABLE_NAME') or settings.values.get('name')\n",
    "functions/observe/app.py": "use = partial(observe)\n@handler\ndef lambda_handler(event) -> Any: ...\n",
    "pyproject.toml": "[[tool.importlinter.contracts]]\nname = 'one'\n[[tool.importlinter.contracts]]\nname = 'two'\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_modules_and_lines_are_counted_by_folder(root: Path) -> None:
    counted = rooms(modules(root).values())
    assert counted["candlefish.release"] == (1, 6)
    assert counted["lab"] == (2, 3)
    assert counted["functions"] == (1, 3)


def test_public_names_that_mean_several_things_are_found(root: Path) -> None:
    package = of(modules(root), "candlefish")
    places = ["candlefish.capacity.model", "candlefish.release.model"]
    assert doubled(package, ast.ClassDef) == {"Answer": places}
    assert doubled(package, ast.FunctionDef) == {"begin": places}


def test_a_protocol_outside_ports_is_found(root: Path) -> None:
    assert stray_protocols(modules(root).values()) == ["candlefish.release.model.Clock"]


def test_functions_are_measured(root: Path) -> None:
    begin = dict(defined(of(modules(root), "candlefish.release")))["candlefish.release.model.begin"]
    assert (parameters(begin), length(begin)) == (3, 2)


def test_imports_are_followed_relative_ones_and_those_inside_functions_too(root: Path) -> None:
    graph = imports(modules(root))
    assert graph["candlefish.release.model"] == {"candlefish.errors"}
    assert graph["candlefish.adapters.table"] == {"candlefish.service.ports"}
    assert graph["candlefish.capacity.model"] == {"candlefish.adapters.table"}


def test_circles_and_arrows_upward_are_found(root: Path) -> None:
    found = modules(root)
    graph = imports(found)
    assert circles(graph) == [["lab.scenario", "lab.world"]]
    assert upward(graph, found) == [
        "candlefish.capacity.model -> candlefish.adapters.table",
        "lab.scenario -> cli.view",
    ]


def test_a_module_beside_the_floors_stands_on_none(root: Path) -> None:
    found = modules(root)
    assert floor("candlefish.ports", found) is None
    assert floor("candlefish.release.model", found) == floor("candlefish.capacity.model", found)


@pytest.mark.parametrize(
    ("source", "style"),
    [
        ("use = partial(f, a=wire.a())\ndef lambda_handler(event): ...", "partial"),
        ("bench = Bench(a=wire.a())\ndef lambda_handler(event): ...", "an object of ports"),
        ("A, B = wire.a(), wire.b()\ndef lambda_handler(event): ...", "constants"),
        ("class Start: ...\ndef lambda_handler(event): return f(wire.a())", "inline + a class"),
        ("def lambda_handler(event): return g()\ndef g(): ...", "inline + helper functions"),
    ],
)
def test_how_a_function_is_wired_is_told_from_its_syntax(source: str, style: str) -> None:
    assert wiring(ast.parse(source)) == style


@pytest.mark.parametrize(
    ("returns", "any_of_them"),
    [("-> Any", True), ("", True), ("-> dict[str, Any]", False), ("-> Reply", False)],
)
def test_a_handler_that_says_nothing_of_what_it_returns_is_found(returns: str, any_of_them: bool) -> None:
    assert returns_any(ast.parse(f"def lambda_handler(event) {returns}: ...")) is any_of_them


def test_look_ups_of_the_environment_by_string_are_counted(root: Path) -> None:
    assert look_ups(of(modules(root), "cli")) == {"TABLE_NAME": 2}


def test_the_report_says_all_of_it(root: Path) -> None:
    text = "\n".join(report(root))
    assert contracts(root) == 2
    for line in (
        "public class names of the package that mean several things: 1\n    Answer: candlefish.capacity.model",
        "circles between modules of lab: 1\n    lab.scenario <-> lab.world",
        "wiring styles of functions: 1\n    1 partial",
        "handlers that return Any: 1\n    functions.observe.app",
        "import-linter's contracts: 2",
    ):
        assert line in text


def test_a_stretch_of_lines_that_stands_twice_is_a_place_in_each_file() -> None:
    shared = "\n".join(f"value_{n} = {n}" for n in range(8))
    texts = {
        "a": f"first = 1\n{shared}\n",
        "b": f"# a comment\n{shared}\n\nlast = 1\n",
        "c": "\n".join(shared.splitlines()[:5]),
    }
    assert [name for name, _ in repeated(texts)] == ["a", "b"]
    assert repeated({"a": texts["a"]}) == []
