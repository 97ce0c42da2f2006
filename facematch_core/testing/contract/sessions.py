"""R52-R62: hosted sessions, from the start to the deletion."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Collection, Iterator
from itertools import combinations
from typing import Any

import attrs

import facematch_core as fm
from facematch_core.backend.session_types import (
    Deletion,
    DeletionState,
    Kept,
    SessionRecord,
    WayIn,
    is_reported,
)
from facematch_core.http import HttpReply, HttpRequest
from facematch_core.sessions.sessions import Sessions
from facematch_core.testing import bench as benches
from facematch_core.testing import leaks
from facematch_core.testing.bench import DEADLINE_S, FAIL, INCONCLUSIVE, Bench, run_in_time
from facematch_core.testing.bodies import Place, places, show_place, write_with
from facematch_core.testing.sessions import SessionCase as Case
from facematch_core.testing.sessions import SessionWord
from facematch_core.testing.simulator import Situation

from ._frame import Rules

State = fm.SessionState
Answer = Callable[[HttpRequest, HttpReply], HttpReply]

SUBJECT, PURPOSE, ABOUT = "kit-subject-8d1f", "kit-purpose-41c7", "kit-about-b20e"

#: Where a live face begins, for a vendor that has no verdict, and where one of LOW_SCORE passes.
LIVE_FROM, LOW_FROM = 70.0, 30.0

#: Seconds after which an answer that never comes must be given up, machines that stall included.
ENDS_S = 3.0

#: A text of `raw` with more characters is no word of a vendor's.
LONGEST = 300

#: What a read may meet that says nothing about the session.
TROUBLES = (Situation.OUTAGE, Situation.GATEWAY_ERROR, Situation.UNREADABLE_200)

FAILED = {Case.OTHER_PERSON: fm.Operation.MATCH, Case.SPOOF: fm.Operation.LIVENESS}
VERDICTS = (
    *(Case.OTHER_PERSON, Case.SPOOF, Case.NO_FACE_ITEM, Case.OTHER_PICTURE),
    *(Case.UNFINISHED, Case.LOW_SCORE, Case.TRY_AGAIN),
)


class Desk:
    """The sessions of a backend, and whoever plays what becomes of them."""

    def __init__(self, bench: Bench) -> None:
        can, player = bench.backend.session_capabilities, bench.simulator.sessions
        if can is None:
            benches.does_not_apply(f"{bench.backend.name} has no hosted sessions.")
        if player is None:
            benches.not_tested(f"{type(bench.simulator).__name__} plays no sessions.")
        self.bench, self.can, self.player = bench, can, player
        self.clock = player.clock or bench.clock
        self.events: list[fm.CallEvent] = []
        self.open(player.compared_with[-1])
        self.be_well()

    def open(self, compared_with: fm.ComparedWith | None) -> None:
        """The sessions in which a face is compared with such a picture; None for no match."""
        match = frozenset({fm.Operation.MATCH})
        self.sessions = Sessions(
            fm.FaceVerifier(self.bench.backend, clock=self.clock, on_event=self.events.append),
            expects=self.can.checks - match if compared_with is None else self.can.checks,
            compared_with=compared_with or fm.ComparedWith.GIVEN,
        )

    def be_well(self) -> None:
        well = self.bench.simulator.situations & {Situation.SAME_PERSON, Situation.LIVE}
        self.bench.prepare(max(well, key=str, default=Situation.SAME_PERSON))

    def cases(self, *cases: Case) -> Iterator[Case]:
        """Those that can be played; the rule is left open, or out, for want of the others."""
        player = self.player
        yield from (case for case in cases if case in player.cases)
        missing = [case for case in cases if case not in player.cases]
        reasons = [player.cannot_happen[case] for case in missing if case in player.cannot_happen]
        if len(reasons) < len(missing):
            names = " or ".join(c.name for c in missing if c not in player.cannot_happen)
            benches.not_tested(f"{type(player).__name__} cannot play {names}.")
        if len(missing) == len(cases):
            benches.does_not_apply(" ".join(dict.fromkeys(reasons)))

    def plan(self, *, live_from: float = LIVE_FROM) -> SessionRecord:
        live_at = live_from if self.can.needs_liveness_threshold else None
        return self.sessions.plan(
            SUBJECT,
            purpose=PURPOSE,
            about=ABOUT,
            liveness_threshold=live_at,
        )

    def start(self, record: SessionRecord | None = None, **how: Any) -> fm.SessionResult:
        record = record or self.plan()
        _, reference = self.bench.simulator.pictures_for(Situation.SAME_PERSON)
        if self.can.options is not None:
            how["options"] = self.player.options(self.can.options)
        is_given = record.compared_with is fm.ComparedWith.GIVEN
        return self.sessions.start(record, reference=reference if is_given else None, **how)

    def start_in(
        self, situation: Situation, record: SessionRecord | None = None, **how: Any
    ) -> fm.SessionResult:
        """A start that meets a situation itself, and not the look that goes before it."""
        if not self.can.finds_lost:
            self.bench.prepare(situation)
            return self.start(record, **how)

        def hear(request: HttpRequest, send: Callable[[], HttpReply], _: bool) -> HttpReply:
            if request.charges:
                self.bench.prepare(situation)
            return send()

        with self.bench.line(hear):
            return self.start(record, **how)

    def look(self, session: fm.SessionResult, case: Case, **how: Any) -> fm.SessionResult:
        self.player.play(str(session.record.session_id), case)
        return self.sessions.read(session.record, **how)

    def judge_words(self) -> None:
        """Each documented word means what its page says; one that nobody knows lets nobody in."""
        player = self.player
        if not player.words:
            benches.not_tested(f"{type(player).__name__} has no `words` of the vendor's pages.")
        passed = self.look(self.start(), Case.PASSED).vendor_status
        unknown = self.bench.simulator.unknown_status
        nobody_knows: dict[type, Any] = {
            fm.SessionState: State.UNKNOWN,
            fm.Decision: fm.Decision.REVIEW,
            fm.LivenessDecision: fm.LivenessDecision.REVIEW,
        }
        new = {
            row.place: SessionWord(row.place, unknown, nobody_knows[type(row.means)], "no page")
            for row in player.words
            if type(row.means) in nobody_knows
        }
        for row in (*player.words, *new.values()):
            session = self.start()
            player.say(str(session.record.session_id), row.place, row.word)
            result = self.sessions.read(session.record)
            shown = {
                fm.SessionState: result.state,
                fm.Decision: result.match.decision,
                fm.LivenessDecision: result.liveness.decision,
                fm.ComparedWith: result.compared_with,
            }[type(row.means)]
            where = f"`{show_place(row.place)}` {row.word!r} is {words(result)}"
            assert lets_in(result) is row.is_yes, (
                f"{where}: that is a {'no' if row.is_yes else 'yes'}"
            )
            assert shown is row.means, f"{where}, and by {row.source} it is {row.means}"
            expected = {passed, row.word}
            assert result.vendor_status in expected, f"{where}: `vendor_status` is another word"

    def count(self, ask: Callable[..., Any], *values: Any) -> tuple[Any, int, int]:
        """What it gives or raises, and how much the simulator's counters rose."""
        simulator = self.bench.simulator
        requests, charges = simulator.requests_seen, simulator.charges
        outcome = try_out(ask, *values)
        return outcome, simulator.requests_seen - requests, simulator.charges - charges


