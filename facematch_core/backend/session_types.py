"""Data classes for hosted sessions: records, readings and results.

The vendor verifies the person on its own page or in its component; `Sessions` reads the verdict.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

import attrs

from facematch_core import models
from facematch_core.base.deadline import Clock, RateWindow, SystemClock
from facematch_core.base.masking import Secret
from facematch_core.documents import DECISIVE_WORDS, UNWRITTEN, Document
from facematch_core.errors import InvalidRequest
from facematch_core.images.image import Image, ImageLimits

from .fields import nonempty_text, read_at, read_or_none


class SessionState(enum.StrEnum):
    """The state of a session, which is not a verdict: see `SessionResult.is_verified_for`."""

    #: The person has not finished yet.
    PENDING = "pending"
    #: The person has finished; the vendor is still deciding, perhaps in a manual review.
    PROCESSING = "processing"
    #: The vendor has decided, but may revise the decision later.
    DECIDED = "decided"
    #: The person did not finish in time.
    EXPIRED = "expired"
    #: The person left before finishing.
    ABANDONED = "abandoned"
    CANCELED = "canceled"
    #: The session was aborted before a decision.
    FAILED = "failed"
    #: The vendor no longer has the result; whether the person passed is unknown.
    GONE = "gone"
    #: The vendor's status is unknown to us.
    UNKNOWN = "unknown"


class ComparedWith(enum.StrEnum):
    """The picture with which the vendor compared the face in a session."""

    #: The reference passed to `start`.
    GIVEN = "given"
    #: The photo on an identity document, which may belong to anybody: pass the `Person` to `read`.
    DOCUMENT = "document"
    #: A face that the vendor has stored.
    STORED = "stored"
    UNKNOWN = "unknown"


class Agreement(enum.StrEnum):
    """Whether a value of a `Person` agrees with the value on the document."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    #: An initial stands for a word, or a single word of the name is equal. A match becomes REVIEW,
    #: with the tag ``name_incomplete``.
    INCOMPLETE = "incomplete"
    #: The vendor returned no value, or the `Person` has none.
    UNKNOWN = "unknown"


DECISIVE_WORDS.update(
    {
        SessionState: SessionState.UNKNOWN,
        ComparedWith: ComparedWith.UNKNOWN,
        Agreement: Agreement.UNKNOWN,
    }
)


def _has_letters(text: object) -> bool:
    return isinstance(text, str) and any(letter.isalpha() for letter in text)


def _is_date(value: object) -> bool:
    # A datetime is an instance of date, but never equals one.
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


@attrs.frozen(kw_only=True)
class Person:
    """The person to whom a document must belong, from your own table.

    `Sessions.read` compares it with the document. Neither value is in a repr, error or result.

    Attributes:
        name: The full name, with given name and surname, in the script that the vendor returns.
        date_of_birth: The date of birth, or None if you do not have it.

    Raises:
        InvalidRequest: the name has no letters, or the date is not a `datetime.date`.

    Example:
        >>> from datetime import date
        >>> ada = Person(name="Ada Lovelace", date_of_birth=date(1980, 1, 1))
        >>> result = signups.read(signup, document=ada)
        >>> print(result.name_agreement, result.date_of_birth_agreement)
        agrees agrees
    """

    name: str = attrs.field(repr=False)
    date_of_birth: dt.date | None = attrs.field(default=None, repr=False)

    def __init__(self, *, name: str, date_of_birth: dt.date | None = None) -> None:
        """Keep a name with letters and a date.

        Raise InvalidRequest, which contains neither, for others.
        """
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "date_of_birth", date_of_birth)
        # The frame of an error must not contain the values.
        del name, date_of_birth
        if not _has_letters(self.name):
            raise InvalidRequest("The name of a Person must be a string with letters.")
        if self.date_of_birth is not None and not _is_date(self.date_of_birth):
            raise InvalidRequest(
                "The date_of_birth of a Person must be a datetime.date or None, not a "
                f"{type(self.date_of_birth).__name__}: datetime.date.fromisoformat reads "
                "1990-02-03."
            )


@attrs.frozen(kw_only=True)
class DocumentHolder:
    """The holder of an identity document, as the vendor read it.

    Attributes:
        name: The full name; None if the vendor does not return it.
        date_of_birth: The date of birth; None if the vendor does not return a complete one.
    """

    name: str | None = attrs.field(default=None, repr=False)
    date_of_birth: dt.date | None = attrs.field(default=None, repr=False)


