"""Judge a reading of a hosted session by its record, the current settings, and the time.

This module does no I/O. It first checks that a reading belongs to the record's session and comes
from the expected environment. Then it applies rules, which can only turn a pass into REVIEW.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TypeAlias, TypeVar

import attrs

from facematch_core import models
from facematch_core.backend import session_types as types
from facematch_core.base.deadline import Clock
from facematch_core.base.masking import Secret
from facematch_core.call import bill
from facematch_core.call.verdict import DefaultsByOperation, describe_mismatch, find_changes
from facematch_core.documents import written
from facematch_core.errors import EnvironmentMismatch, SessionMismatch, VendorError
from facematch_core.images.image import Image
from facematch_core.models import Environment, LivenessResult, MatchResult, Operation, ResultWarning
from facematch_core.store.table import hash_of

from .holders import HolderAgreement, compare_holders

A = TypeVar("A", MatchResult, LivenessResult)

#: A picture of the person, or the secret URL from which the backend can fetch it.
Portrait: TypeAlias = Image | Secret

#: How far a vendor's clock may run behind ours.
CLOCK_MARGIN = dt.timedelta(seconds=60)
#: Extra seconds for a person who has begun; our own choice.
OVERTIME_S = 900.0
#: Minimum and maximum seconds between two reads of a PENDING session.
_SHORTEST_PENDING_S = 2.0
_LONGEST_PENDING_S = 600.0
#: Minimum and maximum seconds between two reads in the other states that are polled.
_SHORTEST_REVIEW_S = 30.0
_LONGEST_REVIEW_S = 3600.0
#: States in which the person may still continue.
_OPEN = (types.SessionState.PENDING, types.SessionState.ABANDONED)
#: States to poll. DECIDED is not polled: if a reviewer revises a decision, a webhook reports it.
_POLLED_STATES = (
    types.SessionState.PENDING,
    types.SessionState.PROCESSING,
    types.SessionState.UNKNOWN,
)
#: The warning of a placeholder.
_NOT_REPORTED = ResultWarning(
    code=models.WarningCode.OTHER,
    severity=models.Severity.INFORMATION,
    tag=models.NOT_REPORTED,
    text="The vendor did not report this check.",
)


@attrs.frozen(kw_only=True)
class SessionRules:
    """A verifier's current settings for judging sessions."""

    #: Name of the backend.
    backend: str
    capabilities: types.SessionCapabilities
    #: The environment to which the backend is set, or None.
    declared_environment: Environment | None
    #: The environment that the verifier requires, or None.
    required_environment: Environment | None
    #: The verifier's default thresholds, by operation.
    defaults: DefaultsByOperation
    #: Whether a match must reach the threshold or exceed it.
    threshold_rule: models.ThresholdRule
    #: The backend's settings for a record's facts.
    facts: Mapping[str, str]


@attrs.frozen(kw_only=True)
class JudgedSession:
    """The result of a reading.

    Attributes:
        result: The result, still without its portrait.
        portrait: The portrait of the worst liveness item; None unless the face is live.
    """

    result: types.SessionResult
    portrait: Portrait | None


def check_record(record: types.SessionRecord, rules: SessionRules) -> None:
    """Raise `EnvironmentMismatch` if the record's environment is not the verifier's."""
    if record.environment is None:
        return
    problem = describe_mismatch(
        record.environment, rules.declared_environment, rules.required_environment
    )
    if problem is not None:
        raise EnvironmentMismatch(
            f"The record of the session {problem}: nothing was sent. Use the settings that the "
            "session was planned with.",
            environment=record.environment,
            billing=bill.NOTHING_SENT,
        )


