"""Veriff: the routes, the signature of responses, and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from facematch_mock_server.claims import DOCUMENT_NAME
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.kit import (
    LIVE_KEY,
    DocumentSessions,
    DrillFacts,
    Key,
    KeyKind,
    NotImitated,
    Response,
    Variables,
    Webhooks,
    hmac_hex,
)
from facematch_mock_server.world.keys import SANDBOX_KEY
from facematch_mock_server.world.webhooks import Outbox

from . import webhooks
from .access import VeriffCall, check_key, key_of
from .calls import media, sessions
from .claims import CLAIMS
from .sessions import SESSION_RULES
from .signature import (
    MEDIA_PATH,
    OLDER_SIGNATURE,
    START_PATH,
    check_signature,
    secrets_of,
    sign_again,
    sign_in_older_way,
)

#: The API keys of the first account's integrations, live and test. Their shared secrets are
#: `LIVE_KEY` and `SANDBOX_KEY`.
API_KEY = "6c7d1a52-1f0e-4d0b-9a39-7e5f2b8c4d10"
TEST_API_KEY = "9b2f6e08-5d3c-4a77-8f21-1c4d7a6b3e90"

#: What a page of another origin may send.
_PREFLIGHT = (
    ("Access-Control-Allow-Methods", "POST"),
    (
        "Access-Control-Allow-Headers",
        "content-type, x-auth-client, x-origin, vrf-integration-id",
    ),
)


def _new_text(text: str, letters: str) -> str:
    """Return a new account's API key, which is a UUID, or its shared secret."""
    if base.is_uuid(text):
        return f"{text[:24]}{letters[:12]}"
    return f"{text}-{letters}"


def _route(pattern: str, handlers: Mapping[str, Any], **options: Any) -> base.Route:
    return base.Route(
        pattern=pattern,
        handlers=handlers,
        # No claim has these names: a check cites the claim by which it refuses.
        checks={"key": check_key, "signature": check_signature},
        credentials=("x-auth-client",),
        **options,
    )