def read_name(fields: Mapping[str, Any], *keys: str) -> str | None:
    """Return a name from its parts on a document; None if it has none, or one has another form.

    With one part left out, the document might agree with another person.
    """

    def join(parts: list[object]) -> str:
        return " ".join(nonempty_text(part) for part in parts if part not in (None, ""))

    return read_or_none(join, [fields.get(key) for key in keys], ", ".join(keys)) or None


def read_birth_date(fields: Mapping[str, Any], key: str) -> dt.date | None:
    """Return a date of birth; None if the vendor shows none, or an incomplete one.

    Raise `UnreadableField` if it is no text, because another date would be another person's.
    """
    if fields.get(key) in (None, ""):
        return None
    text = read_at(nonempty_text, fields, key)
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


#: The default checks of a session.
USUAL_CHECKS: Final = (models.Operation.MATCH, models.Operation.LIVENESS)


def is_reported(item: models.MatchResult | models.LivenessResult) -> bool:
    """Return whether the vendor reported the item, including a failed item."""
    if item.decision.name != "INCONCLUSIVE":
        return True
    return all(warning.tag != models.NOT_REPORTED for warning in item.warnings)


class DeletionState(enum.StrEnum):
    """The outcome of deleting a session."""

    DONE = "done"
    #: The vendor accepted the request, and will delete the session later.
    REQUESTED = "requested"
    #: The vendor has no such session.
    NOT_THERE = "not_there"
    #: The vendor cannot delete sessions; their data expires automatically.
    VANISHES = "vanishes"


class VendorCopy(enum.StrEnum):
    """A field of the record of which the vendor stores a copy with the session."""

    #: `SessionRecord.subject_ref`, returned as `SessionReading.subject_ref`.
    SUBJECT = "subject"
    #: `SessionRecord.id`, returned as `SessionReading.record_id`.
    ID = "id"
    #: `SessionRecord.terms`, returned as `SessionReading.terms`.
    TERMS = "terms"


@attrs.frozen(kw_only=True)
class SessionCapabilities:
    """The features of a backend's hosted sessions.

    Attributes:
        checks: The checks that sessions report: `MATCH`, `LIVENESS`.
        scored: The checks that have a score, to which a threshold can apply. By default all
            `checks`; ``frozenset()`` if there are no scores.
        compares_with: The pictures with which a face can be compared; empty if there is no match.
        reads_document: Whether readings have the `document_holders`, with their names.
        start_is_repeatable: Whether starting the same record again returns the same session.
        stores: The copies that the vendor stores and returns, at the latest when it has decided.
        finds_by_record: Whether a session can be found by its record alone, if the response to its
            start was lost. `read_steps` and `delete_steps` then search if it has no `session_id`.
        can_delete: Whether a session can be deleted.
        gives_portrait: Whether a picture of the person can be read.
        result_lasts_s: Seconds from the start during which a result can be read; None if unlimited.
        longest_valid_s: Maximum seconds from the start for which the person's access can be valid;
            None if the vendor documents no limit.
        link_hosts: The vendor's own hosts for links, in lower case, besides that of `service_url`.
        link_works_once: Whether a link opens the session only once, so that a person who returns
            needs a new link, from a read.
        gives_token_once: Whether a token is in the response to a start alone: a `SessionStore`
            stores it for a person who comes back. Without a store, the caller keeps it.
        needs_liveness_threshold: Whether liveness can only be decided with the caller's threshold.
        takes_language, takes_return_url: Whether `start` accepts this argument.
        resumes_expired: Whether a person may continue a session that the vendor reports as expired.
        reference_limits: The vendor's limits for a reference.
        options: The attrs class of the options for `start`, or None.
        read_windows: The vendor's rate limits for reads and deletions (for starts, see
            `Capabilities.rate_windows`). Empty if none are published.
    """

    checks: frozenset[models.Operation]
    scored: frozenset[models.Operation] = attrs.field(
        default=attrs.Factory(lambda self: self.checks, takes_self=True)
    )
    compares_with: frozenset[ComparedWith] = frozenset()
    reads_document: bool = False
    start_is_repeatable: bool = False
    stores: frozenset[VendorCopy] = frozenset()
    finds_by_record: bool = False
    can_delete: bool = False
    gives_portrait: bool = False
    result_lasts_s: float | None = None
    longest_valid_s: float | None = None
    link_hosts: frozenset[str] = frozenset()
    link_works_once: bool = False
    gives_token_once: bool = False
    needs_liveness_threshold: bool = False
    takes_language: bool = False
    takes_return_url: bool = False
    resumes_expired: bool = False
    reference_limits: ImageLimits = attrs.field(factory=ImageLimits)
    options: type | None = None
    read_windows: tuple[RateWindow, ...] = ()

    def __attrs_post_init__(self) -> None:
        if (models.Operation.MATCH in self.checks) is not bool(self.compares_with):
            raise ValueError("compares_with must list pictures if checks has MATCH, and only then.")


