"""What Didit keeps as sessions: the words for their status, rows of a list, and decisions.

Any decoded JSON gives a record or a `ValueError`; a decision of an unknown environment is an
`EnvironmentMismatch`. Source: Didit OpenAPI, 2026-07-18, read on 2026-11-20, also for which feature
has its block where. Documents show no decision of a call that was kept; it is read by the general
form, in which what never ran is null.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs

from facematch_core import (
    Billing,
    Charged,
    Environment,
    EnvironmentMismatch,
    Ids,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Severity,
    WarningCode,
)
from facematch_core.backend import CALL_ID_KEY, without_private

from . import wire
from .wire import D, Verdicts
from .words import (
    CHARGED,
    ENVIRONMENTS,
    LIVENESS_SCALE,
    MATCH_SCALE,
    MEDIA_KEYS,
    NAME,
    PERSONAL_KEYS,
    map_texts,
    read_full_text,
    read_list,
    read_object,
    read_text,
    text_or_none,
    time_or_none,
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


@attrs.frozen(kw_only=True)
class SessionRow:
    """A session of a list.

    Attributes:
        session_id: Its name everywhere.
        status, vendor_status: Its status, in our word and in Didit's.
        caller_ref: What the call sent as `caller_ref`; None if nothing; not in `repr`.
        created_at: UTC; None if not given.
    """

    session_id: str
    status: SessionStatus
    vendor_status: str
    caller_ref: str | None = attrs.field(default=None, repr=False)
    created_at: datetime | None = None


def read_session_row(item: Any) -> SessionRow:
    """A session of a list."""
    return SessionRow(**_read_common(read_object(item, "a session")))


def _read_common(session: dict[str, Any]) -> dict[str, Any]:
    """What a row and a decision both have."""
    word = read_full_text(session.get("status"), "status")
    return {
        "session_id": read_full_text(session.get("session_id"), "session_id"),
        "status": STATUSES.get(word, SessionStatus.OTHER),
        "vendor_status": word,
        "caller_ref": text_or_none(session.get("vendor_data"), "vendor_data"),
        "created_at": time_or_none(session.get("created_at"), "created_at"),
    }


def _read_features(value: object) -> Iterator[str]:
    """Didit's words for what was done, as texts or as objects that have them."""
    for item in read_list(value or [], "features"):
        feature = {"feature": item} if isinstance(item, str) else read_object(item, "a feature")
        yield read_text(feature.get("feature"), "a feature")


#: What a session can have of a face.
FaceResult = MatchResult | LivenessResult


@attrs.frozen(kw_only=True)
class SessionDecision:
    """A session as it is now.

    `status` is the word about the session, and may be a person's; each of `results` is about one
    comparison or check. A pass counts only inside an approved session: else it is REVIEW, with a
    warning of ours. And an approved session makes no match of a comparison that failed.

    The results are Didit's verdict. A record does not have the rules of a call on this side: a
    pass that the call itself answered as REVIEW, because of its `review_threshold`, is a pass here,
    unless `DiditAccount.decision` got the record of the call.

    Attributes:
        session_id: Its name everywhere.
        status, vendor_status: Its status, in our word and in Didit's.
        results: Face matches, then liveness checks, each with the verdict that Didit gave to the
            call. What a decision does not have is None: threshold, faces and time needed. A session
            of another kind (a face search, an estimation of age) has none: look at `raw`.
        features: Didit's words for what was done.
        environment: By the session's own word, else as declared, else None; MOCK, if a mock
            answered.
        workflow_id: None for a session that a single call made.
        caller_ref: As it was sent; None if nothing was; not in `repr`.
        metadata: The same, with our id of the call, which a result has as its `ids.call`; None,
            too, if it is no object, which other programs may write.
        created_at, expires_at: UTC; None if not given.
        raw: The part of the body that this reads, without addresses and guesses about the person;
            not in `repr`.
    """

    session_id: str
    status: SessionStatus
    vendor_status: str
    results: tuple[FaceResult, ...] = ()
    features: tuple[str, ...] = ()
    environment: Environment | None = None
    workflow_id: str | None = None
    caller_ref: str | None = attrs.field(default=None, repr=False)
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
    metadata = answer.get("metadata")
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
    session = SessionDecision(
        **_read_common(answer),
        features=tuple(_read_features(answer.get("features"))),
        environment=said or environment or declared,
        workflow_id=text_or_none(answer.get("workflow_id"), "workflow_id"),
        metadata=metadata if isinstance(metadata, dict) else None,
        expires_at=time_or_none(answer.get("expires_at"), "expires_at"),
        raw=_hide_private({name: answer[name] for name in _RAW_FIELDS if name in answer}),
    )
    is_sandbox = (environment or declared) is Environment.SANDBOX
    return attrs.evolve(session, results=tuple(_read_results(session, blocks, is_sandbox)))


def _read_block(value: object, name: str) -> dict[str, Any]:
    """What Didit has of one comparison or check, with what may be missing if it never ended."""
    block = {"status": None, "score": None, **read_object(value, f"one of {name}")}
    return {**block, "warnings": block.get("warnings") or []}


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
    decision = fields["decision"]
    # In a session that is declined, expired or open no program may take the person as verified, and
    # an approved one makes no match of a comparison that failed: a person approved the session.
    if block["status"] == "Not Finished":
        decision = verdicts.inconclusive
    elif decision is verdicts.passed and session is not SessionStatus.APPROVED:
        decision = verdicts.review
        text = (
            "It passed, but the session that it belongs to is not approved, so the pass does not "
            "count."
        )
        warning = ResultWarning(code=WarningCode.OTHER, severity=Severity.WARNING, text=text)
        fields["warnings"] = (*fields["warnings"], warning)
    return {**fields, "decision": decision, "raw": _hide_private(block)}


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
