"""Hosted sessions as data: what a caller writes down, gets and gives back.

The vendor's own page or component looks at the person, and `Sessions` reads the verdict later.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from facematch_core import models
from facematch_core.base.clock import Clock, RateWindow, SystemClock
from facematch_core.base.masking import Secret
from facematch_core.documents import UNWRITTEN, Document
from facematch_core.errors import InvalidRequest
from facematch_core.images.image import Image, ImageLimits


class SessionState(enum.StrEnum):
    """The state of a session. No verdict: ask `SessionResult.is_verified_for`."""

    #: Somebody is still to go through it.
    PENDING = "pending"
    #: The person is through, and the vendor, or one of its people, still looks.
    PROCESSING = "processing"
    #: The vendor has decided. A person may revise the decision later.
    DECIDED = "decided"
    #: The person did not come in time.
    EXPIRED = "expired"
    #: The person left.
    ABANDONED = "abandoned"
    CANCELED = "canceled"
    #: The session broke off before a decision.
    FAILED = "failed"
    #: The vendor has no result of it any more; whether somebody passed is not known.
    GONE = "gone"
    #: The vendor's word is not known here.
    UNKNOWN = "unknown"


class ComparedWith(enum.StrEnum):
    """The picture that the vendor compared the face of a session with."""

    #: The reference of the start.
    GIVEN = "given"
    #: The document that the person showed, which may be anybody's: compare its name.
    DOCUMENT = "document"
    #: A face that the vendor had stored before.
    STORED = "stored"
    UNKNOWN = "unknown"


#: The default checks of a session.
USUAL_CHECKS: Final = (models.Operation.MATCH, models.Operation.LIVENESS)

#: The tag of the warning in an item that the vendor's session does not have.
NOT_REPORTED = "not_reported"

_PASSES = (models.Decision.MATCH, models.LivenessDecision.LIVE)


def is_reported(item: models.MatchResult | models.LivenessResult) -> bool:
    """Whether the vendor's session had it; what failed was reported, whatever its tags."""
    is_open = item.decision in (models.Decision.INCONCLUSIVE, models.LivenessDecision.INCONCLUSIVE)
    return not (is_open and any(warning.tag == NOT_REPORTED for warning in item.warnings))


class DeletionState(enum.StrEnum):
    """The outcome of deleting a session."""

    DONE = "done"
    #: The vendor has accepted the wish, and takes its time.
    REQUESTED = "requested"
    #: The vendor has no such session.
    NOT_THERE = "not_there"
    #: The vendor cannot be asked to: it forgets by itself.
    VANISHES = "vanishes"


class Kept(enum.StrEnum):
    """The parts of a record that a vendor stores with its session and returns."""

    SUBJECT = "subject"
    ID = "id"
    TERMS = "terms"


@attrs.frozen(kw_only=True)
class SessionCapabilities:
    """The abilities of a backend's sessions.

    Attributes:
        checks: What they report: `MATCH`, `LIVENESS`.
        scored: Of which of them they give a score, so that a threshold can hold.
        compares_with: With which pictures they can compare a face; empty if with none.
        start_is_repeatable: Whether the same start again gives the same session, by the record.
        keeps: What of a record the vendor shows again.
        finds_lost: Whether a session whose start lost its answer can be found by its record.
        can_delete: Whether a session can be deleted.
        gives_portrait: Whether a picture of the person can be had.
        result_lasts_s: Seconds from the start for which a result can be read; None if it stays.
        link_hosts: The vendor's own hosts for links besides that of `address`, in small letters.
        needs_liveness_threshold: Whether a live face is judged by the caller's threshold alone.
        takes_language, takes_return_url: Whether a start may bring one.
        resumes_expired: Whether a person may go on in a session that the vendor calls expired.
        reference_limits: What the vendor takes as a reference.
        options: The attrs class of the options of a start; None if it has none.
        read_windows: How many reads and deletions the vendor takes; starts count in
            `Capabilities.rate_windows`. Empty if nothing is published.
    """

    checks: frozenset[models.Operation]
    scored: frozenset[models.Operation] = attrs.field(
        default=attrs.Factory(lambda self: self.checks, takes_self=True)
    )
    compares_with: frozenset[ComparedWith] = frozenset()
    start_is_repeatable: bool = False
    keeps: frozenset[Kept] = frozenset()
    finds_lost: bool = False
    can_delete: bool = False
    gives_portrait: bool = False
    result_lasts_s: float | None = None
    link_hosts: frozenset[str] = frozenset()
    needs_liveness_threshold: bool = False
    takes_language: bool = False
    takes_return_url: bool = False
    resumes_expired: bool = False
    reference_limits: ImageLimits = attrs.field(factory=ImageLimits)
    options: type | None = None
    read_windows: tuple[RateWindow, ...] = ()

    def __attrs_post_init__(self) -> None:
        if (models.Operation.MATCH in self.checks) is not bool(self.compares_with):
            raise ValueError("compares_with says with which pictures, just where checks has MATCH.")