class Veriff(base.MockVendor):
    """The mock of Veriff in one world. Thread-safe."""

    common_prefix = "/v1/"
    extra_prefixes = (START_PATH,)
    slash_claim = "path.slash"
    not_found_claim = "path.unknown"
    call = VeriffCall
    session_rules = SESSION_RULES
    #: Of Veriff's API reference index of 2026-05-20, read 2026-11-29.
    not_imitated = NotImitated(
        "docs/vendors/veriff.md",
        "POST /v1/validate-registry",
        "/v1/sessions/{id}/watchlist-screening",
        "/v1/sessions/{id}/collected-data",
        "GET /v1/sessions/{id}/person",
        # No page names it today, but BankToTheFuture/veriff_ruby calls it.
        "GET /v1/sessions/{id}/timestamps",
        "/v1/attempts/{id}/media",
        # The inner API of the person's page, as a public program calls it.
        "GET /api/v2/sessions",
    )
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("body.invalid",),
        401: ("key.unknown",),
        404: ("session.unknown",),
        409: ("media.late",),
        429: ("rate.exceeded",),
        500: ("server.error",),
    }
    routes = (
        _route(START_PATH, {"POST": sessions.start}, operation="session_start"),
        _route(f"{START_PATH}/{{word}}/media", {"POST": media.add_media, "GET": media.list_media}),
        _route(f"{MEDIA_PATH}/{{word}}", {"GET": media.download}),
        _route(
            f"{START_PATH}/{{word}}/decision",
            {"GET": sessions.read_decision},
            operation="session_read",
        ),
        _route(
            f"{START_PATH}/{{word}}/decision/fullauto",
            {"GET": sessions.read_full_auto},
            operation="session_read",
        ),
        _route(f"{START_PATH}/{{word}}/attempts", {"GET": sessions.read_attempts}),
        _route(f"{START_PATH}/{{word}}", {"DELETE": sessions.delete, "PATCH": media.submit}),
    )

    def answer(self, call: base.Call, route: base.Route) -> Response:
        """Answer a call, or the preflight of a start by `@veriff/js-sdk`, which has no key."""
        if call.request.method == "OPTIONS" and route.pattern == START_PATH:
            # OURS: A page may start a session if its origin may show the session in a frame: at
            # first, a page of this machine. A page has no key when it asks, so the first account's
            # setting counts then.
            return call.answer("cors.preflight", headers=_PREFLIGHT)
        return super().answer(call, route)

    def finished(self, call: base.Call, response: Response) -> Response:
        """Sign the response to a known integration; let the page that starts a session read it."""
        page_origin = call.request.header("origin", "")
        if call.request.path == START_PATH and self.world.account.allows_page(page_origin):
            allowed = ("Access-Control-Allow-Origin", page_origin)
            response.headers = (*response.headers, allowed)
        if call.key is not None and isinstance(call, VeriffCall):
            secret, *_ = secrets_of(call)
            body = bytes(response.body)
            # Each response to a known key has X-AUTH-CLIENT and, in X-HMAC-SIGNATURE, the
            # HMAC-SHA256 of its body. (devdocs.veriff.com, API reference: sessions, decision,
            # attempts)
            response.headers = (
                *response.headers,
                ("X-AUTH-CLIENT", call.shown_client),
                ("X-HMAC-SIGNATURE", hmac_hex(secret, body)),
            )
            if call.request.header(OLDER_SIGNATURE) is not None:
                # A request with X-SIGNATURE, the header before X-HMAC-SIGNATURE, gets it back: the
                # SHA-256 of body and shared secret. That the webhooks of such a start have it, too,
                # beside X-HMAC-SIGNATURE, is ours; two public receivers read it.
                # (devdocs.veriff.com, General FAQ)
                older = (OLDER_SIGNATURE, sign_in_older_way(body, secret))
                response.headers = (*response.headers, older)
        return response


_KEYS = (
    f"API key: {API_KEY}, shared secret: {LIVE_KEY} (live); {TEST_API_KEY}, {SANDBOX_KEY} (test: "
    "decides nothing by itself)"
)
_CURL = (
    f"curl -H 'X-AUTH-CLIENT: {API_KEY}' -H 'Content-Type: application/json' "
    """-d '{{"verification": {{}}}}' {url}/v1/sessions"""
)
VENDOR = base.Vendor(
    name="veriff",
    title="Veriff",
    claims=CLAIMS,
    switches=DOCUMENT_NAME,
    rate_limits={"delete_per_hour": "delete.per_hour", "delete_per_day": "delete.per_day"},
    operations=("session_start", "session_read"),
    hosts=frozenset({"*.veriff.com", "*.veriff.me"}),
    first_keys={
        LIVE_KEY: Key(kind=KeyKind.LIVE, client=API_KEY),
        SANDBOX_KEY: Key(kind=KeyKind.SANDBOX, client=TEST_API_KEY),
    },
    variables=Variables(
        keys=({"VERIFF_API_KEY": API_KEY, "VERIFF_SHARED_SECRET": LIVE_KEY},),
        address="VERIFF_BASE_URL",
        own_address="https://stationapi.veriff.com",
    ),
    key_of=key_of,
    sign_again=sign_again,
    new_text=_new_text,
    behaviour=Veriff,
    outbox=lambda world: Outbox(world, webhooks.RULES),
    extensions={"sessions": DocumentSessions, "webhooks": Webhooks},
    greeting=(_KEYS, _CURL),
    drilled=DrillFacts(
        approved={"approved"},
        declined={"declined"},
        review="review",
        webhook_variable="VERIFF_SHARED_SECRET",
        key_signs_webhooks=True,
        settings=lambda client, key: {
            "api_key": client,
            "shared_secret": key,
            "solution": "document_selfie",
        },
    ),
)
