"""Answers of the calls of an account, read: any decoded JSON gives a record or a `ValueError`.

In this order: what may be shown of a body; records; pages of lists; the decision of a session, with
the results of its calls.

Sources: Didit face-match skill page, early 2026 (registration); Didit OpenAPI, 2026-07-18 (the
rest, with which feature has its block where). All were read on 2026-11-20. Documents show no
decision of a call that was kept; it is read by the general form, in which what never ran is null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlsplit

import attrs

from facematch_core import (
    Billing,
    Environment,
    Ids,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Secret,
    Severity,
    WarningCode,
)
from facematch_core.backend import CALL_ID_KEY, without_private
from facematch_core.http import HttpReply, without_secrets
from facematch_didit import lookups, wire
from facematch_didit.lookups import AgeResult
from facematch_didit.wire import D, Verdicts
from facematch_didit.words import (
    APPROVED,
    CHARGED_LOOKUP,
    DECLINED,
    LIVENESS_SCALE,
    MATCH_SCALE,
    MEDIA_KEYS,
    PERSONAL_KEYS,
    a_list,
    a_text,
    an_object,
    flag_or_none,
    number_or_none,
    text_or_none,
    time_or_none,
    whole_or_none,
)

from .records import (
    ENVIRONMENTS,
    IN_SANDBOX,
    IN_WORKFLOW,
    KEPT_CALL,
    LOOKUPS,
    STATUSES,
    Balance,
    Deleted,
    Feature,
    Media,
    Registration,
    Review,
    SessionDecision,
    SessionResult,
    SessionRow,
    SessionStatus,
    Tokens,
    TopUp,
    VerifiedAccount,
    WebhookDestination,
)

T = TypeVar("T")

# What may be shown: no picture's address, no guess about a person, no echo of a secret.

#: Keys of a session that lead to pictures or to the session itself. A saved face search has a
#: storage path, which is no address by its form.
_ADDRESSES = MEDIA_KEYS | {"portrait_image", "session_url", "callback"}

#: Guesses about the person, and what other sessions say of theirs.
_ABOUT_PEOPLE = PERSONAL_KEYS | {"age", "gender", "race", "age_estimation"}

#: Deeper than this no answer of Didit's is.
_MAX_DEPTH = 64


def shown(value: Any) -> Any:
    """A copy of a decoded body with every address masked, and without guesses about people."""
    private = without_private(value, demographic_keys=_ABOUT_PEOPLE, media_keys=_ADDRESSES)
    # Addresses are under more keys than the documents name.
    return _each_text(private, lambda text: "(address removed)" if "://" in text else text)


def without_echo(body: Any, secrets: tuple[Secret, ...]) -> Any:
    """A decoded body in whose texts the request's secrets are masked.

    Raises:
        ValueError: it is nested deeper than anything that Didit answers.
    """
    return _each_text(body, lambda text: without_secrets(text, secrets))


def _each_text(value: Any, change: Callable[[str], str], depth: int = 0) -> Any:
    if depth > _MAX_DEPTH:
        raise ValueError("the body is nested too deeply")
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _each_text(item, change, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_each_text(item, change, depth + 1) for item in value]
    return value


# Records.


_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


def needed(body: dict[str, Any], name: str) -> Any:
    """What is under `name`; `ValueError` if nothing does."""
    if name not in body:
        raise ValueError(f"{name} is missing")
    return body[name]


def text_in(body: dict[str, Any], name: str) -> str:
    """The text under `name`, not empty."""
    text = a_text(needed(body, name), name)
    if not text:
        raise ValueError(f"{name} is empty")
    return text


def registration(body: Any, *, email: str) -> Registration:
    """The answer to a registration of `email`."""
    answer = an_object(body, "the body")
    return Registration(
        email=text_or_none(answer.get("email"), "email") or email,
        message=text_or_none(answer.get("message"), "message"),
    )


def tokens(body: Any) -> Tokens:
    """The answer to a login."""
    answer = an_object(body, "the body")
    expires_in_s = number_or_none(answer.get("expires_in"), "expires_in")
    if expires_in_s is not None and expires_in_s < 0:
        raise ValueError("expires_in is below 0")
    return Tokens(
        access_token=Secret(text_in(answer, "access_token"), origin="Didit"),
        refresh_token=Secret(text_in(answer, "refresh_token"), origin="Didit"),
        expires_in_s=expires_in_s,
    )


def verified(body: Any) -> VerifiedAccount:
    """The answer to a verification of an email address."""
    answer = an_object(body, "the body")
    application = an_object(needed(answer, "application"), "application")
    organization = an_object(answer.get("organization") or {}, "organization")
    return VerifiedAccount(
        api_key=Secret(text_in(application, "api_key"), origin="Didit"),
        tokens=tokens(answer),
        organization_id=text_or_none(organization.get("uuid"), "organization.uuid"),
        organization_name=text_or_none(organization.get("name"), "organization.name"),
        application_id=text_or_none(application.get("uuid"), "application.uuid"),
        application_name=text_or_none(application.get("name"), "application.name"),
        client_id=text_or_none(application.get("client_id"), "application.client_id"),
    )


def balance(body: Any) -> Balance:
    """The credit of an organization."""
    answer = an_object(body, "the body")
    refill = answer.get("auto_refill_enabled")
    return Balance(
        amount=_amount(needed(answer, "balance"), "balance"),
        auto_refill=flag_or_none(refill, "auto_refill_enabled"),
        auto_refill_amount=_amount_or_none(answer, "auto_refill_amount"),
        auto_refill_threshold=_amount_or_none(answer, "auto_refill_threshold"),
    )


def _amount(value: object, place: str) -> Decimal:
    # Documented as text. A JSON number is taken by the digits that it shows.
    text = str(value) if isinstance(value, (int, float)) and value is not True else value
    if value is False or not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise ValueError(f"{place} is not an amount")
    return Decimal(text)


def _amount_or_none(answer: dict[str, Any], name: str) -> Decimal | None:
    value = answer.get(name)
    return None if value is None else _amount(value, name)


def top_up(body: Any) -> TopUp:
    """A payment page."""
    answer = an_object(body, "the body")
    return TopUp(
        checkout_id=text_in(answer, "checkout_session_id"),
        page=Secret(text_in(answer, "checkout_session_url"), origin="Didit"),
    )


def session_row(item: Any) -> SessionRow:
    """One session of a list."""
    row = an_object(item, "a session")
    word = text_in(row, "status")
    return SessionRow(
        session_id=text_in(row, "session_id"),
        session_number=whole_or_none(row.get("session_number"), "session_number"),
        kind=text_or_none(row.get("session_kind"), "session_kind"),
        status=STATUSES.get(word, SessionStatus.OTHER),
        vendor_status=word,
        caller_ref=text_or_none(row.get("vendor_data"), "vendor_data"),
        features=features(row.get("features")),
        created_at=time_or_none(row.get("created_at"), "created_at"),
    )


def features(value: object) -> tuple[tuple[str, str | None], ...]:
    """Pairs of feature and status; a decision has the features alone, as texts."""
    found: list[tuple[str, str | None]] = []
    for item in [] if value is None else a_list(value, "features"):
        if isinstance(item, str):
            found.append((item, None))
            continue
        feature = an_object(item, "a feature")
        status = text_or_none(feature.get("status"), "status of a feature")
        found.append((text_in(feature, "feature"), status))
    return tuple(found)


def review(item: Any) -> Review:
    """One note about a session."""
    note = an_object(item, "a review")
    return Review(
        user=text_or_none(note.get("user"), "user"),
        new_status=text_or_none(note.get("new_status"), "new_status"),
        comment=text_or_none(note.get("comment"), "comment"),
        created_at=time_or_none(note.get("created_at"), "created_at"),
    )


def deleted(reply: HttpReply, *, session_id: str) -> Deleted:
    """What an answer to a deletion says beyond its status, which alone says that it is done."""
    try:
        body = reply.json()
    except ValueError:
        body = None
    answer = body if isinstance(body, dict) else {}
    number, outcome = answer.get("session_number"), answer.get("face_retention_outcome")
    return Deleted(
        session_id=session_id,
        session_number=number if type(number) is int else None,
        face_retention=outcome if isinstance(outcome, str) else None,
    )


def destination(item: Any) -> WebhookDestination:
    """One webhook destination."""
    answer = an_object(item, "a destination")
    secret = text_or_none(answer.get("secret_shared_key"), "secret_shared_key")
    events = a_list(answer.get("subscribed_events") or [], "subscribed_events")
    return WebhookDestination(
        destination_id=text_in(answer, "uuid"),
        label=text_or_none(answer.get("label"), "label"),
        url=text_in(answer, "url"),
        enabled=flag_or_none(answer.get("enabled"), "enabled"),
        version=text_or_none(answer.get("webhook_version"), "webhook_version"),
        events=tuple(a_text(event, "an event") for event in events),
        secret=Secret(secret, origin="Didit") if secret else None,
        created_at=time_or_none(answer.get("created_at"), "created_at"),
        updated_at=time_or_none(answer.get("updated_at"), "updated_at"),
        summary=shown(an_object(answer.get("summary") or {}, "summary")),
    )


# Pages. Editions count them in two ways: ``limit`` and ``offset`` (Didit OpenAPI, 2026-07-18), or
# ``page`` and ``page_size`` (Didit's skills, early 2026). So the vendor's own ``next`` decides how
# to go on. But only the numbers in it are used: it is an address, and the key goes to no address
# that an answer names.

_NUMBER = re.compile(r"[0-9]{1,12}")
COUNTERS = ("limit", "offset", "page", "page_size")


@attrs.frozen(kw_only=True)
class Page(Generic[T]):
    """A piece of a list.

    Attributes:
        items: In the vendor's order.
        following: The counters of the next page; None at the end.
    """

    items: tuple[T, ...]
    following: Mapping[str, str] | None = None


def page(body: Any, read_item: Callable[[Any], T]) -> Page[T]:
    """A page in a body: an object with ``results`` and ``next``, or a bare array of everything.

    Raises:
        ValueError: it is neither, or an item of it cannot be read.
    """
    if isinstance(body, list):
        return Page(items=tuple(read_item(item) for item in body))
    answer = an_object(body, "the body")
    items = tuple(read_item(item) for item in a_list(answer.get("results"), "results"))
    address = text_or_none(answer.get("next"), "next")
    if not address or not items:
        # An empty page is the end, whatever it says.
        return Page(items=items)
    following = {
        name: value
        for name, value in parse_qsl(urlsplit(address).query)
        if name in COUNTERS and _NUMBER.fullmatch(value)
    }
    if not following:
        raise ValueError("next does not name a page")
    return Page(items=items, following=following)


# The decision of a session: what Didit kept of a call, as the result that the call gave.

_MATCHES, _CHECKS = "face_matches", "liveness_checks"

#: What `raw` keeps: nothing of documents, phones and addresses of people.
_KEPT = (
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


def session_decision(
    body: Any,
    *,
    declared: Environment | None = None,
    said: Environment | None = None,
) -> SessionDecision:
    """The decision in a body, of an answer or of a webhook.

    Args:
        body: Decoded JSON.
        declared: What the key is set to be; it counts if the session does not say.
        said: MOCK, if it comes from a mock: then that counts.

    Raises:
        ValueError: it is no decision as documented.
    """
    answer = an_object(body, "the body")
    word = text_in(answer, "status")
    status = STATUSES.get(word, SessionStatus.OTHER)
    session_id = text_in(answer, "session_id")
    workflow_id = text_or_none(answer.get("workflow_id"), "workflow_id")
    caller_ref = text_or_none(answer.get("vendor_data"), "vendor_data")
    created_at = time_or_none(answer.get("created_at"), "created_at")
    metadata = answer.get("metadata")
    if metadata is not None:
        metadata = an_object(metadata, "metadata")
    own = ENVIRONMENTS.get(text_or_none(answer.get("environment"), "environment") or "")
    if (own or declared) is Environment.SANDBOX:
        billing = IN_SANDBOX
    else:
        billing = IN_WORKFLOW if workflow_id else KEPT_CALL
    # A kept call carries our id beside the caller's own entries.
    call_id = (metadata or {}).get(CALL_ID_KEY)
    of_all = {
        "ids": Ids(
            call=call_id if isinstance(call_id, str) else None,
            vendor=None if workflow_id else session_id,
            session=session_id,
            caller=caller_ref,
        ),
        "metadata": {k: v for k, v in (metadata or {}).items() if k != CALL_ID_KEY} or None,
        "created_at": created_at,
        "environment": said or own or declared,
    }
    return SessionDecision(
        session_id=session_id,
        session_number=whole_or_none(answer.get("session_number"), "session_number"),
        status=status,
        vendor_status=word,
        results=tuple(_results(answer, status, of_all, billing)),
        media=tuple(
            media
            for name in (_MATCHES, _CHECKS)
            for block in _blocks(answer, name)
            for media in _media(block)
        ),
        reviews=tuple(map(review, a_list(answer.get("reviews") or [], "reviews"))),
        features=tuple(name for name, _ in features(answer.get("features"))),
        environment=said or own or declared,
        workflow_id=workflow_id,
        caller_ref=caller_ref,
        metadata=metadata,
        created_at=created_at,
        expires_at=time_or_none(answer.get("expires_at"), "expires_at"),
        raw=shown({name: answer[name] for name in _KEPT if name in answer}),
    )


def _media(block: dict[str, Any]) -> Iterator[Media]:
    for name in sorted(MEDIA_KEYS & block.keys()):
        address = text_or_none(block[name], name)
        if address:
            yield Media(
                name=name,
                node_id=text_or_none(block.get("node_id"), "node_id"),
                address=Secret(address, origin="Didit"),
            )


def _blocks(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The blocks of a feature, with what may be missing from one that was not finished."""
    found = a_list(answer.get(name) or [], name)
    blocks = [{"score": None, **an_object(block, f"one of {name}")} for block in found]
    return [{**block, "warnings": block.get("warnings") or []} for block in blocks]


