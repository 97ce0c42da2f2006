"""R52-R59: hosted sessions, from the start to the deletion."""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any
from unittest import mock
from urllib.parse import unquote

import attrs
import pytest

import facematch_core as fm
from facematch_core.backend import Backend, DocumentHolder
from facematch_core.backend import session_types as hosted
from facematch_core.backend.session_types import Deletion, DeletionState, SessionRecord, VendorCopy
from facematch_core.http import HttpReply, HttpRequest
from facematch_core.sessions.sessions import Sessions
from facematch_core.testing import bench as benches
from facematch_core.testing import leaks
from facematch_core.testing.bench import INCONCLUSIVE, Bench, Rules, assert_equal, rule, run_parts
from facematch_core.testing.pictures import pictures_beyond, pictures_within
from facematch_core.testing.simulator import SessionCase as Case
from facematch_core.testing.simulator import SessionSimulator, SessionWord, Situation, good_among

from .calls import replace_value, values_in
from .money import EXPECTED

State, MATCH, LIVENESS = fm.SessionState, fm.Operation.MATCH, fm.Operation.LIVENESS
SUBJECT, PURPOSE, ABOUT = "kit-subject-8d1f", "kit-purpose-41c7", "kit-about-b20e"
#: Liveness thresholds: one that a good score passes, and one below the score of LOW_SCORE.
LIVE_FROM, LOW_FROM = 70.0, 30.0
#: A person, the holder of her own document, and of the documents of others.
PERSON = fm.Person(name="Ada Kit-Lovelace", date_of_birth=dt.date(1980, 1, 1))
OWN_DOCUMENT = DocumentHolder(name="KIT-LOVELACE ADA", date_of_birth=PERSON.date_of_birth)
OTHER_DOCUMENTS = {
    "with another name": attrs.evolve(OWN_DOCUMENT, name="Grace Kit-Hopper"),
    "with another date of birth": attrs.evolve(OWN_DOCUMENT, date_of_birth=dt.date(1980, 1, 2)),
}
#: The expected outcome of each case: a class of result or error, a state, or a decision.
VERDICTS: dict[Case, Any] = {
    Case.OTHER_PERSON: fm.Decision.NO_MATCH,
    Case.SPOOF: fm.LivenessDecision.NOT_LIVE,
    Case.TRY_AGAIN: State.PENDING,
    **dict.fromkeys((Case.NO_FACE_ITEM, Case.OTHER_PICTURE), fm.SessionResult),
    **dict.fromkeys((Case.UNFINISHED, Case.LOW_SCORE), fm.SessionResult),
}
STRANGERS: dict[Case, Any] = {
    Case.FOREIGN: fm.VendorError,
    Case.OLDER: fm.SessionMismatch,
    **dict.fromkeys((Case.SANDBOX, Case.UNKNOWN_ENVIRONMENT), fm.EnvironmentMismatch),
}
DUE = {**VERDICTS, **STRANGERS, Case.VANISHED: State.GONE}
#: The check that a case tests, and the environment that its record requires.
CHECKS = dict.fromkeys((Case.OTHER_PERSON, Case.OTHER_PICTURE), MATCH)
CHECKS |= dict.fromkeys((Case.SPOOF, Case.LOW_SCORE), LIVENESS)
REQUIRED = {Case.SANDBOX: fm.Environment.PRODUCTION, Case.UNKNOWN_ENVIRONMENT: None}


