"""Schemas of type hints in vendors' clients, and the action that a request names."""

import datetime as dt
import enum
import types
import typing
from urllib.parse import parse_qsl

SIMPLE = {str: "string", int: "integer", bool: "boolean", float: "number", dt.datetime: "string"}
NULL = {"type": "null"}


def ref(name):
    return {"$ref": f"#/$defs/{name}"}


def schema_of(annotation):
    """Return the schema of a type hint; a class of a client is one of the definition's schemas."""
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if annotation in SIMPLE:
        return {"type": SIMPLE[annotation]}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        forms = [schema_of(argument) for argument in arguments]
        # A text of which values are known may have other ones in newer versions.
        if any("enum" in form for form in forms):
            forms = [form for form in forms if form != {"type": "string"}]
        return forms[0] if len(forms) == 1 else {"anyOf": forms}
    if origin is list:
        return {"type": "array", "items": schema_of(arguments[0])}
    if annotation is type(None):
        return NULL
    if origin is not None or annotation is typing.Any:
        return {}
    if issubclass(annotation, enum.Enum):
        return {"enum": [each.value for each in annotation]}
    return ref(annotation.__qualname__)


def action_of(request, header, version_header=None):
    fields = dict(request.query)
    if request.media_type == "application/x-www-form-urlencoded":
        fields |= dict(parse_qsl(request.body.decode(errors="replace")))
    action = request.header(header) or fields.get("Action", "")
    if version_header is None:
        return action
    return f"{request.header(version_header) or fields.get('Version', '')}/{action}"
