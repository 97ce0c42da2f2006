"""OpenAPI documents of the mock, one per vendor, built from its routes and sample responses.

Each vendor's `samples` calls a mock in a separate world. Schemas are inferred from the responses:
a value that was always null, or a list that was always empty, gets no type. Vendors that publish a
document of their own (AWS, Didit) have no samples, and so no document here.
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
from facematch_mock_server.base.messages import Request, Response, media_type
from facematch_mock_server.claims import Claim, Reply
from facematch_mock_server.recognition.cards import READY
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import Accounts

from .base import MockVendor, Route, Vendor

#: The path that lists the documents; each document is below `FOLDER`.
LIST = "/openapi.json"
FOLDER = "/openapi/"
#: The statuses for which vendor errors are added, besides the statuses of the samples.
_ERROR_STATUSES = (400, 401, 402, 403, 404, 415, 422, 429, 500, 503)
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_BINARY = {"type": "string", "format": "binary"}
_UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
#: A placeholder in a route's pattern.
_PLACEHOLDER = re.compile(r"\{\w+\}")


@attrs.frozen(kw_only=True)
class Sample:
    """A request and its response.

    Attributes:
        route: The route of the request.
        request, response: The request and the response.
        sent: The arguments `sent` to `Sampler.ask`, from which the body was made.
    """

    route: Route
    request: Request
    response: Response
    sent: Mapping[str, Any]


class Sampler:
    """A client that calls a vendor's mock in a separate world and records the samples.

    Attributes:
        headers: Credentials, sent to the routes that need them; a vendor's `samples` may add some.
        samples: The recorded samples.
    """

    def __init__(self, vendor: Vendor) -> None:
        self.world = Accounts([vendor], seed=0).main.worlds[vendor.name]
        self.mock_vendor: MockVendor = self.world.behaviour
        first_key, key = next(iter(vendor.first_keys.items()))
        self.headers = {"client-id": key.client or ""}
        for route in self.mock_vendor.routes:
            for name in route.credentials:
                if "key" in name:
                    self.headers[name] = first_key
        self.samples: list[Sample] = []

    def card(self, name: str) -> bytes:
        """Return the bytes of a ready card."""
        return READY[name].data

    def act(self, session_id: str, do: str) -> None:
        """Perform a person's action in a hosted session."""
        hosted.act(self.world, session_id, do)

    def ask(self, method: str, target: str, **request_parts: Any) -> Any:
        """Send a request, and return the response's JSON; None if the body is not JSON.

        Args:
            method, target: The method, and the path with the query.
            request_parts: The body: ``files`` (ready cards by field) and ``form`` (values by
                field), ``json``, or ``body`` (a ready card).
        """
        sample = self._send(method, target, request_parts)
        self.samples.append(sample)
        is_json = sample.response.body.startswith((b"{", b"["))
        return sample.response.json() if is_json else None

    def find_required_by_sending(self, sample: Sample) -> list[str]:
        """Return the names of the fields without which a request with named fields fails."""
        required = []
        for part, fields in sample.sent.items():
            for name in fields:
                other_fields = {field: value for field, value in fields.items() if field != name}
                sent = {**sample.sent, part: other_fields}
                request = sample.request
                if self._send(request.method, request.target, sent).response.status >= 400:
                    required.append(name)
        return required

    def _send(self, method: str, target: str, request_parts: Mapping[str, Any]) -> Sample:
        body, content_type = self._encode(request_parts)
        route, _ = self.mock_vendor.find(Request(method=method, target=target))
        if route is None:
            raise ValueError(f"a sample has an unknown path: {target}")
        headers = [(name, self.headers.get(name, "")) for name in route.credentials]
        headers.append(("content-type", content_type))
        request = Request(method=method, target=target, headers=tuple(headers), body=body)
        response = self.mock_vendor.handle(request)
        return Sample(route=route, request=request, response=response, sent=request_parts)

    def _encode(self, request_parts: Mapping[str, Any]) -> tuple[bytes, str]:
        """Return the body of a request and its content type."""
        if "json" in request_parts:
            return json.dumps(request_parts["json"]).encode(), "application/json"
        if "body" in request_parts:
            return self.card(request_parts["body"]), "application/octet-stream"
        if not request_parts:
            return b"", ""
        fields: dict[str, Any] = {}
        for name, value in request_parts.get("form", {}).items():
            fields[name] = str(value)
        for name, card in request_parts.get("files", {}).items():
            fields[name] = (f"{card}.png", self.card(card), "image/png")
        return encode_multipart_formdata(fields)


@functools.cache
def document_of(vendor: Vendor) -> dict[str, Any]:
    """Build a vendor's OpenAPI document, with the default switches."""
    sampler = Sampler(vendor)
    if vendor.samples is not None:
        vendor.samples(sampler)
    paths: dict[str, dict[str, Any]] = {}
    schemes: dict[str, Any] = {}
    for route in sampler.mock_vendor.routes:
        path = _PLACEHOLDER.sub("{id}", route.pattern)
        operations = paths.setdefault(path, {})
        for method in route.handlers:
            operations[method.lower()] = _describe_operation(sampler, route, method)
        for name in route.credentials:
            if name == "authorization":
                schemes[name] = {"type": "http", "scheme": "bearer"}
            else:
                schemes[name] = {"type": "apiKey", "in": "header", "name": name}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{vendor.title}, as this mock imitates it", "version": __version__},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"securitySchemes": schemes},
    }