class Desk:
    """Makes calls about sessions with a backend and its simulator."""

    def __init__(self, bench: Bench) -> None:
        can: Any = bench.backend.session_capabilities
        bench.skip_unless_applicable(can is not None, "has no hosted sessions")
        player: Any = bench.simulator.sessions
        bench.skip_unless_testable(player is not None, "simulates no sessions")
        self.bench, self.can, self.player = bench, can, player
        self.clock = player.clock or bench.clock
        self.has_webhooks = type(bench.backend).receive_session is not Backend.receive_session
        self.events: list[fm.CallEvent] = []
        self.open(player.compared_with[-1])
        self.end_faults()

    def open(self, compared_with: fm.ComparedWith | None, *, searches: bool = True) -> None:
        """Set up sessions that compare a face with this kind of picture (None: no comparison).

        Without `searches`, a start does not search for an earlier session.
        """
        self.player.prepare(compared_with)
        is_document = compared_with is fm.ComparedWith.DOCUMENT
        self.reads_document = is_document and self.can.reads_document
        self.any_document = is_document and not self.can.reads_document
        can = attrs.evolve(self.can, finds_by_record=self.can.finds_by_record and searches)
        with mock.patch.object(type(self.bench.backend), "session_capabilities", can):
            self.sessions = Sessions(
                fm.FaceVerifier(self.bench.backend, clock=self.clock, on_event=self.events.append),
                expects=can.checks - ({MATCH} if compared_with is None else set()),
                compared_with=compared_with or fm.ComparedWith.GIVEN,
            )
        document = PERSON if self.reads_document else None
        self.read_once = functools.partial(self.sessions.read, document=document)
        asks: Any = (self.read_once, self.sessions.delete, self.sessions.receive)
        self.read, self.delete, self.receive = (functools.partial(self.tried, ask) for ask in asks)

    def end_faults(self) -> None:
        self.bench.simulator.set_situation(good_among(self.bench.simulator.situations))

    def plan(self, **how: Any) -> SessionRecord:
        live_at = LIVE_FROM if self.can.needs_liveness_threshold else None
        usual = {"purpose": PURPOSE, "about": ABOUT, "liveness_threshold": live_at}
        usual["any_document"] = self.any_document
        return self.sessions.plan(SUBJECT, **{**usual, **how})

    def start(self, record: SessionRecord | None = None, **how: Any) -> fm.SessionResult:
        record = record or self.plan()
        _, reference = self.bench.simulator.pictures_for(Situation.SAME_PERSON)
        is_given = record.compared_with is fm.ComparedWith.GIVEN
        options = self.can.options and self.player.options(self.can.options)
        usual = {"reference": reference if is_given else None, "options": options}
        session = self.sessions.start(record, **{**usual, **how})
        if self.reads_document:
            self.player.show_document(id_of(session), OWN_DOCUMENT)
        return session

    def look(self, session: fm.SessionResult, case: Case, **how: Any) -> fm.SessionResult:
        self.player.play(id_of(session), case)
        return self.read_once(session.record, **how)

    def passed(self) -> fm.SessionResult:
        return self.look(self.start(), Case.PASSED)

    def tried(self, ask: Callable[..., Any], *values: Any, **how: Any) -> Any:
        """Return a function's result or the error it raised; count its requests and charges."""
        self.counted = self.bench.observe(functools.partial(ask, *values, **how))
        return self.counted.error or self.counted.result

    def cases(self, *cases: Case) -> Iterator[Case]:
        """Yield the playable cases, then skip the rule if an applicable case is missing."""
        player, can = self.player, self.can
        met = [case for case in cases if CHECKS.get(case) in {None, *can.checks}]
        if not can.needs_liveness_threshold:
            met = [case for case in met if case is not Case.LOW_SCORE]
        yield from (case for case in met if case in player.cases)
        missing = [case for case in met if case not in player.cases]
        names = [case.name for case in missing if case not in player.cannot_happen]
        self.bench.skip_unless_testable(not names, f"cannot play {' or '.join(names)}")
        if len(missing) == len(met):
            reasons = dict.fromkeys(player.cannot_happen[case] for case in missing)
            pytest.skip(benches.DOES_NOT_APPLY + " ".join(reasons))

    def play(self, *cases: Case) -> None:
        """Read a session in each case; assert the expected outcome, which never verifies."""
        for case in self.cases(*cases):
            session = self.start()
            if case is Case.VANISHED:
                self.look(session, Case.PASSED)
            self.player.play(id_of(session), case)
            required = REQUIRED.get(case, session.record.environment)
            result = self.read(attrs.evolve(session.record, environment=required))
            where = f"a session in {case.name}"
            if case in REQUIRED and isinstance(result, fm.SessionMismatch):
                # The record's environment is another one, too, so its terms cannot agree.
                where = f"the `environment` of {where} is not what the response states: it"
            expect(where, result, DUE[case])
            if not isinstance(result, fm.SessionResult):
                continue
            items, where = items_of(result), f"{case.name} is {words(result)}"
            assert not verifies(result), f"{where}, which is a yes"
            assert not items or case is not Case.NO_FACE_ITEM, f"{where}, but no face was checked"
            if case is Case.UNFINISHED:
                decisions = {item.decision for item in items}
                assert decisions & {*INCONCLUSIVE.values()}, f"{where}, but one is unfinished"
            elif case is Case.LOW_SCORE:
                low = self.look(self.start(self.plan(liveness_threshold=LOW_FROM)), case)
                assert low.liveness.is_live, f"{case.name} at {LOW_FROM:g} is {words(low)}"
            elif case is Case.TRY_AGAIN:
                again = self.look(session, Case.PASSED)
                assert verifies(again), f"a session passed at the second attempt is {words(again)}"

    def starts(self) -> None:
        for compared_with in self.player.compared_with:
            self.open(compared_with)
            session = self.start()
            assert session.access, "a start returns no link, token or page for the person"
            for part in self.player.hands_over:
                assert getattr(session.access, part), f"a start drops the vendor's {part}"
            with self.bench.record_exchanges() as steps:
                before = self.read(session.record, with_access=True)
            expect("a session that nobody has opened", before, State.PENDING)
            assert not items_of(before), f"a session that nobody has opened is {words(before)}"
            assert_equal("the number of charges of a read", self.counted.charges, 0)
            bodies = "".join(f"{each.reply.at()}" for each in steps)
            is_shown = any(key in bodies for key in _keys_of(session))
            assert before.access or not is_shown, "a read drops the link or token of the response"
            if before.access:
                assert_equal(
                    "the page of a read", dict(before.access.page), dict(session.access.page)
                )
            result = self.look(session, Case.PASSED)
            assert verifies(result), f"a passed session is {words(result)}"
            is_told = before.vendor_status is None or before.vendor_status != result.vendor_status
            assert is_told, f"`vendor_status` is {result.vendor_status} before and after the check"

    def wishes(self) -> None:
        # Arguments of a start by capability, each with a pattern that the request must match.
        back, language = ("http://127.0.0.1/kit-3d51", "kit-3d51"), ("pt-BR", r"\bpt(?![a-z])")
        wishes = {"return_url": back, "language": language}
        wishes = {name: how for name, how in wishes.items() if getattr(self.can, f"takes_{name}")}
        values, open_s = {name: value for name, (value, _) in wishes.items()}, 1800.0
        with self.bench.record_exchanges() as steps:
            session = self.start(self.plan(valid_for_s=open_s), **values)
        sent = unquote(" ".join(_text_of(each.request) for each in steps))
        for name, (value, form) in wishes.items() if steps else ():
            is_told = re.search(form, sent, re.IGNORECASE)
            assert is_told, f"a start with the {name} {value} does not send it to the vendor"
        lasts_s = self.player.lasts_s(id_of(session)) or 0.0
        assert lasts_s <= open_s, f"a link or token lasts {lasts_s:g} s, its session {open_s:g} s"
        self.clock.sleep(open_s + 1)
        is_open = is_a(self.read(session.record), State.PENDING)
        assert not is_open, "a session that nobody opened in time does not expire"
        is_known = type(self.player).lasts_s is not SessionSimulator.lasts_s
        self.bench.skip_unless_testable(
            is_known, "does not say how long a link or token works (`lasts_s`)"
        )

    def failed_starts(self) -> None:
        """A rejected start is free. A start with a lost or unusable response is sent once."""
        how, lost, can = self.player.compared_with[-1], self.plan(), self.can
        self.open(how, searches=False)
        self.tried(self.start)
        usual, refusals = self.counted.requests, (Situation.NO_CREDIT, Situation.BAD_KEY)
        # In the last situation the vendor creates the session, and only its response is lost.
        losses = (Situation.GATEWAY_ERROR, Situation.UNREADABLE_200, Situation.LOST_ANSWER)
        for situation in self.bench.available(*refusals, *losses):
            # The requests before the last may be free, for example to create a person.
            is_aimed = usual > 1 and situation in losses
            aim = {"step": usual} if is_aimed else {}
            self.bench.simulator.set_situation(situation, **aim)
            error = self.tried(self.start, lost if situation is losses[-1] else self.plan())
            self.end_faults()
            is_refused, where = situation in refusals, f"a start in {situation.name}"
            expect(where, error, *(EXPECTED[situation].errors if is_refused else [fm.VendorError]))
            charged, sent = error.billing.charged, self.counted.requests
            assert (charged is fm.Charged.NO) is is_refused, f"`charged` of {where} is {charged}"
            assert is_refused or sent <= usual, f"{where} sends {sent} requests, not {usual}"
        self.bench.skip_unless_available(Situation.LOST_ANSWER)
        ids = list[str]()
        if can.finds_by_record:
            self.open(how)
            found = self.read(lost)
            expect("a lost session, with `finds_by_record` declared,", found, fm.SessionResult)
            ids.append(id_of(found))
            self.open(how, searches=False)
        if can.start_is_repeatable:
            ids += [id_of(self.start(record)) for record in (lost, lost, self.plan())]
            assert len({*ids[:-1]}) == 1, "repeating a start creates a second session"
            assert ids[-1] != ids[0], "two records of one person share a session"

    def references(self) -> None:
        """Assert that the declared limits of references match what the vendor accepts."""
        limits, player = self.can.reference_limits, self.player
        is_given = fm.ComparedWith.GIVEN in player.compared_with
        self.bench.skip_unless_applicable(is_given, "accepts no reference at a start")
        self.open(fm.ComparedWith.GIVEN)
        for what, picture in pictures_beyond(player.reference_limits or limits).items():
            try:
                picture.prepared(limits, fit=False)
            except fm.InvalidImage:
                continue
            raise AssertionError(f"a reference beyond the vendor's limit ({what}) would be sent")
        for what, picture in pictures_within(limits).items() if player.looks_at_references else ():
            started = self.tried(self.start, reference=picture)
            where = f"a reference of {picture.size_bytes} bytes ({what})"
            expect(f"the outcome for {where}, within the limits,", started, fm.SessionResult)

    def scores(self) -> None:
        """Check the scores, and the liveness threshold if the backend applies it."""
        passed, can, rule_ = self.passed(), self.can, self.bench.capabilities.threshold_rule
        for operation in can.scored:
            item = getattr(passed, operation)
            scored = item.score is not None or item not in items_of(passed)
            assert scored, f"`scored` includes {operation}, but a session has no score for it"
        if not can.needs_liveness_threshold or (score := passed.liveness.score) is None:
            return
        for step in (-0.01, 0.0, 0.01):
            edge = min(max(round(score.value + step, 6), 0.0), 100.0)
            result = self.look(self.start(self.plan(liveness_threshold=edge)), Case.PASSED)
            due = fm.Threshold(edge, rule_).passes(score.value)
            at = f"the score {score.value:g} of a session at the threshold {edge:g}"
            assert verifies(result) is due, f"{at} is a {'no' if due else 'yes'}"

    def documents(self) -> None:
        """Show documents: only the person's own verifies, and no name reaches a result."""
        self.bench.skip_unless_applicable(self.can.reads_document, "reads no documents")
        is_shown = fm.ComparedWith.DOCUMENT in self.player.compared_with
        self.bench.skip_unless_testable(is_shown, "compares with no document")
        self.open(fm.ComparedWith.DOCUMENT)
        own = self.passed()
        assert verifies(own), f"the person's own document is a no ({own.name_agreement})"
        results = [own]
        for which, holder in OTHER_DOCUMENTS.items():
            session = self.start()
            self.player.show_document(id_of(session), holder)
            other = self.look(session, Case.PASSED)
            assert not verifies(other), f"a document {which} is a yes"
            results.append(other)
        for result in results:
            text = f"{result!r} {json.dumps(result.to_dict())}".casefold()
            names = [name for name in ("kit-lovelace", "kit-hopper") if name in text]
            assert not names, "a result has the name on the document"

    def documented_words(self) -> None:
        """Play each documented value, and an unknown and a missing value at each place."""
        words = self.player.words
        self.bench.skip_unless_testable(words, "has no `words` from the vendor's documentation")
        passed = self.passed().vendor_status
        rows = [row for row in words if not isinstance(row.means, Deletion)]
        for row, meanings in (*((row, [row.means]) for row in rows), *self._new_words(rows)):
            result, where = self._outcome_of(row)
            if isinstance(result, fm.UnexpectedResponse) and (row.word, row.source) == (
                None,
                "undocumented",
            ):
                continue
            expect(where, result, *meanings)
            assert verifies(result) is row.is_yes, f"{where} is a {'no' if row.is_yes else 'yes'}"
            assert_equal(f"`vendor_status` with {where}", result.vendor_status, passed, row.word)

    def _outcome_of(self, row: SessionWord) -> tuple[Any, str]:
        """Return the outcome of a read or deletion with this value, and describe the value."""
        record = self.start().record
        self.player.say(str(record.session_id), row.place, row.word)
        result = (self.delete if isinstance(row.means, Deletion) else self.read)(record)
        place = ".".join(map(str, row.place))
        return result, f"`{place}` {row.word!r} (meaning {row.means}, {row.source})"

    def _new_words(self, rows: list[SessionWord]) -> Iterator[tuple[SessionWord, list[Any]]]:
        """Yield an unknown and a missing value for each place, with their possible meanings."""
        for place in dict.fromkeys(row.place for row in rows):
            at = [row for row in rows if row.place == place and isinstance(row.word, str)]
            kind: Any = type(at[0].means) if at else None
            if kind not in (State, fm.Decision, fm.LivenessDecision):
                continue
            unknown = State.UNKNOWN if kind is State else kind.REVIEW
            # If all values have the same meaning, an unknown value may have it, too.
            means = {row.means for row in at}
            also = [*means] if len(means) == 1 and not any(row.is_yes for row in at) else []
            word = self.bench.simulator.unknown_status
            yield SessionWord(place, word, unknown, "undocumented"), [unknown, *also]
            is_documented = any(row.place == place and row.word is None for row in rows)
            if kind is not State and not is_documented:
                also = [unknown, kind.INCONCLUSIVE, *also]
                yield SessionWord(place, None, unknown, "undocumented"), also

    def changed_records(self) -> None:
        can, first, second = self.can, self.passed().record, self.start().record
        other_id = attrs.evolve(second, session_id=first.session_id)
        changed = {
            VendorCopy.ID: other_id,
            VendorCopy.TERMS: attrs.evolve(first, about="another one"),
            VendorCopy.SUBJECT: attrs.evolve(first, subject_ref="somebody else"),
        }
        for kept in can.stores & {*changed}:
            expect(f"a record with another {kept}", self.read(changed[kept]), fm.SessionMismatch)
        if can.can_delete and VendorCopy.ID in can.stores:
            outcome = self.delete(other_id)
            expect("the deletion of another person's session", outcome, fm.SessionMismatch)
        for name, value in second.facts.items():
            shown = list[object]()
            with self.bench.record_exchanges(_replacing(value, shown)):
                outcome = self.read(second)
            if shown:
                expect(f"a response with another {name}", outcome, fm.SessionMismatch)
            other = attrs.evolve(first, facts={**first.facts, name: f"another-{value}"})
            expect(f"a record with another {name}", self.read(other), fm.FaceMatchError)

    def vanished(self) -> None:
        self.play(Case.VANISHED)
        if (lasts_s := self.can.result_lasts_s) is None:
            return
        record = self.passed().record
        self.clock.sleep(lasts_s * 0.9)
        expect(f"a result before {lasts_s:g} s are over", self.read(record), State.DECIDED)
        self.clock.sleep(lasts_s * 0.1 + 1)
        # The record shows that the session existed, so SessionNotFound would be wrong.
        for kind in (State.GONE, fm.SessionResult):
            expect("a result after `result_lasts_s`", self.read(record), kind)

    def deleted(self) -> None:
        self.bench.skip_unless_applicable(self.can.can_delete, "deletes no sessions")
        record, done, asked = self.passed().record, DeletionState.DONE, DeletionState.REQUESTED
        deletion = self.delete(record)
        expect("the deletion of an existing session", deletion, done, asked)
        assert_equal("the number of charges of a deletion", self.counted.charges, 0)
        kept = self.player.kept(str(record.session_id)) or deletion.face_kept is True
        assert not kept, "after a deletion the vendor keeps pictures or a template of the face"
        rest, again = self.read(record), self.delete(record)
        if deletion.state is done:
            expect("a deleted session", rest, State.GONE)
        expect("the deletion of a missing session", again, Deletion)
        # A session that a read still reports (as gone) may be deleted again.
        is_done = again.state is done and not isinstance(rest, fm.SessionResult)
        assert not is_done, "the deletion of a missing session is reported as done"
        for row in self.player.words:
            if isinstance(means := row.means, Deletion):
                said, where = self._outcome_of(row)
                expect(f"a deletion with {where}", said, means.state)
                assert_equal(f"`face_kept` with {where}", said.face_kept, means.face_kept)

    def during_faults(self) -> None:
        """Read and delete during faults and rejections: none may report the session as gone."""
        record, faults = self.start().record, (Situation.OUTAGE, Situation.GATEWAY_ERROR)
        refused = b"{}", b'{"error": "No.", "message": "No.", "detail": "No."}', b"<html>No.</html>"
        asks: list[Any] = [("a read", self.read, (*faults, Situation.UNREADABLE_200))]
        # Reads come first, because a deletion removes the session. Any 200 response to a deletion
        # may mean that it is done.
        asks += [("a deletion", self.delete, faults[:1])] * self.can.can_delete
        for what, ask, troubles in asks:
            outcomes: dict[str, Any] = {}
            for situation in self.bench.available(*troubles):
                self.bench.simulator.set_situation(situation)
                outcomes[situation.name] = ask(record)
            self.end_faults()
            for status, body in product((400, 401, 403, 429, 500, 503), refused):
                with self.bench.record_exchanges(status=status, body=body) as steps:
                    outcome = ask(record)
                if steps:
                    outcomes[f"{status} {body!r}"] = outcome
            for name, outcome in outcomes.items():
                expect(where := f"{what} during {name}", outcome, fm.VendorError)
                assert not is_a(outcome, State.GONE), f"{where} reports the session as gone"


