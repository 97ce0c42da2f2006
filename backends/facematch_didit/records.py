"""What the calls of an account answer: the words, the records, and how both are read.

Any decoded JSON gives a record or a `ValueError`; a decision of an unknown environment is an
`EnvironmentMismatch`. Sources: Didit face-match skill page, early 2026 (registration); Didit
OpenAPI, 2026-07-18 (the rest, with which feature has its block where). All were read on 2026-11-20.
Documents show no decision of a call that was kept; it is read by the general form, in which what
never ran is null.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import attrs

from facematch_core import (
    Billing,
    CallRecord,
    Charged,
    Environment,
    EnvironmentMismatch,
    Ids,
    InvalidRequest,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Secret,
    Severity,
    WarningCode,
    judge,
)
from facematch_core.backend import CALL_ID_KEY, without_private
from facematch_core.http import HttpReply

from . import wire
from .wire import D, Verdicts
from .words import (
    APPROVED,
    CHARGED,
    DECLINED,
    ENVIRONMENTS,
    LIVENESS_SCALE,
    MATCH_SCALE,
    MEDIA_KEYS,
    NAME,
    PERSONAL_KEYS,
    didit_name,
    map_texts,
    object_or_none,
    read_list,
    read_object,
    read_record,
    read_secret,
    read_text,
    text_or_none,
)


class SessionStatus(enum.StrEnum):
    """The status of a session. A call that was kept begins as APPROVED or DECLINED."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    AWAITING_USER = "awaiting_user"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    DECLINED = "declined"
    #: Sent back to the person, who is to send something again.
    RESUBMITTED = "resubmitted"
    EXPIRED = "expired"
    KYC_EXPIRED = "kyc_expired"
    ABANDONED = "abandoned"
    #: A word that Didit's documents do not have.
    OTHER = "other"


#: Didit's words for them: "Not Started", "Kyc Expired".
STATUSES: Mapping[str, SessionStatus] = MappingProxyType(
    {
        status.value.replace("_", " ").title(): status
        for status in SessionStatus
        if status is not SessionStatus.OTHER
    }
)

#: And back, for requests.
STATUS_WORDS: Mapping[SessionStatus, str] = MappingProxyType(
    {status: word for word, status in STATUSES.items()}
)

#: What `update_status` takes.
NEW_STATUSES = (SessionStatus.APPROVED, SessionStatus.DECLINED, SessionStatus.RESUBMITTED)

#: What waits for a person. An unknown word does not: nothing says that it will ever change.
OPEN = frozenset(
    {
        *(SessionStatus.NOT_STARTED, SessionStatus.IN_PROGRESS, SessionStatus.AWAITING_USER),
        *(SessionStatus.IN_REVIEW, SessionStatus.RESUBMITTED),
    }
)


class ApiService(enum.StrEnum):
    """Which call the sessions of a list come from."""

    ID_VERIFICATION = "ID_VERIFICATION"
    FACE_MATCH = "FACE_MATCH"
    AGE_ESTIMATION = "AGE_ESTIMATION"
    FACE_SEARCH = "FACE_SEARCH"
    POA = "POA"
    AML = "AML"
    KYB_REGISTRY = "KYB_REGISTRY"
    PASSIVE_LIVENESS = "PASSIVE_LIVENESS"
    DATABASE_VALIDATION = "DATABASE_VALIDATION"
    PHONE_VERIFICATION = "PHONE_VERIFICATION"
    EMAIL_VERIFICATION = "EMAIL_VERIFICATION"


@attrs.frozen(kw_only=True)
class Registration:
    """An account that waits for the code in its owner's mailbox.

    Attributes:
        email: Where the code was sent; as Didit repeats it, else as it was asked for.
        message: Didit's sentence; None if it has none.
    """

    email: str
    message: str | None = None


def read_registration(body: Any, *, email: str) -> Registration:
    """The answer to a registration of `email`."""
    answer = read_object(body, "the body")
    return read_record(Registration, {**answer, "email": answer.get("email") or email})


