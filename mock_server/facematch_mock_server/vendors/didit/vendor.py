"""Didit: the routes, other paths, and the errors for statuses that a test requests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.world.drilled import DrillFacts
from facematch_mock_server.world.keys import FIRST_KEYS, LIVE_KEY
from facematch_mock_server.world.rates import ExceededLimit
from facematch_mock_server.world.variables import Variables
from facematch_mock_server.world.webhooks import Outbox

from . import access, webhooks, wire
from .access import HOSTS, PAGE_HOST, DiditCall, make_route, refuse_rate, window_of
from .calls import decisions, destinations, pictures, sessions, start
from .claims import CLAIMS, SETTINGS, SWITCHES
from .control import DiditSessionControl
from .records import FIRST_WORKFLOW_ID, DiditRecords
from .sessions import SESSION_RULES

HEALTHCHECK = "/system/healthcheck"

#: Of Didit's OpenAPI document of 2026-07-18; version 1 and its login of docs.didit.me, full flow;
#: templates, deliveries, keys and the travel rule of its management API, read 2026-11-30.
_NOT_IMITATED = NotImitated(
    "docs/vendors/didit.md",
    "/v1/session/*",
    "/auth/v2/token",
    "/v3/session/{id}/share",
    "/v1/sandbox/scenarios",
    "/v3/session/{id}/sandbox/arm",
    "/v3/session/import-shared",
    "/v3/sessions/delete",
    "/v3/sessions/{id}/reviews",
    "/v3/webhook",
    "/v3/lists",
    "/v3/blocklist",
    "/v3/age-estimation",
    "/v3/webhook/destinations/{id}",
    "/v3/workflows/*",
    "/v3/questionnaires",
    "/v3/users",
    "/v3/businesses",
    "/v3/poa",
    "/v3/aml",
    "/v3/database-validation",
    "/v3/email/send",
    "/v3/email/check",
    "/v3/phone/send",
    "/v3/phone/check",
    "/v3/transactions",
    "/v3/customization",
    "/v3/wallet-screening",
    "/v3/billing/top-up",
    "/auth/v2/programmatic/{call}",
    "/v3/biometric-templates/*",
    "/v3/webhook/destinations/{id}/deliveries/*",
    "/v3/api-keys/*",
    "/v3/travel-rule/*",
)


def _show_balance(call: DiditCall) -> Response:
    """Return the remaining credit. The mock never refills it automatically."""
    call.claims.cite("credit.start")
    body = {
        # Four decimals, as in the OpenAPI's example.
        "balance": f"{call.world.ledger.balance:.4f}",
        "auto_refill_enabled": False,
        **dict.fromkeys(("auto_refill_amount", "auto_refill_threshold")),
    }
    return call.answer("billing.balance", body)


class Didit(base.MockVendor):
    """The mock of Didit in one world. Thread-safe."""

    common_prefix = "/v3/"
    extra_prefixes = (
        "/v3/",
        "/v2/session/",
        "/v1/sandbox/",
        "/auth/v2/",
        wire.MEDIA,
        HEALTHCHECK,
    )
    call = DiditCall
    routes = (
        *pictures.ROUTES,
        *start.ROUTES,
        *sessions.ROUTES,
        *destinations.ROUTES,
        make_route("/v3/billing/balance/", {"GET": _show_balance}, rate_scope="management"),
    )
    session_rules = SESSION_RULES
    not_found_claim = "path.unknown"
    not_imitated = _NOT_IMITATED
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        401: ("auth.words.401",),
        403: ("auth.words.403",),
        404: ("path.not_found",),
    }

    def known_paths(self) -> tuple[str, ...]:
        return (*super().known_paths(), HEALTHCHECK, wire.MEDIA)

    def finished(self, call: base.Call, response: Response) -> Response:
        """Add an Allow header with the view's methods; Django's own pages have none."""
        headers = dict(response.headers)
        is_page = headers.get("Content-Type", "").startswith("text/html")
        if call.route is not None and not is_page and "Allow" not in headers:
            allow = access.allow_of((*call.route.handlers,))
            response.headers = (*response.headers, allow)
        return response

    def not_found(self, call: base.Call) -> Response:
        """Respond to the health check, a picture's path, or a path that has no route."""
        path = call.request.path
        if path == HEALTHCHECK and call.request.method in ("GET", "HEAD"):
            stamp = call.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            return call.answer("path.healthcheck", timestamp=stamp)
        if path.startswith(wire.MEDIA) and isinstance(call, DiditCall):
            session_id, _, name = path.removeprefix(wire.MEDIA).partition("/")
            call.path_values = (session_id, name)
            return decisions.serve_picture(call)
        if not path.endswith("/") and self.route_of(f"{path}/")[0] is not None:
            # Django redirects before any view runs.
            query = call.request.target.partition("?")[2]
            location = f"{path}/?{query}" if query else f"{path}/"
            if call.request.method not in ("GET", "HEAD"):
                call.hint = (
                    "Didit's paths end with a slash: without it this is a redirect, which most "
                    "clients follow with GET"
                )
                call.world.account.shared.report_once(call.hint)
            return call.answer("path.slash", headers=(("Location", location),))
        return super().not_found(call)

    def _answer_error(self, call: Any, status: int) -> Response | None:
        """Return Didit's answer of a status that a test set; None if the path does not give it.

        A 429 is that of the path's rate limit, or of reads or writes if it has none.
        """
        route = call.route
        endpoint = call.endpoint
        if "x-api-key" not in endpoint.credentials and status in (401, 403):
            # These paths need no key.
            return None
        if status == 405:
            access.refuse_method(call, ("POST",) if route is None else route.handlers)
        if status == 415:
            call.refuse("media.refused", media=call.request.header("content-type", ""))
        if status == 429:
            scope = endpoint.rate_scope
            # Management views have their own message, but no source documents their rate
            # limit.
            if scope != "management" and not (scope and call.claims.get(f"rate.{scope}.limit")):
                scope = "get" if call.request.method == "GET" else "write"
            window_s = call.claims.get(window_of(scope))
            exceeded = ExceededLimit(
                scope=scope,
                limit=call.claims.get(f"rate.{scope}.limit") or 0,
                reset=math.ceil(self.world.clock.timestamp() + window_s),
                retry_after_s=window_s,
            )
            refuse_rate(call, exceeded)
        return super()._answer_error(call, status)