def _describe_operation(sampler: Sampler, route: Route, method: str) -> dict[str, Any]:
    """Describe an operation: the request, and the responses by status."""
    samples = [
        sample
        for sample in sampler.samples
        if sample.route == route and sample.request.method == method
    ]
    responses = [sample.response for sample in samples]
    unknown = Request(method=method, target=_PLACEHOLDER.sub(_UNKNOWN_ID, route.pattern))
    for status in _ERROR_STATUSES:
        error = sampler.mock_vendor.vendor_error(status, unknown)
        if error is not None:
            responses.append(error)
    by_status: dict[int, list[Response]] = {}
    for response in sorted(responses, key=lambda response: response.status):
        by_status.setdefault(response.status, []).append(response)
    claims = {claim.id: claim for claim in sampler.world.claims.claims}
    path_words = re.findall(r"[A-Za-z0-9.]+", _PLACEHOLDER.sub("by id", route.pattern))
    operation: dict[str, Any] = {
        "operationId": "_".join((method.lower(), *path_words)).replace(".", "_"),
        "parameters": _describe_parameters(route, samples),
        "responses": {
            str(status): _describe_responses(status, samples_of_status, claims)
            for status, samples_of_status in by_status.items()
        },
        "security": [{name: [] for name in route.credentials}] if route.credentials else [],
    }
    successful = [sample for sample in samples if sample.sent and sample.response.status < 300]
    if successful:
        operation["requestBody"] = _describe_body(sampler, route, successful)
    return operation


def _describe_parameters(route: Route, samples: list[Sample]) -> list[dict[str, Any]]:
    """Describe the id in the path, if there is one, and the queries of the samples."""
    text = {"type": "string"}
    parameters: list[dict[str, Any]] = []
    if "{" in route.pattern:
        parameters.append({"name": "id", "in": "path", "required": True, "schema": text})
    names = dict.fromkeys(name for sample in samples for name, _ in sample.request.query)
    for name in names:
        parameters.append({"name": name, "in": "query", "schema": text})
    return parameters


def _describe_body(sampler: Sampler, route: Route, samples: list[Sample]) -> dict[str, Any]:
    """Describe the body of a request; `samples` are successful ones."""
    first_sample = samples[0]
    content_type = media_type(first_sample.request.header("content-type", ""))
    if "body" in first_sample.sent:
        return {"required": True, "content": {content_type: {"schema": _BINARY}}}
    if isinstance(first_sample.sent.get("json"), list):
        return {"required": True, "content": {content_type: {"schema": {"type": "array"}}}}
    properties: dict[str, Any] = {}
    values = []
    for sample in samples:
        for name in sample.sent.get("files", {}):
            properties[name] = dict(_BINARY)
        values.append({**sample.sent.get("form", {}), **sample.sent.get("json", {})})
    # A field that no sample has is allowed, with any type.
    for name in route.fields or ():
        properties[name] = {}
    properties |= infer(values)["properties"]
    required = sampler.find_required_by_sending(first_sample)
    schema = {"type": "object", "properties": properties, "required": required}
    return {"required": bool(required), "content": {content_type: {"schema": schema}}}


def _describe_responses(
    status: int, responses: list[Response], claims: Mapping[str, Claim]
) -> dict[str, Any]:
    """Describe the responses with one status."""
    cited = dict.fromkeys(claim for response in responses for claim in response.claims)
    replies = [claims[name] for name in cited if isinstance(claims[name].value, Reply)]
    described: dict[str, Any] = {
        "description": replies[0].statement if replies else http.HTTPStatus(status).phrase,
        "x-facematch-claims": [*cited],
    }
    content_type = media_type(responses[0].header("content-type") or "")
    if not content_type:
        return described
    if "json" in content_type:
        schema = infer([response.json() for response in responses])
    elif "text" in content_type:
        schema = {"type": "string"}
    else:
        schema = {}
    if status >= 400 and any(claim.value.body is None for claim in replies):
        # If no claim fixes the body, its keys depend on the fields that the request lacks.
        schema.pop("required", None)
    described["content"] = {content_type: {"schema": schema}}
    return described


def infer(values: list[Any]) -> dict[str, Any]:
    """Infer the schema of these values; an empty schema if all of them are null."""
    objects = [value for value in values if isinstance(value, dict)]
    lists = [value for value in values if isinstance(value, list)]
    types = {_TYPES[type(value)] for value in values if not isinstance(value, (dict, list))}
    if types <= {"null"} and not objects and not lists:
        return {}
    if "number" in types:
        types.discard("integer")
    schema: dict[str, Any] = {}
    if objects:
        types.add("object")
        properties: dict[str, list[Any]] = {}
        for value in objects:
            for name, part in value.items():
                properties.setdefault(name, []).append(part)
        schema["properties"] = {name: infer(parts) for name, parts in properties.items()}
        # A property that each object has is required.
        schema["required"] = [
            name for name, parts in properties.items() if len(parts) == len(objects)
        ]
    if lists:
        types.add("array")
        schema["items"] = infer([item for value in lists for item in value])
    names = sorted(types)
    return {"type": names if len(names) > 1 else names[0], **schema}
