"""Writes docs/http.md, every request of the HTTP API and every value that it answers with, from docs/openapi.json.

python -m tools.openapi_page [--check]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tools.layers import ROOT
from tools.pages import write_or_check

PAGE, DOCUMENT = ROOT / "docs/http.md", ROOT / "docs/openapi.json"
INTRO = """# The HTTP API

Made by `python -m tools.openapi_page` from [openapi.json](openapi.json), which is made from the types; `make check` compares both. The
address is the stack's output `ConsoleUrl`; `GET /v1/openapi.json` gives the document of the version that runs. Times are epoch seconds.

**Who.** A token of the issuer that the catalog names (`Authorization: Bearer ...`). The role that a request needs stands beside it: a
reader may look, an operator steer, an approver answer; each may do what stands before it, too. The command line signs with IAM instead,
at the functions' own addresses.

**Refused.** `application/problem+json`: `title`, `status`, `detail`, and `error`, the name under which
[what a message means](troubleshooting.md) has it.
"""
Schema = Mapping[str, Any]


def page(document: Schema) -> str:
    """The page as it should be."""
    requests = [
        line
        for path, methods in document["paths"].items()
        for method, said in methods.items()
        for line in _request(method.upper(), path, said)
    ]
    values = [line for name, schema in _values(document) for line in _value(name, schema)]
    return "\n".join([INTRO, *_refusals(document), "## Requests", "", *requests, "## Values", "", *values])


def _request(method: str, path: str, said: Schema) -> Iterator[str]:
    role = said.get("x-role")
    yield f"### {method} {path}"
    yield ""
    yield f"{said['summary']} {f'For a {role}.' if role else 'Without a token.'}"
    yield ""
    if body := _content(said.get("requestBody")):
        yield f"Takes {body}."
        yield ""
    if asked := said.get("parameters"):
        yield "| parameter | in | |"
        yield "|---|---|---|"
        for each in asked:
            what = each.get("description") or _kind(each["schema"])
            yield f"| `{each['name']}` | {each['in']} | {_cell(what)} |"
        yield ""
    answers = [
        f"`{status}` {_content(answer) or _cell(answer.get('description', '')).rstrip('.')}"
        for status, answer in sorted(said["responses"].items())
        if not _refuses(answer)
    ]
    yield f"Answers {', '.join(answers)}."
    yield ""


def _refuses(answer: Schema) -> bool:
    return "#problem" in _content(answer)


def _refusals(document: Schema) -> Iterator[str]:
    """What any request may be refused with, each once."""
    answers = (
        answer
        for methods in document["paths"].values()
        for said in methods.values()
        for answer in said["responses"].items()
    )
    found = {status: answer.get("description", "") for status, answer in answers if _refuses(answer)}
    yield "| status | |"
    yield "|---|---|"
    for status, words in sorted(found.items()):
        yield f"| {status} | {_cell(words)} |"
    yield ""


def _content(said: Schema | None) -> str:
    content = (said or {}).get("content", {})
    return ", ".join(_kind(each["schema"]) for each in content.values() if "schema" in each)


def _values(document: Schema) -> list[tuple[str, Schema]]:
    return sorted(document["components"]["schemas"].items())


def _value(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    if said := schema.get("description"):
        yield _cell(said)
        yield ""
    if "properties" in schema:
        needed = set(schema.get("required", ()))
        yield "| field | | default |"
        yield "|---|---|---|"
        for field, kind in schema["properties"].items():
            default = "required" if field in needed else _default(kind)
            words = " ".join(filter(None, (_kind(kind), kind.get("description", ""))))
            yield f"| `{field}` | {_cell(words)} | {default} |"
        yield ""


def _default(kind: Schema) -> str:
    value = kind.get("default")
    return "" if value in (None, "", [], {}) else f"`{json.dumps(value)}`"


def _kind(kind: Schema) -> str:
    """A type in words, with links to values."""
    if "$ref" in kind:
        name = kind["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in kind or "oneOf" in kind:
        return " or ".join(_kind(each) for each in kind.get("anyOf", kind.get("oneOf", ())))
    if "enum" in kind:
        return "one of " + ", ".join(f"`{each}`" for each in kind["enum"])
    if kind.get("type") == "array":
        return f"list of {_kind(kind.get('items', {}))}"
    if kind.get("type") == "object":
        return (
            f"names, each with {_kind(kind['additionalProperties'])}"
            if kind.get("additionalProperties")
            else "an object"
        )
    if kind.get("type") == "null":
        return "null"
    return {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
    }.get(kind.get("type", ""), "anything")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


if __name__ == "__main__":
    wanted = page(json.loads(DOCUMENT.read_text()))
    sys.exit(write_or_check(PAGE, wanted, source="document says", module="tools.openapi_page"))
