"""Judge a reading of a hosted session by its record, the current settings, and the time.

This module does no I/O. It first checks that a reading belongs to the record's session and comes
from the expected environment. Then it applies rules, which can only turn a pass into REVIEW.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, TypeAlias

import attrs

from facematch_core import models
from facematch_core.backend import session_types as types
from facematch_core.base.deadline import Clock
from facematch_core.base.masking import Secret
from facematch_core.call import bill
from facematch_core.call.verdict import DefaultsByOperation, describe_mismatch, find_changes
from facematch_core.errors import EnvironmentMismatch, SessionMismatch, VendorError
from facematch_core.images.image import Image
from facematch_core.models import Environment, LivenessResult, MatchResult, Operation, ResultWarning

from .holders import HolderAgreement, compare_holders

Portrait: TypeAlias = Image | Secret | None

#: How far a vendor's clock may run behind ours.
CLOCK_MARGIN = dt.timedelta(seconds=60)
#: Extra seconds for a person who has begun; our own choice.
_OVERTIME_S = 900.0
#: Minimum and maximum seconds between two reads, for PENDING sessions and for other states.
_SHORTEST_S, _LONGEST_S = 2.0, 600.0
_SHORTEST_REVIEW_S, _LONGEST_REVIEW_S = 30.0, 3600.0
#: States in which the person may still continue.
_OPEN = (types.SessionState.PENDING, types.SessionState.ABANDONED)
#: States to poll. DECIDED is not polled: if a reviewer revises a decision, a webhook reports it.
_UNSETTLED = (types.SessionState.PENDING, types.SessionState.PROCESSING, types.SessionState.UNKNOWN)


@attrs.frozen(kw_only=True)
class Rules:
    """A verifier's current settings for judging sessions."""

    #: Name and session capabilities of the backend.
    backend: str
    can: types.SessionCapabilities
    #: The configured environment and the required environment; None if not set.
    declared: Environment | None
    required: Environment | None
    #: The verifier's default thresholds, by operation.
    defaults: DefaultsByOperation
    threshold_rule: models.ThresholdRule


def check_record(record: types.SessionRecord, rules: Rules) -> None:
    """Raise `EnvironmentMismatch` if the record's environment is not the verifier's."""
    problem = describe_mismatch(record.environment, rules.declared, rules.required)
    if record.environment is not None and problem is not None:
        raise EnvironmentMismatch(
            f"The record of the session {problem}: nothing was sent. Use the settings that the "
            "session was planned with.",
            environment=record.environment,
            billing=bill.NOTHING_SENT,
        )


def check_origin(
    answer: types.SessionAnswer | VendorError,
    record: types.SessionRecord,
    rules: Rules,
    *,
    may_be_silent: bool = False,
) -> Environment | None:
    """Return an answer's environment; raise `EnvironmentMismatch` if it is not the expected one.

    If no setting declares the environment, an answer must state it unless `may_be_silent` is set.
    """
    word, environment = answer.environment, None
    declared = rules.declared or record.environment
    if may_be_silent and word is None and declared is None:
        return None
    try:
        environment = None if word is None else Environment(word)
        problem = describe_mismatch(environment, declared, rules.required)
    except ValueError:
        problem = "came from an unknown environment"
    if problem is None:
        return environment or declared
    raise EnvironmentMismatch(
        f"The answer of {rules.backend} about a session {problem}: correct base_url or the key, or "
        "the setting environment.",
        environment=environment,
        billing=answer.billing,
        ids=answer.ids,
    )


