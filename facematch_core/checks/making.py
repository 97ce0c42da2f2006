"""Make a check of a `CheckStore`: find the stored verdict on the same pictures, or pay a new one.

A row is inserted before anything is sent, and `lease_until` is renewed while its process lives.
`call` is written before the first byte of each call: a row with a call and without a result, whose
process died, may have been paid, so nobody makes it again.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from facematch_core import errors
from facematch_core.base.deadline import CANCELLATION, CallCancelled, Deadline
from facematch_core.call.verdict import CallOptions
from facematch_core.images.image import Image
from facematch_core.models import (
    CallRecord,
    Charged,
    LiveMatchResult,
    LivenessResult,
    Operation,
    Reconciliation,
    ends_early,
)
from facematch_core.store.leases import renewed_lease
from facematch_core.store.table import Case, hash_of, key_of

from .table import CheckTable, refuse_open_transaction

if TYPE_CHECKING:
    from .rows import CheckRow

#: Seconds that a second click waits for the first one's verdict.
WAIT_S: Final = 10.0
#: Seconds between two looks for it.
_POLL_S: Final = 0.1
#: Seconds until a check of a process that was killed counts as unknown.
LEASE_S: Final = 12.0
#: Seconds after which a check is no longer counted as an attempt.
ATTEMPTS_WITHIN_S: Final = 86_400.0
#: Seconds that a row may be written in after the deadline of its call.
_WRITE_S: Final = 1.0
#: The lease in seconds if no thread can be started that renews it.
_LONGEST_LEASE_S: Final = 120.0


def check(
    table: CheckTable,
    case: Case,
    kind: str,
    images: list[Image],
    calls: Sequence[CallOptions],
    *,
    anew: bool,
) -> Any:
    """Return the verdict on these pictures: a stored one, or that of a new check.

    Args:
        table: The table.
        case: The case.
        kind: `Document.kind` of the verdict.
        images: The pictures.
        calls: The options of the calls that the check consists of, in order.
        anew: Whether a check is made although a verdict waits for a person, or was accepted.
    """
    runner = table.verifier.runner
    runner.check_open()
    refuse_open_transaction(table.database.engine)
    table = table.until(calls[-1].deadline)
    asked = _AskedCheck(
        table=table,
        case=case,
        kind=kind,
        images=images,
        calls=calls,
        settings=table.settings_of(kind),
        asked=table.clock.monotonic(),
        clean_digests=[image.clean_digest for image in images],
    )
    waiting = Deadline.after(WAIT_S, runner.clock).earlier(calls[-1].deadline)
    verdict = None
    while verdict is None:
        # Read before the rows: a row that is inserted after it takes the next place.
        last_place = table.in_transaction(table.rows.last_place, asked.case_key)
        rows = asked.find_rows()
        used = next((row for row in rows if row.used_at is not None), None)
        if used is not None and case.about is not None:
            return asked.find_same(
                rows,
                errors.AlreadyUsed(
                    "The matter of this case was used at "
                    f"{table.as_stored(used).used_at:%Y-%m-%d %H:%M} UTC, with other pictures. If "
                    "this is another matter, `about` must name it: `about` is one thing, such as "
                    "'payout 8841'. Nothing was sent."
                ),
            )
        newest = next(iter(rows), None) or table.find_newest(case)
        if newest is not None and not anew and table.waits(newest):
            return asked.find_same(
                [newest],
                errors.UnderReview(
                    "A verdict of this case waits for a person, or was accepted and not used yet: "
                    "see find and decide. anew=True makes another check. Nothing was sent."
                ),
            )
        open_row = next((row for row in rows if row.open_case_key is not None), None)
        if open_row is not None:
            _wait_for(table, open_row, waiting)
            continue
        verdict = asked.find_verdict(rows)
        if verdict is None:
            verdict = asked.make(rows, last_place)
    return verdict


def _wait_for(table: CheckTable, open_row: CheckRow, waiting: Deadline) -> None:
    """Wait a moment for the check that is under way; close it if it was never sent.

    Raises:
        CheckUnderWay: it has been under way for too long.
        OutcomeUnknown: its process died after it may have been sent.
    """
    if open_row.lease_until > table.now():
        if waiting.is_over:
            raise errors.CheckUnderWay(
                "Another process is making a check of this case: call again to get its verdict. "
                "Nothing was sent."
            )
        CANCELLATION.get().sleep(_POLL_S, table.verifier.runner.clock)
        return
    if open_row.call is None:
        close_unfinished(table, open_row)
        return
    call = open_row.read_call()
    raise errors.OutcomeUnknown(
        "An earlier check of this case may have been paid, and its verdict is not known: call "
        "reconcile() or give_up() of the case. Nothing was sent.",
        call=call,
        backend=None if call is None else call.backend,
    )


@attrs.define(kw_only=True)
class _AskedCheck:
    """A check that a caller asks for, which may have been made before.

    Attributes:
        table, case, kind, images, calls: See `check`.
        settings: `CheckTable.settings_of` the kind.
        asked: When the caller asked, on the monotonic clock.
        clean_digests: `Image.clean_digest` of each picture.
        prepared: The pictures as the verifier sends them, once they are needed.
    """

    table: CheckTable
    case: Case
    kind: str
    images: list[Image] = attrs.field(repr=False)
    calls: Sequence[CallOptions] = attrs.field(repr=False)
    settings: str
    asked: float
    clean_digests: Sequence[str]
    prepared: list[Image] | None = attrs.field(default=None, init=False, repr=False)

    @property
    def case_key(self) -> str:
        return key_of(self.case)

    def is_of(self, row: CheckRow, settings: str | None = None) -> bool:
        """Return whether a row is of the same check, with the settings of today or with others.

        An earlier release took the whole files, with their metadata.
        """
        digests_of_files = [image.digest for image in self.images]
        both = self.clean_digests, digests_of_files
        return any(
            row.fingerprint == self.fingerprint(row.id, digests, settings) for digests in both
        )

    def fingerprint(self, row_id: str, digests: Sequence[str], settings: str | None = None) -> str:
        """Return the fingerprint that a row with this id has if it is the same check."""
        options = repr([call.options for call in self.calls])
        settings = settings or self.settings
        value: str = self.table.rows.fingerprint(row_id, settings, options, digests)
        return value

    def find_rows(self) -> list[CheckRow]:
        """Return the open row of the case, and the rows that are young enough to count."""
        table, columns = self.table, self.table.columns
        horizon_s = max(table.max_age_s, ATTEMPTS_WITHIN_S)
        is_young = columns.begun_at >= table.time(-horizon_s)
        is_open = columns.open_case_key == self.case_key
        if self.case.about is not None:
            is_young |= columns.used_at.is_not(None)
        return table.find(is_open | ((columns.case_key == self.case_key) & is_young))

    def find_same(self, rows: Sequence[CheckRow], refusal: errors.FaceMatchError) -> Any:
        """Return the stored verdict on the same pictures, whatever its age.

        Raises:
            FaceMatchError: there is none: `refusal`.
        """
        for row in rows:
            result = row.read_result()
            # The settings may have changed before a request is sent again.
            is_same = row.kind == self.kind and self.is_of(row, row.settings)
            if result is not None and is_same:
                return _as_returned(result, self.calls[-1])
        raise refusal

    def find_verdict(self, rows: Sequence[CheckRow]) -> Any:
        """Return the stored verdict on the same pictures; None without one.

        It becomes the verdict that was returned last, which `use` judges. The rows are read again
        if it was used, or closed, since they were read.
        """
        for row in self._of_same_check(rows):
            result = row.read_result()
            if result is None:
                continue
            is_last_returned = row is rows[0] or row.used_at is not None
            if not is_last_returned and not _return_again(self.table, row):
                # A verdict that was used after this click is returned all the same.
                return self.find_verdict(self.find_rows())
            return _as_returned(result, self.calls[-1])
        return None

    def make(self, rows: Sequence[CheckRow], last_place: int) -> Any:
        """Make the check, or its missing half; return None if another process makes one.

        Args:
            rows: All rows that `find_rows` returned.
            last_place: The place of the newest row, as read before them.
        """
        # The rows of a `verify_live` whose liveness is paid, and whose comparison is missing.
        halves = []
        for row in self._of_same_check(rows):
            # A result that is here could not be read: a later version wrote it.
            is_half = row.call is None and row.result is None
            if is_half and row.read_liveness() is not None:
                halves.append(row)
        calls = self.calls
        if halves:
            calls = calls[1:]
        else:
            _check_attempts(self.table, rows)
        if self.prepared is None:
            before = tuple(call.operation for call in calls[:-1])
            runner = self.table.verifier.runner
            self.prepared = runner.check_call(self.images, calls[-1], after=before)
        open_row = _reopen(self.table, halves[0]) if halves else self._insert(last_place)
        if open_row is None:
            return None
        return _make_calls(self.table, open_row, self.prepared, calls)

    def _of_same_check(self, rows: Sequence[CheckRow]) -> list[CheckRow]:
        """Return the rows of the same check, unless its verdict was used before this click."""
        asked_at = self.table.now() - (self.table.clock.monotonic() - self.asked)
        return [
            row
            for row in rows
            if (row.used_at is None or row.used_at > asked_at)
            and self.table.is_young(row.begun_at)
            and self.is_of(row)
        ]

    def _insert(self, last_place: int) -> CheckRow | None:
        """Insert the row that reserves this check, with a lease; return None if another is open."""
        table = self.table
        row_id = secrets.token_hex(16)
        inserted: CheckRow | None = table.in_transaction(
            table.rows.insert,
            id=row_id,
            subject_key=hash_of(self.case.subject_ref),
            case_key=self.case_key,
            open_case_key=self.case_key,
            place=last_place + 1,
            turn=table.rows.next_turn(self.case_key),
            kind=self.kind,
            settings=self.settings,
            fingerprint=self.fingerprint(row_id, self.clean_digests),
            begun_at=table.time(),
            **_new_lease(table),
        )
        return inserted


def save(
    table: CheckTable, row: CheckRow, answer: Any, liveness: LivenessResult | None = None
) -> Any:
    """Store the answer of a call; return the verdict of the check, None if a call is missing.

    Args:
        table: The table.
        row: The row of the check.
        answer: The answer.
        liveness: The answer of the first call, if this one is of the second.
    """
    columns = table.columns
    # After it was given up, another verdict may have been returned, which `use` judges. But `erase`
    # needs the vendor's id in an answer that comes after it has closed the row.
    is_awaited = columns.open_case_key.is_not(None) | columns.case_key.is_(None)
    is_undecided = (columns.id == row.id, columns.result.is_(None), is_awaited)
    if row.kind == LiveMatchResult.kind:
        if isinstance(answer, LivenessResult):
            if not ends_early(answer):
                # If it is stored already, `call` may be that of a comparison under way.
                is_missing = columns.liveness.is_(None)
                values = {"liveness": _to_json(answer), "call": None}
                _write(table, table.rows.update, *is_undecided, is_missing, **values)
                return None
            answer = LiveMatchResult.of(answer, None)
        else:
            first = row.read_liveness() if liveness is None else liveness
            answer = LiveMatchResult.of(cast(LivenessResult, first), answer)
    _write(
        table,
        table.rows.update,
        *is_undecided,
        result=_to_json(answer),
        turn=table.rows.next_turn(row.case_key),
        open_case_key=None,
        call=None,
    )
    return answer


def reconcile(table: CheckTable, row: CheckRow, deadline_s: float | None) -> Reconciliation:
    """Search the vendor's records for the last call of a row; store the answer if it is found."""
    call = row.read_call()
    if call is None:
        raise errors.ConfigurationError("The check was made by a later version of facematch.")
    found = table.verifier.reconcile(call, deadline_s=deadline_s)
    if found.result is not None:
        save(table, row, found.result)
    return found


