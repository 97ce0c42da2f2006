"""OpenAPI documents of the mock, one per vendor, built from its routes and sample responses.

Each vendor's `samples` calls a mock in a separate world. Schemas are inferred from the responses:
a value that was always null, or a list that was always empty, gets no type.
"""

from __future__ import annotations

import functools
import http
import json
import re
from collections.abc import Mapping
from typing import Any

import attrs
from urllib3 import encode_multipart_formdata

from facematch_core import __version__
from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.claims import Reply
from facematch_mock_server.recognition.cards import READY
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import Accounts

from .base import Route, Vendor

#: The path that lists the documents; each document is below `FOLDER`.
LIST, FOLDER = "/openapi.json", "/openapi/"
#: The statuses for which vendor errors are added, besides the statuses of the samples.
_ERRORS = (400, 401, 402, 403, 404, 415, 422, 429, 500, 503)
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_BINARY = {"type": "string", "format": "binary"}
_NO_ID = "00000000-0000-4000-8000-000000000000"


@attrs.frozen
class _Exchange:
    """A request, its response, and the arguments `sent` to `Sampler.ask`."""

    route: Route
    request: Request
    sent: Mapping[str, Any]
    response: Response


class Sampler:
    """A client that calls a vendor's mock in a separate world and records the exchanges.

    Attributes:
        headers: Credentials, sent to the routes that need them; a sample may add headers.
        world: The world that handles the requests.
    """

    def __init__(self, kind: Vendor) -> None:
        self.world = Accounts([kind], seed=0).main.worlds[kind.name]
        self.behaviour: Any = self.world.behaviour
        ((text, key), *_) = kind.first_keys.items()
        self.headers = {"client-id": key.client or ""}
        credentials = {name for route in self.behaviour.routes for name in route.credentials}
        self.headers |= {name: text for name in credentials if "key" in name}
        self.exchanges: list[_Exchange] = []

    def card(self, name: str) -> bytes:
        """Return the bytes of a ready card."""
        return READY[name].data

    def act(self, session_id: str, do: str) -> None:
        """Perform a person's action in a hosted session."""
        hosted.act(self.world, session_id, do)

    def ask(self, method: str, target: str, **sent: Any) -> Any:
        """Send a request, and return the response's JSON; None if the body is not JSON.

        Args:
            method, target: The method, and the path with the query.
            sent: The body: ``files`` (ready cards by field) and ``form`` (values by field),
                ``json``, or ``body`` (a ready card).
        """
        exchange = self._send(method, target, sent)
        self.exchanges.append(exchange)
        return exchange.response.json() if exchange.response.body[:1] in (b"{", b"[") else None

    def list_required(self, exchange: _Exchange) -> list[str]:
        """Return the names of the fields without which a request fails."""
        parts = {part: values for part, values in exchange.sent.items() if part != "body"}
        required = []
        for part, values in parts.items():
            for name in values:
                less = {**parts, part: {x: text for x, text in values.items() if x != name}}
                request = exchange.request
                if self._send(request.method, request.target, less).response.status >= 400:
                    required.append(name)
        return required

    def _send(self, method: str, target: str, sent: Mapping[str, Any]) -> _Exchange:
        body, kind = b"", ""
        if "json" in sent:
            body, kind = json.dumps(sent["json"]).encode(), "application/json"
        elif "body" in sent:
            body, kind = self.card(sent["body"]), "application/octet-stream"
        elif sent:
            parts: dict[str, Any] = {name: str(x) for name, x in sent.get("form", {}).items()}
            for name, card in sent.get("files", {}).items():
                parts[name] = (f"{card}.png", self.card(card), "image/png")
            body, kind = encode_multipart_formdata(parts)
        bare = Request(method=method, target=target)
        route, _ = self.behaviour.find(bare)
        headers = {name: self.headers.get(name, "") for name in route.credentials}
        lines = (*headers.items(), ("content-type", kind))
        request = Request(method=method, target=target, headers=lines, body=body)
        return _Exchange(route, request, sent, self.behaviour.handle(request))


@functools.cache
def make_document(kind: Vendor) -> dict[str, Any]:
    """Build a vendor's OpenAPI document, with the default switches."""
    sampler = Sampler(kind)
    if kind.samples is not None:
        kind.samples(sampler)
    paths: dict[str, dict[str, Any]] = {}
    schemes: dict[str, Any] = {}
    for route in sampler.behaviour.routes:
        path = re.sub(r"\{\w+\}", "{id}", route.pattern)
        for method in route.handlers:
            seen = [x for x in sampler.exchanges if (x.route, x.request.method) == (route, method)]
            paths.setdefault(path, {})[method.lower()] = _describe(sampler, route, method, seen)
        for name in route.credentials:
            schemes[name] = {"type": "apiKey", "in": "header", "name": name}
            if name == "authorization":
                schemes[name] = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{kind.title}, as this mock imitates it", "version": __version__},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"securitySchemes": schemes},
    }


