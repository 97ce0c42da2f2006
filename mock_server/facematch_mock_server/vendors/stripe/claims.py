"""Claims about Stripe Identity, with their sources."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from facematch_mock_server.claims import (
    LIVE_FROM,
    OURS,
    Claim,
    Origin,
    Reply,
    documented,
    observed,
    row,
    table,
)

_READ = "2026-11-29"
CLIENT = documented(
    "Stripe's client stripe 16.1.0 for Python: stripe/identity, stripe/params", _READ
)
API = documented("docs.stripe.com/api: authentication, errors, pagination, expanding", _READ)
RESULTS = documented("docs.stripe.com/identity/access-verification-results", _READ)
LIVE = documented("docs.stripe.com/identity/before-going-live", _READ)
LIST_PRICE = documented("stripe.com/pricing, as copied on 2026-09-20", _READ)
IDEMPOTENCE = documented("docs.stripe.com/api/idempotent_requests", _READ)
METADATA = documented("docs.stripe.com/api/metadata", _READ)
RATES = documented("docs.stripe.com/rate-limits", _READ)
WEBHOOKS = documented("docs.stripe.com/webhooks", _READ)
LISTS = observed(
    "a public program's notes of lists of customers, asked of Stripe's sandbox 2026-09-22", _READ
)

QUOTED = observed("public programs that handle the refusal of a new account", "2026-11-30")

_DOCS = "https://docs.stripe.com/error-codes"


def _error(
    key: str,
    status: int,
    message: str,
    origin: Origin,
    statement: str,
    *,
    code: str | None = None,
    kind: str = "invalid_request_error",
    param: str | None = None,
) -> Claim:
    """Make the claim about an error. Every message is ours."""
    error: dict[str, Any] = {"type": kind, "message": message}
    if code is not None:
        error |= {"code": code, "doc_url": f"{_DOCS}/{code.replace('_', '-')}"}
    if param is not None:
        error["param"] = param
    return row(key, Reply(status, {"error": error}), origin, statement)


# One claim per line: key, value or response, source, and statement.
# fmt: off
CLAIMS = table(
    "stripe",
    _error("path.unknown", 404, "Unrecognized request URL.", OURS, "An unknown path or another method is 404."),
    _error("key.missing", 401, "You did not provide an API key.", API, "A call without a key is 401. The key is a bearer token, or the user of HTTP Basic. As of all errors, the message is ours."),
    _error("key.wrong", 401, "Invalid API key.", API, "An unknown or revoked key is 401."),
    _error("key.expired", 401, "The API key has expired.", API, "An expired key is 401.", code="api_key_expired"),
    _error("key.secret_needed", 401, "This call needs a secret key.", API, "A publishable key, pk_..., is 401.", code="secret_key_required"),
    _error("key.denied", 403, "The key lacks the permission.", API, "A key without the permission is 403."),
    row("rate.limit", 25, RATES, "25 requests a second are allowed in test mode, and in live mode for each endpoint. The limit of 100 for the whole live mode is not imitated."),
    _error("rate.exceeded", 429, "Too many requests.", RATES, "Requests above the limit are 429.", code="rate_limit"),
    _error("body.form", 400, "The body is no form.", OURS, "A body of another type, such as JSON, is 400."),
    _error("parameter.missing", 400, "Missing required parameter: {name}.", API, "A start without a type or a verification_flow is 400, and so is a related_person without both its account and its person.", code="parameter_missing", param="{name}"),
    _error("parameter.unknown", 400, "Unknown parameter: {name}.", API, "An unknown parameter is 400.", code="parameter_unknown", param="{name}"),
    _error("parameter.empty", 400, "Empty parameter: {name}.", API, "An empty text is 400.", code="parameter_invalid_empty", param="{name}"),
    _error("parameter.invalid", 400, "Invalid parameter: {name}.", OURS, "A parameter of another kind, or with a word that is not among those of the client, is 400; its code is not documented.", param="{name}"),
    _error("parameter.integer", 400, "Not a whole number: {name}.", CLIENT, "A limit that is no whole number is 400. The code is in the client's list; that it stands here follows from its name.", code="parameter_invalid_integer", param="{name}"),
    _error("parameter.expand", 400, "This property cannot be expanded: {name}.", OURS, "A field that cannot be expanded is 400. In a part of a report, and in verified_outputs, the fields of the client can be.", param="expand"),
    row("metadata.max_keys", 50, METADATA, "Metadata have at most 50 keys."),
    row("metadata.max_key_length", 40, METADATA, "A key of metadata has at most 40 characters."),
    row("metadata.max_text_length", 500, METADATA, "A value of metadata is a text of at most 500 characters."),
    _error("metadata.refused", 400, "The metadata have too many keys, or a key or a value is too long.", METADATA, "Metadata above a limit are refused; the status 400 is ours, and the code is not documented.", param="metadata"),
    row("idempotency.max_length", 255, IDEMPOTENCE, "An idempotency key has at most 255 characters."),
    _error("idempotency.long", 400, "The idempotency key is too long.", OURS, "A longer key is 400."),
    row("idempotency.lasts_s", 86_400, IDEMPOTENCE, "A key is kept for at least 24 hours; here for 24 hours."),
    _error("idempotency.other", 400, "The idempotency key was used with other parameters.", IDEMPOTENCE, "Other parameters with a known key are an error; its status 400 is inferred from Stripe's clients.", kind="idempotency_error"),
    _error("idempotency.in_use", 409, "A request with this idempotency key is under way.", API, "A second request while the first one with its key is under way is 409.", code="idempotency_key_in_use"),
    row("access", "approved", OURS, "The account is set up for Identity, unless the switch is set to unapproved.", when=("access", "approved"), name="approved"),
    row("access", "unapproved", QUOTED, "A new account is not set up for Identity.", when=("access", "unapproved"), name="unapproved"),
    row("access.refused", Reply(400, {"error": {"type": "invalid_request_error", "code": "identity_api_invalid_application", "message": "Your account is not set up to use Identity. Please have an account admin visit https://dashboard.stripe.com/identity/application to get started."}}), QUOTED, "A start at an account that is not set up is refused with 400. Code and message are quoted; the type, and that a read is answered, are ours."),
    _error("start.return_url", 400, "Not a valid URL.", API, "A return_url that is no URL is 400.", code="url_invalid", param="return_url"),
    row("answer.unfilled", ("account", "matching", "name", "person", "sex", "unparsed_place_of_birth", "unparsed_sex"), CLIENT, "The mock never fills these fields of a session and its report."),
    row("session.answer", Reply(200), CLIENT, "A session has id, status, last_error, options, metadata, url and client_secret. The fields that are optional in the client are null unless sent."),
    _error("session.unknown", 404, "No such object: '{name}'", API, "An unknown session or report is 404.", code="resource_missing", param="id"),
    _error("session.state", 400, "The session is {name}.", OURS, "A call that the status forbids is 400; its code is not documented."),
    row("modal.script", Reply(200, content_type="text/javascript"), OURS, "js.stripe.com has a script of the mock's own at the paths that @stripe/stripe-js 8.11.0 loads: verifyIdentity resolves once the person has submitted, with the session's id, or with an error. Each other function throws an error that names it."),
    row("modal.opened", Reply(303), OURS, "verifyIdentity shows the mock's page of the session in a frame."),
    row("session.link_s", 172_800, CLIENT, "The url works for 48 hours, and the client_secret for 24; here both for 48. The session itself does not expire."),
    row("session.attempts", math.inf, LIVE, "No number of tries ends a session: an application should limit them, because they are charged."),
    row("report.answer", Reply(200), CLIENT, "A report has the document, the selfie or the ID number that was checked, each with a status and an error."),
    row("session.match_from", 70, OURS, "The face is that of the document from a score of 70."),
    LIVE_FROM,
    row("match.review", True, OURS, "If a test sets the outcome review, the session stays in processing until it is decided. Decided before anybody went through it, a session has no selfie in its report."),
    row("credit.price", Decimal("1.50"), LIST_PRICE, "A report costs USD 1.50, the price in the United States. A setting changes it."),
    row("credit.start", Decimal(1000), OURS, "Stripe sends invoices: the balance is the mock's own, and without it a report is free."),
    row("expand.recent_s", 172_800, RESULTS, "A restricted key reads them for 48 hours after the verification; at Stripe one with a limit of IP addresses, which the mock has not, reads them always."),
    row("redact.takes_s", 60, OURS, "A redaction takes up to 4 days; here a minute."),
    row("list.answer", Reply(200), API, "A list has data, newest first, has_more and url."),
    row("list.limit", 10, API, "A page has 10 objects, unless limit says otherwise, at most 100. That another limit is 400 is ours: in notes of others, Stripe takes 1 or 100 instead."),
    _error("list.cursor", 400, "No such object: '{cursor}'", LISTS, "A cursor that is no object of the list is an error; its status, code and param are ours. A cursor need not fit the filter (ours).", code="resource_missing", param="{name}"),
    _error("list.cursors", 400, "Received both starting_after and ending_before.", LISTS, "Both cursors in one call are an error. The code is in the client's list; that it stands here follows from its name.", code="parameters_exclusive"),
    _error("list.expand", 400, "This property cannot be expanded: {name}. Expand data.{name} instead.", API, "In a list, a field to expand begins with data.; others are 400.", param="expand"),
    row("webhook.timeout_s", 10, OURS, "A receiver has 10 seconds to respond; Stripe's limit is not known."),
    row("webhook.delivered", range(200, 300), WEBHOOKS, "Any 2xx means delivered."),
    row("webhook.retry.after_s", (3600, 10_800, 32_400, 97_200, 259_200), OURS, "Stripe retries for up to 3 days, ever more slowly: here after 1, 3, 9, 27 and 72 hours, also in test mode, in which Stripe tries three times in a few hours."),
    _error("server.error", 500, "An error on Stripe's side.", API, "An error of Stripe's own is 500.", kind="api_error"),
)
# fmt: on