def judge(
    reading: types.SessionReading,
    record: types.SessionRecord,
    rules: Rules,
    clock: Clock,
    *,
    is_start: bool = False,
    person: types.Person | None = None,
) -> tuple[types.SessionResult, Portrait]:
    """Return the result of a reading, and the picture from its worst liveness item.

    The picture is None unless the liveness check passed. With `is_start`, the reading is the
    response to a start: it may omit the environment and the vendor's copies of record fields.
    `person` is compared with the holders of the documents.

    Raises:
        EnvironmentMismatch: the reading is from a different or unknown environment.
        SessionMismatch: the reading belongs to another session, or the record was changed.
    """
    environment = check_origin(reading, record, rules, may_be_silent=is_start)
    unknown = bill.stated(models.Charged.UNKNOWN, reading.billing.ground)
    reading = attrs.evolve(reading, environment=environment)
    if reading.state is types.SessionState.GONE:  # the vendor may have deleted the ids, too
        reading = attrs.evolve(reading, checks=())
    else:
        _check_identity(reading, record, rules, is_start=is_start)
    # Use the earliest time: `terms` does not cover `started_at`, so a forged record may look newer.
    starts = [time for time in (record.started_at, reading.created_at) if time is not None]
    started_at = min(starts, default=record.planned_at)
    record = attrs.evolve(
        record,
        session_id=record.session_id or reading.session_id,
        started_at=started_at,
        expires_at=record.expires_at or (reading.access or types.SessionAccess()).expires_at,
        vendor={**reading.vendor, **record.vendor},
    )
    state, now = reading.state, clock.now()
    valid_until = started_at + dt.timedelta(seconds=record.valid_for_s)
    left_s = (min(valid_until, record.expires_at or valid_until) - now).total_seconds()
    if reading.has_begun or reading.checks:
        left_s += _OVERTIME_S
    if state is types.SessionState.PENDING and left_s < 0 and not reading.is_asked_back:
        state = types.SessionState.EXPIRED
    access = reading.access
    # Continuing an ended session would film the person without a result, and may be charged.
    is_open = state in _OPEN or (state is types.SessionState.EXPIRED and rules.can.resumes_expired)
    if access and not (is_open and (access.link or access.token or access.page)):
        access = None
    review_reasons = list(reading.review_reasons)
    if state is not types.SessionState.DECIDED or reading.approved is False:
        review_reasons.append(_warning("not_approved", "The vendor has not approved the session."))
    liveness, portrait = _worst(LivenessResult, reading, record, rules, review_reasons)
    if record.compared_with not in (None, reading.compared_with):
        text = f"The vendor reported no comparison with a {record.compared_with} picture."
        review_reasons.append(_warning("compared_with_another_picture", text))
    agreement = HolderAgreement()
    if person is not None:
        agreement = compare_holders(person, reading.document_holders)
        if agreement.name is types.Agreement.INCOMPLETE and not record.any_document:
            text = "The name on the document or of the person is incomplete: compare them yourself."
            review_reasons.append(_warning("name_incomplete", text))
    match, _ = _worst(MatchResult, reading, record, rules, review_reasons)
    result = types.SessionResult(
        record=record,
        state=state,
        access=access,
        match=match,
        liveness=liveness,
        compared_with=reading.compared_with if types.is_reported(match) else None,
        name_agreement=agreement.name,
        date_of_birth_agreement=agreement.date_of_birth,
        warnings=(*reading.warnings, *reading.review_reasons),
        vendor_status=reading.vendor_status,
        environment=environment,
        required_environment=rules.required,
        billing=unknown if is_start else bill.FREE,
        read_again_s=_read_again_s(state, reading, now - started_at, left_s, rules),
        raw=reading.raw,
        clock=clock,
    )
    return result, portrait if liveness.is_live else None


def judge_missing(
    record: types.SessionRecord, rules: Rules, clock: Clock
) -> types.SessionResult | None:
    """Return a GONE result if the vendor's retention period has ended; else None."""
    lasts_s, started_at = rules.can.result_lasts_s, record.started_at or record.planned_at
    if lasts_s is None or (clock.now() - started_at).total_seconds() <= lasts_s:
        return None
    return types.SessionResult(
        record=record,
        state=types.SessionState.GONE,
        match=_not_reported(MatchResult, rules.backend),
        liveness=_not_reported(LivenessResult, rules.backend),
        environment=rules.declared,
        required_environment=rules.required,
        billing=bill.FREE,
        clock=clock,
    )


def _check_identity(
    reading: types.SessionReading, record: types.SessionRecord, rules: Rules, *, is_start: bool
) -> None:
    """Raise `SessionMismatch` if the reading differs from the record or predates it."""
    shown = {
        "session_id": (reading.session_id, record.session_id or reading.session_id),
        "subject_ref": (reading.subject_ref or record.subject_ref, record.subject_ref),
    }
    ours = {
        "record_id": (types.VendorCopy.ID, record.id),
        "terms": (types.VendorCopy.TERMS, record.terms),
    }
    copies = (reading.record_id, reading.terms, reading.subject_ref)
    # Veriff returns no copies before it has decided. Without `session_id` in the record, the
    # session was found by a search, and only the copies show that it is the record's.
    are_due = (
        reading.state is types.SessionState.DECIDED
        or record.session_id is None
        or any(copy is not None for copy in copies)
    )
    for name, (kept, value) in ours.items():
        is_due = are_due and kept in rules.can.stores and not is_start
        if is_due or getattr(reading, name) is not None:
            shown[name] = getattr(reading, name), value
    for noun in ("facts", "vendor"):
        here, there = getattr(reading, noun), getattr(record, noun)
        shown |= {
            f"{noun} {name}": (here[name], there[name]) for name in here.keys() & there.keys()
        }
    field = next((name for name, (here, there) in shown.items() if here != there), "")
    problem, created_at = field, reading.created_at
    if not field and created_at and created_at < record.planned_at - CLOCK_MARGIN:
        early_s = (record.planned_at - created_at).total_seconds()
        field = "created_at"
        problem = (
            f"created_at: {created_at:%Y-%m-%d %H:%M:%S} UTC by the vendor's clock, {early_s:.0f} "
            "s before the plan by this machine's clock: check this machine's clock"
        )
    if field:
        raise SessionMismatch(
            f"The session at {rules.backend} does not belong to this record, or the record was "
            f"changed ({problem}): let no one in, and find out why.",
            field=field.partition(" ")[0],
            backend=rules.backend,
            billing=reading.billing if is_start else bill.FREE,
            ids=reading.ids,
        )