@attrs.frozen(kw_only=True)
class Tokens:
    """What a person's login gives. The calls of this library need the key, not these.

    Attributes:
        access_token, refresh_token: Secrets.
        expires_in_s: Seconds that the access token holds from the answer on, at least 0; None if
            not given (Didit documents 86,400).
    """

    access_token: Secret
    refresh_token: Secret
    expires_in_s: float | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(attrs.validators.ge(0)),
        metadata=didit_name("expires_in"),
    )


@attrs.frozen(kw_only=True)
class VerifiedAccount:
    """An account that may be used.

    Attributes:
        api_key: The application's key: what a backend needs. Didit shows it here and in its
            console.
        tokens: Of the person who registered.
        organization_id, organization_name: Who pays; None if not given.
        application_id, application_name, client_id: Whose key it is; None if not given.
    """

    api_key: Secret
    tokens: Tokens
    organization_id: str | None = None
    organization_name: str | None = None
    application_id: str | None = None
    application_name: str | None = None
    client_id: str | None = None


def read_verified_account(body: Any) -> VerifiedAccount:
    """The answer to a verification of an email address."""
    answer = read_object(body, "the body")
    application = read_object(answer.get("application"), "application")
    organization = read_object(answer.get("organization") or {}, "organization")
    flat = {
        "api_key": application.get("api_key"),
        "organization_id": organization.get("uuid"),
        "organization_name": organization.get("name"),
        "application_id": application.get("uuid"),
        "application_name": application.get("name"),
        "client_id": application.get("client_id"),
    }
    return read_record(VerifiedAccount, flat, tokens=read_record(Tokens, answer))


@attrs.frozen(kw_only=True)
class Balance:
    """The credit of the whole organization, in US dollars, exactly as given.

    Attributes:
        amount: May be negative, as far as is known.
        auto_refill: Whether Didit tops it up by itself; None if not given.
        auto_refill_amount, auto_refill_threshold: By how much, and below what; None if not set.
    """

    amount: Decimal = attrs.field(metadata=didit_name("balance"))
    auto_refill: bool | None = attrs.field(default=None, metadata=didit_name("auto_refill_enabled"))
    auto_refill_amount: Decimal | None = None
    auto_refill_threshold: Decimal | None = None


@attrs.frozen(kw_only=True)
class TopUp:
    """A payment page. The balance stays as it is until somebody has paid there.

    Attributes:
        checkout_id: The payment provider's id of it.
        page: Its address, for a person. Whoever has it can only pay, but sees for whom: so it is
            a secret, which no log shows.
    """

    checkout_id: str = attrs.field(metadata=didit_name("checkout_session_id"))
    page: Secret = attrs.field(metadata=didit_name("checkout_session_url"))


@attrs.frozen(kw_only=True)
class SessionRow:
    """A session as a list has it: enough to find it again.

    Scores are not read from lists (Didit's own pages disagree about their scale), nor are names,
    documents and addresses of people; ask for the decision.

    Attributes:
        session_id, session_number: Its two names; the number is None if not given.
        kind: Didit's word, ``user`` or ``business``; None if not given.
        status, vendor_status: Its status, in our word and in Didit's.
        caller_ref: What the call sent as `caller_ref`; None if nothing; not in `repr`.
        features: What was done in it, as pairs of Didit's words for feature and status (None if
            not given).
        created_at: UTC; None if not given.
    """

    session_id: str
    session_number: int | None = None
    kind: str | None = attrs.field(default=None, metadata=didit_name("session_kind"))
    status: SessionStatus
    vendor_status: str = attrs.field(metadata=didit_name("status"))
    caller_ref: str | None = attrs.field(
        default=None, repr=False, metadata=didit_name("vendor_data")
    )
    features: tuple[tuple[str, str | None], ...] = ()
    created_at: datetime | None = None


def read_session_row(item: Any) -> SessionRow:
    """A session of a list."""
    row = read_object(item, "a session")
    features = tuple(_read_features(row.get("features")))
    return read_record(SessionRow, row, status=_read_status(row), features=features)


def _read_status(session: dict[str, Any]) -> SessionStatus:
    return STATUSES.get(read_text(session.get("status"), "status"), SessionStatus.OTHER)