def _as_checks(operations: Iterable[models.Operation | str]) -> tuple[models.Operation, ...]:
    checks = tuple(sorted(map(models.Operation, operations)))
    if not {*checks} <= {*USUAL_CHECKS}:
        # A session without checks could not fail.
        raise ValueError("expects lists what a session reports: match, liveness.")
    return checks


def _as_threshold(value: float | None) -> float | None:
    names = "threshold, review_threshold and liveness_threshold"
    return None if value is None else models.percentage(value, names)


@attrs.frozen(kw_only=True)
class SessionRecord(Document):
    """The record of a session: write it down before `start`; everything else needs it.

    A row of a database: JSON both ways, no secret in it. Find it by who is logged in, never by
    what a browser sends, and never put it into a cookie or a form. `subject_ref`, `purpose` and
    `about` are in no repr, event or message.

    Attributes:
        id: Ours: 128 random bits as 32 hexadecimal digits; a primary key.
        backend: Name of the backend.
        profile: The profile that it was opened by; None for none.
        environment: What the backend was set to ask; None if no setting says so.
        subject_ref: Who is to be verified, in the caller's words.
        purpose: What for: ``payout``.
        about: Which one: ``payout 8841``; None if that does not matter.
        expects: What must be reported and passed.
        compared_with: With which picture a face must have been compared, of which GIVEN comes with
            `start`; None if no match is expected.
        threshold, review_threshold: Where a match begins, and up to where it needs a person,
            0-100; None for the vendor's, and for no review.
        liveness_threshold: Where a live face begins, 0-100; None for the vendor's.
        valid_for_s: Seconds from the start, above 0, after which nobody is waited for.
        facts: The plug-in's settings on which the verdict depends: workflow, region.
        planned_at: UTC, by this machine's clock.
        started_at: When its first start was sent, UTC; None before.
        session_id: The vendor's; None before an answer has given it.
        expires_at: When link or token end, UTC; None if the vendor does not say.
        vendor: What the vendor said of it at its start: version of the workflow, kind.

    Raises:
        ValueError: a value is out of its range, or `compared_with` is missing for a match.
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
        if models.Operation.MATCH in self.expects and self.compared_with in (
            None,
            ComparedWith.UNKNOWN,
        ):
            raise ValueError("compared_with must say with which picture if expects has a match.")

    @property
    def terms(self) -> str:
        """SHA-256 of what `plan` fixed, so that a vendor that keeps it shows a changed record."""
        later = ("profile", "started_at", "session_id", "expires_at", "vendor")
        fixed = {name: value for name, value in self.to_dict().items() if name not in later}
        text = json.dumps(fixed, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@attrs.frozen(kw_only=True)
class SessionAnswer:
    """The common part of answers about sessions.

    Attributes:
        environment: The answer's own word for where it came from, untouched if it is none of ours
            (the core refuses it then); None if it says nothing.
        billing: What was charged, as far as it says.
        ids: The vendor's id of the request.
    """

    environment: models.Environment | str | None = None
    billing: models.Billing = attrs.field(factory=models.Billing)
    ids: models.Ids = attrs.field(factory=models.Ids)


@attrs.frozen(kw_only=True)
class WayIn:
    """A person's way into a session. Link and token are keys: who has them is the person.

    Attributes:
        link: Where the person goes; None for a vendor without a page.
        token: What the vendor's own component needs; None if there is none.
        page: Public facts for that component: session id, region, endpoint.
        expires_at: When link or token end, UTC; None if the vendor does not say.
    """

    link: Secret | None = None
    token: Secret | None = None
    page: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    expires_at: dt.datetime | None = attrs.field(default=None, validator=models.check_aware)


@attrs.frozen(kw_only=True)
class SessionCheck:
    """A vendor's check of a face in a session, for plug-ins.

    Attributes:
        result: By the vendor's verdict alone: the rules of the record are applied by the core. Of
            a vendor without a verdict by the threshold of the record. An item that is not finished
            is INCONCLUSIVE.
        covers_liveness: Whether a `MatchResult` is the vendor's one verdict about both, the same
            person and a live face: then it counts for the liveness item as well.
        portrait: A picture of the person in this very item, or its address; None if there is none.
    """

    result: models.MatchResult | models.LivenessResult
    covers_liveness: bool = False
    portrait: Image | Secret | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class SessionReading(SessionAnswer):
    """A session as its vendor returns it, for plug-ins. The core compares and judges it.

    The answer to a start is one, too: of a session that nobody has been in.

    Attributes:
        session_id: The vendor's.
        state: In our word.
        vendor_status: The vendor's own word, untouched; None if it has none.
        way_in: For the person; None if the answer has none.
        approved: The vendor's approval of the whole, without which no pass counts; None if unsaid.
        checks: The items that count, all of them; where there were several attempts, those of the
            last. Empty for what was not reported.
        compared_with: With which picture a match was made.
        record_id, terms, subject_ref: What the vendor shows of them; None if nothing, which is a
            mismatch for what `SessionCapabilities.keeps` names, but for the subject.
        created_at: When the vendor made it, by its clock; None if it does not say.
        facts: What it shows of `SessionRecord.facts`, which must be the same.
        vendor: For `SessionRecord.vendor`; must be the same there, where both have it.
        doubts: Why a pass needs a person: a weaker method than the one that was asked for.
        read_again_s: Seconds before the next look, by the answer (Retry-After); None if unknown.
        has_begun: Whether the person is or was in it; checks say so, too.
        is_asked_back: Whether the vendor waits for the person to come once more, however long.
        warnings: About the whole, in the vendor's order.
        raw: An allow-list of the body, without pictures, addresses and secrets.
    """

    session_id: str
    state: SessionState
    vendor_status: str | None = None
    way_in: WayIn | None = None
    approved: bool | None = None
    checks: tuple[SessionCheck, ...] = ()
    compared_with: ComparedWith = ComparedWith.UNKNOWN
    record_id: str | None = None
    terms: str | None = None
    subject_ref: str | None = attrs.field(default=None, repr=False)
    created_at: dt.datetime | None = attrs.field(default=None, validator=models.check_aware)
    facts: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    vendor: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    doubts: tuple[models.ResultWarning, ...] = ()
    read_again_s: float | None = None
    has_begun: bool = False
    is_asked_back: bool = False
    warnings: tuple[models.ResultWarning, ...] = ()
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)


@attrs.frozen(kw_only=True)
class Deletion(SessionAnswer):
    """The outcome of deleting a session.

    Attributes:
        state: What the vendor did.
        face_kept: Whether it still has the face, as a template say; None if it does not say.
        vendor_word: Its own word for that; None if there is none.
    """

    state: DeletionState
    face_kept: bool | None = None
    vendor_word: str | None = None


@attrs.frozen(kw_only=True)
class SessionHint:
    """The content of a webhook: the session to read. It has no verdict.

    Attributes:
        record_id: `SessionRecord.id`; None for a session that was not started with a record.
        session_id: The vendor's.
        event_id: The vendor's id of the delivery; None if it has none.
        is_test: Whether it is signed as a test, about a session that does not exist.
    """

    record_id: str | None
    session_id: str
    event_id: str | None = None
    is_test: bool = False


@attrs.frozen(kw_only=True)
class SessionResult(models.NoTruth, Document):
    """A session as the vendor returns it now, judged by the rules of its record.

    Attributes:
        record: To be written down: it has the vendor's `session_id`.
        state: How far it has come.
        way_in: For the person, from `start` or if it was asked for; None if there is none now: the
            session is over. Not in `to_dict` and repr.
        match, liveness: The worst item of each kind; without one INCONCLUSIVE, ``not_reported``.
        compared_with: With which picture; None without a match.
        portrait: A live face, if it was asked for. Not in `to_dict` and repr.
        warnings: The vendor's about the whole, then ours.
        vendor_status: The vendor's own word for the session.
        environment: Where it came from.
        required_environment: Where it had to come from; None if that did not matter.
        billing: What it cost: of a start UNKNOWN, because vendors do not say when they charge.
        read_again_s: Seconds, above 0, until the next look; None if nothing more comes by itself.
        raw: A part of the body, without pictures, addresses and secrets; not in `repr`.
    """

    kind = "session_result"
    door = "is_verified_for(subject, purpose=..., about=..., max_age_s=...)"

    record: SessionRecord
    state: SessionState
    way_in: WayIn | None = attrs.field(default=None, repr=False, metadata=UNWRITTEN)
    match: models.MatchResult
    liveness: models.LivenessResult
    compared_with: ComparedWith | None = None
    portrait: Image | None = attrs.field(default=None, repr=False, metadata=UNWRITTEN)
    warnings: tuple[models.ResultWarning, ...] = ()
    vendor_status: str | None = None
    environment: models.Environment | None = None
    required_environment: models.Environment | None = None
    billing: models.Billing = attrs.field(factory=models.Billing)
    read_again_s: float | None = None
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)
    clock: Clock = attrs.field(factory=SystemClock, repr=False, eq=False, metadata=UNWRITTEN)

    def is_verified_for(
        self, subject_ref: str, *, purpose: str, about: str | None, max_age_s: float
    ) -> bool:
        """Whether this verdict may decide this one thing for this person now.

        True only if the session is decided, what its record expects was reported, nothing that
        was reported failed, it was started for this subject, purpose and matter, it came from the
        required environment, and it was started no longer ago than that. Let it decide one thing
        only: mark the record as consumed in the same transaction.

        Args:
            subject_ref, purpose, about: What your program is about to do, and for whom: from the
                login, never from the record. `about` is None where that does not matter.
            max_age_s: Seconds since the start, above 0: 600 for a login, 3,600 for a payout, more
                where people at the vendor look; `math.inf` for a later look at what was decided.

        Raises:
            InvalidRequest: `max_age_s` is no number above 0.
        """
        return not self.why_not(subject_ref, purpose=purpose, about=about, max_age_s=max_age_s)

    def why_not(
        self, subject_ref: str, *, purpose: str, about: str | None, max_age_s: float
    ) -> tuple[str, ...]:
        """Every reason for which `is_verified_for` says no; none if it says yes.

        For logs and for people who help: no reason holds what the arguments or the record say.

        Raises:
            InvalidRequest: `max_age_s` is no number above 0.
        """
        is_number = type(max_age_s) in (int, float)
        if not is_number or not max_age_s > 0:
            problem = f"{max_age_s:g}" if is_number else f"a {type(max_age_s).__name__}"
            raise InvalidRequest(
                f"max_age_s must be seconds above 0, not {problem}: math.inf for any age."
            )
        record, age_s = self.record, None
        if record.started_at is not None:
            age_s = (self.clock.now() - record.started_at).total_seconds()
        reasons = {
            f"the session is {self.state}": self.state is not SessionState.DECIDED,
            "the record expects nothing": not record.expects,
            "it was started for somebody else": record.subject_ref != subject_ref,
            "it was started for another purpose": record.purpose != purpose,
            "it was started about something else": record.about != about,
            f"it comes from {self.environment or 'an unknown environment'}": (
                self.required_environment not in (None, self.environment)
            ),
            "nobody knows when it was started": age_s is None,
            f"it was started {age_s or 0:.0f} s ago": (
                age_s is not None and not -60 <= age_s <= max_age_s
            ),
        }
        items: dict[models.Operation, models.MatchResult | models.LivenessResult] = {
            models.Operation.MATCH: self.match,
            models.Operation.LIVENESS: self.liveness,
        }
        for check, item in items.items():
            if is_reported(item):
                reasons[f"{check} is {item.decision}"] = item.decision not in _PASSES
            else:
                reasons[f"{check} was not reported"] = check in record.expects
        return tuple(reason for reason, holds in reasons.items() if holds)