def _describe(sampler: Sampler, route: Route, method: str, seen: list[_Exchange]) -> dict[str, Any]:
    """Describe an operation: the request, and the responses by status."""
    words = re.findall(r"[A-Za-z0-9.]+", re.sub(r"\{\w+\}", "by id", route.pattern))
    head = Request(method=method, target=re.sub(r"\{\w+\}", _NO_ID, route.pattern))
    errors = (sampler.behaviour.vendor_error(status, head) for status in _ERRORS)
    answers = [*(exchange.response for exchange in seen), *filter(None, errors)]
    by_status: dict[int, list[Response]] = {}
    for answer in sorted(answers, key=lambda answer: answer.status):
        by_status.setdefault(answer.status, []).append(answer)
    claims = {claim.id: claim for claim in sampler.world.claims.claims}
    operation: dict[str, Any] = {
        "operationId": "_".join((method.lower(), *words)).replace(".", "_"),
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
        * ("{" in route.pattern),
        "responses": {
            str(status): _describe_answers(status, same, claims)
            for status, same in by_status.items()
        },
        "security": [{name: [] for name in route.credentials}] if route.credentials else [],
    }
    queries = [query for exchange in seen for query in exchange.request.query]
    operation["parameters"] += [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in dict.fromkeys(name for name, _ in queries)
    ]
    good = [exchange for exchange in seen if exchange.sent and exchange.response.status < 300]
    if good:
        operation["requestBody"] = _describe_body(sampler, route, good)
    return operation


def _describe_body(sampler: Sampler, route: Route, good: list[_Exchange]) -> dict[str, Any]:
    kind = (good[0].request.header("content-type") or "").partition(";")[0]
    if "body" in good[0].sent:
        return {"required": True, "content": {kind: {"schema": _BINARY}}}
    sent = [{**x.sent.get("form", {}), **x.sent.get("json", {})} for x in good]
    schema = infer(sent)
    properties = {name: dict(_BINARY) for x in good for name in x.sent.get("files", {})}
    properties |= {name: {} for name in route.fields or ()} | schema["properties"]
    required = sampler.list_required(good[0])
    schema = {"type": "object", "properties": properties, "required": required}
    return {"required": bool(required), "content": {kind: {"schema": schema}}}


def _describe_answers(status: int, answers: list[Response], claims: Any) -> dict[str, Any]:
    cited = dict.fromkeys(claim for answer in answers for claim in answer.claims)
    rows = [claims[name] for name in cited if isinstance(claims[name].value, Reply)]
    words = [row.statement for row in rows]
    described: dict[str, Any] = {
        "description": words[0] if words else http.HTTPStatus(status).phrase,
        "x-facematch-claims": [*cited],
    }
    kind = (answers[0].header("content-type") or "").partition(";")[0]
    if kind:
        bodies = [answer.json() for answer in answers] if "json" in kind else None
        schema = infer(bodies) if bodies else {"type": "string"} if "text" in kind else {}
        if status >= 400 and any(row.value.body is None for row in rows):
            # If no claim fixes the body, its keys depend on the fields that the request lacks.
            schema.pop("required", None)
        described["content"] = {kind: {"schema": schema}}
    return described


def infer(values: list[Any]) -> dict[str, Any]:
    """Infer the schema of these values; an empty schema if all of them are null."""
    objects = [value for value in values if isinstance(value, dict)]
    lists = [value for value in values if isinstance(value, list)]
    types = {_TYPES[type(value)] for value in values if not isinstance(value, (dict, list))}
    if types <= {"null"} and not (objects or lists):
        return {}
    if "number" in types:
        types.discard("integer")
    schema: dict[str, Any] = {}
    if objects:
        types.add("object")
        names = dict.fromkeys(name for value in objects for name in value)
        schema["properties"] = {
            name: infer([value[name] for value in objects if name in value]) for name in names
        }
        schema["required"] = [name for name in names if all(name in value for value in objects)]
    if lists:
        types.add("array")
        schema["items"] = infer([item for value in lists for item in value])
    named = sorted(types)
    return {"type": named if len(named) > 1 else named[0], **schema}