class SessionRules(Rules):
    """Rules about hosted sessions: only a read can verify, for one person and one purpose."""

    @rule()
    def test_r52_a_session_lets_its_person_in(self, bench: Bench) -> None:
        """A passed session lets its person in, and the read is free.

        Before that, the session stays open until it expires, the person can return to it, and the
        vendor has received the URL to which to redirect the person afterwards.
        """
        run_parts(Desk(bench), Desk.starts, Desk.wishes)

    @rule("R52")
    def test_r53_a_lost_start_is_unknown(self, bench: Bench) -> None:
        """A start with a lost response has an unknown outcome, and is not retried automatically. A
        rejected start is free. A reference that the vendor would reject is not sent.

        If the vendor finds a session by its record, only the same start returns the same session.
        """
        run_parts(Desk(bench), Desk.failed_starts, Desk.references)

    @rule("R52")
    def test_r54_the_handoff_stays_in_the_session(self, bench: Bench) -> None:
        """Only `access` contains the link and token. A record, result, `raw`, event or log contains
        no personal data, and the vendor stores none unless asked to.

        The link and token are keys: anyone who finds them in a log can open the session.
        """
        person = {"full_name": "Ada Kit-Lovelace-77f1", "client_secret": "kit-9e02c41d"}
        desk = Desk(bench)

        def tell(_: HttpRequest, reply: HttpReply) -> HttpReply:
            """Add personal data to each object of a response, as a vendor might."""
            told = json.loads(json.dumps(reply.at()), object_hook=lambda item: {**item, **person})
            return attrs.evolve(reply, body=json.dumps(told).encode())

        with leaks.capture_log() as log:
            with bench.record_exchanges() as steps:
                session = desk.start()
                before = desk.sessions.read(session.record)
            told = {PURPOSE, ABOUT} | (
                set() if VendorCopy.SUBJECT in desk.can.stores else {SUBJECT}
            )
            said = "".join(_text_of(each.request) for each in steps)
            assert not any(word in said for word in told), "a start sends data of the record"
            kept = desk.player.kept(id_of(desk.look(desk.start(options=None), Case.PASSED)))
            more = (kept or 0) - desk.player.always_kept
            assert more <= 0, f"the vendor keeps {more} pictures more than it always does, unasked"
            after = desk.look(session, Case.PASSED)
            with bench.record_exchanges(tell):
                later = desk.read(session.record)
            if desk.has_webhooks:
                desk.receive(*desk.player.deliver(id_of(after)))
            if desk.can.can_delete:
                desk.delete(session.record)
        documents = session.record, before, after
        shown = [(type(each).__name__, repr(each)) for each in (*documents, bench.backend, session)]
        shown += [(f"a {type(each).__name__}", json.dumps(each.to_dict())) for each in documents]
        shown += [("an event", repr(desk.events)), ("the log", log.getvalue())]
        hidden = _keys_of(session) | {*bench.simulator.secrets}
        leaked = [where for where, text in shown for key in hidden if leaks.find_leaks(key, text)]
        assert not leaked, f"a link, a token or a key is in {leaked[0]}"
        values = [value for result in (before, after) for _, value in values_in(result.raw)]
        texts = [value for value in values if isinstance(value, str)]
        odd = [text for text in texts if "://" in text or len(text) > 300]
        assert not odd, f"`raw` has a URL or a picture: {odd[0]:.12}..."
        text = json.dumps(later.to_dict()) if isinstance(later, fm.SessionResult) else ""
        known = [name for name, value in person.items() if value in f"{text} {log.getvalue()}"]
        assert not known, f"a result or the log has personal data from the vendor: {known}"

    @rule("R52")
    def test_r55_only_a_face_that_passed_is_a_yes(self, bench: Bench) -> None:
        """A session is verified only if the vendor approved it, a check of the face passed, and a
        compared document is the person's. Each value has its documented meaning. A score equal to
        the threshold follows the declared rule.

        "Approved" may refer to a document, and an unknown value may mean fraud.
        """
        parts = Desk.scores, Desk.documented_words, Desk.documents
        run_parts(Desk(bench), lambda desk: desk.play(*VERDICTS), *parts)

    @rule("R52")
    def test_r56_another_session_is_refused(self, bench: Bench) -> None:
        """A session that does not belong to the record, predates it, or is from another environment
        is rejected, as is a changed record. The session of another record is not deleted.

        A session passed for a login must not authorise a payment. In a sandbox anybody passes.
        """
        run_parts(Desk(bench), Desk.changed_records, lambda desk: desk.play(*STRANGERS))

    @rule("R52")
    def test_r57_a_webhook_is_verified_first(self, bench: Bench) -> None:
        """A webhook is verified before it is parsed. It only names a session and changes nothing. A
        webhook that was signed hours ago is rejected.

        Anybody can send a webhook, so its content is untrusted until its signature is verified.
        """
        desk = Desk(bench)
        bench.skip_unless_applicable(desk.has_webhooks, "sends no webhooks about sessions")
        session = desk.start()
        before = words(desk.look(session, next(desk.cases(Case.SPOOF, Case.OTHER_PERSON))))
        body, headers = desk.player.deliver(id_of(session))
        hints = desk.receive(body, headers)
        expect("a signed webhook", hints, tuple)
        ids = id_of(session), session.record.id
        hinted = {(hint.session_id, hint.record_id or ids[1]) for hint in hints}
        assert hinted == {ids}, "a webhook names another session"
        assert not desk.counted.requests, "a webhook sends a request: a forged one would, too"
        forged = [body.replace(text.encode(), text[::-1].encode()) for text in ids]
        forged = [each for each in forged if each != body] + [b"\xff{", b"[" * 50_000, b""]
        # An attacker may also omit the signature headers.
        some = [{n: v for n, v in headers.items() if n != name} for name in headers]
        some += [{}, {**headers}, *({name: value} for name, value in headers.items())]
        for sent, parts in [*product(forged, some), (body, {})]:
            outcome = desk.receive(sent, parts)
            where = f"a forged webhook with the headers {', '.join(parts) or '(none)'}"
            expect(where, outcome, fm.WebhookRefused)
            assert outcome.http_status != 422, f"{where} is parsed before it is verified"
        after = words(desk.sessions.read(session.record))
        assert after == before, f"after a rejected webhook, a session is {after}"
        # Longer than any vendor's tolerance. Tested only if the headers contain the signing time.
        desk.clock.sleep(hours_s := 6 * 3600.0)
        now = desk.clock.now().timestamp()
        if any(abs(at - now) < 60 for at in _times_in(desk.player.deliver(id_of(session))[1])):
            late = desk.receive(body, headers)
            expect(f"a webhook signed {hours_s / 3600:g} hours ago", late, fm.WebhookRefused)

    @rule("R52")
    def test_r58_what_vanished_is_no_verdict(self, bench: Bench) -> None:
        """A session that the vendor no longer has, or was asked to delete, is reported as not found
        or gone, but a fault or a rejection is not.

        If "gone" looks like an outage, callers poll forever. They are liable for undeleted faces.
        """
        run_parts(Desk(bench), Desk.vanished, Desk.deleted, Desk.during_faults)

    @rule("R52")
    def test_r59_a_portrait_is_of_who_was_live(self, bench: Bench) -> None:
        """A portrait shows only a person who passed the liveness check.

        Otherwise a photograph held up to the camera could be compared with the document.
        """
        desk = Desk(bench)
        bench.skip_unless_applicable(desk.can.gives_portrait, "gives no portraits")
        for case in desk.cases(Case.PASSED, Case.SPOOF):
            result = desk.look(desk.start(), case, with_portrait=True)
            portrait, is_live = result.portrait, result.liveness.is_live
            assert (portrait is None) is not is_live, f"the portrait of {case.name} is {portrait}"


