"""How a checkout is built, in numbers: rooms, names, ports, arrows, wiring. Judges nothing.

    python -m tools.house [ROOT]

Read from the source alone, so that an older checkout can be put beside this one.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tools.layers import ROOT

PACKAGE = "candlefish"
# So many lines that stand twice are a repetition.
RUN = 6
# Where the code is, and what its modules are called.
TREES = {
    f"layers/control_plane/{PACKAGE}": PACKAGE,
    "functions": "functions",
    "cli": "cli",
    "lab": "lab",
    "tools": "tools",
    "tests": "tests",
}
# What may import what: each floor all below it. `*` is every capability.
FLOORS = (
    "tests",
    "tools",
    "functions",
    "cli",
    "lab",
    f"{PACKAGE}.bootstrap",
    f"{PACKAGE}.handler",
    f"{PACKAGE}.adapters",
    f"{PACKAGE}.*",
    f"{PACKAGE}.catalog",
    f"{PACKAGE}.errors",
)
SHOWN = 3

Functions = ast.FunctionDef | ast.AsyncFunctionDef
Graph = Mapping[str, set[str]]


class Module(NamedTuple):
    """A module: its dotted name, its text, and its syntax tree."""

    name: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def room(self) -> str:
        """The folder that it is in, two levels deep; all functions are one."""
        parts = self.name.split(".")
        return ".".join(parts[:2]) if len(parts) > 2 and parts[0] != "functions" else parts[0]


def modules(root: Path, trees: Mapping[str, str] = TREES) -> dict[str, Module]:
    """Every module of a checkout by its name."""
    found = {}
    for folder, package in trees.items():
        for path in sorted((root / folder).rglob("*.py")):
            text = path.read_text()
            parts = [package, *path.relative_to(root / folder).with_suffix("").parts]
            name = ".".join(parts).removesuffix(".__init__")
            found[name] = Module(name, text, ast.parse(text))
    return found


def of(found: Mapping[str, Module], package: str) -> list[Module]:
    """The modules of one package."""
    return [module for name, module in found.items() if f"{name}.".startswith(f"{package}.")]


# --- rooms and names --------------------------------------------------------------------------


def rooms(found: Iterable[Module]) -> dict[str, tuple[int, int]]:
    """Modules and lines by folder."""
    counted: dict[str, tuple[int, int]] = {}
    for module in found:
        number, lines = counted.get(module.room, (0, 0))
        counted[module.room] = (number + 1, lines + module.lines)
    return counted


def doubled(found: Iterable[Module], kind: type[ast.ClassDef | ast.FunctionDef]) -> dict[str, list[str]]:
    """Public names of classes or functions that several modules define, with these modules."""
    where: dict[str, set[str]] = defaultdict(set)
    for module in found:
        for node in module.tree.body:
            if isinstance(node, kind) and not node.name.startswith("_"):
                where[node.name].add(module.name)
    return {name: sorted(places) for name, places in sorted(where.items()) if len(places) > 1}


def stray_protocols(found: Iterable[Module]) -> list[str]:
    """Protocols that do not stand in a `ports` module."""
    return [
        f"{module.name}.{node.name}"
        for module in found
        if module.name.rpartition(".")[2] != "ports"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)
    ]


# --- functions --------------------------------------------------------------------------------


def defined(found: Iterable[Module]) -> Iterator[tuple[str, Functions]]:
    """Every function and method, with its full name."""
    for module in found:
        for node in ast.walk(module.tree):
            if isinstance(node, Functions):
                yield f"{module.name}.{node.name}", node


def parameters(node: Functions) -> int:
    given = node.args
    return len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)


def length(node: Functions) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


# --- arrows -----------------------------------------------------------------------------------


def imports(found: Mapping[str, Module]) -> dict[str, set[str]]:
    """Which module imports which, inside functions too."""
    return {
        name: {target for node in ast.walk(module.tree) for target in _targets(node, name, found)} - {name}
        for name, module in found.items()
    }


def _targets(node: ast.AST, importer: str, found: Mapping[str, Module]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in found)
    elif isinstance(node, ast.ImportFrom):
        above = importer.split(".")[: -node.level] if node.level else []
        base = ".".join([*above, *(node.module.split(".") if node.module else [])])
        for alias in node.names:
            full = f"{base}.{alias.name}"
            yield from (name for name in (full if full in found else base,) if name in found)


def between_rooms(graph: Graph) -> dict[str, set[str]]:
    """The same arrows between folders; a module beside the folders is one of its own."""

    drawn: dict[str, set[str]] = defaultdict(set)
    for name, targets in graph.items():
        drawn[_folder(name)] |= {_folder(target) for target in targets} - {_folder(name)}
    return drawn


def _folder(name: str) -> str:
    return ".".join(name.split(".")[:2])


def circles(graph: Graph) -> list[list[str]]:
    """Modules that reach each other, as sorted groups."""
    reached = {name: _reachable(graph, name) for name in graph}
    groups = {
        tuple(sorted(other for other in reached[name] if name in reached.get(other, ())))
        for name in graph
        if name in reached[name]
    }
    return [list(group) for group in sorted(groups)]


def _reachable(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    left = [start]
    while left:
        for target in graph.get(left.pop(), ()):
            if target not in seen:
                seen.add(target)
                left.append(target)
    return seen


def floor(name: str, found: Mapping[str, Module]) -> int | None:
    """Which floor a module stands on; None for one beside the floors."""
    parts = name.split(".")
    for prefix in (".".join(parts[:2]), parts[0]):
        if prefix in FLOORS:
            return FLOORS.index(prefix)
    is_capability = (
        parts[0] == PACKAGE and len(parts) > 1 and any(n.startswith(f"{PACKAGE}.{parts[1]}.") for n in found)
    )
    return FLOORS.index(f"{PACKAGE}.*") if is_capability else None


def upward(graph: Graph, found: Mapping[str, Module]) -> list[str]:
    """Imports of something on a higher floor."""
    return [
        f"{name} -> {target}"
        for name, targets in graph.items()
        for target in sorted(targets)
        if (here := floor(name, found)) is not None
        and (there := floor(target, found)) is not None
        and there < here
    ]


# --- the functions' wiring --------------------------------------------------------------------


def wiring(tree: ast.Module) -> str:
    """How an app.py gives its use case the ports, and what else it holds."""
    values = [node.value for node in tree.body if isinstance(node, ast.Assign)]
    calls = [call for value in values for call in (value.elts if isinstance(value, ast.Tuple) else [value])]
    made = [ast.unparse(call.func) for call in calls if isinstance(call, ast.Call)]
    if "partial" in made:
        style = "partial"
    elif any(name[:1].isupper() for name in made):
        style = "an object of ports"
    else:
        style = "constants" if made else "inline"
    extra = []
    if sum(isinstance(node, ast.FunctionDef) for node in tree.body) > 1:
        extra.append("helper functions")
    if any(isinstance(node, ast.ClassDef) for node in tree.body):
        extra.append("a class")
    return " + ".join((style, *extra))


def returns_any(tree: ast.Module) -> bool:
    """Whether the handler says nothing about what it returns."""
    handlers = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "lambda_handler"]
    return any(node.returns is None or ast.unparse(node.returns) == "Any" for node in handlers)


def look_ups(found: Iterable[Module]) -> Counter[str]:
    """Environment variables that are looked up by a string, and how often."""
    return Counter(name for module in found for node in ast.walk(module.tree) if (name := _looked_up(node)))


def _looked_up(node: ast.AST) -> str:
    owner, key = "", None
    if isinstance(node, ast.Subscript):
        owner, key = ast.unparse(node.value), node.slice
    elif isinstance(node, ast.Call) and node.args and ast.unparse(node.func).endswith((".get", "getenv")):
        owner, key = ast.unparse(node.func), node.args[0]
    of_environment = re.search(r"settings|environ|getenv", owner, re.IGNORECASE)
    named = isinstance(key, ast.Constant) and re.fullmatch(r"[A-Z][A-Z0-9_]+", str(key.value))
    return named[0] if of_environment and named else ""


def repeated(texts: Mapping[str, str], size: int = RUN) -> list[tuple[str, int]]:
    """Where a run of `size` lines of code begins that stands elsewhere too, letter by letter; one place a stretch.

    Comments, blank lines, imports and lone punctuation are passed over, and white space at the ends.
    """
    runs: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for name, text in texts.items():
        lines = [(n, line) for n, raw in enumerate(text.splitlines(), 1) if _counts(line := raw.strip())]
        for at in range(len(lines) - size + 1):
            runs[tuple(line for _, line in lines[at : at + size])].append((name, at))
    places = sorted({place for found in runs.values() if len(found) > 1 for place in found})
    return [(name, at) for name, at in places if (name, at - 1) not in places]


def _counts(line: str) -> bool:
    return bool(re.search(r"\w", line)) and not line.startswith(("#", "import ", "from "))


def contracts(root: Path) -> int:
    """How many contracts import-linter holds."""
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    return len(settings["tool"]["importlinter"]["contracts"])


# --- the report -------------------------------------------------------------------------------


def report(root: Path) -> Iterator[str]:
    """Everything, line by line."""
    found = modules(root)
    package, lab = of(found, PACKAGE), of(found, "lab")
    yield f"{'folder':28}{'modules':>9}{'lines':>9}"
    for room, (number, lines) in sorted(rooms(found.values()).items()):
        yield f"{room:28}{number:9}{lines:9}"
    for title, kind in (("class", ast.ClassDef), ("function", ast.FunctionDef)):
        names = doubled(package, kind)
        yield from listed(
            f"public {title} names of the package that mean several things",
            (f"{name}: {', '.join(where)}" for name, where in names.items()),
        )
    yield from listed("Protocols outside ports.py", stray_protocols(package))
    for title, some in (("the package", package), ("lab", lab)):
        for what, measure in (("most parameters", parameters), ("longest function, lines", length)):
            ranked = sorted(((measure(node), name) for name, node in defined(some)), reverse=True)
            yield f"{what} in {title}: " + ", ".join(f"{number} {name}" for number, name in ranked[:SHOWN])
    graph = imports(found)
    yield from listed("arrows upward", upward(graph, found))
    for title, some in (("the package", package), ("lab", lab)):
        inside = {module.name: graph[module.name] & {m.name for m in some} for module in some}
        yield from listed(f"circles between modules of {title}", map(" <-> ".join, circles(inside)))
        yield from listed(
            f"circles between rooms of {title}", map(" <-> ".join, circles(between_rooms(inside)))
        )
    for title, trees in (
        ("the package", [PACKAGE]),
        ("everything but tests", [tree for tree in TREES.values() if tree != "tests"]),
    ):
        texts = {m.name: m.text for tree in trees for m in of(found, tree)}
        yield f"places where {RUN} lines stand that stand elsewhere too, in {title}: {len(repeated(texts))}"
    yield f"import-linter's contracts: {contracts(root)}"
    apps = [module for module in of(found, "functions") if module.name.endswith(".app")]
    styles = Counter(wiring(module.tree) for module in apps)
    yield from listed(
        "wiring styles of functions",
        (f"{number} {style}" for style, number in styles.most_common()),
        len(styles),
    )
    yield from listed("handlers that return Any", (m.name for m in apps if returns_any(m.tree)))
    names_read = look_ups([*package, *apps])
    yield f"environment look-ups by string: {names_read.total()} of {len(names_read)} names"


def listed(title: str, lines: Iterable[str], number: int | None = None) -> Iterator[str]:
    """A number with what it counts below."""
    rows = list(lines)
    yield f"{title}: {len(rows) if number is None else number}"
    yield from (f"    {row}" for row in rows)


def main(root: Path) -> None:
    for line in report(root):
        print(line)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