def _worst(
    kind: type[models.Answer],
    reading: types.SessionReading,
    record: types.SessionRecord,
    rules: Rules,
    review_reasons: Sequence[ResultWarning],
) -> tuple[Any, Portrait]:
    """Apply the rules to all items of one kind; return the worst item and its picture, or None."""
    operation, passes_at, review_at = Operation.LIVENESS, record.liveness_threshold, None
    if kind is MatchResult:
        operation, passes_at = Operation.MATCH, record.threshold
        review_at = record.review_threshold
    today = rules.defaults[operation]
    # Use the stricter threshold, so that a threshold raised after an incident affects old sessions.
    requested = _threshold(passes_at, today.threshold, rules.threshold_rule)
    review = _threshold(review_at, today.review_threshold, models.ThresholdRule.ABOVE)
    items = []
    for check in reading.checks:
        result: Any = check.result
        if kind is LivenessResult and check.covers_liveness and isinstance(result, MatchResult):
            result = _liveness_of(result)
        if isinstance(result, kind):
            fields = find_changes(result, requested, review)
            fields |= {"environment": reading.environment, "billing": bill.FREE}
            items.append((attrs.evolve(result, **fields), check.portrait))
    if not items:
        return _not_reported(kind, rules.backend), None
    worst: Any
    worst, portrait = max(items, key=lambda item: _rank(item[0]))
    if review_reasons and not _rank(worst)[0]:
        warnings = (*worst.warnings, *review_reasons)
        worst = attrs.evolve(worst, decision=type(worst.decision).REVIEW, warnings=warnings)
    return worst, portrait


def _liveness_of(match: MatchResult) -> LivenessResult:
    """Convert a vendor's joint verdict on match and liveness to a liveness item."""
    words = {"match": "live", "no_match": "not_live"}
    word = words.get(match.decision.value, match.decision.value)
    return LivenessResult(
        decision=models.LivenessDecision(word),
        warnings=match.warnings,
        backend=match.backend,
        vendor_status=match.vendor_status,
        ids=match.ids,
    )


def _not_reported(kind: Any, backend: str) -> Any:
    information = models.Severity.INFORMATION
    warning = _warning(types.NOT_REPORTED, "The vendor did not report this check.", information)
    word = models.Decision if kind is MatchResult else models.LivenessDecision
    return kind(decision=word.INCONCLUSIVE, warnings=(warning,), backend=backend, billing=bill.FREE)


def _threshold(
    first: float | None, second: float | None, rule: models.ThresholdRule
) -> models.Threshold | None:
    values = [value for value in (first, second) if value is not None]
    return models.Threshold(max(values), rule) if values else None


def _rank(result: MatchResult | LivenessResult) -> tuple[int, float]:
    """Return a sort key: worse decisions last (as in `LiveMatchDecision`), then lower scores."""
    word, words = result.decision.value, [each.value for each in models.LiveMatchDecision]
    place = words.index(word) if word in words else 0  # 0: "match" or "live", a pass
    return place, -(result.score.value if result.score else 0.0)


def _warning(
    tag: str, text: str, severity: models.Severity = models.Severity.ERROR
) -> ResultWarning:
    return ResultWarning(code=models.WarningCode.OTHER, severity=severity, tag=tag, text=text)


def _read_again_s(
    state: types.SessionState,
    reading: types.SessionReading,
    age: dt.timedelta,
    left_s: float,
    rules: Rules,
) -> float | None:
    """Return the seconds until the next read: a tenth of the age, within limits. None if final."""
    if state not in _UNSETTLED:
        return None
    shortest_s, longest_s = _SHORTEST_REVIEW_S, _LONGEST_REVIEW_S
    if state is types.SessionState.PENDING:
        shortest_s, longest_s = _SHORTEST_S, _LONGEST_S
        if left_s > 0:
            longest_s = min(longest_s, left_s + 1)  # read once after it expires
    if rules.can.result_lasts_s is not None:
        longest_s = min(longest_s, rules.can.result_lasts_s / 6)
    usual_s = min(longest_s, max(shortest_s, age.total_seconds() / 10))
    return max(reading.read_again_s or 0.0, usual_s)