def id_of(session: fm.SessionResult) -> str:
    return str(session.record.session_id)


def verifies(result: fm.SessionResult) -> bool:
    return result.is_verified_for(SUBJECT, purpose=PURPOSE, about=ABOUT, max_age_s=3600)


def items_of(result: fm.SessionResult) -> list[fm.MatchResult | fm.LivenessResult]:
    """Return the items that a result reports about a face."""
    return [item for item in (result.match, result.liveness) if hosted.is_reported(item)]


def words(outcome: Any) -> str:
    """Describe an outcome in a few words."""
    if isinstance(outcome, tuple):
        return "accepted"
    if isinstance(outcome, fm.SessionResult):
        items = [f"{item.decision}" for item in items_of(outcome)]
        return f"{outcome.state} with {' and '.join(items) or 'no item about a face'}"
    text = f"{type(outcome).__name__} {getattr(outcome, 'state', '')}".rstrip()
    return f"{text} ({outcome})" if isinstance(outcome, Exception) else text


def is_a(outcome: Any, kind: Any) -> bool:
    """Return whether an outcome has this class, state, decision or picture."""
    if isinstance(kind, type):
        return isinstance(outcome, kind)
    said = [getattr(outcome, name, None) for name in ("state", "compared_with")]
    if isinstance(outcome, fm.SessionResult):
        said += [outcome.match.decision, outcome.liveness.decision]
    # A redacted session may raise `SessionNotFound`. Use `is`: members of two enums may be equal.
    said += [State.GONE] * isinstance(outcome, fm.SessionNotFound)
    return any(word is kind for word in said)