def close_unfinished(table: CheckTable, row: CheckRow) -> bool:
    """Close an open row whose lease is over, without a verdict; return whether this did it.

    The first half of a `verify_live` stays, so that only the comparison is paid. But a comparison
    that the vendor may keep is a row for `erase` to find, and both halves are paid again.
    """
    columns = table.columns
    conditions = [
        columns.id == row.id,
        columns.open_case_key.is_not(None),
        columns.lease_until == row.lease_until,
        columns.call.is_(None) if row.call is None else columns.call.is_not(None),
    ]
    if row.liveness is None and row.call is None:  # nothing was sent
        return bool(table.in_transaction(table.rows.remove_rows, *conditions))
    call = row.call
    if row.liveness is not None and not row.may_be_kept:
        call = None
    return bool(table.update(*conditions, open_case_key=None, lease=None, call=call))


def _return_again(table: CheckTable, row: CheckRow) -> bool:
    """Let `use` judge this verdict, as the last one returned; return False if it was used."""
    columns = table.columns
    returned = table.update(
        columns.id == row.id,
        columns.case_key == row.case_key,
        columns.used_at.is_(None),
        turn=table.rows.next_turn(row.case_key),
    )
    return bool(returned)


def _check_attempts(table: CheckTable, rows: Sequence[CheckRow]) -> None:
    """Raise `TooManyAttempts` if a case has had as many checks as the store allows."""
    begins_at = table.now() - ATTEMPTS_WITHIN_S
    last_used_at = max((row.used_at for row in rows if row.used_at is not None), default=0.0)
    counted = [row.begun_at for row in rows if row.begun_at > max(begins_at, last_used_at)]
    if len(counted) < table.attempts:
        return
    raise errors.TooManyAttempts(
        f"The case has had {len(counted)} checks, which is the limit. Nothing was sent.",
        retry_after_s=sorted(counted)[-table.attempts] - begins_at,
    )