def _keys_of(session: fm.SessionResult) -> set[str]:
    """Link and token, and the last part of the link, which says what it is for."""
    way_in = session.way_in or WayIn()
    keys = {way.reveal() for way in (way_in.link, way_in.token) if way is not None}
    keys |= {key.rpartition("/")[2] for key in keys}
    return {key for key in keys if len(key) >= 6 and key != session.record.session_id}


def _text_of(request: HttpRequest) -> str:
    """All that a request says to the vendor, but for its files."""
    fields = {**request.params, **request.fields}
    return f"{request.url} {fields} {request.json!r} {request.body!r}"


def _spoil(name: Place, doors: Collection[Place], hidden: set[str]) -> Answer:
    """Replies without a value; what is at `doors` in them is hidden, too."""

    def answer(_: HttpRequest, reply: HttpReply) -> HttpReply:
        values = dict(places(reply.at()))
        hidden.update(str(values[door]) for door in doors if values.get(door))
        body = reply.body if name not in values else write_with(reply.at(), name, None)
        return attrs.evolve(reply, body=body)

    return answer


def try_out(ask: Callable[..., Any], *values: Any) -> Any:
    """What it gives, or the error."""
    try:
        return run_in_time(functools.partial(ask, *values))
    except fm.FaceMatchError as error:
        return error