def _as_checks(operations: Iterable[models.Operation | str]) -> tuple[models.Operation, ...]:
    checks = tuple(sorted(map(models.Operation, operations)))
    if not {*checks} <= {*USUAL_CHECKS}:
        # Without checks, a session could never fail.
        raise ValueError("expects must list the checks of a session: match, liveness.")
    return checks


def _as_threshold(value: float | None) -> float | None:
    if value is None:
        return None
    return models.percentage(value, "threshold, review_threshold and liveness_threshold")


#: The fields of a record that each version has hashed, whatever their value.
_HASHED_FIELDS: Final = (
    "schema",
    "kind",
    "id",
    "backend",
    "environment",
    "subject_ref",
    "purpose",
    "about",
    "expects",
    "compared_with",
    "threshold",
    "review_threshold",
    "liveness_threshold",
    "valid_for_s",
    "facts",
    "planned_at",
)
#: The fields that change after `plan`, or have no say in the verdict.
_UNPLANNED_FIELDS: Final = ("profile", "started_at", "session_id", "expires_at", "vendor")


@attrs.frozen(kw_only=True)
class SessionRecord(Document):
    """The record of a session. Persist it before `start`: every later call needs it.

    Store it in a database: it converts to and from JSON, and contains no secrets. Look it up by the
    logged-in user, never by input from a browser. Never put it into a cookie or a form.
    `subject_ref`, `purpose` and `about` never appear in a repr, event or message.

    Attributes:
        id: Our id: 128 random bits as 32 hexadecimal digits; a primary key.
        backend: Name of the backend.
        profile: Name of the profile, or None.
        environment: The configured environment of the backend, or None.
        subject_ref: The caller's own id for the person to verify.
        purpose: The purpose, for example ``payout``.
        about: The specific case, for example ``payout 8841``, or None.
        expects: The checks that must be reported and passed.
        compared_with: The picture with which the face must be compared (GIVEN: the reference passed
            to `start`); None if no match is expected.
        any_document: Whether anybody's document is enough if `compared_with` is DOCUMENT.
        threshold: The threshold for a match, 0-100; None for the vendor's.
        review_threshold: The score up to which a match becomes REVIEW, 0-100; None for no review.
        liveness_threshold: The threshold for a live face, 0-100; None for the vendor's.
        valid_for_s: Seconds from the start until an unfinished session is EXPIRED, above 0.
        facts: The plug-in's settings that affect the verdict, such as workflow or region.
        planned_at: Time of `plan`, UTC, by the caller's clock.
        started_at: Time of the first `start`, UTC; None before that.
        session_id: The vendor's id; None until a response contains it.
        expires_at: When the link or token expires, UTC; None if unknown.
        vendor: Values that the vendor returned at the start, such as the workflow version.

    Raises:
        ValueError: a value is out of range, or `compared_with` is missing for a match.

    Example:
        >>> import json
        >>> planned = sessions.plan("customer-17", purpose="payout", about="payout 8841")
        >>> row = json.dumps(planned.to_dict())  # store it: nothing is sent yet
        >>> started = sessions.start(SessionRecord.from_dict(json.loads(row)), reference=document)
        >>> row = json.dumps(started.record.to_dict())  # again, now with the vendor's id
    """

    kind = "session"

    id: str = attrs.field(factory=lambda: secrets.token_hex(16))
    backend: str
    profile: str | None = None
    environment: models.Environment | None = None
    subject_ref: str = attrs.field(repr=False)
    purpose: str = attrs.field(repr=False)
    about: str | None = attrs.field(default=None, repr=False)
    expects: tuple[models.Operation, ...] = attrs.field(converter=_as_checks)
    compared_with: ComparedWith | None = attrs.field(
        default=None, converter=attrs.converters.optional(ComparedWith)
    )
    any_document: bool = False
    threshold: float | None = attrs.field(default=None, converter=_as_threshold)
    review_threshold: float | None = attrs.field(default=None, converter=_as_threshold)
    liveness_threshold: float | None = attrs.field(default=None, converter=_as_threshold)
    valid_for_s: float = attrs.field(
        default=3600.0, validator=[attrs.validators.gt(0), attrs.validators.lt(1e9)]
    )
    facts: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    planned_at: dt.datetime = attrs.field(validator=models.check_date)
    started_at: dt.datetime | None = attrs.field(default=None, validator=models.check_date)
    session_id: str | None = None
    expires_at: dt.datetime | None = attrs.field(default=None, validator=models.check_aware)
    vendor: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def __attrs_post_init__(self) -> None:
        if models.Operation.MATCH in self.expects and self.compared_with is None:
            raise ValueError("compared_with must name the picture if expects has a match.")

    @property
    def is_of_later_version(self) -> bool:
        """Whether the record has a word that this version does not know: it is never a yes."""
        return self.compared_with is ComparedWith.UNKNOWN

    def without_pass(self) -> Self:
        """Return the record as one that `is_of_later_version`."""
        return attrs.evolve(self, compared_with=ComparedWith.UNKNOWN)

    @property
    def terms(self) -> str:
        """SHA-256 of the fields set by `plan`; the vendor's copy reveals a changed record."""
        document = self.to_dict()
        planned = {name: document[name] for name in _HASHED_FIELDS}
        for field in attrs.fields(type(self)):
            name = field.name
            if name in _HASHED_FIELDS or name in _UNPLANNED_FIELDS:
                continue
            # Versions without this field do not hash it, so neither does one with its default.
            if getattr(self, name) != field.default:
                planned[name] = document[name]
        text = json.dumps(planned, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@attrs.frozen(kw_only=True)
class SessionAnswer:
    """The common fields of responses about sessions.

    Attributes:
        environment: The environment that the response states, or None. The core checks it.
        billing: The charge, if the response shows it.
        ids: The vendor's id for the request.
    """

    environment: models.Environment | str | None = None
    billing: models.Billing = attrs.field(factory=models.Billing)
    ids: models.Ids = attrs.field(factory=models.Ids)


@attrs.frozen(kw_only=True)
class SessionAccess:
    """The person's access to a session. The link and the token are bearer secrets.

    Attributes:
        link: URL of the vendor's page; None if the vendor has no page.
        token: Token for the vendor's component, or None.
        page: Public parameters for the component: session id, region, endpoint.
        expires_at: When the link or token expires, UTC; None if unknown.
    """

    link: Secret | None = None
    token: Secret | None = None
    page: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    expires_at: dt.datetime | None = attrs.field(default=None, validator=models.check_aware)


@attrs.frozen(kw_only=True)
class SessionCheck:
    """A vendor's check of a face in a session, as returned by plug-ins.

    Attributes:
        result: The vendor's own verdict; the core applies the rules of the record. If the vendor
            returns no verdict, decide by the record's threshold. An unfinished item is
            INCONCLUSIVE.
        covers_liveness: Whether a `MatchResult` is the vendor's joint verdict on match and
            liveness, and is also used as the liveness item.
        portrait: A picture of the person from this item, or its URL, or None.
    """

    result: models.MatchResult | models.LivenessResult
    covers_liveness: bool = False
    portrait: Image | Secret | None = attrs.field(default=None, repr=False)


def _warnings() -> Any:
    """Return the field of a plug-in's warnings: None among them would reach the caller's loop."""
    is_warning = attrs.validators.instance_of(models.ResultWarning)
    return attrs.field(default=(), validator=attrs.validators.deep_iterable(is_warning))


@attrs.frozen(kw_only=True)
class SessionReading(SessionAnswer):
    """A session as a plug-in reads it from the vendor.

    The core compares it with the record and judges it. A start returns one, too.

    Attributes:
        session_id: The vendor's id.
        state: The state of the session.
        vendor_status: The vendor's own status, unchanged, or None.
        access: How the person enters the session; None if the response does not say.
        approved: Whether the vendor approved the session, or None. If False, a pass becomes REVIEW.
        checks: All items of the last attempt that affect the verdict; empty if none are reported.
        compared_with: The picture that the face was compared with.
        document_holders: The holder of each document in the session, if `compared_with` of the
            record is DOCUMENT. The core compares them with the caller's `Person`.
        record_id, terms, subject_ref: The vendor's copies, or None. If `SessionCapabilities.stores`
            lists the field (except `subject_ref`), None is a mismatch in a DECIDED session, in a
            session found without its id, and beside another copy.
        created_at: When the session was created, by the vendor's clock, or None.
        facts: The vendor's values for `SessionRecord.facts`, which must be equal.
        vendor: The vendor's values for `SessionRecord.vendor`; keys in both must have equal values.
        review_reasons: Warnings that turn a pass into REVIEW, for example a weaker method than
            requested.
        read_again_s: Seconds until the next read, if the response states it (Retry-After), or None.
        has_begun: Whether the person has entered the session; implied by any `checks`.
        is_asked_back: Whether the vendor waits indefinitely for the person to return.
        warnings: Warnings about the whole session, in the vendor's order.
        raw: The allowed fields of the body, without pictures, URLs and secrets.
    """

    session_id: str
    state: SessionState
    vendor_status: str | None = None
    access: SessionAccess | None = None
    approved: bool | None = None
    checks: tuple[SessionCheck, ...] = ()
    compared_with: ComparedWith = ComparedWith.UNKNOWN
    document_holders: tuple[DocumentHolder, ...] = attrs.field(default=(), repr=False)
    record_id: str | None = None
    terms: str | None = None
    subject_ref: str | None = attrs.field(default=None, repr=False)
    created_at: dt.datetime | None = attrs.field(default=None, validator=models.check_aware)
    facts: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    vendor: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    review_reasons: tuple[models.ResultWarning, ...] = _warnings()
    read_again_s: float | None = None
    has_begun: bool = False
    is_asked_back: bool = False
    warnings: tuple[models.ResultWarning, ...] = _warnings()
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)


