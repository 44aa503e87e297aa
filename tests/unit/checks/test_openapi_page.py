"""docs/http.md: requests with role, what they take and answer, refusals once, and values with their fields."""

from __future__ import annotations

from tools.openapi_page import page

PROBLEM = {
    "description": "Not | allowed.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
THING = {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
DOCUMENT = {
    "paths": {
        "/v1/things/{thing}": {
            "get": {
                "summary": "One thing.",
                "x-role": "reader",
                "parameters": [{"name": "thing", "in": "path", "schema": {"type": "string"}}],
                "responses": {
                    "200": {"description": "It.", "content": THING},
                    "304": {"description": "Had."},
                    "403": PROBLEM,
                },
            }
        },
        "/v1/way": {
            "post": {
                "summary": "The way.",
                "requestBody": {"content": THING},
                "responses": {"200": {"description": "Done."}, "403": PROBLEM},
            }
        },
    },
    "components": {
        "schemas": {
            "Thing": {
                "description": "A thing <b>.",
                "properties": {
                    "name": {"type": "string"},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                    "state": {"enum": ["on", "off"], "default": "on"},
                    "at": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
                    "by": {"type": "object", "additionalProperties": {"type": "integer"}},
                },
                "required": ["name", "parts"],
            },
            "Problem": {"properties": {"title": {"type": "string"}}, "required": ["title"]},
        }
    },
}


def test_a_request_says_who_may_and_what_it_answers() -> None:
    text = page(DOCUMENT)
    assert "### GET /v1/things/{thing}\n\nOne thing. For a reader.\n" in text
    assert "Answers `200` [Thing](#thing), `304` Had." in text
    assert "### POST /v1/way\n\nThe way. Without a token.\n\nTakes [Thing](#thing).\n" in text


def test_what_all_are_refused_with_stands_once() -> None:
    assert page(DOCUMENT).count("| 403 | Not \\| allowed. |") == 1


def test_a_value_has_its_fields_with_kind_and_default() -> None:
    assert (
        "### Thing\n\nA thing \\<b>.\n\n| field | | default |\n|---|---|---|\n| `name` | text | required |\n"
        '| `parts` | list of [Thing](#thing) | required |\n| `state` | one of `on`, `off` | `"on"` |\n'
        "| `at` | a number or null |  |\n| `by` | names, each with a whole number |  |\n"
    ) in page(DOCUMENT)