def _results(
    answer: dict[str, Any], session: SessionStatus, of_all: dict[str, Any], billing: Billing
) -> Iterator[SessionResult]:
    """Each comparison, then each check, in the order of the decision.

    Args:
        answer: The decision.
        session: Where the session stands.
        of_all: What all of its results have in common.
        billing: What a match or a check cost.

    Raises:
        ValueError, LookupError: a block is not as documented.
    """
    named = frozenset(name for name, _ in features(answer.get("features")))
    for block in _blocks(answer, _MATCHES):
        fields = wire.verdict(wire.MATCH, _checked(block), MATCH_SCALE, {})
        foreign = _is_of_lookup(named, Feature.FACE_MATCH)
        fields = _counted(wire.MATCH, block, fields, session, foreign=foreign)
        yield MatchResult(**fields, **of_all, billing=billing)
    for block in _blocks(answer, _CHECKS):
        # The block of a check is also that of an estimation of age, and only the features say.
        if Feature.AGE_ESTIMATION in named and Feature.LIVENESS not in named:
            fields = lookups.age_verdict(_checked(block), {}, asked=False)
            fields = _counted(lookups.ESTIMATE, block, fields, session)
            own = attrs.evolve(billing, ground=CHARGED_LOOKUP) if billing is KEPT_CALL else billing
            yield AgeResult(**fields, **of_all, billing=own)
            continue
        fields = wire.verdict(wire.LIVENESS, _checked(block), LIVENESS_SCALE, {})
        foreign = _is_of_lookup(named, Feature.LIVENESS)
        fields = _counted(wire.LIVENESS, block, fields, session, foreign=foreign)
        yield LivenessResult(**wire.of_liveness(block), **fields, **of_all, billing=billing)