def find_changed_settings(record: types.SessionRecord, facts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the facts that differ between a record and the current settings."""
    names = sorted(record.facts.keys() | facts.keys())
    return tuple(name for name in names if record.facts.get(name) != facts.get(name))


def check_origin(
    answer: types.SessionAnswer | VendorError,
    record: types.SessionRecord,
    rules: SessionRules,
    *,
    may_omit_environment: bool = False,
) -> Environment | None:
    """Return an answer's environment; raise `EnvironmentMismatch` if it is not the expected one.

    If neither the answer, a setting nor the record names an environment, the answer is from an
    unknown one.
    That is an error if an environment is required, unless `may_omit_environment` is set.
    """
    declared = rules.declared_environment or record.environment
    if may_omit_environment and answer.environment is None and declared is None:
        return None
    stated = _find_environment(answer.environment)
    problem = describe_mismatch(stated, declared, rules.required_environment)
    if answer.environment is not None and stated is None:
        problem = "came from an unknown environment"
    if problem is None:
        return stated or declared
    raise EnvironmentMismatch(
        f"The answer of {rules.backend} about a session {problem}: correct base_url or the key, or "
        "the setting environment.",
        environment=stated,
        billing=answer.billing,
        ids=answer.ids,
    )


def _find_environment(name: str | None) -> Environment | None:
    """Return the environment with this name; None if there is none."""
    if name is None:
        return None
    try:
        return Environment(name)
    except ValueError:
        return None


def judge_reading(
    reading: types.SessionReading,
    record: types.SessionRecord,
    rules: SessionRules,
    clock: Clock,
    *,
    is_start: bool = False,
    person: types.Person | None = None,
) -> JudgedSession:
    """Return the result of a reading, and the portrait of the person.

    Args:
        reading: The reading.
        record: The record of the session.
        rules: The verifier's current settings.
        clock: The verifier's clock.
        is_start: Whether the reading is the response to a start, which may omit the environment
            and the vendor's copies of record fields.
        person: The person to compare with the holders of the documents, or None.

    Raises:
        EnvironmentMismatch: the reading is from a different or unknown environment.
        SessionMismatch: the reading belongs to another session, or the record was changed.
    """
    environment = check_origin(reading, record, rules, may_omit_environment=is_start)
    if reading.state is types.SessionState.GONE:
        # The vendor may have deleted the ids, too, so there is nothing to compare.
        reading = attrs.evolve(reading, checks=())
    else:
        _check_identity(reading, record, rules, is_start=is_start)

    started_at = _find_start(reading, record)
    expires_at = record.expires_at
    if expires_at is None and reading.access is not None:
        expires_at = reading.access.expires_at
    record = attrs.evolve(
        record,
        session_id=record.session_id or reading.session_id,
        started_at=started_at,
        expires_at=expires_at,
        # The values from the start stay, also if the vendor returns more of them later.
        vendor={**reading.vendor, **record.vendor},
    )
    now = clock.now()
    left_s = (valid_until(record, started_at) - now).total_seconds()
    if reading.has_begun or reading.checks:
        left_s += OVERTIME_S
    state = reading.state
    if state is types.SessionState.PENDING and left_s < 0 and not reading.is_asked_back:
        state = types.SessionState.EXPIRED

    is_decided = state is types.SessionState.DECIDED
    is_refused = is_decided and reading.approved is False
    reasons = tuple(reading.review_reasons)
    if is_refused or not is_decided:
        text = "The vendor has not approved the session."
        reasons += (_warning(models.NOT_APPROVED, text),)
    live_item = _judge_liveness(reading, record, rules, environment, reasons)
    # Further ones concern the match, and not the live face.
    match_reasons = reasons
    if record.compared_with not in (None, reading.compared_with):
        text = f"The vendor reported no comparison with a {record.compared_with} picture."
        match_reasons += (_warning("compared_with_another_picture", text),)
    agreement = HolderAgreement()
    if person is not None:
        agreement = compare_holders(person, reading.document_holders)
        if agreement.name is types.Agreement.INCOMPLETE and not record.any_document:
            text = "The name on the document or of the person is incomplete: compare them yourself."
            match_reasons += (_warning("name_incomplete", text),)
    match = _judge_match(reading, record, rules, environment, match_reasons)

    billing = bill.FREE
    if is_start:
        billing = bill.stated(models.Charged.UNKNOWN, reading.billing.ground)
    result = types.SessionResult(
        record=record,
        state=state,
        access=_open_access(reading, state, rules),
        match=match,
        liveness=live_item.result,
        compared_with=reading.compared_with if types.is_reported(match) else None,
        name_agreement=agreement.name,
        date_of_birth_agreement=agreement.date_of_birth,
        is_refused=is_refused,
        # Salted, so that it differs in each session, and tells no name elsewhere.
        holder_digest=hash_of(record.id, *map(written, (person, *reading.document_holders))),
        changed_settings=find_changed_settings(record, rules.facts),
        warnings=(*reading.warnings, *reading.review_reasons),
        vendor_status=reading.vendor_status,
        environment=environment,
        required_environment=rules.required_environment,
        billing=billing,
        read_again_s=_read_again_s(state, reading, now - started_at, left_s, rules),
        raw=reading.raw,
        clock=clock,
    )
    portrait = live_item.portrait if live_item.result.is_live else None
    return JudgedSession(result=result, portrait=portrait)


def judge_as_gone_if_too_old(
    record: types.SessionRecord, rules: SessionRules, clock: Clock
) -> types.SessionResult | None:
    """Return a GONE result if the vendor's retention period has ended; else None."""
    result_lasts_s = rules.capabilities.result_lasts_s
    if result_lasts_s is None:
        return None
    started_at = record.started_at or record.planned_at
    if (clock.now() - started_at).total_seconds() <= result_lasts_s:
        return None
    return types.SessionResult(
        record=record,
        state=types.SessionState.GONE,
        match=_unreported_match(rules.backend),
        liveness=_unreported_liveness(rules.backend),
        changed_settings=find_changed_settings(record, rules.facts),
        environment=rules.declared_environment,
        required_environment=rules.required_environment,
        billing=bill.FREE,
        clock=clock,
    )


def _find_start(reading: types.SessionReading, record: types.SessionRecord) -> dt.datetime:
    """Return the time from which the session's age counts: the earliest that is known.

    A verdict without the vendor's time counts from the plan, which `terms` covers.
    """
    # `terms` does not cover `started_at`, so a forged record may look newer than its session.
    started_at = record.started_at or reading.created_at or record.planned_at
    if reading.created_at is not None:
        return min(started_at, reading.created_at)
    is_decided = reading.state is types.SessionState.DECIDED
    return min(started_at, record.planned_at) if is_decided else started_at


def valid_until(record: types.SessionRecord, started_at: dt.datetime) -> dt.datetime:
    """Return the time at which an unfinished session ends, by our rule or by the vendor's."""
    valid_until = started_at + dt.timedelta(seconds=record.valid_for_s)
    if record.expires_at is None:
        return valid_until
    return min(valid_until, record.expires_at)


def _open_access(
    reading: types.SessionReading, state: types.SessionState, rules: SessionRules
) -> types.SessionAccess | None:
    """Return the access to a session that the person may still continue; else None."""
    # Continuing an ended session would film the person without a result, and may be charged.
    is_open = state in _OPEN
    if state is types.SessionState.EXPIRED:
        is_open = rules.capabilities.resumes_expired
    access = reading.access
    if access is None or not is_open:
        return None
    if access.link is None and access.token is None and not access.page:
        return None  # it has nothing but the time at which it expires
    return access


@attrs.frozen(kw_only=True)
class _Mismatch:
    """A difference between a reading and its record.

    Attributes:
        field: Name of the attribute that differs.
        problem: The difference, for the error message, without the caller's values.
    """

    field: str
    problem: str


def _check_identity(
    reading: types.SessionReading,
    record: types.SessionRecord,
    rules: SessionRules,
    *,
    is_start: bool,
) -> None:
    """Raise `SessionMismatch` if the reading differs from the record or predates it."""
    required_copies = frozenset[types.VendorCopy]()
    if not is_start:
        required_copies = _required_copies(reading, record, rules)
    mismatch = _find_mismatch(reading, record, required_copies)
    if mismatch is None:
        return
    raise SessionMismatch(
        f"The session at {rules.backend} does not belong to this record, or the record was "
        f"changed ({mismatch.problem}): let no one in, and find out why.",
        field=mismatch.field,
        backend=rules.backend,
        billing=reading.billing if is_start else bill.FREE,
        ids=reading.ids,
    )


def _required_copies(
    reading: types.SessionReading, record: types.SessionRecord, rules: SessionRules
) -> frozenset[types.VendorCopy]:
    """Return the vendor's copies without which the reading is not of the record's session."""
    copies = (reading.record_id, reading.terms, reading.subject_ref)
    has_a_copy = any(copy is not None for copy in copies)
    # The session was found by a search, and only the copies show that it is the record's.
    was_searched_for = record.session_id is None
    is_decided = reading.state is types.SessionState.DECIDED
    if has_a_copy or was_searched_for or is_decided:
        return rules.capabilities.stores
    # A vendor such as Veriff returns no copies before it has decided.
    return frozenset()


def _find_mismatch(
    reading: types.SessionReading,
    record: types.SessionRecord,
    required_copies: frozenset[types.VendorCopy],
) -> _Mismatch | None:
    """Return the first difference between a reading and its record, or None.

    A missing required copy is a difference, except that of `subject_ref`. Other values are compared
    only if both sides have them: a record has no `session_id` until the response to its start was
    read.
    """
    if record.session_id and reading.session_id != record.session_id:
        return _Mismatch(field="session_id", problem="session_id")
    if reading.subject_ref and reading.subject_ref != record.subject_ref:
        return _Mismatch(field="subject_ref", problem="subject_ref")
    compares_id = reading.record_id is not None or types.VendorCopy.ID in required_copies
    if compares_id and reading.record_id != record.id:
        return _Mismatch(field="record_id", problem="record_id")
    compares_terms = reading.terms is not None or types.VendorCopy.TERMS in required_copies
    if compares_terms and reading.terms != record.terms:
        return _Mismatch(field="terms", problem="terms")
    for name in sorted(reading.facts.keys() & record.facts.keys()):
        if reading.facts[name] != record.facts[name]:
            return _Mismatch(field="facts", problem=f"facts {name}")
    for name in sorted(reading.vendor.keys() & record.vendor.keys()):
        if reading.vendor[name] != record.vendor[name]:
            return _Mismatch(field="vendor", problem=f"vendor {name}")
    created_at = reading.created_at
    if created_at is not None and created_at < record.planned_at - CLOCK_MARGIN:
        problem = _describe_early_session(reading, record, created_at)
        return _Mismatch(field="created_at", problem=problem)
    return None


def _describe_early_session(
    reading: types.SessionReading, record: types.SessionRecord, created_at: dt.datetime
) -> str:
    """Describe a session that is older than its plan, by two clocks, with the clock to set."""
    early_s = (record.planned_at - created_at).total_seconds()
    remedy = "check this machine's clock"
    # Veriff's mock is known by the record alone.
    if Environment.MOCK in (_find_environment(reading.environment), record.environment):
        remedy = "let the mock's clock run, without clock=VirtualClock() and control.freeze()"
    return (
        f"created_at: {created_at:%Y-%m-%d %H:%M:%S} UTC by the vendor's clock, "
        f"{early_s:.0f} s before the plan by this machine's clock: {remedy}"
    )


@attrs.frozen
class _LiveItem:
    """A liveness item with the rules applied.

    Attributes:
        result: The item.
        portrait: The picture of the person from this item, or None.
    """

    result: LivenessResult
    portrait: Portrait | None


def _judge_match(
    reading: types.SessionReading,
    record: types.SessionRecord,
    rules: SessionRules,
    environment: Environment | None,
    review_reasons: Sequence[ResultWarning],
) -> MatchResult:
    """Apply the rules to all matches, and return the worst; a placeholder if there are none."""
    defaults = rules.defaults[Operation.MATCH]
    threshold = _stricter(record.threshold, defaults.threshold, rules.threshold_rule)
    review_threshold = _stricter(
        record.review_threshold, defaults.review_threshold, models.ThresholdRule.ABOVE
    )
    matches = []
    for check in reading.checks:
        if isinstance(check.result, MatchResult):
            match = _apply_thresholds(check.result, threshold, review_threshold)
            matches.append(attrs.evolve(match, environment=environment, billing=bill.FREE))
    if not matches:
        return _unreported_match(rules.backend)
    return _with_review_reasons(max(matches, key=_badness), review_reasons)


def _judge_liveness(
    reading: types.SessionReading,
    record: types.SessionRecord,
    rules: SessionRules,
    environment: Environment | None,
    review_reasons: Sequence[ResultWarning],
) -> _LiveItem:
    """Apply the rules to all liveness items, and return the worst; a placeholder if none exist."""
    defaults = rules.defaults[Operation.LIVENESS]
    threshold = _stricter(record.liveness_threshold, defaults.threshold, rules.threshold_rule)
    # A record has no review threshold for liveness.
    review_threshold = _stricter(None, defaults.review_threshold, models.ThresholdRule.ABOVE)
    items = []
    for check in reading.checks:
        liveness = check.result
        if isinstance(liveness, MatchResult):
            if not check.covers_liveness:
                continue
            liveness = _liveness_of(liveness)
        liveness = _apply_thresholds(liveness, threshold, review_threshold)
        liveness = attrs.evolve(liveness, environment=environment, billing=bill.FREE)
        items.append(_LiveItem(liveness, check.portrait))
    if not items:
        return _LiveItem(_unreported_liveness(rules.backend), None)
    worst = max(items, key=lambda item: _badness(item.result))
    return attrs.evolve(worst, result=_with_review_reasons(worst.result, review_reasons))


def _stricter(
    of_record: float | None, of_verifier: float | None, rule: models.ThresholdRule
) -> models.Threshold | None:
    """Return the higher of two thresholds; None if there is none.

    The verifier's current threshold counts, too, so that a threshold raised after an incident
    affects old sessions.
    """
    values = [value for value in (of_record, of_verifier) if value is not None]
    if not values:
        return None
    return models.Threshold(max(values), rule)


def _apply_thresholds(
    item: A, threshold: models.Threshold | None, review_threshold: models.Threshold | None
) -> A:
    """Return an item; a pass becomes REVIEW if a threshold or a grave warning contradicts it."""
    return attrs.evolve(item, **find_changes(item, threshold, review_threshold))


def _with_review_reasons(item: A, review_reasons: Sequence[ResultWarning]) -> A:
    """Return an item; a pass becomes REVIEW if there are reasons."""
    if not review_reasons or item.decision not in models.PASSES:
        return item
    return attrs.evolve(
        item,
        decision=type(item.decision).REVIEW,
        warnings=(*item.warnings, *review_reasons),
    )


def _liveness_of(match: MatchResult) -> LivenessResult:
    """Convert a vendor's joint verdict on match and liveness to a liveness item."""
    return LivenessResult(
        decision=models.LIVENESS_DECISIONS[match.decision],
        warnings=match.warnings,
        backend=match.backend,
        vendor_status=match.vendor_status,
        ids=match.ids,
    )


def _unreported_match(backend: str) -> MatchResult:
    """Return the placeholder for a match that the vendor did not report."""
    return MatchResult(
        decision=models.Decision.INCONCLUSIVE,
        warnings=(_NOT_REPORTED,),
        backend=backend,
        billing=bill.FREE,
    )


def _unreported_liveness(backend: str) -> LivenessResult:
    """Return the placeholder for a liveness check that the vendor did not report."""
    return LivenessResult(
        decision=models.LivenessDecision.INCONCLUSIVE,
        warnings=(_NOT_REPORTED,),
        backend=backend,
        billing=bill.FREE,
    )


def _badness(item: MatchResult | LivenessResult) -> tuple[int, float]:
    """Return a sort key by which the worst item is the last: its decision, then a low score."""
    score = 0.0 if item.score is None else item.score.value
    return models.rank_of(item.decision), -score


def _warning(tag: str, text: str) -> ResultWarning:
    return ResultWarning(
        code=models.WarningCode.OTHER, severity=models.Severity.ERROR, tag=tag, text=text
    )


def _read_again_s(
    state: types.SessionState,
    reading: types.SessionReading,
    age: dt.timedelta,
    left_s: float,
    rules: SessionRules,
) -> float | None:
    """Return the seconds until the next read: a tenth of the age, within limits.

    None if the state is not polled.

    Args:
        state: The session's state.
        reading: The reading, which may state the earliest next read.
        age: Time since the start.
        left_s: Seconds until an unfinished session expires; below 0 afterwards.
        rules: The verifier's current settings.
    """
    if state not in _POLLED_STATES:
        return None
    shortest_s = _SHORTEST_REVIEW_S
    longest_s = _LONGEST_REVIEW_S
    if state is types.SessionState.PENDING:
        shortest_s = _SHORTEST_PENDING_S
        longest_s = _LONGEST_PENDING_S
        if left_s > 0:
            longest_s = min(longest_s, left_s + 1)  # read once after it expires
    if rules.capabilities.result_lasts_s is not None:
        # Several reads before the vendor deletes the result.
        longest_s = min(longest_s, rules.capabilities.result_lasts_s / 6)
    usual_s = min(longest_s, max(shortest_s, age.total_seconds() / 10))
    return max(reading.read_again_s or 0.0, usual_s)