def _read_features(value: object) -> Iterator[tuple[str, str | None]]:
    """Pairs of feature and status; a decision may have the features alone, as texts."""
    for item in read_list(value or [], "features"):
        feature = {"feature": item} if isinstance(item, str) else read_object(item, "a feature")
        word = read_text(feature.get("feature"), "a feature")
        yield word, text_or_none(feature.get("status"), "status of a feature")


@attrs.frozen(kw_only=True)
class Node:
    """One step of a session, to be done again.

    Attributes:
        node_id: As a decision has it.
        feature: Didit's word for the step.
    """

    node_id: str
    feature: str


@attrs.frozen(kw_only=True)
class Deleted:
    """A session that is gone from every read. There is no undo.

    Attributes:
        session_id: As asked for.
        session_number: None if not given.
        face_retention: What became of the face, in Didit's word; None if not given (before
            August 2026 nothing is).
    """

    session_id: str
    session_number: int | None = None
    face_retention: str | None = None


def read_deletion(reply: HttpReply, *, session_id: str) -> Deleted:
    """What an answer to a deletion says beyond its status, which alone says that it is done."""
    number, outcome = reply.at("session_number"), reply.at("face_retention_outcome")
    return Deleted(
        session_id=session_id,
        session_number=number if type(number) is int else None,
        face_retention=outcome if isinstance(outcome, str) else None,
    )


# A session as it is now: what Didit kept of its calls, as the results that the calls gave.


@attrs.frozen(kw_only=True)
class Media:
    """A picture or film that Didit keeps with a session.

    Attributes:
        name: What it is, in Didit's word: ``source_image`` is the reference of a face match,
            ``target_image`` its probe, ``reference_image`` and ``video_url`` belong to a check.
        node_id: Of the match or check that it belongs to; None if not given.
        address: Where it can be had for a while (an hour, by most of Didit's pages); ask for the
            decision again to get a fresh one. Whoever has it sees the face.
    """

    name: str
    node_id: str | None = None
    address: Secret


#: What a session can have of a face.
FaceResult = MatchResult | LivenessResult


@attrs.frozen(kw_only=True)
class SessionDecision:
    """A session as it is now.

    `status` is the word about the session, and may be a person's; each of `results` is about one
    comparison or check. A pass counts only inside an approved session: else it is REVIEW, with a
    warning of ours. And an approved session makes no match of a comparison that failed.

    The results are Didit's verdict. A record does not have the rules of a call on this side: a
    pass that the call itself answered as REVIEW, because of its `review_threshold`, is a pass here.
    `judged_by` applies them.

    Attributes:
        session_id, session_number: Its two names; the number is None if not given.
        status, vendor_status: Its status, in our word and in Didit's.
        results: Face matches, then liveness checks, each with the verdict that Didit gave to the
            call. What a decision does not have is None: threshold, faces and time needed. A session
            of another kind (a face search, an estimation of age) has none: look at `raw`.
        media: Addresses of pictures; empty if Didit gives none (a key may lack the right).
        features: Didit's words for what was done.
        environment: By the session's own word, else as declared, else None; MOCK, if a mock
            answered.
        workflow_id: None for a session that a single call made.
        caller_ref, metadata: As they were sent, our id of the call with them, which a result has
            as its `ids.call`; None if nothing was; not in `repr`.
        created_at, expires_at: UTC; None if not given.
        raw: The part of the body that this reads, without addresses and guesses about the person;
            not in `repr`.
    """

    session_id: str
    session_number: int | None = None
    status: SessionStatus
    vendor_status: str = attrs.field(metadata=didit_name("status"))
    results: tuple[FaceResult, ...] = ()
    media: tuple[Media, ...] = ()
    features: tuple[str, ...] = ()
    environment: Environment | None = None
    workflow_id: str | None = None
    caller_ref: str | None = attrs.field(
        default=None, repr=False, metadata=didit_name("vendor_data")
    )
    metadata: Mapping[str, Any] | None = attrs.field(default=None, repr=False, hash=False)
    created_at: datetime | None = None
    expires_at: datetime | None = None
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)

    @property
    def matches(self) -> tuple[MatchResult, ...]:
        """The face matches among `results`."""
        return tuple(result for result in self.results if isinstance(result, MatchResult))

    @property
    def liveness_checks(self) -> tuple[LivenessResult, ...]:
        """The liveness checks among `results`."""
        return tuple(result for result in self.results if isinstance(result, LivenessResult))

    @property
    def is_open(self) -> bool:
        """Whether somebody is still to do something: False if the status is an unknown word."""
        return self.status in OPEN

    def judged_by(self, call: CallRecord) -> SessionDecision:
        """This session by the rules of the call that made it, as `FaceVerifier.reconcile` has them.

        Its thresholds are filled in where the record has none, and a pass that they or its
        `review_threshold` do not support is REVIEW.

        Args:
            call: Of that call, as the event STARTED or an error carries it.

        Raises:
            InvalidRequest: the record is that of another call, or of a call without an id of ours.
        """
        if call.backend != NAME or (self.metadata or {}).get(CALL_ID_KEY) != call.id:
            raise InvalidRequest(
                f"The session {self.session_id} does not carry the id of this call: it is the "
                "record of another call."
            )
        return attrs.evolve(self, results=tuple(judge(result, call) for result in self.results))