@attrs.frozen(kw_only=True)
class Deletion(SessionAnswer):
    """The outcome of deleting a session.

    Attributes:
        state: The outcome.
        face_kept: Whether the vendor still has the face, perhaps as a template; None if unknown.
        vendor_word: The vendor's value that `face_kept` is based on, or None.
    """

    state: DeletionState
    face_kept: bool | None = None
    vendor_word: str | None = None

    @property
    def face_is_gone(self) -> bool | None:
        """Whether the vendor has deleted the face by now; None if its answer does not say so."""
        if self.face_kept or self.state in (DeletionState.REQUESTED, DeletionState.VANISHES):
            return False
        if self.state is DeletionState.NOT_THERE or self.face_kept is False:
            return True
        return None


@attrs.frozen(kw_only=True)
class Erased(Document):
    """What became of one record of a person at the vendor and here: evidence of an erasure.

    Contains nothing of the person, the purpose or the matter.

    Attributes:
        record_id: Our id of the record: `SessionRecord.id` for a session. Both calls of a
            `CheckCase.verify_live` have the same.
        operation: The operation of the call; None if it cannot be read, because a later version
            wrote it.
        backend: Name of the backend.
        vendor_id: The vendor's id; None if no response contained it.
        at: The time of the deletion, UTC.
        state: The vendor's answer; None if it was not asked, or did not answer.
        vendor_word: The vendor's own word about the face, or None.
        is_done_here: Whether our record is deleted. Else another call goes on; the record is closed
            and never used.
        face_is_gone: Whether the vendor has deleted the face by now; None if that is unknown. False
            if it deletes later, or keeps a template.
        reason: Why something may stay at the vendor, or None.

    Example:
        >>> store = SessionStore("sqlite:///shop.sqlite3", open_sessions(profile="payout"))
        >>> leaver = store.of("customer-22", purpose="payout", about=None)
        >>> session = leaver.begin(reference=document)
        >>> for erased in store.erase("customer-22"):
        ...     print(erased.state, erased.is_done_here, erased.face_is_gone)
        done True True
        >>> store.close()
    """

    kind = "erased"

    record_id: str
    operation: models.Operation | None = None
    backend: str
    vendor_id: str | None = None
    at: dt.datetime = attrs.field(validator=models.check_aware)
    state: DeletionState | None = None
    vendor_word: str | None = None
    is_done_here: bool
    face_is_gone: bool | None = None
    reason: str | None = None


