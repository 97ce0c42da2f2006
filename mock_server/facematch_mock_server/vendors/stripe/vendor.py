"""Stripe: the routes, the keys, and the calls of Stripe's API that are not imitated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from facematch_mock_server.base.messages import Response
from facematch_mock_server.claims import JSON
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.world.drilled import DrillFacts
from facematch_mock_server.world.hosted import DocumentSessions
from facematch_mock_server.world.keys import FIRST_KEYS, LIVE_KEY
from facematch_mock_server.world.variables import Variables
from facematch_mock_server.world.webhooks import Outbox

from . import calls, modal, webhooks
from .access import (
    RouteHandler,
    StripeCall,
    StripeRecords,
    check_key,
    check_rate,
    key_of,
    with_replay,
)
from .claims import CLAIMS
from .sessions import SESSION_RULES
from .values import VALUES

_IDENTITY = "/v1/identity/"
_SESSIONS = f"{_IDENTITY}verification_sessions"
_REPORTS = f"{_IDENTITY}verification_reports"
#: What stripe 16.1.0 for Python calls beside Identity, below /v1 and below /v2.
_OTHERS_V1 = """
account account_links account_sessions accounts apple_pay application_fees apps balance
balance_settings balance_transactions billing billing_portal charges checkout climate
confirmation_tokens country_specs coupons credit_notes customer_sessions customers disputes
entitlements ephemeral_keys events exchange_rates file_links files financial_connections
forwarding invoice_payments invoice_rendering_templates invoiceitems invoices issuing mandates
payment_attempt_records payment_intents payment_links payment_method_configurations
payment_method_domains payment_methods payment_records payouts plans prices product_catalog
products promotion_codes quotes radar refunds reporting reviews setup_attempts setup_intents
shipping_rates sigma sources subscription_items subscription_schedules subscriptions tax
tax_codes tax_ids tax_rates terminal test_helpers three_d_secure tokens topups transfers
treasury webhook_endpoints
"""
_OTHERS_V2 = "billing commerce core money_management test_helpers"
_OTHER_PATHS = (
    *(f"/v1/{name}" for name in _OTHERS_V1.split()),
    *(f"/v2/{name}" for name in _OTHERS_V2.split()),
)


def _route(
    pattern: str, handlers: Mapping[str, RouteHandler], *, operation: str | None = None
) -> base.Route:
    """Return a route. The answer to each POST can be replayed."""
    routed = {}
    for method, handle in handlers.items():
        routed[method] = with_replay(handle) if method == "POST" else handle
    return base.Route(
        pattern=pattern,
        handlers=routed,
        # No claim has these names: a check cites the claim by which it refuses.
        checks={"key": check_key, "rate": check_rate},
        operation=operation,
        credentials=("authorization",),
        is_form=True,
    )


class Stripe(base.ListingVendor):
    """The mock of Stripe Identity in one world. Thread-safe."""

    common_prefix = _IDENTITY
    extra_prefixes = (_IDENTITY, *_OTHER_PATHS)
    not_found_claim = "path.unknown"
    call = StripeCall
    session_rules = SESSION_RULES
    not_imitated = NotImitated(
        "docs/vendors/stripe.md",
        *(f"{path}/*" for path in _OTHER_PATHS),
        f"POST {_SESSIONS}/{{id}}",
        f"GET {_REPORTS}",
    )
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("parameter.invalid",),
        401: ("key.wrong",),
        403: ("key.denied",),
        404: ("session.unknown",),
        409: ("idempotency.in_use",),
        429: ("rate.exceeded", "rate.limit"),
        500: ("server.error",),
    }
    routes = (
        _route(
            _SESSIONS,
            {"POST": calls.start, "GET": calls.list_sessions},
            operation="session_start",
        ),
        _route(f"{_SESSIONS}/{{word}}", {"GET": calls.read}, operation="session_read"),
        _route(f"{_SESSIONS}/{{word}}/cancel", {"POST": calls.cancel}),
        _route(f"{_SESSIONS}/{{word}}/redact", {"POST": calls.redact}),
        _route(f"{_REPORTS}/{{word}}", {"GET": calls.read_report}),
        *(
            base.Route(pattern=path, handlers={"GET": modal.send_script}, credentials=())
            for path in ("/v3", "/v3/", "/{word}/stripe.js")
        ),
        base.Route(pattern="/identity/modal", handlers={"GET": modal.open_modal}, credentials=()),
    )

    def answered_by_fault(self, call: StripeCall, answer: Response) -> None:
        """Give an error of Stripe's own servers again to the idempotency key of its call."""
        call.authenticate(key_of(call.request))
        is_error = answer.status >= 500 and answer.header("content-type") == JSON
        if is_error and call.key is not None and call.replay_name:
            self.world.records.save(call.replay_name, call.request, answer, call.now)


_CURL = (
    f"curl -u {LIVE_KEY}: -d type=document "
    f"-d 'options[document][require_matching_selfie]=true' {{url}}{_SESSIONS}"
)
VENDOR = base.Vendor(
    name="stripe",
    title="Stripe Identity",
    claims=CLAIMS,
    documented_values=VALUES,
    switches={"access": ("approved", "unapproved")},
    rate_limits={"request": "rate.limit"},
    operations=("session_start", "session_read"),
    hosts=frozenset({"api.stripe.com", "files.stripe.com", "js.stripe.com", "verify.stripe.com"}),
    page_host="verify.stripe.com",
    first_keys=FIRST_KEYS,
    sandbox_prefixes=("rk_test_", "sk_test_"),
    variables=Variables(
        keys=({"STRIPE_SECRET_KEY": LIVE_KEY}, {"STRIPE_API_KEY": LIVE_KEY}),
    ),
    key_of=key_of,
    records=StripeRecords,
    behaviour=Stripe,
    outbox=lambda world: Outbox(world, webhooks.RULES),
    extensions={"sessions": DocumentSessions, "webhooks": webhooks.StripeWebhooks},
    greeting=("keys: mock-live-key (live), mock-sandbox-key (test: costs nothing)", _CURL),
    drilled=DrillFacts(
        approved={"verified"},
        declined={"canceled"},
        sends_creation=True,
        max_age_s=300,
        webhook_variable="STRIPE_WEBHOOK_SECRET",
        settings=lambda _, key: {"api_key": key},
    ),
)
