"""How FastAPI reports parameters that it refuses: with pydantic 1, or with pydantic 2 as today.

The tests hold both beside FastAPI and `pydantic.v1` themselves.
"""

from __future__ import annotations

import json
from typing import Any

Problem = dict[str, Any]

VERSIONS = ("pydantic1", "pydantic2")
_TEXT = ("Input should be a valid string", "string_type")
#: By kind: message and type.
_WORDS = {
    "pydantic1": {
        "missing": ("field required", "value_error.missing"),
        "object": ("value is not a valid dict", "type_error.dict"),
        "text": ("str type expected", "type_error.str"),
        "null": ("none is not an allowed value", "type_error.none.not_allowed"),
    },
    "pydantic2": {
        "missing": ("Field required", "missing"),
        "object": (
            "Input should be a valid dictionary or object to extract fields from",
            "model_attributes_type",
        ),
        "text": _TEXT,
        "null": _TEXT,
    },
}


def problem(version: str, kind: str, *place: str, value: Any = None) -> Problem:
    """What is wrong at a place of the body, which holds `value`; of another kind than those above
    it is a ValueError of the application, in these words."""
    message, name = _WORDS[version].get(kind, (kind, "value_error"))
    loc = ["body", *place]
    if version == "pydantic1":
        return {"loc": loc, "msg": message, "type": name}
    if name != "value_error":
        return {"type": name, "loc": loc, "msg": message, "input": value}
    about = {"input": value, "ctx": {"error": {}}}
    return {"type": name, "loc": loc, "msg": f"Value error, {message}", **about}


def no_json(version: str, error: json.JSONDecodeError) -> Problem:
    """What is wrong with a body that is no JSON."""
    loc = ["body", error.pos]
    if version == "pydantic1":
        name = "value_error.jsondecode"
        return {"loc": loc, "msg": str(error), "type": name, "ctx": vars(error)}
    about = {"input": {}, "ctx": {"error": error.msg}}
    return {"type": "json_invalid", "loc": loc, "msg": "JSON decode error", **about}