def _is_of_lookup(named: frozenset[str], own: Feature) -> bool:
    """Whether a block is that of a call which says nothing about the person before the camera."""
    return own not in named and bool(named & LOOKUPS)


def _checked(block: dict[str, Any]) -> dict[str, Any]:
    """`block`; `ValueError` if a word that is needed is missing."""
    a_text(needed(block, "status"), "status")
    for warning in a_list(block["warnings"], "warnings"):
        text_in(an_object(warning, "a warning"), "risk")
    return block


_HELD_BACK = ResultWarning(
    code=WarningCode.OTHER,
    severity=Severity.WARNING,
    text="It passed, but the session that it belongs to is not approved, so the pass does not "
    "count.",
)
_ANOTHER_CALL = ResultWarning(
    code=WarningCode.OTHER,
    severity=Severity.WARNING,
    text="It passed, but the session is that of a search or of an estimation of age, so the pass "
    "does not count.",
)


def _counted(
    verdicts: Verdicts[D],
    block: dict[str, Any],
    fields: dict[str, Any],
    session: SessionStatus,
    *,
    foreign: bool = False,
) -> dict[str, Any]:
    """The fields of a block's result, as far as the session and its features let a pass stand."""
    decision = standing(verdicts, fields["decision"], feature=block["status"], session=session)
    warnings: tuple[ResultWarning, ...] = fields["warnings"]
    if decision is verdicts.passed and foreign:
        decision, warnings = verdicts.review, (*warnings, _ANOTHER_CALL)
    elif decision is verdicts.review and fields["decision"] is verdicts.passed:
        warnings = (*warnings, _HELD_BACK)
    return {**fields, "decision": decision, "warnings": warnings, "raw": shown(block)}


def standing(verdicts: Verdicts[D], decision: D, *, feature: str, session: SessionStatus) -> D:
    """What becomes of the decision on a feature inside its session.

    A pass counts only if feature and session are both approved. A session that is declined, expired
    or open although a feature of it is approved was declined for another reason, by a person, or is
    not done: in none of these may a program take the person as verified. Nor does an approved
    session make a match of a comparison that failed: that is a person's word about the session.

    Args:
        verdicts: The words of the operation.
        decision: What status, score and warnings of the feature say by themselves.
        feature: Didit's word for the feature's status.
        session: Where the session stands.
    """
    if feature == "Not Finished":
        return verdicts.inconclusive
    counts = feature in (APPROVED, DECLINED) and session is SessionStatus.APPROVED
    return decision if counts or decision is not verdicts.passed else verdicts.review
