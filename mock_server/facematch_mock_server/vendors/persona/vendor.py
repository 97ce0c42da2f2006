"""Persona: the routes, the keys, and the errors for statuses that a test requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.world.drilled import DrillFacts
from facematch_mock_server.world.hosted import DocumentSessions
from facematch_mock_server.world.keys import FIRST_KEYS, LIVE_KEY
from facematch_mock_server.world.variables import Variables
from facematch_mock_server.world.webhooks import Outbox

from .access import (
    FILES_HOST,
    PersonaCall,
    PersonaRecords,
    RouteHandler,
    check_key,
    check_quota,
    check_rate,
    with_replay,
)
from .calls import accounts, decisions, inquiries, widget
from .claims import CLAIMS, SWITCHES
from .sessions import SESSION_RULES
from .webhooks import RULES, PersonaWebhooks

API = "/api/v1"
INQUIRIES = f"{API}/inquiries"
#: Of Persona's OpenAPI document, version 2025-12-08.
_NOT_IMITATED = NotImitated(
    "docs/vendors/persona.md",
    f"{API}/account-types/*",
    f"GET {API}/accounts",
    f"POST {API}/accounts/search",
    f"{API}/accounts/{{id}}",
    f"{API}/accounts/{{id}}/{{action}}",
    f"{API}/api-keys/*",
    f"{API}/api-logs/*",
    f"{API}/case-templates/*",
    f"{API}/cases/*",
    f"{API}/connect/*",
    f"{API}/devices/*",
    f"{API}/document/generics/{{id}}",
    f"{API}/documents/{{id}}",
    f"{API}/events/*",
    f"{API}/graph-queries/*",
    f"{API}/importer/*",
    f"{API}/importers/*",
    f"POST {INQUIRIES}/search",
    f"PATCH {INQUIRIES}/{{id}}",
    f"{INQUIRIES}/{{id}}/approve",
    f"{INQUIRIES}/{{id}}/decline",
    f"{INQUIRIES}/{{id}}/expire",
    f"{INQUIRIES}/{{id}}/mark-for-review",
    f"{INQUIRIES}/{{id}}/perform-simulate-actions",
    f"GET {INQUIRIES}/{{id}}/print",
    f"{INQUIRIES}/{{id}}/remove-tag",
    f"{INQUIRIES}/{{id}}/set-tags",
    f"{API}/inquiry-sessions/*",
    f"{API}/inquiry-template-versions/*",
    f"{API}/inquiry-templates/*",
    f"{API}/list/*",
    f"{API}/list-item/*",
    f"{API}/lists/*",
    f"{API}/oauth/*",
    f"{API}/privacy-passes/*",
    f"{API}/rate-limits",
    f"{API}/relays/*",
    f"{API}/reports/*",
    f"{API}/theme-sets/*",
    f"{API}/transaction-types/*",
    f"{API}/transactions/*",
    f"{API}/user-audit-logs/*",
    f"{API}/verification/{{kind}}/{{id}}",
    f"{API}/verifications/*",
    f"{API}/webhooks/*",
    f"{API}/workflow-runs/*",
    f"{API}/workflow-versions/*",
    f"{API}/workflows/*",
)
_CHECKS = {"auth": check_key, "rate": check_rate}


def _check_quota_of_starts(call: PersonaCall) -> None:
    # A list has the same path.
    if call.request.method == "POST":
        check_quota(call)


def _route(
    path: str,
    handlers: Mapping[str, RouteHandler],
    *,
    operation: str | None = None,
    checks: Mapping[str, Callable[[Any], None]] = _CHECKS,
) -> base.Route:
    """Return a route below the API's path. The answer to each POST can be replayed."""
    routed = {}
    for method, handle in handlers.items():
        routed[method] = with_replay(handle) if method == "POST" else handle
    return base.Route(
        pattern=f"{API}{path}",
        handlers=routed,
        checks=checks,
        operation=operation,
        credentials=("authorization",),
    )


class Persona(base.ListingVendor):
    """The mock of Persona in one world. Thread-safe."""

    common_prefix = f"{API}/"
    extra_prefixes = ("/widget", "/verify", "/files/")
    call = PersonaCall
    session_rules = SESSION_RULES
    not_imitated = _NOT_IMITATED
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        401: ("auth.wrong",),
        403: ("auth.denied",),
        404: ("inquiry.unknown",),
        409: ("inquiry.redacted",),
    }
    not_found_claim = "path.unknown"
    slash_claim = "path.slash"
    routes = (
        base.Route(pattern="/widget", handlers={"GET": widget.open_widget}, credentials=()),
        base.Route(pattern="/verify", handlers={"GET": widget.open_hosted_flow}, credentials=()),
        base.Route(
            pattern="/files/{word}/{word}",
            handlers={"GET": inquiries.send_picture},
            credentials=(),
        ),
        _route("/accounts", {"POST": accounts.create}),
        _route(
            "/inquiries",
            {"POST": inquiries.create, "GET": inquiries.list_inquiries},
            operation="session_start",
            checks={**_CHECKS, "quota": _check_quota_of_starts},
        ),
        _route(
            "/inquiries/{word}",
            {"GET": inquiries.read, "DELETE": decisions.redact},
            operation="session_read",
        ),
        _route("/inquiries/{word}/generate-one-time-link", {"POST": inquiries.generate_link}),
        _route("/inquiries/{word}/resume", {"POST": inquiries.resume}),
        _route("/inquiries/{word}/add-tag", {"POST": inquiries.add_tag}),
        _route("/document/government-ids/{word}", {"GET": inquiries.read_document}),
    )

    def _answer_error(self, call: Any, status: int) -> Response | None:
        if status == 429:
            call.refuse("rate.request", limit=call.claims["rate.request.limit"])
        return super()._answer_error(call, status)


_CURL = (
    "curl -H 'Authorization: Bearer mock-live-key' -H 'Content-Type: application/json' "
    """-d '{{"data":{{"attributes":{{"inquiry-template-id":"itmpl_mock"}}}},"""
    """"meta":{{"auto-create-one-time-link":true}}}}' {url}"""
    f"{INQUIRIES}"
)
VENDOR = base.Vendor(
    name="persona",
    title="Persona",
    claims=CLAIMS,
    switches=SWITCHES,
    rate_limits={"request": "rate.request.limit", "inquiry": "rate.inquiry.limit"},
    operations=("session_start", "session_read"),
    hosts=frozenset(
        {"api.withpersona.com", FILES_HOST, "inquiry.withpersona.com", "withpersona.com"}
    ),
    page_host="inquiry.withpersona.com",
    first_keys=FIRST_KEYS,
    sandbox_prefixes=("persona_sandbox_",),
    variables=Variables(
        keys=({"PERSONA_API_KEY": LIVE_KEY},),
        settings={"PERSONA_TEMPLATE_ID": "itmpl_mock"},
    ),
    key_of=base.bearer_token,
    records=PersonaRecords,
    behaviour=Persona,
    extensions={"sessions": DocumentSessions, "webhooks": PersonaWebhooks},
    greeting=("keys: mock-live-key (live), mock-sandbox-key (sandbox: costs nothing)", _CURL),
    outbox=lambda world: Outbox(world, RULES),
    drilled=DrillFacts(
        approved={"approved"},
        declined={"declined"},
        review="completed",
        revised_to="declined",
        sends_creation=True,
        webhook_variable="PERSONA_WEBHOOK_SECRET",
        settings=lambda _, key: {"api_key": key, "template_id": "itmpl_mock"},
    ),
)
