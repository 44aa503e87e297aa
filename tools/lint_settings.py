"""What each function reads of its environment against what template.yaml gives it; each finding says what to mend.

    python -m tools.lint_settings [template.yaml]

Read from the source, nothing is run: from `functions/<name>/app.py` along the composition roots that it
calls to every `settings.<name>`. An optional setting that a function is not given closes what is behind it:
`if not settings.x: return` and `if settings.x:` are followed as they would run.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from samtranslator.yaml_helper import yaml_parse

from tools.layers import ROOT

BOOTSTRAP = ROOT / "layers/control_plane/candlefish/bootstrap"
SETTINGS = ROOT / "layers/control_plane/candlefish/settings.py"
FUNCTION = "AWS::Serverless::Function"
# What Lambda itself sets, and what is read by Powertools.
GIVEN = frozenset({"AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME"})
THEIRS = ("POWERTOOLS_",)
MACHINE_PREFIX = "MACHINE_"
MACHINES = "machines"


class Read(NamedTuple):
    """A setting that a function reads."""

    variable: str
    required: bool


class Root(NamedTuple):
    """One composition root: its functions, the names it imports from other roots, its settings by attribute."""

    functions: dict[str, ast.FunctionDef]
    imported: dict[str, tuple[str, str]]
    settings: dict[str, Read]


def roots(folder: Path, base: Path) -> dict[str, Root]:
    """Every composition root by its name."""
    shared = declared(ast.parse(base.read_text()).body)
    found = {}
    for path in sorted(folder.glob("*.py")):
        body = ast.parse(path.read_text()).body
        found[path.stem] = Root(
            {node.name: node for node in body if isinstance(node, ast.FunctionDef)},
            {
                alias.asname or alias.name: (node.module.rpartition(".")[2], alias.name)
                for node in body
                if isinstance(node, ast.ImportFrom)
                and (node.module or "").startswith("candlefish.bootstrap.")
                and node.module
                for alias in node.names
            },
            {**shared, **declared(body)},
        )
    return found


def declared(body: Iterable[ast.stmt]) -> dict[str, Read]:
    """The settings that classes declare, by attribute."""
    return {
        line.targets[0].id: Read(
            line.targets[0].id.upper(), not any(k.arg == "optional" for k in line.value.keywords)
        )
        for node in body
        if isinstance(node, ast.ClassDef)
        for line in node.body
        if isinstance(line, ast.Assign)
        and isinstance(line.targets[0], ast.Name)
        and isinstance(line.value, ast.Call)
        and isinstance(line.value.func, ast.Name)
        and line.value.func.id == "Setting"
    }


def reads(app: str, known: Mapping[str, Root], given: frozenset[str]) -> frozenset[Read]:
    """The settings that a function's module reads, with all that it is wired to."""
    tree = ast.parse(app)
    aliases = {
        alias.asname or alias.name: alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "candlefish.bootstrap"
        for alias in node.names
    }
    walk = _Walk(known, given)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            walk.name(aliases[node.value.id], node.attr)
        elif _is_settings(node) and isinstance(node, ast.Attribute):
            owner = node.value
            assert isinstance(owner, ast.Attribute) and isinstance(owner.value, ast.Name)
            walk.setting(aliases[owner.value.id], node.attr)
    return frozenset(walk.found)


def _is_settings(node: ast.AST) -> bool:
    """Whether a node is `wire.settings.<name>`."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "settings"
        and isinstance(node.value.value, ast.Name)
    )


class _Walk:
    """Follows names through the roots; each function once."""

    def __init__(self, known: Mapping[str, Root], given: frozenset[str]) -> None:
        self._known = known
        self._given = given
        self._seen: set[tuple[str, str]] = set()
        self.found: set[Read] = set()

    def name(self, root: str, name: str) -> None:
        """Follow a name of a root, if it is a function or comes from another root."""
        if (root, name) in self._seen:
            return
        self._seen.add((root, name))
        if name in self._known[root].imported:
            self.name(*self._known[root].imported[name])
        elif name in self._known[root].functions:
            self._statements(root, self._known[root].functions[name].body)

    def setting(self, root: str, name: str) -> None:
        if name == MACHINES:
            self.found.add(Read(MACHINE_PREFIX, False))
        elif name in self._known[root].settings:
            self.found.add(self._known[root].settings[name])

    def _statements(self, root: str, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            if isinstance(statement, ast.If):
                self._expression(root, statement.test)
                closed = self._closed(root, statement.test)
                if closed and not isinstance(statement.test, ast.UnaryOp):
                    continue
                self._statements(root, statement.body)
                if closed and isinstance(statement.body[-1], ast.Return):
                    return
            else:
                self._expression(root, statement)

    def _closed(self, root: str, test: ast.expr) -> bool:
        """Whether a test asks for an optional setting that the function is not given."""
        return any(
            read.variable not in self._given and not read.required
            for node in ast.walk(test)
            if isinstance(node, ast.Attribute)
            and _of_settings(node)
            and (read := self._known[root].settings.get(node.attr))
        )

    def _expression(self, root: str, node: ast.AST) -> None:
        for each in ast.walk(node):
            if isinstance(each, ast.Attribute) and _of_settings(each):
                self.setting(root, each.attr)
            elif isinstance(each, ast.Name):
                self.name(root, each.id)


def _of_settings(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("settings", "_settings")


def given_to(template: Mapping[str, Any]) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Logical id, folder and own variables of every function of a template."""
    for logical, definition in template["Resources"].items():
        if definition["Type"] == FUNCTION:
            properties = definition["Properties"]
            variables = properties.get("Environment", {}).get("Variables", {})
            yield logical, properties["CodeUri"].rstrip("/"), frozenset(variables)


def findings(template: Mapping[str, Any], folder: Path, known: Mapping[str, Root]) -> Iterator[str]:
    """Where what a function reads and what it is given differ. `folder` is what the template's paths begin in."""
    everyone = frozenset(
        template.get("Globals", {}).get("Function", {}).get("Environment", {}).get("Variables", {})
    )
    unnamed = {path.parent.name for path in folder.glob("functions/*/app.py")}
    for logical, code, own in given_to(template):
        unnamed.discard(Path(code).name)
        given = everyone | own | GIVEN
        read = reads((folder / code / "app.py").read_text(), known, given)
        variables = {each.variable for each in read}
        for each in sorted(read):
            if each.required and each.variable not in given:
                yield f"{logical}: it reads {each.variable}, which the template does not give it"
        for variable in sorted(own):
            if variable.startswith(THEIRS) or variable in variables:
                continue
            if not (variable.startswith(MACHINE_PREFIX) and MACHINE_PREFIX in variables):
                yield f"{logical}: the template gives it {variable}, which it never reads"
    for name in sorted(unnamed):
        yield f"functions/{name}: no function of the template has this code; remove it, or add the function"


def main(path: Path) -> int:
    """Print the findings; how many there are."""
    found = list(findings(yaml_parse(path.read_text()), path.parent, roots(BOOTSTRAP, SETTINGS)))
    for line in found:
        print(f"settings: {line}")
    return len(found)


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "template.yaml")) else 0)
