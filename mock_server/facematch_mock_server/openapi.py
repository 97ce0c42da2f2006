"""The OpenAPI document of a server, made of the tables by which it answers.

Nothing of it is written down here: a path, a field or an operation of the control API is in
the document because it is in its table, also that of a vendor of another distribution.
"""

from __future__ import annotations

import datetime as dt
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from facematch_core import __version__

from .claims import JSON, Behaviours, Reply
from .clock import VirtualClock
from .faults import CONTROL
from .http.forms import MULTIPART, URLENCODED
from .messages import MOCK_HEADER, TOKEN_HEADER, Head, Request, Response
from .operations import KINDS, Operation
from .vendors.base import Field, Route, Routed, Vendor
from .world import ServerState, World

Json = dict[str, Any]
#: The operations of the control API of one vendor, by method and path below its prefix.
Operations = Mapping[tuple[str, str], Operation]

#: By kind of a field; of another kind nothing is said.
_SCHEMAS: Mapping[str, Json] = {
    "file": {"type": "string", "format": "binary"},
    "bytes": {"type": "string", "format": "binary"},
    "text": {"type": "string"},
    "base64": {"type": "string", "contentEncoding": "base64"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "choice": {"type": "string"},
    "object": {"type": "object"},
    "list": {"type": "array", "items": {}},
}
#: What several answers look like.
_SHARED: Mapping[str, Json] = {
    "Answer": {"type": "object", "description": "What a vendor or the control API answers."},
    "Refusal": {"type": "object", "description": "Why a vendor refuses, in its words."},
    "Problem": {
        "type": "object",
        "description": "Why the mock itself refuses.",
        "required": ["mock"],
        "properties": {"mock": {"type": "string", "description": "One sentence."}},
    },
}
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
#: Stands for whatever a path leaves open.
_SOME_ID = "00000000-0000-4000-8000-000000000000"
#: When the examples are given; the time of the mock itself would change them from call to call.
_THEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_ABOUT = f"""\
The vendors that a facematch mock server imitates, in the editions that it serves, and its control \
API. No answer is a real vendor's: each has the header {MOCK_HEADER}. An error status is \
described where the vendor's words for it are known."""


def document(state: ServerState, operations: Mapping[str, Operations]) -> Json:
    """The OpenAPI 3.1 document of one server, as JSON.

    Operation ids stay the same from start to start: ``didit_face_match`` for a vendor's path, with
    the method behind it for a second one on the same path, and ``didit_control_get_journal`` for
    the control API. Nothing of the server changes, and no key or token is in it but the keys
    that every mock knows.

    Args:
        state: Of the server. Its vendors are described as they are now: a path that the edition has
            not got is left out, and of one path that two vendors have, the first one's is shown.
        operations: The control API of each vendor, by its name.

    Raises:
        TypeError: something is served that is no `Vendor`.
    """
    paths: dict[str, Json] = {}
    for world in state.worlds:
        for path, item in _paths_of(world):
            paths.setdefault(path, item)
    for world in state.worlds:
        below = "" if world is state.worlds[0] else f"{world.vendor}/"
        for (_, path), operation in operations[world.vendor].items():
            described = _controlled(world.vendor, operation, guarded=bool(state.control_token))
            named = path.replace("{}", f"{{{_rest_of(operation)}}}")
            item = paths.setdefault(f"{CONTROL}/{below}{named}", {})
            item[operation.method.lower()] = described
    told: Json = {
        "openapi": "3.1.0",
        "info": {"title": "facematch mock server", "version": __version__, "description": _ABOUT},
        "tags": [*map(_tag_of, state.worlds), _CONTROL_TAG],
        "paths": paths,
        "components": {"schemas": dict(_SHARED), "securitySchemes": _schemes(paths)},
    }
    # Without a socket there is no address.
    return told if state.address is None else {**told, "servers": [{"url": state.address}]}


_CONTROL_TAG = {
    "name": "control",
    "description": "What a test may do to the mock. It answers on this machine's own address only, "
    "or to whoever shows the token that the server was given.",
}


def _tag_of(world: World) -> Json:
    kind = _vendor(world)
    said = f"{kind.title}, edition {world.edition}; {kind.greeting[0]}."
    return {"name": kind.name, "description": said}


def _vendor(world: World) -> Vendor:
    if not isinstance(world.kind, Vendor):
        raise TypeError(f"{world.kind.name} is not a Vendor")
    return world.kind


def _schemes(paths: Mapping[str, Json]) -> Json:
    """The headers that say who asks, of all paths."""
    used = {
        name: None
        for item in paths.values()
        for operation in item.values()
        for wanted in operation.get("security", ())
        for name in wanted
    }
    bearer = {"type": "http", "scheme": "bearer"}
    return {
        name: bearer
        if name == "authorization"
        else {"type": "apiKey", "in": "header", "name": name}
        for name in used
    }


# The paths of a vendor


def _paths_of(world: World) -> Iterator[tuple[str, Json]]:
    """The paths that a vendor has in its edition."""
    # A world beside the real one: to ask for the vendor's words may draw an id.
    beside = ServerState(world.server.recognizer, clock=VirtualClock(_THEN), seed=0)
    chosen, kind = world.chosen, _vendor(world)
    vendor = kind.behaviour(World(beside, kind, edition=chosen.edition, switches=chosen.switches))
    for route in vendor.routes:
        target = re.sub(r"\{\w+\}", _SOME_ID, route.pattern)
        for method in route.answers:
            if vendor.find(Head(method=method, target=target))[0] is not route:
                break
        else:
            yield route.pattern, _item(vendor, route, target)


def _item(vendor: Routed, route: Route, target: str) -> Json:
    """One path, with what each method does."""
    claims, name, item = vendor.world.claims, vendor.world.vendor, Json()
    for place, (method, view) in enumerate(route.answers.items()):
        path = _words(route.pattern.removeprefix(vendor.begins) or route.pattern)
        named = f"{name}_{path}" if path else name
        operation: Json = {
            "operationId": f"{named}_{method.lower()}" if place else named,
            "summary": route.says or _first_line(view),
            "tags": [name],
            "parameters": [_in_path(one) for one in route.placeholders],
            "security": [{one: [] for one in route.credentials}] if route.credentials else [],
        }
        if method == "GET" or "GET" not in route.answers:
            operation["parameters"] += [_in_query(one, claims) for one in route.query]
        takes = len(operation["parameters"]) > len(route.placeholders)
        if _has_body(route, method):
            operation["requestBody"], takes = _body_of(route, claims), True
        request = Request(method=method, target=target)
        operation["responses"] = {
            **_answer_of(route, method, claims),
            **dict(_refusals(vendor, request, takes=takes)),
        }
        item[method.lower()] = operation
    return item


def _words(path: str) -> str:
    """A path as a part of a name: ``face_match``."""
    return "_".join(re.findall(r"[A-Za-z0-9]+", path)).lower()


def _first_line(view: Callable[..., Any]) -> str:
    return (inspect.getdoc(view) or "").partition("\n")[0]


def _in_path(name: str) -> Json:
    schema = {"type": "string", "format": "uuid"} if name == "uuid" else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(field: Field, claims: Behaviours) -> Json:
    schema = _schema_of(field, claims)
    return {"name": field.name, "in": "query", "required": field.required, "schema": schema}


def _has_body(route: Route, method: str) -> bool:
    if not route.fields:
        return False
    return method in _WITH_BODY or (method == "DELETE" and not _WITH_BODY & set(route.answers))


def _body_of(route: Route, claims: Behaviours) -> Json:
    whole = route.fields[0]
    if whole.kind == "bytes":
        content = {"application/octet-stream": {"schema": _schema_of(whole, claims)}}
        return {"required": whole.required, "content": content}
    schema = _object_of(
        {field.name: _schema_of(field, claims) for field in route.fields},
        [field.name for field in route.fields if field.required],
    )
    kind = _json_of(claims)
    if route.is_form:
        # One of the two, though both are taken: generators of clients stumble over a choice.
        has_files = any(field.kind == "file" for field in route.fields)
        kind = MULTIPART if has_files else URLENCODED
    return {"required": "required" in schema, "content": {kind: {"schema": schema}}}


def _json_of(claims: Behaviours) -> str:
    """The content type of a vendor's JSON."""
    if "json.content_type" not in claims:
        return JSON
    said: str = claims["json.content_type"]
    return said.partition(";")[0]


def _object_of(properties: Json, required: Iterable[str]) -> Json:
    schema: Json = {"type": "object", "properties": properties}
    needed = list(required)
    return {**schema, "required": needed} if needed else schema


def _schema_of(field: Field, claims: Behaviours) -> Json:
    schema = dict(_SCHEMAS.get(field.kind, {}))
    if field.choices is not None:
        schema["enum"] = list(claims[field.choices])
    if field.default is not None and claims[field.default] is not None:
        schema["default"] = claims[field.default]
    return _or_null(schema) if field.nullable else schema


def _or_null(schema: Json) -> Json:
    """The same schema, or null."""
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]} if schema else schema
    more = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **more}