def lets_in(result: fm.SessionResult) -> bool:
    return result.is_verified_for(SUBJECT, purpose=PURPOSE, about=ABOUT, max_age_s=3600)


def items_of(result: fm.SessionResult) -> list[fm.MatchResult | fm.LivenessResult]:
    """What it reports about a face."""
    return [item for item in (result.match, result.liveness) if is_reported(item)]


def words(outcome: Any) -> str:
    """An outcome in a few words, without anything of the vendor's but its word."""
    if not isinstance(outcome, fm.SessionResult):
        text = f"{type(outcome).__name__} {getattr(outcome, 'state', '')}".rstrip()
        return f"{text} ({outcome})" if isinstance(outcome, Exception) else text
    items = [f"{item.decision}" for item in items_of(outcome)]
    return f"{outcome.state} with {' and '.join(items) or 'no item about a face'}"


class SessionRules(Rules):
    """Hosted sessions: a yes is for one person and one thing, and comes from a read alone."""

    def test_r52_a_session_lets_its_person_in(self, bench: Bench) -> None:
        """A session that was passed lets its person in, by a read that is free.

        Before that it is open, and whoever left can come back to it. A verdict that never comes
        keeps out whoever is right, and a read that costs is paid by whoever waits.
        """
        desk = Desk(bench)
        for compared_with in desk.player.compared_with:
            desk.open(compared_with)
            session = desk.start()
            assert session.way_in, "a start gives no link, token or page: nobody can go through it"
            read = functools.partial(desk.sessions.read, session.record, with_way_in=True)
            with bench.overhear() as steps:
                before, _, charges = desk.count(read)
            is_open = isinstance(before, fm.SessionResult) and before.state is State.PENDING
            assert is_open, f"a session in which nobody was is {words(before)}"
            assert not items_of(before), f"nobody was looked at, and it has {words(before)}"
            assert not charges, f"a read is charged {charges} times"
            bodies = "".join(f"{reply.at()}" for _, reply in steps)
            is_shown = any(key in bodies for key in _keys_of(session))
            assert before.way_in or not is_shown, "who comes back gets no link or token"
            result = desk.look(session, Case.PASSED)
            assert lets_in(result), f"a session that was passed is {words(result)}"

    def test_r53_a_lost_start_is_unknown(self, bench: Bench) -> None:
        """A start whose answer is lost is unknown, and not repeated by itself.

        Where its vendor knows it again by its record, the same start gives the same session, and
        another start another one: else one person goes through the session of somebody else.
        """
        desk = Desk(bench)
        bench.need(Situation.LOST_ANSWER)
        _, usual, _ = desk.count(desk.start)
        losses = (Situation.LOST_ANSWER, Situation.GATEWAY_ERROR, Situation.UNREADABLE_200)
        for situation in filter(bench.simulator.situations.__contains__, losses):
            record = desk.plan()
            error, requests, _ = desk.count(desk.start_in, situation, record)
            where = f"a start in {situation.name}"
            assert isinstance(error, fm.VendorError), f"{where} gives {words(error)}"
            is_open = error.billing.charged is not fm.Charged.NO
            assert is_open, f"{where} is reported as free: {words(error)}"
            assert requests <= usual, f"{where} sends {requests} requests, and {usual} otherwise"
            desk.be_well()
            if situation is not Situation.LOST_ANSWER:
                continue
            lost = try_out(desk.sessions.read, record) if desk.can.finds_lost else None
            is_found = lost is None or isinstance(lost, fm.SessionResult)
            assert is_found, f"declared to be found, a session that was lost is {words(lost)}"
            if desk.can.start_is_repeatable:
                ids = [desk.start(each).record.session_id for each in (record, record, desk.plan())]
                ids[:1] = ids[:1] if lost is None else [lost.record.session_id]
                assert ids[0] == ids[1], "the same start again makes a second session"
                assert ids[1] != ids[2], "two records of one person have one session"

    def test_r54_the_handoff_stays_in_the_session(self, bench: Bench) -> None:
        """Link and token are in `way_in` alone: in no record, result, event, log or error.

        Whoever has them is the person: a log with links is a heap of open doors.
        """
        desk = Desk(bench)
        seen: list[tuple[str, str | bytes]] = []
        may_know = {SUBJECT} if Kept.SUBJECT in desk.can.keeps else set()
        with leaks.capture_log() as log:
            with bench.overhear() as steps:
                session = desk.start()
                before = desk.sessions.read(session.record)
            hidden = _keys_of(session) | {*bench.simulator.secrets}
            for word in {SUBJECT, PURPOSE, ABOUT} - may_know:
                is_named = any(word in _text_of(request) for request, _ in steps)
                assert not is_named, "a start says to the vendor who it is, what for or about what"
            bodies = [dict(places(reply.at())) for _, reply in steps]
            doors = {at for body in bodies for at, value in body.items() if str(value) in hidden}
            names = {at for body in bodies for at in body if len(at) == 1} - doors
            asks = desk.start, functools.partial(desk.sessions.read, session.record)
            for name in sorted(names, key=str):
                with bench.overhear(_spoil(name, doors, hidden)):
                    outcomes = [try_out(ask) for ask in asks]
                errors = [error for error in outcomes if isinstance(error, fm.FaceMatchError)]
                where = f"the error where `{show_place(name)}` is missing"
                seen += [(where, leaks.told_by(error)) for error in errors]
            after = desk.look(session, Case.PASSED)
        shown = {"the backend": bench.backend, "a session": session, "an event": desk.events}
        seen += [(f"the text of {what}", repr(value)) for what, value in shown.items()]
        for document in (session.record, before, after):
            text = f"{document!r} {json.dumps(document.to_dict())}"
            seen.append((f"a {type(document).__name__}", text))
        seen.append(("the log", log.getvalue()))
        leaked = [where for where, text in seen for key in hidden if leaks.find_leaks(key, text)]
        assert not leaked, f"a link, a token or a key is in {leaked[0]}"
        raws = [text for result in (before, after) for _, text in places(result.raw)]
        odd = [text for text in map(str, raws) if "://" in text or len(text) > LONGEST]
        assert not odd, f"`raw` has an address or a picture: {odd[0]:.12}..."

    def test_r55_only_a_face_that_passed_is_a_yes(self, bench: Bench) -> None:
        """Only an item about a face that passed, in a session that its vendor approved, is a yes.

        "Approved" may speak of a document, "succeeded" of a camera that worked; a word that nobody
        knows may be a new one for fraud.
        """
        desk = Desk(bench)
        for case in desk.cases(*VERDICTS):
            session = desk.start()
            result = desk.look(session, case)
            where = f"{case.name} is {words(result)}"
            assert not lets_in(result), f"{where}: that is a yes"
            items = items_of(result)
            decisions = [item.decision for item in items]
            if case in FAILED:
                assert FAIL[FAILED[case]] in decisions, f"{where}: nobody learns why"
            elif case is Case.NO_FACE_ITEM:
                assert not items, f"{where}: no face was looked at"
            elif case is Case.UNFINISHED:
                assert set(decisions) & {*INCONCLUSIVE.values()}, f"{where}: one is not finished"
            elif case is Case.LOW_SCORE:
                session = desk.start(desk.plan(live_from=LOW_FROM))
                result = desk.look(session, case)
                assert result.liveness.is_live, (
                    f"{words(result)} of a record that asks for {LOW_FROM:g}"
                )
            elif case is Case.TRY_AGAIN:
                assert result.state is State.PENDING, where
                result = desk.look(session, Case.PASSED)
                assert lets_in(result), f"who passed at the second attempt is {words(result)}"
        desk.judge_words()

    def test_r56_another_session_is_refused(self, bench: Bench) -> None:
        """A session that is not the record's, or older than it, or a changed record, is refused.

        Else the session that somebody passed in order to log in pays out the money of another one.
        """
        desk = Desk(bench)
        first, second = desk.start(), desk.start()
        desk.look(first, Case.PASSED)
        changes: list[tuple[Kept, Any, dict[str, Any]]] = [
            (Kept.ID, second.record, {"session_id": first.record.session_id}),
            (Kept.TERMS, first.record, {"about": "another one"}),
            (Kept.SUBJECT, first.record, {"subject_ref": "somebody else"}),
        ]
        for kept, record, change in changes:
            changed = attrs.evolve(record, **change)
            outcome = try_out(desk.sessions.read, changed) if kept in desk.can.keeps else None
            is_refused = outcome is None or isinstance(outcome, fm.SessionMismatch)
            assert is_refused, f"with another {next(iter(change))} the record's is {words(outcome)}"
        for case in desk.cases(Case.FOREIGN, Case.OLDER):
            session = desk.start()
            outcome = try_out(desk.look, session, case)
            kind = fm.SessionMismatch if case is Case.OLDER else fm.VendorError
            assert isinstance(outcome, kind), f"{case.name} is {words(outcome)}"

    def test_r57_a_webhook_is_verified_first(self, bench: Bench) -> None:
        """A webhook is verified before it is read, hints at a session, and changes nothing.

        Anybody can send one: a body that is read before its signature is a door into the program.
        """
        desk = Desk(bench)
        if not desk.can.has_webhooks:
            benches.does_not_apply(f"{bench.backend.name} sends no webhooks about sessions.")
        session = desk.start()
        case = next(desk.cases(Case.SPOOF, Case.OTHER_PERSON))
        before = words(desk.look(session, case))
        session_id = str(session.record.session_id)
        body, headers = desk.player.deliver(session_id)
        hints, requests, _ = desk.count(desk.sessions.receive, body, headers)
        assert isinstance(hints, tuple), f"a webhook that the vendor signed is {words(hints)}"
        ids = {(hint.session_id, hint.record_id or session.record.id) for hint in hints}
        assert ids == {(session_id, session.record.id)}, "a webhook hints at another session"
        assert not requests, "a webhook makes it ask the vendor: a stranger's would, too"
        forged = [body.replace(text.encode(), text[::-1].encode()) for text in next(iter(ids))]
        forged += [b"\xff{", b"[" * 50_000, b""]
        # A stranger leaves out the signatures that do not fit, too.
        sizes = {0, 1, 2, len(headers) - 1, len(headers)}
        parts = [dict(some) for size in sizes for some in combinations(headers.items(), size)]
        statuses = set()
        for content in forged:
            for some in parts if content != body else ():
                outcome = try_out(desk.sessions.receive, content, some)
                is_refused = isinstance(outcome, fm.WebhookRefused)
                assert is_refused, (
                    f"a forged webhook with {', '.join(some) or 'no header'} is taken"
                )
                statuses.add(outcome.http_status)
        outcome = try_out(desk.sessions.receive, body, {})
        assert isinstance(outcome, fm.WebhookRefused), "a webhook without a signature is taken"
        assert 422 not in statuses, "a webhook is read before it is verified: its form is refused"
        after = words(desk.sessions.read(session.record))
        assert after == before, f"after a webhook that was refused a session is {after}"

    def test_r58_what_vanished_is_no_verdict(self, bench: Bench) -> None:
        """A session that its vendor has no more is not found, or gone; a fault says nothing of it.

        Whoever takes it for an outage asks for ever; whoever takes an outage, or a lost result, for
        a refusal turns away who passed.
        """
        desk = Desk(bench)
        for case in desk.cases(Case.VANISHED):
            session = desk.start()
            desk.look(session, Case.PASSED)
            outcome = try_out(desk.look, session, case)
            is_missing = isinstance(outcome, fm.SessionNotFound) or (
                # What was redacted may be shown as that.
                isinstance(outcome, fm.SessionResult) and outcome.state is State.GONE
            )
            assert is_missing, f"a session that is not there is {words(outcome)}"
            if desk.can.result_lasts_s is not None:
                session = desk.start()
                desk.look(session, Case.PASSED)
                desk.clock.sleep(desk.can.result_lasts_s + 1)
                outcome = try_out(desk.sessions.read, session.record)
                is_gone = isinstance(outcome, fm.SessionResult) and outcome.state is State.GONE
                assert is_gone, f"after the time that a result lasts it is {words(outcome)}"
        for situation in TROUBLES:
            if situation in bench.simulator.situations:
                bench.prepare(situation)
                outcome = try_out(desk.sessions.read, session.record)
                is_open = isinstance(outcome, fm.VendorError)
                is_open &= not isinstance(outcome, fm.SessionNotFound)
                assert is_open, f"a read in {situation.name} is {words(outcome)}"

    def test_r59_a_portrait_is_of_who_was_live(self, bench: Bench) -> None:
        """A portrait is of a person who was found live, and of nobody else.

        Else whoever holds up a photograph of somebody gets it compared with the document.
        """
        desk = Desk(bench)
        if not desk.can.gives_portrait:
            benches.does_not_apply(f"{bench.backend.name} gives no portraits.")
        for case in desk.cases(Case.PASSED, Case.SPOOF):
            session = desk.start()
            result = desk.look(session, case, with_portrait=True)
            portrait, is_live = result.portrait, result.liveness.is_live
            assert (portrait is None) is not is_live, f"{case.name}: live {is_live}, and {portrait}"

    def test_r60_delete_says_what_it_did(self, bench: Bench) -> None:
        """What is said to be deleted is not there any more; what could not be asked is an error.

        Somebody answers for each face that is kept, and says to its owner that it is gone.
        """
        desk = Desk(bench)
        if not desk.can.can_delete:
            benches.does_not_apply(f"{bench.backend.name} cannot be asked to delete a session.")
        session, states = desk.start(), DeletionState
        desk.look(session, Case.PASSED)
        bench.need(Situation.OUTAGE)
        done, _, charges = desk.count(desk.sessions.delete, session.record)
        right = isinstance(done, Deletion) and done.state in (states.DONE, states.REQUESTED)
        assert right, f"a session that is there is deleted with {words(done)}"
        assert not charges, "a deletion is charged"
        rest = try_out(desk.sessions.read, session.record)
        is_gone = isinstance(rest, fm.SessionNotFound) or done.state is states.REQUESTED
        assert is_gone, f"a session that was deleted is {words(rest)}"
        again = try_out(desk.sessions.delete, session.record)
        right = isinstance(again, Deletion) and again.state is not states.DONE
        assert right, f"a session that is not there is deleted with {words(again)}"
        session = desk.start()
        bench.prepare(Situation.OUTAGE)
        outcome = try_out(desk.sessions.delete, session.record)
        assert isinstance(outcome, fm.VendorError), f"a delete in OUTAGE gives {words(outcome)}"

    def test_r61_deadlines_of_sessions_hold(self, bench: Bench) -> None:
        """Start and read end at their deadline, and a start that may have been made is unknown.

        A page that waits for a vendor stands still for everybody.
        """
        desk = Desk(bench)
        bench.need(Situation.SLOW)
        session, record = desk.start(), desk.plan()
        for what, ask in {
            "start": lambda: desk.start_in(Situation.SLOW, record, deadline_s=DEADLINE_S),
            "read": lambda: desk.sessions.read(session.record, deadline_s=DEADLINE_S),
        }.items():
            began = time.monotonic()
            outcome = try_out(ask)
            late_s = time.monotonic() - began
            assert late_s < ENDS_S, f"a {what} with {DEADLINE_S:g} s to go takes {late_s:.1f} s"
            assert isinstance(outcome, fm.VendorError), f"a {what} in SLOW gives {words(outcome)}"
            is_open = what == "read" or outcome.billing.charged is not fm.Charged.NO
            assert is_open, "a start that may have been made is reported as free"

    def test_r62_another_environment_is_refused(self, bench: Bench) -> None:
        """A session of another environment is refused, and of one that nobody knows.

        In a sandbox anybody passes.
        """
        desk = Desk(bench)
        for case in desk.cases(Case.SANDBOX, Case.UNKNOWN_ENVIRONMENT):
            session = desk.start()
            desk.player.play(str(session.record.session_id), case)
            # As if it had been started where people are real.
            real = fm.Environment.PRODUCTION if case is Case.SANDBOX else None
            outcome = try_out(desk.sessions.read, attrs.evolve(session.record, environment=real))
            is_refused = isinstance(outcome, fm.EnvironmentMismatch)
            assert is_refused, f"a session in {case.name} is {words(outcome)}"
