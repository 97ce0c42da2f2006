"""The simulator of Stripe: the mock server, and answers that it does not give by itself."""

import hmac
import json

import facematch_core as fm
from facematch_core import ComparedWith, Decision, LivenessDecision, SessionState
from facematch_core.backend.session_types import Deletion, DeletionState
from facematch_core.testing import Refusal, SessionCase, SessionWebhook, SessionWord, Situation
from facematch_mock_server.testing import MockSessionsWithWebhooks, MockSimulator

from .words import all_of, at, free_refusals, put, words_at

STATES = "docs.stripe.com/identity/how-sessions-work, read on 2026-11-29"
CLIENT = "stripe 16.1.0 for Python, stripe/identity, read on 2026-11-29"
FIXTURES = "stripe/openapi f6c2a48, openapi/fixtures3.json, read on 2026-11-29"
WEBHOOK_SECRET = "whsec_simulator-5d20f7c1"
FORMER_SECRET = "whsec_former"
SELFIE = at("last_verification_report.selfie.status")
CODE = at("last_verification_report.selfie.error.code")
SELFIE_CODES = {
    Decision.NO_MATCH: "selfie_face_mismatch",
    # A manipulated selfie says nothing about the match.
    Decision.INCONCLUSIVE: "selfie_document_missing_photo, selfie_unverified_other, "
    "selfie_manipulated",
    LivenessDecision.NOT_LIVE: "selfie_manipulated",
}
DAY_S = 86_400


def make_older(body):
    body["created"] -= DAY_S


def compare_no_face(body):
    """Show the report of a session that asked for no selfie."""
    del body["last_verification_report"]["selfie"]


def errors(*codes, kind="invalid_request_error"):
    """Return a body with each of the codes; None for an error without one."""
    bodies = []
    for code in codes:
        error = {"type": kind, "message": "No."}
        if code is not None:
            error["code"] = code
        bodies.append({"error": error})
    return bodies


NOT_FOUND = errors("resource_missing")
REFUSALS = all_of(
    free_refusals(
        fm.RequestRejected,
        400,
        errors("parameter_missing", "parameter_unknown", "parameter_invalid_empty", "url_invalid"),
    ),
    free_refusals(fm.RequestRejected, 400, errors(None, kind="idempotency_error")),
    free_refusals(
        fm.AuthenticationFailed, 401, errors(None, "api_key_expired", "secret_key_required")
    ),
    free_refusals(fm.PermissionDenied, 403, errors(None)),
    free_refusals(fm.RateLimited, 400, errors("rate_limit")),
    free_refusals(fm.RateLimited, 409, errors("idempotency_key_in_use")),
    free_refusals(fm.RateLimited, 429, errors("rate_limit", "lock_timeout")),
)