def _answer_of(route: Route, method: str, claims: Behaviours) -> Json:
    """What a route answers when all is well, by status."""
    named = route.gives.get(method)
    reply: Reply = Reply(200) if named is None else claims[named]
    told: Json = {"description": HTTPStatus(reply.status).phrase}
    if reply.status != HTTPStatus.NO_CONTENT:
        a_list = {"type": "array", "items": {}}
        schema = a_list if method in route.lists else _ref("Answer")
        is_page = isinstance(reply.body, str)
        told["content"] = _a_page() if is_page else {_json_of(claims): {"schema": schema}}
    return {str(reply.status): told}


def _refusals(vendor: Routed, request: Request, *, takes: bool) -> Iterator[tuple[str, Json]]:
    """What a vendor may refuse here in words that are known, by status.

    Args:
        vendor: Who refuses.
        request: Of that path and method.
        takes: Whether there is something in body or query that can be wrong.
    """
    wrong = None
    if takes and vendor.refused is not None:
        wrong = vendor.world.claims[vendor.refused].status
    for status in HTTPStatus:
        # Of another method or media type is no request that follows this document.
        if status < 400 or status in (405, 415):
            continue
        response = vendor.vendor_error(status, request)
        if response is not None:
            yield str(status.value), {"description": status.phrase, "content": _example(response)}
        elif status == wrong:
            # What is wrong with no field in particular comes as a list of sentences.
            content = {
                _json_of(vendor.world.claims): {
                    "schema": {"anyOf": [_ref("Refusal"), dict(_SCHEMAS["list"])]}
                }
            }
            yield str(status.value), {"description": status.phrase, "content": content}