@attrs.frozen(kw_only=True)
class SessionHint:
    """The content of a webhook: the session to read, without a verdict.

    Attributes:
        record_id: `SessionRecord.id`; None for a session that was not started with a record.
        session_id: The vendor's id of the session.
        event_id: The vendor's id for the delivery, or None.
        is_test: Whether this is a signed test delivery for a non-existent session.
    """

    record_id: str | None
    session_id: str
    event_id: str | None = None
    is_test: bool = False


def record_id_or_none(value: object) -> str | None:
    """Return the id of a record that a vendor stored; None for a text of another program."""
    return value if isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) else None


#: How far the clock of the machine that started a session may run ahead of this machine's.
_CLOCK_MARGIN_S = 60
#: Reasons by the agreement of a name, except AGREES; None if it was not compared.
_NAME_REASONS: Final[Mapping[Agreement | None, str]] = {
    None: "the name on the document was not compared: pass document=Person(...) to read, or "
    "person=... to SessionStore",
    Agreement.DISAGREES: "the name on the document is another",
    Agreement.INCOMPLETE: "the name on the document is incomplete",
    Agreement.UNKNOWN: "the name on the document is unknown",
}


@attrs.frozen(kw_only=True)
class SessionResult(models.NoTruth, Document):
    """A session as its vendor returned it, judged by the rules of its record.

    Attributes:
        record: The record with the vendor's `session_id`. Persist it again.
        state: The state of the session.
        access: How the person can continue the session, or None. Not in `to_dict` and repr.
        match, liveness: The worst item of each kind; if none, INCONCLUSIVE with ``not_reported``.
        compared_with: The picture with which the face was compared; None if there was no match.
        name_agreement, date_of_birth_agreement: Whether the `Person` passed to `read` agrees with
            the document; None if none was passed. The values themselves are not stored.
        portrait: A picture of the live face, if requested. Not in `to_dict` and repr.
        is_refused: Whether the vendor has decided and not approved the session: its no, or a review
            of its own. None if an earlier version read it.
        holder_digest: SHA-256 of the names and dates of birth that were compared, of the documents
            and of the `Person`, salted by the record's id. Not in `to_dict` and repr, nor compared.
        changed_settings: The settings in `SessionRecord.facts`, such as ``workflow_id``, that were
            others when the session was planned than when it was read.
        warnings: The vendor's warnings about the whole session, followed by ours.
        vendor_status: The vendor's own status for the session.
        environment: The environment of the session.
        required_environment: The required environment; None for any.
        billing: The charge; UNKNOWN for a start, because vendors do not document when they charge.
        read_again_s: Seconds until the next read, above 0; None if the state is final.
        raw: The allowed fields of the body, without pictures, URLs and secrets; not in `repr`.

    Example:
        >>> result = sessions.read(record)
        >>> payout = {"purpose": "payout", "about": "payout 8841", "max_age_s": 600}
        >>> result.is_verified_for("customer-17", **payout)
        True
        >>> result.why_not("customer-18", **payout)
        ('it was started for somebody else',)
    """

    kind = "session_result"
    door = "is_verified_for(subject, purpose=..., about=..., max_age_s=...)"

    record: SessionRecord
    state: SessionState
    access: SessionAccess | None = attrs.field(default=None, repr=False, metadata=UNWRITTEN)
    match: models.MatchResult
    liveness: models.LivenessResult
    compared_with: ComparedWith | None = None
    name_agreement: Agreement | None = None
    date_of_birth_agreement: Agreement | None = None
    is_refused: bool | None = None
    holder_digest: str | None = attrs.field(default=None, repr=False, eq=False, metadata=UNWRITTEN)
    portrait: Image | None = attrs.field(default=None, repr=False, metadata=UNWRITTEN)
    changed_settings: tuple[str, ...] = ()
    warnings: tuple[models.ResultWarning, ...] = ()
    vendor_status: str | None = None
    environment: models.Environment | None = None
    required_environment: models.Environment | None = None
    billing: models.Billing = attrs.field(factory=models.Billing)
    read_again_s: float | None = None
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)
    clock: Clock = attrs.field(factory=SystemClock, repr=False, eq=False, metadata=UNWRITTEN)

    def is_verified_for(
        self,
        subject_ref: str,
        *,
        purpose: str,
        about: str | None,
        max_age_s: float,
        any_settings: bool = False,
    ) -> bool:
        """Return whether this session verifies this person for this purpose now.

        True only if the session is DECIDED; every expected check was reported, and every reported
        check passed; the name on a compared document agrees with the `Person` passed to `read`
        (unless planned with `any_document`); subject, purpose and `about` equal the record's; the
        environment is the required one; the settings are those that it was planned with; and the
        session was started at most `max_age_s` ago. Use each session only once: mark the record as
        consumed in the transaction that relies on it.

        Args:
            subject_ref, purpose, about: The person and the action, taken from the login and your
                program, never from the record. `about` is None if the purpose needs no detail.
            max_age_s: Maximum seconds since the start, above 0: 600 for a login, 3,600 for a
                payout, more for manual review at the vendor; `math.inf` for an audit.
            any_settings: Whether a session that was planned for another workflow, level or template
                than that of the current settings counts.

        Raises:
            InvalidRequest: `max_age_s` is not a number above 0.
        """
        return not self.why_not(
            subject_ref,
            purpose=purpose,
            about=about,
            max_age_s=max_age_s,
            any_settings=any_settings,
        )

    def why_not(
        self,
        subject_ref: str,
        *,
        purpose: str,
        about: str | None,
        max_age_s: float,
        any_settings: bool = False,
    ) -> tuple[str, ...]:
        """Return all reasons why `is_verified_for` is False; empty if it is True.

        For logs and support: reasons contain no values from the arguments or the record.

        Raises:
            InvalidRequest: `max_age_s` is not a number above 0.
        """
        is_number = type(max_age_s) in (int, float)
        if not is_number or not max_age_s > 0:
            problem = f"{max_age_s:g}" if is_number else f"a {type(max_age_s).__name__}"
            raise InvalidRequest(
                f"max_age_s must be seconds above 0, not {problem}: math.inf for any age."
            )
        reasons = []
        if self.state is not SessionState.DECIDED:
            reasons.append(f"the session is {self.state}")
        if not self.record.expects:
            reasons.append("the record expects no checks")
        if self.record.is_of_later_version:
            reasons.append("it was planned by a later version of facematch")
        if self.record.subject_ref != subject_ref:
            reasons.append("it was started for somebody else")
        if self.record.purpose != purpose:
            reasons.append("it was started for another purpose")
        if self.record.about != about:
            reasons.append("it was started about something else")
        if self.required_environment not in (None, self.environment):
            reasons.append(f"it comes from {self.environment or 'an unknown environment'}")
        if not any_settings:
            reasons += self._settings_reasons()
        reasons += self._age_reasons(max_age_s)
        reasons += self._document_reasons()
        reasons += self._check_reasons()
        return tuple(reasons)

    def without_pass(self) -> Self:
        """Return the result; each check that passed becomes REVIEW."""
        return attrs.evolve(
            self, match=self.match.without_pass(), liveness=self.liveness.without_pass()
        )

    def _settings_reasons(self) -> list[str]:
        """Return a reason for each setting that was changed since the session was planned."""
        reasons = []
        for name in self.changed_settings:
            word = name.removesuffix("_id").removesuffix("_name").replace("_", " ")
            reasons.append(f"it was planned for another {word}")
        return reasons

    def _age_reasons(self, max_age_s: float) -> list[str]:
        """Return the reason why the session was not started lately, if any."""
        if self.record.started_at is None:
            return ["its start time is unknown"]
        age_s = (self.clock.now() - self.record.started_at).total_seconds()
        if -_CLOCK_MARGIN_S <= age_s <= max_age_s:
            return []
        return [f"it was started {age_s:.0f} s ago"]

    def _document_reasons(self) -> list[str]:
        """Return the reasons why the document is not known to be the person's own.

        An agreement of None, because no `Person` was passed, is a reason, too.
        """
        if self.record.compared_with is not ComparedWith.DOCUMENT or self.record.any_document:
            return []
        reasons = []
        if self.date_of_birth_agreement is Agreement.DISAGREES:
            reasons.append("the date of birth on the document is another")
        if self.name_agreement is not Agreement.AGREES:
            reasons.append(_NAME_REASONS[self.name_agreement])
        return reasons

    def _check_reasons(self) -> list[str]:
        """Return the reasons why a reported check or an expected check was not passed."""
        reasons = []
        items: dict[models.Operation, models.MatchResult | models.LivenessResult] = {
            models.Operation.MATCH: self.match,
            models.Operation.LIVENESS: self.liveness,
        }
        for check, item in items.items():
            if is_reported(item):
                # A failed check counts even if the record does not expect it.
                if item.decision not in models.PASSES:
                    reasons.append(f"{check} is {item.decision}")
            elif check in self.record.expects:
                reasons.append(f"{check} was not reported")
        return reasons