def _new_lease(table: CheckTable) -> dict[str, Any]:
    return {"lease": secrets.token_hex(16), "lease_until": table.time(LEASE_S)}


def _reopen(table: CheckTable, half: CheckRow) -> CheckRow | None:
    """Open a check again whose comparison is missing; return None if another process did so."""
    columns = table.columns
    opened = table.update(
        columns.id == half.id,
        columns.case_key == half.case_key,
        columns.open_case_key.is_(None),
        columns.result.is_(None),
        open_case_key=half.case_key,
        turn=table.rows.next_turn(half.case_key),
        **_new_lease(table),
    )
    return next(iter(opened), None)


def _make_calls(
    table: CheckTable, row: CheckRow, images: list[Image], calls: Sequence[CallOptions]
) -> Any:
    """Make the calls of an open row that have no answer yet, and store each answer."""
    has_lease = (table.columns.id == row.id, table.columns.lease == row.lease)

    def renew(lease_s: float) -> None:
        table.until(_after_call(table.deadline)).update(*has_lease, lease_until=table.time(lease_s))

    def store_call(record: CallRecord) -> None:
        if not table.update(*has_lease, call=_to_json_of_call(record)):
            # This process was suspended for longer than its lease, or the person was erased.
            raise errors.CheckUnderWay(
                "The check was taken over or erased before its call. Nothing was sent."
            )

    liveness = row.read_liveness()
    with renewed_lease(renew, LEASE_S, longest_s=_LONGEST_LEASE_S):
        for call in calls:
            count = 1 if call.operation is Operation.LIVENESS else 2
            try:
                answer = table.verifier.runner.call(
                    images[:count], attrs.evolve(call, on_record=store_call)
                )
            except BaseException as error:
                if isinstance(error, errors.FaceMatchError):
                    error.liveness = liveness
                _close_after(error, table, has_lease, has_half=liveness is not None)
                raise
            verdict = save(table, row, answer, liveness)
            if verdict is not None:
                return verdict
            liveness = cast(LivenessResult, answer)
    raise AssertionError("the last call has a verdict")