def _example(response: Response) -> Json:
    kind = (response.header("Content-Type") or "").partition(";")[0]
    if "json" in kind:
        return {kind: {"schema": _ref("Refusal"), "example": response.json()}}
    return _a_page()


def _a_page() -> Json:
    return {"text/html": {"schema": {"type": "string"}}}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


# The control API


def _controlled(vendor: str, operation: Operation, *, guarded: bool) -> Json:
    """One operation of the control API."""
    path = operation.path.replace("{}", _rest_of(operation) or "")
    words = [vendor, "control", operation.method.lower(), _words(path)]
    answer = _ref("Answer")
    if operation.gives is not None:
        answer = _object_of({operation.gives: {}}, [operation.gives])
    problem = {JSON: {"schema": _ref("Problem")}}
    told: Json = {
        "operationId": "_".join(word for word in words if word),
        "summary": operation.says,
        "tags": ["control"],
        "parameters": [_in_path(_rest_of(operation))] if "{}" in operation.path else [],
        "security": [{TOKEN_HEADER: []}] if guarded else [],
    }
    statuses = [HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND]
    if operation.method == "POST":
        told["requestBody"] = {"required": True, "content": {JSON: {"schema": _taken(operation)}}}
        statuses += [HTTPStatus.BAD_REQUEST, HTTPStatus.UNSUPPORTED_MEDIA_TYPE]
    told["responses"] = {
        "200": {"description": HTTPStatus.OK.phrase, "content": {JSON: {"schema": answer}}},
        **{
            str(status.value): {"description": status.phrase, "content": problem}
            for status in sorted(statuses)
        },
    }
    return told


def _taken(operation: Operation) -> Json:
    """What an operation takes; null is nothing, where a value may be left out."""
    properties = {
        name.rstrip("!"): KINDS[kind][1] if name.endswith("!") else _or_null(KINDS[kind][1])
        for name, kind in operation.takes.items()
    }
    needed = [name.rstrip("!") for name in operation.takes if name.endswith("!")]
    return {**_object_of(properties, needed), "additionalProperties": False}


def _rest_of(operation: Operation) -> str:
    """What the rest of a path is called: as what is run calls it."""
    return list(inspect.signature(operation.run).parameters)[1] if "{}" in operation.path else ""