_MATCHES, _CHECKS = "face_matches", "liveness_checks"

#: What `raw` has of the body: nothing of documents, phones and addresses of people.
_RAW_FIELDS = (
    "session_id",
    "session_kind",
    "session_number",
    "status",
    "environment",
    "workflow_id",
    "features",
    "vendor_data",
    "metadata",
    _CHECKS,
    _MATCHES,
    "reviews",
    "created_at",
    "expires_at",
)

#: Whether the call behind a session was charged, and how we know.
_IS_PAID = Billing(Charged.YES, CHARGED)
_IN_SANDBOX = Billing(
    Charged.NO,
    "no billing in the sandbox (Didit API reference, Face Match, June 2026); so the session says",
)
_IN_WORKFLOW = Billing(
    Charged.UNKNOWN, "it is part of a workflow, whose price its decision does not have"
)


def session_decision(
    body: Any, *, declared: Environment | None = None, said: Environment | None = None
) -> SessionDecision:
    """The decision in a body, of an answer or of a webhook.

    Args:
        body: Decoded JSON.
        declared: What the key is set to be; it counts if the session does not say.
        said: MOCK, if it comes from a mock: then that counts.

    Raises:
        ValueError: it is no decision as documented.
        EnvironmentMismatch: its environment is an unknown word, which may stand for something
            that is not real; `declared` cannot make it so. From a mock any word is taken.
    """
    answer = read_object(body, "the body")
    metadata = object_or_none(answer.get("metadata"), "metadata")
    word = text_or_none(answer.get("environment"), "environment")
    environment = ENVIRONMENTS.get(word or "")
    if word is not None and environment is None and said is not Environment.MOCK:
        raise EnvironmentMismatch(
            f"{NAME} says that this session is of an environment other than "
            f"{' and '.join(sorted(ENVIRONMENTS))}: nothing in it may be real.",
            backend=NAME,
            billing=Billing(Charged.NO, "nothing is charged for reading a decision"),
        )
    blocks = {
        name: [_read_block(block, name) for block in read_list(answer.get(name) or [], name)]
        for name in (_MATCHES, _CHECKS)
    }
    session = read_record(
        SessionDecision,
        answer,
        status=_read_status(answer),
        results=(),
        media=tuple(m for name in blocks for block in blocks[name] for m in _read_media(block)),
        features=tuple(name for name, _ in _read_features(answer.get("features"))),
        environment=said or environment or declared,
        metadata=metadata,
        raw=_hide_private({name: answer[name] for name in _RAW_FIELDS if name in answer}),
    )
    is_sandbox = (environment or declared) is Environment.SANDBOX
    return attrs.evolve(session, results=tuple(_read_results(session, blocks, is_sandbox)))


def _read_block(value: object, name: str) -> dict[str, Any]:
    """What Didit has of one comparison or check, with what may be missing if it never ended."""
    block = {"status": None, "score": None, **read_object(value, f"one of {name}")}
    return {**block, "warnings": block.get("warnings") or []}


def _read_media(block: dict[str, Any]) -> Iterator[Media]:
    node_id = text_or_none(block.get("node_id"), "node_id")
    for name in sorted(MEDIA_KEYS & block.keys()):
        if block[name] not in (None, ""):
            yield Media(name=name, node_id=node_id, address=read_secret(block[name], name))