def _close_after(
    error: BaseException, table: CheckTable, lease: Sequence[Any], has_half: bool
) -> None:
    """Close the row of a call that failed free of charge; else its outcome is unknown at once."""
    is_free = False
    if isinstance(error, CallCancelled):
        # A call of several requests may be cancelled between them.
        is_free = error.billing is None or error.billing.charged is Charged.NO
    elif isinstance(error, errors.FaceMatchError):
        is_free = error.billing.charged is Charged.NO
    if is_free and has_half:
        _write(table, table.rows.update, *lease, open_case_key=None, call=None)
    elif is_free:
        _write(table, table.rows.remove_rows, *lease)
    else:
        values: dict[str, Any] = {"lease_until": table.time()}
        call = getattr(error, "call", None)
        if isinstance(call, CallRecord):  # with the vendor's id
            values["call"] = _to_json_of_call(call)
        _write(table, table.rows.update, *lease, **values)


def _after_call(deadline: Deadline) -> Deadline:
    """Return the deadline of a write about a call that may be over its own deadline."""
    return Deadline.after(max(_WRITE_S, deadline.left_s()))


def _write(
    table: CheckTable, transaction: Callable[..., Any], *conditions: Any, **values: Any
) -> None:
    """Change a row after a call. If the database is away, the next transaction does it."""
    # The paid verdict is returned all the same.
    table.database.run_or_postpone(
        lambda connection: transaction(connection, *conditions, **values),
        deadline=_after_call(table.deadline),
    )


def _to_json_of_call(call: CallRecord) -> str:
    return json.dumps(attrs.evolve(call, caller_ref=None).to_dict())


def _to_json(result: Any) -> str:
    """Return a result as JSON, without all that may contain the caller's or the vendor's words."""
    return json.dumps(_with_each_answer(result, _without_words).to_dict())


def _without_words(answer: Any) -> Any:
    route = answer.route
    if route is not None:
        skipped = [attrs.evolve(member, message="") for member in route.skipped]
        route = attrs.evolve(route, skipped=tuple(skipped))
    ids = attrs.evolve(answer.ids, caller=None)
    return attrs.evolve(answer, raw={}, metadata=None, ids=ids, route=route)


def _as_returned(result: Any, call: CallOptions) -> Any:
    """Return a stored result with the reference and metadata of this call."""

    def with_callers(answer: Any) -> Any:
        ids = attrs.evolve(answer.ids, caller=call.caller_ref)
        return attrs.evolve(answer, ids=ids, metadata=call.metadata)

    return _with_each_answer(result, with_callers)


def _with_each_answer(result: Any, change: Callable[[Any], Any]) -> Any:
    """Return a result in which the answer of each call is that of `change`."""
    if not isinstance(result, LiveMatchResult):
        return change(result)
    match = None if result.match is None else change(result.match)
    return LiveMatchResult.of(change(result.liveness), match)
