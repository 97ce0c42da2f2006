"""How FastAPI reports parameters that it refuses: with pydantic 1, or with pydantic 2 as today.

The tests hold both beside FastAPI and `pydantic.v1` themselves.
"""

from __future__ import annotations

import json
from typing import Any

Problem = dict[str, Any]

VERSIONS = ("pydantic1", "pydantic2")
_OBJECT = "Input should be a valid dictionary or object to extract fields from"
_TEXT = ("Input should be a valid string", "string_type")
#: By kind: message and type with pydantic 1, then with pydantic 2.
_WORDS = {
    "missing": ("field required", "value_error.missing", "Field required", "missing"),
    "object": ("value is not a valid dict", "type_error.dict", _OBJECT, "model_attributes_type"),
    "text": ("str type expected", "type_error.str", *_TEXT),
    "null": ("none is not an allowed value", "type_error.none.not_allowed", *_TEXT),
}


def problem(version: str, kind: str, *place: str, value: Any = None) -> Problem:
    """What is wrong at a place of the body; an unknown kind is the words of the application."""
    words = _WORDS.get(kind, (kind, "value_error", f"Value error, {kind}", "value_error"))
    if version == "pydantic1":
        return {"loc": ["body", *place], "msg": words[0], "type": words[1]}
    # What JSON has no number for is null: FastAPI itself fails over it.
    value = json.loads(json.dumps(value), parse_constant=lambda _: None)
    report = {"type": words[3], "loc": ["body", *place], "msg": words[2], "input": value}
    return report if kind in _WORDS else {**report, "ctx": {"error": {}}}


def no_json(version: str, error: json.JSONDecodeError) -> Problem:
    loc = ["body", error.pos]
    if version == "pydantic1":
        report = {"loc": loc, "msg": str(error), "type": "value_error.jsondecode"}
        return {**report, "ctx": vars(error)}
    report = {"type": "json_invalid", "loc": loc, "msg": "JSON decode error"}
    return {**report, "input": {}, "ctx": {"error": error.msg}}