def expect(where: str, outcome: Any, *kinds: Any) -> None:
    """Assert that an outcome is one of these classes, states, decisions or pictures."""
    assert any(is_a(outcome, kind) for kind in kinds), f"{where} is {words(outcome)}"


def _keys_of(session: fm.SessionResult) -> set[str]:
    """Return the link, its last part, and the token."""
    access = session.access or hosted.SessionAccess()
    keys = {way.reveal() for way in (access.link, access.token) if way is not None}
    keys |= {key.rpartition("/")[2] for key in keys}
    return {key for key in keys if len(key) >= 6 and key != session.record.session_id}


def _text_of(request: HttpRequest) -> str:
    """Return all text in a request to the vendor, without its files."""
    fields = {**request.params, **request.fields, **request.headers}
    return f"{request.url} {fields} {request.json!r} {request.body!r}"


def _replacing(fact: str, shown: list[object]) -> Any:
    """Return a hook that replaces `fact` in each response and adds its places to `shown`."""

    def answer(_: HttpRequest, reply: HttpReply) -> HttpReply:
        document = reply.at()
        at = [p for p, value in values_in(document) if str(value).casefold() == fact.casefold()]
        for place in at:
            document = replace_value(document, place, f"another-{fact}")
        shown.extend(at)
        return attrs.evolve(reply, body=json.dumps(document).encode()) if at else reply

    return answer


def _times_in(headers: Mapping[str, str]) -> set[float]:
    """Return the possible timestamps in a webhook's headers, in seconds."""
    text = " ".join(headers.values())
    times = {float(digits[:10]) for digits in re.findall(r"\b\d{10}(?:\d{3})?\b", text)}
    for written in re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)", text):
        times.add(dt.datetime.fromisoformat(written).timestamp())
    return times