_KEYS = "keys: mock-live-key (live), mock-sandbox-key (sandbox: approves everything, costs nothing)"
_CURL = (
    "curl -H 'x-api-key: mock-live-key' "
    "-F user_image=@cards/p1.png -F ref_image=@cards/p1-again.png {url}/v3/face-match/"
)
VENDOR = base.Vendor(
    name="didit",
    title="Didit",
    claims=CLAIMS,
    switches=SWITCHES,
    settings=SETTINGS,
    rate_limits={
        name: f"rate.{name}.limit"
        for name in ("write", "get", "session", "sandbox_session", "management", "pdf")
    },
    operations=(
        "match",
        "liveness",
        "face_search",
        "id_verification",
        "session_start",
        "session_read",
    ),
    hosts=HOSTS,
    page_host=PAGE_HOST,
    first_keys=FIRST_KEYS,
    variables=Variables(
        keys=({"DIDIT_API_KEY": LIVE_KEY},),
        settings={"DIDIT_WORKFLOW_ID": FIRST_WORKFLOW_ID},
    ),
    records=DiditRecords,
    behaviour=Didit,
    extensions={"sessions": DiditSessionControl, "webhooks": webhooks.DiditWebhooks},
    greeting=(_KEYS, _CURL),
    outbox=lambda world: Outbox(world, webhooks.RULES),
    drilled=DrillFacts(
        approved={"Approved"},
        declined={"Declined"},
        review="In Review",
        revised_to="Declined",
        # (Didit's webhook guide: a receiver rejects a timestamp more than 300 s from its clock)
        max_age_s=300,
        repeats_after_4xx=False,
        webhook_variable="DIDIT_WEBHOOK_SECRET",
        settings=lambda _, key: {
            "api_key": key,
            "workflow_id": "3c9f1b9e-5a0d-4a3e-8a52-0d9d4a0b7c11",
        },
    ),
)
