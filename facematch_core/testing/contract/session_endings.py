"""R58: hosted sessions that the vendor no longer has, or is asked to delete."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import attrs

import facematch_core as fm
from facematch_core.backend.session_types import Deletion, DeletionState, SessionRecord
from facematch_core.testing.bench import (
    Bench,
    Rules,
    assert_equal,
    rule,
    run_parts,
)
from facematch_core.testing.simulator import SessionCase as Case
from facematch_core.testing.simulator import (
    Situation,
)

from .session_desk import Desk, State, describe_word, expect, id_of, is_a

#: Bodies of a refusal, of which none says that a session is gone.
REFUSAL_BODIES = (
    b"{}",
    b'{"error": "No.", "message": "No.", "detail": "No."}',
    b"<html>No.</html>",
)
#: Bodies of a gateway's 404, none of which has the form of a vendor's errors.
GATEWAY_BODIES = (b"{}", b'{"no": "route"}', b"<html>No.</html>")


class EndingDesk(Desk):
    """Checks sessions that vanish or are deleted."""

    def check_refused_read_and_deletion(self) -> None:
        """Assert that each documented refusal of a read and a deletion has its error and charge."""
        record = self.start().record
        for refusal in self.player.read_refusals:
            read = functools.partial(self.read_or_raise, record)
            self.check_refusal("a read", refusal, read)
        for refusal in self.player.delete_refusals:
            delete = functools.partial(self.sessions.delete, record)
            self.check_refusal("a deletion", refusal, delete)

    def check_vanished(self) -> None:
        """Assert that a session that the vendor no longer has is reported as gone."""
        self.check_cases(Case.VANISHED)
        lasts_s = self.capabilities.result_lasts_s
        if lasts_s is None:
            return
        record = self.start_and_pass().record
        self.clock.sleep(lasts_s * 0.9)
        expect(f"a result before {lasts_s:g} s are over", self.read(record), State.DECIDED)
        self.clock.sleep(lasts_s * 0.1 + 1)
        # The record shows that the session existed, so SessionNotFound would be wrong.
        for kind in (State.GONE, fm.SessionResult):
            expect("a result after `result_lasts_s`", self.read(record), kind)

    def check_deletion(self) -> None:
        """Assert that a deletion removes the face, and that its answers are read as documented."""
        can_delete = self.capabilities.can_delete
        self.bench.skip_unless_applicable(can_delete, "deletes no sessions")
        record = self.start_and_pass().record
        deletion = self.delete(record)
        expected_states = DeletionState.DONE, DeletionState.REQUESTED
        expect("the deletion of an existing session", deletion, *expected_states)
        assert_equal("the number of charges of a deletion", self.last_outcome.charges, 0)
        kept_count = self.player.kept(str(record.session_id))
        is_kept = bool(kept_count) or deletion.face_kept is True
        assert not is_kept, "after a deletion the vendor keeps pictures or a template of the face"
        later = self.read(record)
        repeated_deletion = self.delete(record)
        if deletion.state is DeletionState.DONE:
            expect("a deleted session", later, State.GONE)
        expect("the deletion of a missing session", repeated_deletion, Deletion)
        if not isinstance(later, fm.SessionResult):
            # The read raised: the vendor does not know the session any longer. One that it still
            # reports, as gone, may be deleted again.
            is_done = repeated_deletion.state is DeletionState.DONE
            assert not is_done, "the deletion of a missing session is reported as done"
        if self.capabilities.finds_by_record:
            # As after a start with a lost response: the record has no id of a session.
            lost = attrs.evolve(self.start_and_pass().record, session_id=None)
            label = "the deletion of a record without `session_id`"
            expect(label, self.delete(lost), deletion.state)
        if Case.VANISHED in self.player.cases:
            vanished = self.start_and_pass()
            self.player.play(id_of(vanished), Case.VANISHED)
            outcome = self.delete(vanished.record)
            expect("the deletion of a session that vanished", outcome, DeletionState.NOT_THERE)

    def check_deletion_words(self) -> None:
        """Assert that each documented answer to a deletion has its meaning."""
        can_delete = self.capabilities.can_delete
        self.bench.skip_unless_applicable(can_delete, "deletes no sessions")
        deletion_words = [
            session_word
            for session_word in self.player.words
            if isinstance(session_word.means, Deletion)
        ]
        with self.bench.record_exchanges() as exchanges:
            self.delete(self.start_and_pass().record)
        has_body = bool(exchanges) and bool(exchanges[-1].reply.at())
        self.bench.skip_unless_applicable(
            deletion_words or has_body, "gets no words in the answer to a deletion"
        )
        self.bench.skip_unless_testable(
            deletion_words, "has no `words` of a deletion, although its answer has a body"
        )
        for session_word in deletion_words:
            outcome = self.outcome_with_word(session_word)
            label = describe_word(session_word)
            expect(f"a deletion with {label}", outcome, session_word.means.state)
            face_kept = session_word.means.face_kept
            assert_equal(f"`face_kept` with {label}", outcome.face_kept, face_kept)

    def check_faults(self) -> None:
        """Read and delete during faults and rejections: none may report the session as gone."""
        record = self.start().record
        reading_faults = (Situation.OUTAGE, Situation.GATEWAY_ERROR, Situation.UNREADABLE_200)
        self._check_outcomes_in_faults(record, "a read", self.read, reading_faults)
        # Last, because a deletion removes the session. Any 200 response to a deletion may mean that
        # it is done.
        if self.capabilities.can_delete:
            self._check_outcomes_in_faults(record, "a deletion", self.delete, (Situation.OUTAGE,))

    def _check_outcomes_in_faults(
        self,
        record: SessionRecord,
        call_name: str,
        call: Callable[[SessionRecord], Any],
        situations: Sequence[Situation],
    ) -> None:
        """Hold that no fault is taken for a session that is gone."""
        outcomes: dict[str, Any] = {}
        for situation in self.bench.available(situations):
            self.bench.simulator.set_situation(situation)
            outcomes[situation.name] = call(record)
        self.end_faults()
        refusals = list(product((400, 401, 403, 429, 500, 503), REFUSAL_BODIES))
        if self._has_documented_not_found():
            refusals += product((404,), GATEWAY_BODIES)
        for status, body in refusals:
            with self.bench.record_exchanges(status=status, body=body) as exchanges:
                outcome = call(record)
            if exchanges:
                outcomes[f"{status} {body!r}"] = outcome
        for fault_name, outcome in outcomes.items():
            label = f"{call_name} during {fault_name}"
            expect(label, outcome, fm.VendorError)
            assert not is_a(outcome, State.GONE), f"{label} reports the session as gone"

    def _has_documented_not_found(self) -> bool:
        """Return whether the vendor documents a body for a session that it does not have.

        Without one, any 404 may be the vendor's.
        """
        for refusal in self.player.read_refusals:
            if refusal.error is fm.SessionNotFound and refusal.body:
                return True
        return False


class SessionEndingRules(Rules):
    """Rules about endings: only a session that is gone is reported as gone."""

    @rule("R52")
    def test_r58_what_vanished_is_no_verdict(self, bench: Bench) -> None:
        """A session that the vendor no longer has, or was asked to delete, is reported as not found
        or gone, but a fault or a rejection is not: each documented one has its own error. A 404
        without the documented body of an unknown session is a gateway's.

        If "gone" looks like an outage, callers poll forever. They are liable for undeleted faces.
        """
        parts = (
            EndingDesk.check_vanished,
            EndingDesk.check_refused_read_and_deletion,
            EndingDesk.check_deletion,
            EndingDesk.check_deletion_words,
            EndingDesk.check_faults,
        )
        run_parts(EndingDesk(bench), *parts)
