"""Onfido: the routes of its calls, and settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.claims import DOCUMENT_NAME
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.base import Call
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.vendors.tokens import Tokens
from facematch_mock_server.world.drilled import DrillFacts
from facematch_mock_server.world.hosted import DocumentSessions
from facematch_mock_server.world.keys import Key, KeyKind
from facematch_mock_server.world.variables import Variables
from facematch_mock_server.world.webhook_control import Webhooks
from facematch_mock_server.world.webhooks import Outbox

from . import sessions, web_sdk, webhooks, wire
from .access import CHECKS, LOGIN, NEWEST, OLDER, credentials_of, in_newest, key_of, log_in
from .calls import applicants, checks, runs, uploads
from .calls.webhooks import WEBHOOKS, create
from .claims import CLAIMS
from .records import OnfidoRecords

LIVE_TOKEN = "api_live.mock-onfido"  # noqa: S105 - of the mock alone
SANDBOX_TOKEN = "api_sandbox.mock-onfido"  # noqa: S105 - of the mock alone
CLIENT = "mock-onfido-client"
CLIENT_SECRET = "mock-onfido-client-secret"  # noqa: S105 - of the mock alone

#: Of Onfido's API reference, version 3.6. Version 2 is of documentation.onfido.com,
#: /api/api-v2-to-v3-migration-guide, and onfido/api-javascript-client, read 2026-11-30.
_NOT_IMITATED = NotImitated(
    "docs/vendors/onfido.md",
    "/v2/applicants/*",
    "/v2/checks/*",
    "GET /v3.6/applicants",
    "PUT /v3.6/applicants/{id}",
    "POST /v3.6/applicants/{id}/restore",
    "/v3.6/documents/{id}",
    "/v3.6/documents/{id}/download",
    "/v3.6/documents/{id}/nfc_face",
    "/v3.6/documents/{id}/video/download",
    "/v3.6/live_photos/{id}/*",
    "/v3.6/live_videos/*",
    "/v3.6/motion_captures/*",
    "/v3.6/id_photos/*",
    "GET /v3.6/checks",
    "/v3.6/checks/{id}/resume",
    "/v3.6/checks/{id}/download",
    "/v3.6/reports/{id}/resume",
    "/v3.6/reports/{id}/cancel",
    "/v3.6/signing_documents/*",
    "/v3.6/qualified_electronic_signature/documents",
    "/v3.6/advanced_electronic_signature/documents",
    "/v3.6/simple_electronic_signature/documents",
    "/v3.6/watchlist_monitors/*",
    "/v3.6/biometric_tokens/*",
    "/v3.6/passkeys/*",
    "/v3.6/extractions",
    "/v3.6/repeat_attempts/*",
    "/v3.6/results_feedback",
    "/v3.6/addresses/*",
    "GET /v3.6/webhooks",
    "/v3.6/webhooks/{id}",
    "/v3.6/workflow_runs/{id}/tasks/*",
    "/v3.6/workflow_runs/{id}/signed_evidence_file",
    "/v3.6/workflow_runs/{id}/evidence_folder",
    "/v3.6/workflow_runs/{id}/timeline_file/*",
)


# Routes


def _route(
    pattern: str, operation: str | None = None, **handlers: Callable[[Any], Response]
) -> base.Route:
    return base.Route(
        pattern=pattern,
        handlers=handlers,
        checks=CHECKS,
        operation=operation,
        credentials=("authorization",),
    )


def _route_of_uploads(kind: uploads.UploadKind) -> base.Route:
    """Return the route of documents or live photos, as `kind` says."""
    return base.Route(
        pattern=kind.path,
        handlers=uploads.handlers_of(kind),
        checks=CHECKS,
        credentials=("authorization",),
        is_form=True,
        shown_fields=("type", "side", "issuing_country"),
    )


def _answer_ping(call: Call) -> Response:
    return call.answer("ping")


#: The version is in the path.
_SCRIPTS = tuple(
    base.Route(pattern=path, handlers={"GET": web_sdk.send_script}, credentials=())
    for path in web_sdk.PATHS
)


class Onfido(base.ListingVendor):
    """The mock of Onfido Studio in one world. Thread-safe."""

    common_prefix = "/v3.6/"
    extra_prefixes = tuple(f"/v3.{minor}/" for minor in range(7))
    slash_claim = "path.slash"
    not_found_claim = "path"
    session_rules = sessions.SESSION_RULES
    not_imitated = _NOT_IMITATED
    routes = (
        base.Route(pattern=LOGIN, handlers={"POST": log_in}, credentials=(), is_form=True),
        _route(applicants.PATH, POST=applicants.create),
        _route(f"{applicants.PATH}/{{uuid}}", GET=applicants.read, DELETE=applicants.delete),
        _route("/v3.6/sdk_token", POST=applicants.make_sdk_token),
        _route_of_uploads(uploads.DOCUMENTS),
        _route_of_uploads(uploads.LIVE_PHOTOS),
        _route(wire.CHECK_PATH, "check", POST=checks.create),
        _route(f"{wire.CHECK_PATH}/{{uuid}}", GET=checks.read),
        _route(wire.REPORT_PATH, GET=checks.list_reports),
        _route(f"{wire.REPORT_PATH}/{{uuid}}", GET=checks.read_report),
        _route(wire.RUN_PATH, "session_start", POST=runs.start, GET=runs.list_runs),
        _route(f"{wire.RUN_PATH}/{{uuid}}", "session_read", GET=runs.read),
        _route(WEBHOOKS, POST=create),
        _route("/v3.6/ping", GET=_answer_ping),
        *_SCRIPTS,
        base.Route(pattern="/mock/web_sdk", handlers={"GET": web_sdk.open_frame}, credentials=()),
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
        route, values = super().route_of(in_newest(path))
        if route in _SCRIPTS and not web_sdk.VERSION.fullmatch(values[0]):
            return None, ()
        return route, values

    def name_of_call(self, head: Request) -> str:
        return in_newest(head.path)

    def answer(self, call: Call, route: base.Route) -> Response:
        older = OLDER.match(call.request.path)
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
    switches=DOCUMENT_NAME,
    settings={"token_life_s": ("login.life_s", "seconds")},
    rate_limits={"live": "rate.limit", "sandbox": "rate.sandbox.limit"},
    operations=("check", "session_start", "session_read"),
    hosts=web_sdk.HOSTS
    | {"api.eu.onfido.com", "api.us.onfido.com", "api.ca.onfido.com", "api.onfido.com"},
    first_keys={
        CLIENT_SECRET: Key(kind=KeyKind.LIVE, client=CLIENT),
        LIVE_TOKEN: Key(kind=KeyKind.LIVE),
        SANDBOX_TOKEN: Key(kind=KeyKind.SANDBOX),
    },
    sandbox_prefixes=("api_sandbox.",),
    variables=Variables(
        keys=(
            {"ONFIDO_API_TOKEN": LIVE_TOKEN},
            {"ONFIDO_OAUTH_CLIENT_ID": CLIENT, "ONFIDO_OAUTH_CLIENT_SECRET": CLIENT_SECRET},
        ),
        settings={"ONFIDO_WORKFLOW_ID": "3c9f1b9e-5a0d-4a3e-8a52-0d9d4a0b7c11"},
    ),
    key_of=key_of,
    credentials_of=credentials_of,
    records=OnfidoRecords,
    behaviour=Onfido,
    extensions={"sessions": DocumentSessions, "webhooks": Webhooks, "tokens": Tokens},
    outbox=lambda world: Outbox(world, webhooks.WEBHOOK_RULES),
    greeting=(
        (
            f"API tokens: {LIVE_TOKEN} (live), {SANDBOX_TOKEN} (sandbox); OAuth client: {CLIENT}, "
            f"secret {CLIENT_SECRET}"
        ),
        f"{_CURL}{applicants.PATH} {_JSON} -d '{_APPLICANT}'",
    ),
    drilled=DrillFacts(
        approved={"approved"},
        declined={"declined"},
        review="review",
        webhook_variable="ONFIDO_WEBHOOK_TOKEN",
        settings=lambda _, key: {
            "api_token": key,
            "workflow_id": "3c9f1b9e-5a0d-4a3e-8a52-0d9d4a0b7c11",
            "face_output": "selfie",
            "document_output": "doc",
        },
    ),
)
