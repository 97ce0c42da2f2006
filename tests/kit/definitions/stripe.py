"""Stripe's definition: the classes of its client, generated from its OpenAPI document (MIT)."""

import inspect
import typing
from importlib.metadata import version

import stripe
import stripe.identity
from kit.definitions.annotations import ref, schema_of
from kit.definitions.definition import Definition, Operation

SESSIONS = "/v1/identity/verification_sessions"
REPORTS = "/v1/identity/verification_reports"
ERROR_FIELDS = ("code", "message", "param", "doc_url", "request_log_url")


def _describe(cls, names, schemas):
    properties = {}
    required = []
    for name, annotation in typing.get_type_hints(cls, localns=names).items():
        if name.startswith("_") or name.isupper():
            continue
        properties[name] = schema_of(annotation)
        if type(None) not in typing.get_args(annotation):
            required.append(name)
    schemas[cls.__qualname__] = {"type": "object", "properties": properties, "required": required}
    for part in vars(cls).values():
        if inspect.isclass(part):
            _describe(part, names, schemas)


def read():
    session = stripe.identity.VerificationSession
    report = stripe.identity.VerificationReport
    described = (session, report, stripe.Event)
    names = {cls.__name__: cls for cls in described}
    schemas = {}
    for cls in described:
        _describe(cls, {**names, "ListObject": list, "ExpandableField": list}, schemas)
    error = {name: {"type": "string"} for name in ERROR_FIELDS}
    error["type"] = {"enum": ["api_error", "idempotency_error", "invalid_request_error"]}
    failed = {"properties": {"error": {"properties": error, "required": ["type"]}}}
    operations = []
    page = {"200": _page_of(session.__name__)}
    operations.append(Operation(method="GET", path=SESSIONS, answers=page))
    for path, name in ((SESSIONS, session.__name__), (REPORTS, report.__name__)):
        operations.append(
            Operation(method="GET", path=f"{path}/{{id}}", answers={"200": ref(name)})
        )
    for suffix in ("", "/{id}/cancel", "/{id}/redact"):
        path = f"{SESSIONS}{suffix}"
        operations.append(
            Operation(method="POST", path=path, answers={"200": ref(session.__name__)})
        )
    for operation in operations:
        operation.answers["default"] = failed
    return Definition(
        source=f"stripe {version('stripe')}",
        operations=operations,
        schemas=schemas,
        webhooks={"*": _event_with(ref(session.__name__))},
    )


def _page_of(name):
    """Return the schema of a list, which the client parses by a class without its fields."""
    return {
        "properties": {
            "data": {"type": "array", "items": ref(name)},
            "has_more": {"type": "boolean"},
            "object": {"const": "list"},
            "url": {"type": "string"},
        },
        "required": ["data", "has_more", "object", "url"],
    }


def _event_with(about):
    """Return the schema of an event; its class says nothing of the object that it is about."""
    data = {"properties": {"object": about, "previous_attributes": {}}, "required": ["object"]}
    return {**schema_of(stripe.Event), "properties": {"data": data}}
