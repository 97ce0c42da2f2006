"""Onfido's routes: keys and logins, applicants, workflow runs and webhooks."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import attrs

from facematch_mock_server.base.messages import Request, Response, form_of
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.base import Call
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.vendors.tokens import Tokens
from facematch_mock_server.world.hosted import DocumentSessions
from facematch_mock_server.world.keys import Key, KeyKind
from facematch_mock_server.world.outgoing import may_send
from facematch_mock_server.world.variables import Variables
from facematch_mock_server.world.webhook_control import Webhooks
from facematch_mock_server.world.webhooks import Destination, Outbox

from . import applicants, checks, deliveries, runs, uploads
from .applicants import FieldProblems, OnfidoRecords, check_environments, check_text
from .claims import CLAIMS

NEWEST = "v3.6"
LOGIN = "/v3.6/oauth/token"
WEBHOOKS = "/v3.6/webhooks"
LIVE_TOKEN = "api_live.mock-onfido"  # noqa: S105 - of the mock alone
SANDBOX_TOKEN = "api_sandbox.mock-onfido"  # noqa: S105 - of the mock alone
CLIENT = "mock-onfido-client"
CLIENT_SECRET = "mock-onfido-client-secret"  # noqa: S105 - of the mock alone

_OLDER = re.compile("/(v3(?:[.][0-5])?)(?=/)")
_TOKEN_PREFIX = "Token token="  # noqa: S105 - the form of a header, no secret
#: Of Onfido's API reference, version 3.6.
_NOT_IMITATED = NotImitated(
    "docs/vendors/onfido.md",
    "/v3.6/documents/{id}/nfc_face",
    "/v3.6/documents/{id}/video/download",
    "/v3.6/live_videos/*",
    "/v3.6/motion_captures/*",
    "/v3.6/id_photos/*",
    "/v3.6/checks/{id}/resume",
    "/v3.6/checks/{id}/download",
    "/v3.6/reports/{id}/resume",
    "/v3.6/reports/{id}/cancel",
    "/v3.6/signing_documents/*",
    "/v3.6/qualified_electronic_signature/documents",
    "/v3.6/advanced_electronic_signature/documents",
    "/v3.6/simple_electronic_signature/documents",
    "/v3.6/ping",
    "/v3.6/watchlist_monitors/*",
    "/v3.6/biometric_tokens/*",
    "/v3.6/passkeys/*",
    "/v3.6/extractions",
    "/v3.6/repeat_attempts/*",
    "/v3.6/results_feedback",
    "/v3.6/addresses/*",
    "/v3.6/webhooks/resend",
    "/v3.6/workflow_runs/{id}/tasks/*",
    "/v3.6/workflow_runs/{id}/signed_evidence_file",
    "/v3.6/workflow_runs/{id}/evidence_folder",
    "/v3.6/workflow_runs/{id}/timeline_file/*",
)


def _in_newest(path: str) -> str:
    """Return a path as version 3.6 has it."""
    return _OLDER.sub(f"/{NEWEST}", path, count=1) if _OLDER.match(path) else path


# Keys


def _check_token(call: Call) -> None:
    """Accept an API token, or the token of a login."""
    header = call.request.header("authorization", "")
    token = base.bearer_token(call.request)
    text: str | None
    if header.startswith(_TOKEN_PREFIX):
        text = header.removeprefix(_TOKEN_PREFIX)
    else:
        text = _secret_of(call, token)
    if text is None or not call.authenticate(text):
        call.key_label = "wrong" if header else "none"
        call.refuse("key.wrong")
    call.check_permission("key.denied")


def _secret_of(call: Call, token: str | None) -> str | None:
    """Return the secret of the client to whom a valid token of a login was issued."""
    records: OnfidoRecords = call.world.records
    issued = records.find_valid(token or "", call.now)
    if issued is None:
        return None
    for text, _ in call.world.keys.of_client(issued.client):
        return text
    return None


def _check_rate(call: Call) -> None:
    scope = "live" if call.is_live else "sandbox"
    if call.count_request({scope: call.claims.get("rate.window_s")}) is not None:
        limit = "rate.limit" if call.is_live else "rate.sandbox.limit"
        call.refuse("rate.exceeded", limit, "rate.window_s")


#: The checks, in order; the order is our choice.
_CHECKS: Mapping[str, Callable[[Any], None]] = {
    "key.wrong": _check_token,
    "rate.exceeded": _check_rate,
}


def _log_in(call: Call) -> Response:
    """Issue a token for an OAuth client."""
    records: OnfidoRecords = call.world.records
    records.count_token_request()
    fields = form_of(call.request).texts
    if not call.authenticate_client(fields.get("client_id"), fields.get("client_secret")):
        call.refuse("login.refused")
    life_s = call.claims["login.life_s"]
    client = fields["client_id"]
    text = f"{call.world.ids.uuid()}.{client}"
    expires = call.now + dt.timedelta(seconds=life_s)
    records.add(text, at=call.now, client=client, expires=expires)
    return call.answer("login.answer", {"access_token": text, "expires_in": life_s})


def _key_of(head: Request) -> str | None:
    """Return the API token or the OAuth client in a request; it identifies the account."""
    if _in_newest(head.path).removesuffix("/") == LOGIN:
        return form_of(head).texts.get("client_id")
    header = head.header("authorization", "")
    if header.startswith(_TOKEN_PREFIX):
        return header.removeprefix(_TOKEN_PREFIX)
    _, _, client = (base.bearer_token(head) or "").partition(".")
    return client or None


# Webhooks


def _create_webhook(call: Call) -> Response:
    body = call.read_object("body.wrong")
    _check_webhook(call, body, is_new=True)
    ids = call.world.ids
    destination = Destination(
        uuid=ids.uuid(),
        url=body["url"],
        events=tuple(body.get("events") or deliveries.EVENTS),
        enabled=body.get("enabled", True),
        secret=ids.hex(),
    )
    call.world.outbox.destinations.put(destination.uuid, destination)
    _store_more(call, destination.uuid, body)
    return call.answer("webhook.created", _show_webhook(call, destination))


def _check_webhook(call: Call, body: Mapping[str, Any], *, is_new: bool) -> None:
    """Refuse the call if a field of the webhook is invalid."""
    problems = FieldProblems()
    url = body.get("url")
    is_allowed = isinstance(url, str) and may_send(url, call.world.account.shared.deliver_to)
    if (is_new or url is not None) and not is_allowed:
        problems.add("url", "must be https, on this machine or on a host that deliver_to lists")
    events = body.get("events") or []
    if not isinstance(events, list) or not all(event in deliveries.EVENTS for event in events):
        problems.add("events", "has an unknown event")
    elif events and deliveries.SENT.isdisjoint(events):
        call.hint = f"this mock sends only {', '.join(sorted(deliveries.SENT))}"
    if type(body.get("enabled", True)) is not bool:
        problems.add("enabled", "must be true or false")
    check_text(problems, "name", body.get("name"))
    if "environments" in body:
        check_environments(problems, body["environments"])
    call.claims.cite("webhook.ours")
    problems.refuse_if_any(call)


def _store_more(call: Call, webhook_id: str, body: Mapping[str, Any]) -> None:
    records: OnfidoRecords = call.world.records
    webhook_fields = dict(
        records.webhooks.find(webhook_id) or {"environments": ["sandbox", "live"]}
    )
    for name in ("name", "environments", "payload_version"):
        if name in body:
            webhook_fields[name] = body[name]
    records.webhooks.put(webhook_id, webhook_fields)


def _show_webhook(call: Call, destination: Destination) -> dict[str, Any]:
    return {
        # A webhook that the control added has none of these.
        **(call.world.records.webhooks.find(destination.uuid) or {}),
        "id": destination.uuid,
        "url": destination.url,
        "token": destination.secret,
        "enabled": destination.enabled,
        "events": list(destination.events),
        "href": f"{WEBHOOKS}/{destination.uuid}",
    }


def _find_webhook(call: Call) -> Destination:
    webhook: Destination | None = call.world.outbox.destinations.find(call.path_value.lower())
    if webhook is None:
        call.refuse("path")
    return webhook


def _list_webhooks(call: Call) -> Response:
    webhooks = [_show_webhook(call, webhook) for webhook in call.world.outbox.destinations.all()]
    return call.answer("webhook.shown", {"webhooks": webhooks})


def _read_webhook(call: Call) -> Response:
    return call.answer("webhook.shown", _show_webhook(call, _find_webhook(call)))


def _change_webhook(call: Call) -> Response:
    webhook = _find_webhook(call)
    body = call.read_object("body.wrong")
    _check_webhook(call, body, is_new=False)
    changes: dict[str, Any] = {}
    for name in ("url", "enabled"):
        if name in body:
            changes[name] = body[name]
    if "events" in body:
        changes["events"] = tuple(body["events"] or deliveries.EVENTS)
    changed = attrs.evolve(webhook, **changes)
    call.world.outbox.destinations.put(webhook.uuid, changed)
    _store_more(call, webhook.uuid, body)
    return call.answer("webhook.shown", _show_webhook(call, changed))


def _delete_webhook(call: Call) -> Response:
    webhook = _find_webhook(call)
    call.world.outbox.destinations.remove(webhook.uuid)
    call.claims.cite("webhook.shown")
    return Response(status=204, headers=call.headers)


# Routes


def _route(
    pattern: str, operation: str | None = None, **handlers: Callable[[Any], Response]
) -> base.Route:
    return base.Route(
        pattern=pattern,
        handlers=handlers,
        checks=_CHECKS,
        operation=operation,
        credentials=("authorization",),
    )


def _upload_routes(kind: uploads.UploadKind) -> Iterator[base.Route]:
    for pattern, handlers in uploads.handlers_of(kind).items():
        yield base.Route(
            pattern=pattern,
            handlers=handlers,
            checks=_CHECKS,
            credentials=("authorization",),
            is_form=True,
            shown_fields=("type", "side", "issuing_country"),
        )


class Onfido(base.ListingVendor):
    """The mock of Onfido Studio in one world. Thread-safe."""

    common_prefix = "/v3.6/"
    extra_prefixes = tuple(f"/v3.{minor}/" for minor in range(7))
    slash_claim = "path.slash"
    not_found_claim = "path"
    session_rules = runs.SESSION_RULES
    not_imitated = _NOT_IMITATED
    routes = (
        base.Route(pattern=LOGIN, handlers={"POST": _log_in}, credentials=(), is_form=True),
        _route(applicants.PATH, POST=applicants.create, GET=applicants.list_applicants),
        _route(
            f"{applicants.PATH}/{{uuid}}",
            GET=applicants.read,
            PUT=applicants.update,
            DELETE=applicants.delete,
        ),
        _route(f"{applicants.PATH}/{{uuid}}/restore", POST=applicants.restore),
        _route("/v3.6/sdk_token", POST=applicants.make_sdk_token),
        *_upload_routes(uploads.DOCUMENTS),
        *_upload_routes(uploads.LIVE_PHOTOS),
        _route(checks.PATH, "check", POST=checks.create, GET=checks.list_checks),
        _route(f"{checks.PATH}/{{uuid}}", GET=checks.read),
        _route(checks.REPORTS, GET=checks.list_reports),
        _route(f"{checks.REPORTS}/{{uuid}}", GET=checks.read_report),
        _route(runs.PATH, "session_start", POST=runs.start, GET=runs.list_runs),
        _route(f"{runs.PATH}/{{uuid}}", "session_read", GET=runs.read),
        _route(WEBHOOKS, POST=_create_webhook, GET=_list_webhooks),
        _route(
            f"{WEBHOOKS}/{{uuid}}", GET=_read_webhook, PUT=_change_webhook, DELETE=_delete_webhook
        ),
    )
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        401: ("key.wrong",),
        403: ("key.denied",),
        404: ("path",),
        410: ("applicant.gone",),
        422: ("body.wrong",),
        429: ("rate.exceeded",),
    }

    def route_of(self, path: str) -> tuple[base.Route | None, tuple[str, ...]]:
        return super().route_of(_in_newest(path))

    def name_of_call(self, head: Request) -> str:
        return _in_newest(head.path)

    def answer(self, call: Call, route: base.Route) -> Response:
        older = _OLDER.match(call.request.path)
        if older is not None:
            call.use_newest_version(older[1], NEWEST)
        return super().answer(call, route)


_CURL = "curl -H 'Authorization: Token token=" + LIVE_TOKEN + "' {url}"
_APPLICANT = '{{"first_name": "Unnamed", "last_name": "Applicant"}}'
_JSON = "-H 'Content-Type: application/json'"
VENDOR = base.Vendor(
    name="onfido",
    title="Onfido",
    claims=CLAIMS,
    settings={"token_life_s": ("login.life_s", "seconds")},
    rate_limits={"live": "rate.limit", "sandbox": "rate.sandbox.limit"},
    operations=("check", "session_start", "session_read"),
    hosts=frozenset(
        {"api.eu.onfido.com", "api.us.onfido.com", "api.ca.onfido.com", "api.onfido.com"}
    ),
    first_keys={
        CLIENT_SECRET: Key(kind=KeyKind.LIVE, client=CLIENT),
        LIVE_TOKEN: Key(kind=KeyKind.LIVE),
        SANDBOX_TOKEN: Key(kind=KeyKind.SANDBOX),
    },
    variables=Variables(
        keys=(
            {"ONFIDO_API_TOKEN": LIVE_TOKEN},
            {"ONFIDO_OAUTH_CLIENT_ID": CLIENT, "ONFIDO_OAUTH_CLIENT_SECRET": CLIENT_SECRET},
        ),
        settings={"ONFIDO_WORKFLOW_ID": "3c9f1b9e-5a0d-4a3e-8a52-0d9d4a0b7c11"},
    ),
    key_of=_key_of,
    records=OnfidoRecords,
    behaviour=Onfido,
    extensions={"sessions": DocumentSessions, "webhooks": Webhooks, "tokens": Tokens},
    outbox=lambda world: Outbox(world, deliveries.WEBHOOK_RULES),
    greeting=(
        (
            f"API tokens: {LIVE_TOKEN} (live), {SANDBOX_TOKEN} (sandbox); OAuth client: {CLIENT}, "
            f"secret {CLIENT_SECRET}"
        ),
        f"{_CURL}{applicants.PATH} {_JSON} -d '{_APPLICANT}'",
    ),
)