class StripeSessions(MockSessionsWithWebhooks):
    webhook_secret = WEBHOOK_SECRET
    signs_time = True
    start_sets_lifetime = False
    hands_over = ("link", "token")
    hands_over_again = ("link", "token")
    documented_capabilities = (
        "reads_document",
        "start_is_repeatable",
        "finds_by_record",
        "can_delete",
        "link_works_once",
        "takes_return_url",
    )
    compared_with = (ComparedWith.DOCUMENT,)
    document = "p1"
    #: The selfie and the document.
    always_kept = 2
    cannot_happen = {
        SessionCase.OTHER_PICTURE: "Its selfie is compared with the document alone.",
        SessionCase.UNFINISHED: "It makes a report once a try is checked.",
    }
    changes = {
        SessionCase.NO_FACE_ITEM: compare_no_face,
        SessionCase.FOREIGN: put(id="vs_another"),
        SessionCase.OLDER: make_older,
        SessionCase.SANDBOX: put(livemode=False),
        SessionCase.UNKNOWN_ENVIRONMENT: put(livemode="staging"),
    }
    start_refusals = all_of(
        REFUSALS,
        free_refusals(fm.RequestRejected, 404, NOT_FOUND),
        [
            Refusal(
                status=500,
                body=body,
                error=fm.OutcomeUnknown,
                charged=fm.Charged.UNKNOWN,
            )
            for body in errors(None, kind="api_error")
        ],
    )
    read_refusals = all_of(REFUSALS, free_refusals(fm.errors.SessionNotFound, 404, NOT_FOUND))
    delete_refusals = REFUSALS
    words = all_of(
        words_at(
            at("status"),
            STATES,
            {
                SessionState.PENDING: "requires_input",
                SessionState.PROCESSING: "processing",
                SessionState.DECIDED: "verified",
                SessionState.CANCELED: "canceled",
            },
            yes="verified",
        ),
        [
            # After a failed try Stripe waits for the person.
            SessionWord(
                at("status"),
                "requires_input",
                SessionState.PENDING,
                STATES,
                case=SessionCase.OTHER_PERSON,
                is_asked_back=True,
            ),
            # An error without a code is none.
            SessionWord(
                at("last_error"),
                {"code": None, "reason": None},
                SessionState.DECIDED,
                FIXTURES,
                is_yes=True,
            ),
        ],
        [
            SessionWord(at("redaction"), {"status": status}, SessionState.GONE, CLIENT)
            for status in ("processing", "validated", "redacted")
        ],
        [
            SessionWord(at("redaction"), {"status": status}, Deletion(state=state), CLIENT)
            for status, state in (
                ("processing", DeletionState.REQUESTED),
                ("validated", DeletionState.REQUESTED),
                ("redacted", DeletionState.DONE),
            )
        ],
        words_at(SELFIE, CLIENT, {Decision.MATCH: "verified"}, yes="verified"),
        [
            SessionWord(CODE, code, means, CLIENT, case=SessionCase.OTHER_PERSON)
            for means, codes in SELFIE_CODES.items()
            for code in codes.split(", ")
        ],
    )

    def id_in(self, body):
        # Only a read is edited, which alone has the report; and the answer to a redaction.
        has_report = isinstance(body.get("last_verification_report"), dict)
        return body["id"] if has_report or body.get("redaction") else None

    def write(self, body, place, word):
        if place == CODE:
            failed = {"status": "unverified", "error": {"code": None, "reason": "No."}}
            body["last_verification_report"]["selfie"] |= failed
        super().write(body, place, word)

    def kept(self, session_id):
        return len(self.session(session_id).pictures)

    def webhooks(self, session_id):
        body, _ = self.deliver(session_id)
        event = json.loads(body)
        customer = {**event, "data": {"object": {"id": "cus_1", "object": "customer"}}}
        return (
            self.signed(event, FORMER_SECRET, WEBHOOK_SECRET),
            self.signed({**event, "type": "identity.verification_session.redacted"}),
            self.signed(customer, names_session=False),
        )

    def signed(self, event, *secrets, names_session=True):
        """Return an event with a signature by each secret, after a decoy."""
        body = json.dumps(event).encode()
        time = f"{self.clock.now().timestamp():.0f}"
        parts = [f"t={time}", "v0=" + "0" * 64]
        for secret in secrets or (WEBHOOK_SECRET,):
            digest = hmac.digest(secret.encode(), time.encode() + b"." + body, "sha256")
            parts.append(f"v1={digest.hex()}")
        headers = {"Stripe-Signature": ",".join(parts)}
        return SessionWebhook(body=body, headers=headers, names_session=names_session)


class StripeSimulator(MockSimulator):
    vendor = "stripe"
    calls = frozenset()
    session_paths = ("/v1/identity/verification_sessions",)
    session_class = StripeSessions
    keys = {
        # Only a restricted key reads dates of birth.
        "api_key": "rk_live_simulator-3ac95be07d",
        "webhook_secrets": WEBHOOK_SECRET,
    }
    secrets = (keys["api_key"], keys["webhook_secrets"])
    scope = "request"
    cannot_happen = {Situation.NO_CREDIT: "Stripe documents no error about credit."}

    def accepts(self, request):
        # Else the account's own settings choose the form of an answer.
        is_pinned = request.headers["Stripe-Version"] == "2026-10-28.endive"
        is_start = request.method == "POST" and request.path.endswith("verification_sessions")
        requires_selfie = b"require_matching_selfie%5D=true" in request.body
        return is_pinned and (requires_selfie or not is_start)