#: Calls that check nobody, although their block has the form of a match or of a check.
_OTHER_CALLS = frozenset({"AGE_ESTIMATION", "FACE_SEARCH"})


def _has_feature(feature: str, session: SessionDecision) -> bool:
    """Whether a block is of `feature`, and not of such a call: the session's features say."""
    named = frozenset(session.features)
    return feature in named or not named & _OTHER_CALLS


def _read_results(
    session: SessionDecision, blocks: dict[str, list[dict[str, Any]]], is_sandbox: bool
) -> Iterator[FaceResult]:
    """Each comparison, then each check, in the order of the decision."""
    metadata = session.metadata or {}
    # A kept call carries our id beside the caller's own entries.
    call_id = metadata.get(CALL_ID_KEY)
    common: dict[str, Any] = {
        "ids": Ids(
            call=call_id if isinstance(call_id, str) else None,
            vendor=None if session.workflow_id else session.session_id,
            session=session.session_id,
            caller=session.caller_ref,
        ),
        "metadata": {k: v for k, v in metadata.items() if k != CALL_ID_KEY} or None,
        "created_at": session.created_at,
        "environment": session.environment,
    }
    common["billing"] = (
        _IN_SANDBOX if is_sandbox else _IN_WORKFLOW if session.workflow_id else _IS_PAID
    )
    for block in blocks[_MATCHES] if _has_feature("FACE_MATCH", session) else ():
        fields = _read_verdict(wire.MATCH, block, MATCH_SCALE, session.status)
        yield MatchResult(**fields, **common)
    for block in blocks[_CHECKS] if _has_feature("LIVENESS", session) else ():
        fields = _read_verdict(wire.LIVENESS, block, LIVENESS_SCALE, session.status)
        yield LivenessResult(**fields, **wire.liveness_fields(block), **common)


def _read_verdict(
    verdicts: Verdicts[D], block: dict[str, Any], scale: str, session: SessionStatus
) -> dict[str, Any]:
    """The fields of a block's result, as far as the session lets a pass stand."""
    fields = wire.read_verdict(verdicts, block, scale, {})
    decision = decide_in_session(
        verdicts, fields["decision"], feature=block["status"], session=session
    )
    if decision is verdicts.review and fields["decision"] is verdicts.passed:
        text = (
            "It passed, but the session that it belongs to is not approved, so the pass does not "
            "count."
        )
        warning = ResultWarning(code=WarningCode.OTHER, severity=Severity.WARNING, text=text)
        fields["warnings"] = (*fields["warnings"], warning)
    return {**fields, "decision": decision, "raw": _hide_private(block)}


def decide_in_session(
    verdicts: Verdicts[D], decision: D, *, feature: str, session: SessionStatus
) -> D:
    """The decision on a feature, by Didit's word for it, inside its session."""
    # In a session that is declined, expired or open no program may take the person as verified, and
    # an approved one makes no match of a comparison that failed: a person approved the session.
    if feature == "Not Finished":
        return verdicts.inconclusive
    may_pass = feature in (APPROVED, DECLINED) and session is SessionStatus.APPROVED
    return decision if may_pass or decision is not verdicts.passed else verdicts.review


# What may be shown of a body: no picture's address, no guess about a person.

#: Keys of a session that lead to pictures or to the session itself, also as a storage path, which
#: is no address by its form.
_ADDRESSES = MEDIA_KEYS | {"portrait_image", "session_url", "callback"}

#: Guesses about the person, and what other sessions say of theirs.
_ABOUT_PEOPLE = PERSONAL_KEYS | {"age", "gender", "race", "age_estimation"}


def _hide_private(body: dict[str, Any]) -> dict[str, Any]:
    """A copy of a decoded body with every address masked, and without guesses about people."""
    copy = without_private(body, demographic_keys=_ABOUT_PEOPLE, media_keys=_ADDRESSES)
    # Addresses are under more keys than the documents name.
    masked: dict[str, Any] = map_texts(
        copy, lambda text: "(address removed)" if "://" in text else text
    )
    return masked
