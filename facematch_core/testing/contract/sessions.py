"""R52-R59: hosted sessions, from the start to the deletion."""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import combinations, product
from typing import Any
from urllib.parse import unquote

import attrs

import facematch_core as fm
from facematch_core.backend import StartRequest
from facematch_core.backend.session_types import (
    Deletion,
    DeletionState,
    Kept,
    SessionReading,
    SessionRecord,
    WayIn,
    is_reported,
)
from facematch_core.http import HttpReply, HttpRequest
from facematch_core.sessions.sessions import Sessions
from facematch_core.testing import bench as benches
from facematch_core.testing import leaks
from facematch_core.testing.bench import (
    DEADLINE_S,
    FAIL,
    INCONCLUSIVE,
    Bench,
    judge_parts,
    run_in_time,
)
from facematch_core.testing.bodies import Place, places, replace, show_place, write_with
from facematch_core.testing.pictures import pictures_beyond, pictures_within
from facematch_core.testing.sessions import SessionCase as Case
from facematch_core.testing.sessions import SessionWord
from facematch_core.testing.simulator import Situation

from ._frame import Rules, rule
from .money import EXPECTED

State = fm.SessionState
Answer = Callable[[HttpRequest, HttpReply], HttpReply]

SUBJECT, PURPOSE, ABOUT = "kit-subject-8d1f", "kit-purpose-41c7", "kit-about-b20e"

#: Arguments of a start by capability, with a pattern of what the vendor is sent.
WISHES = {
    "return_url": ("http://127.0.0.1/kit-return-3d51", "kit-return-3d51"),
    "language": ("pt-BR", r"\bpt(?![a-z])"),
}
#: Data about a person in a vendor's answer; no part of it may be shown.
PERSON = {"full_name": "Ada Kit-Lovelace-77f1", "client_secret": "kit-secret-9e02c41d"}
#: Thresholds for a live face: one that a good one passes, and one below the score of LOW_SCORE.
LIVE_FROM, LOW_FROM = 70.0, 30.0
#: Seconds after which a call that is given `DEADLINE_S` must have ended, on a busy machine too.
LATE_S = 3.0
#: The most characters of a word of the vendor's in `raw`.
LONGEST = 300
#: Seconds after which a signed webhook is too old: no vendor's tolerance is as long.
OLD_S = 6 * 3600.0
#: Seconds that a session is open in the rules about how long it is.
OPEN_S = 1800.0

#: Faults of a read or a deletion that say nothing about the session, and bodies of refusals.
TROUBLES = (Situation.OUTAGE, Situation.GATEWAY_ERROR, Situation.UNREADABLE_200)
REFUSALS = (400, 401, 403, 429, 500, 503)
REFUSED = (b"{}", b'{"error": "No.", "message": "No.", "detail": "No."}', b"<html>No.</html>")
#: Refusals of a start before anything is made.
FREE = (Situation.NO_CREDIT, Situation.BAD_KEY)

FAILED = {Case.OTHER_PERSON: fm.Operation.MATCH, Case.SPOOF: fm.Operation.LIVENESS}
#: Cases about a check that not every session has.
ABOUT_CHECKS = {
    **FAILED,
    Case.OTHER_PICTURE: fm.Operation.MATCH,
    Case.LOW_SCORE: fm.Operation.LIVENESS,
}
VERDICTS = (
    *(Case.OTHER_PERSON, Case.SPOOF, Case.NO_FACE_ITEM, Case.OTHER_PICTURE),
    *(Case.UNFINISHED, Case.LOW_SCORE, Case.TRY_AGAIN),
)


class Desk:
    """The sessions of a backend, and the player who decides what becomes of them."""

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
        """Open the sessions that compare a face with such a picture; None for no match."""
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
        """Yield the cases that can be played; then skip the rule if others could be."""
        player = self.player
        cases = tuple(filter(self.is_met, cases))
        missing = [case for case in cases if case not in player.cases]
        reasons = [player.cannot_happen[case] for case in missing if case in player.cannot_happen]
        yield from (case for case in cases if case in player.cases)
        if len(reasons) < len(missing):
            names = " or ".join(c.name for c in missing if c not in player.cannot_happen)
            benches.not_tested(f"{type(player).__name__} cannot play {names}.")
        if len(missing) == len(cases):
            benches.does_not_apply(" ".join(dict.fromkeys(reasons)))

    def is_met(self, case: Case) -> bool:
        """Whether a case is about something that these sessions report."""
        check = ABOUT_CHECKS.get(case)
        is_judged = case is not Case.LOW_SCORE or self.can.needs_liveness_threshold
        return is_judged and (check is None or check in self.can.checks)

    def plan(self, *, live_from: float = LIVE_FROM, **how: Any) -> SessionRecord:
        live_at = live_from if self.can.needs_liveness_threshold else None
        return self.sessions.plan(
            SUBJECT, **{"purpose": PURPOSE, "about": ABOUT, "liveness_threshold": live_at, **how}
        )

    def start(self, record: SessionRecord | None = None, **how: Any) -> fm.SessionResult:
        record = record or self.plan()
        return self.sessions.start(record, **{**self._with(record), **how})

    def _with(self, record: SessionRecord) -> dict[str, Any]:
        """Return the reference and the options of a start."""
        _, reference = self.bench.simulator.pictures_for(Situation.SAME_PERSON)
        options = self.can.options and self.player.options(self.can.options)
        is_given = record.compared_with is fm.ComparedWith.GIVEN
        return {"reference": reference if is_given else None, "options": options}

    def start_anew(self, record: SessionRecord, reference: fm.Image | None = None) -> str:
        """Return the id from a start that looks for no earlier one, past the core's own limits."""
        how, now = self._with(record), self.clock.now()
        if reference is not None:
            how["reference"] = reference
        elif how["reference"] is not None:
            how["reference"] = how["reference"].prepared(self.can.reference_limits)
        record = attrs.evolve(record, started_at=now)
        request = StartRequest(record=record, clock=self.clock, **how)
        reading: SessionReading = self.bench.backend.start_session(request)
        return reading.session_id

    def start_in(
        self, situation: Situation, record: SessionRecord | None = None, **how: Any
    ) -> fm.SessionResult:
        """Make a start that meets a situation, and not the look that goes before it."""
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

    def count(self, ask: Callable[..., Any], *values: Any) -> tuple[Any, int, int]:
        """Return what it gives or raises, and by how much the simulator's counters rose."""
        simulator = self.bench.simulator
        requests, charges = simulator.requests_seen, simulator.charges
        outcome = try_out(ask, *values)
        return outcome, simulator.requests_seen - requests, simulator.charges - charges


class SessionRules(Rules):
    """Hosted sessions: a yes is for one person and one thing, and comes from a read alone."""

    @rule()
    def test_r52_a_session_lets_its_person_in(self, bench: Bench) -> None:
        """A session that was passed lets its person in, by a read that is free.

        Before that it is open until its time is over, the person can come back to it, and the
        vendor hears where the person goes afterwards. A verdict that never comes keeps out the
        right person, and every waiting program would pay for a read that costs.
        """
        desk = Desk(bench)
        for compared_with in desk.player.compared_with:
            desk.open(compared_with)
            session = desk.start()
            assert session.way_in, "a start gives no link, token or page: nobody can go through it"
            for part in desk.player.hands_over:
                assert getattr(session.way_in, part), f"a start loses the vendor's {part}"
            read = functools.partial(desk.sessions.read, session.record, with_way_in=True)
            with bench.overhear() as steps:
                before, _, charges = desk.count(read)
            is_open = isinstance(before, fm.SessionResult) and before.state is State.PENDING
            assert is_open, f"a session in which nobody was is {words(before)}"
            assert not items_of(before), f"nobody was looked at, and it has {words(before)}"
            assert not charges, f"a read is charged {charges} times"
            bodies = "".join(f"{reply.at()}" for _, reply in steps)
            is_shown = any(key in bodies for key in _keys_of(session))
            assert before.way_in or not is_shown, "a person who comes back gets no link or token"
            pages = [dict(way.page) for way in (session.way_in, before.way_in) if way]
            assert pages[0] == pages[-1], f"a start gives the page {pages[0]}, a read {pages[-1]}"
            result = desk.look(session, Case.PASSED)
            assert lets_in(result), f"a session that was passed is {words(result)}"
        wishes = {name: how for name, how in WISHES.items() if getattr(desk.can, f"takes_{name}")}
        with bench.overhear() as steps:
            session = desk.start(
                desk.plan(valid_for_s=OPEN_S),
                **{name: value for name, (value, _) in wishes.items()},
            )
        sent = unquote(" ".join(_text_of(request) for request, _ in steps))
        for name, (value, form) in wishes.items() if steps else ():
            is_told = re.search(form, sent, re.IGNORECASE)
            assert is_told, f"a start with the {name} {value} does not say it to the vendor"
        lasts_s = desk.player.lasts_s(str(session.record.session_id))
        right = lasts_s is None or lasts_s <= OPEN_S
        assert right, f"a session of {OPEN_S:g} s has a link or token for {lasts_s:g} s"
        desk.clock.sleep(OPEN_S + 1)
        late = try_out(desk.sessions.read, session.record)
        waits = isinstance(late, fm.SessionResult) and late.state is State.PENDING
        assert not waits, "a session to which nobody came in time is open forever"

    @rule("R52")
    def test_r53_a_lost_start_is_unknown(self, bench: Bench) -> None:
        """A start whose answer is lost is unknown, and not repeated by itself; one that is refused
        is free; a reference that the vendor refuses is not sent.

        Where the vendor knows a session again by its record, the same start gives the same session,
        and another start another one: else one person goes through the session of somebody else.
        """
        desk = Desk(bench)
        judge_parts(desk, _lost_starts, _refused_starts, _references)

    @rule("R52")
    def test_r54_the_handoff_stays_in_the_session(self, bench: Bench) -> None:
        """Link and token are in `way_in` alone, and nothing of the person is kept: in no record,
        result, `raw`, event, log, error or file; nor by the vendor, unless it is asked for.

        Link and token are keys: a log with links is a heap of open doors.
        """
        desk = Desk(bench)
        in_errors: list[tuple[str, str]] = []
        may_know = {SUBJECT} if Kept.SUBJECT in desk.can.keeps else set()
        with leaks.capture_log() as log, leaks.files_written() as files:
            with bench.overhear() as steps:
                session = desk.start()
                before = desk.sessions.read(session.record)
            hidden = _keys_of(session) | {*bench.simulator.secrets}
            for word in {SUBJECT, PURPOSE, ABOUT} - may_know:
                is_named = any(word in _text_of(request) for request, _ in steps)
                assert not is_named, "a start tells the vendor who it is, what for or about what"
            bodies = [_doors(reply) for _, reply in steps]
            doors = {at for body in bodies for at, value in body.items() if str(value) in hidden}
            names = {at[1] for body in bodies for at in body.keys() - doors if len(at[1]) == 1}
            asks = desk.start, functools.partial(desk.sessions.read, session.record)
            for name in sorted(names, key=str):
                with bench.overhear(_spoil(name, doors, hidden)):
                    outcomes = [try_out(ask) for ask in asks]
                errors = [error for error in outcomes if isinstance(error, fm.FaceMatchError)]
                where = f"the error where `{show_place(name)}` is missing"
                in_errors += [(where, leaks.told_by(error)) for error in errors]
            plain = str(desk.look(desk.start(options=None), Case.PASSED).record.session_id)
            kept = desk.player.kept(plain)
            assert not kept, f"the vendor keeps {kept} pictures that nobody asked for"
            after = desk.look(session, Case.PASSED)
            with bench.overhear(_tell_of_the_person):
                later = try_out(desk.sessions.read, session.record)
            if desk.can.has_webhooks:
                try_out(desk.sessions.receive, *desk.player.deliver(str(after.record.session_id)))
            if desk.can.can_delete:
                try_out(desk.sessions.delete, session.record)
        assert not files, f"a session leaves a file: {files[0]}"
        # An error's text is named by the error it comes from.
        seen = [
            (f"a {type(document).__name__}", f"{document!r} {json.dumps(document.to_dict())}")
            for document in (session.record, before, after)
        ]
        shown = {"the backend": bench.backend, "a session": session, "an event": desk.events}
        seen += [(f"the text of {what}", repr(value)) for what, value in shown.items()]
        seen += [("the log", log.getvalue()), *in_errors]
        leaked = [where for where, text in seen for key in hidden if leaks.find_leaks(key, text)]
        assert not leaked, f"a link, a token or a key is in {leaked[0]}"
        raws = [text for result in (before, after) for _, text in places(result.raw)]
        odd = [text for text in map(str, raws) if "://" in text or len(text) > LONGEST]
        assert not odd, f"`raw` has an address or a picture: {odd[0]:.12}..."
        text = json.dumps(later.to_dict()) if isinstance(later, fm.SessionResult) else ""
        told = [name for name, value in PERSON.items() if value in f"{text} {log.getvalue()}"]
        assert not told, f"a result or the log has what the vendor says of the person: {told[0]}"

    @rule("R52")
    def test_r55_only_a_face_that_passed_is_a_yes(self, bench: Bench) -> None:
        """Only an item about a face that passed, in a session that its vendor approved, is a yes;
        each documented word means what its page says; a threshold holds to its edge.

        "Approved" may speak of a document, "succeeded" of a camera that worked; a word that nobody
        knows may be a new one for fraud.
        """
        desk = Desk(bench)
        judge_parts(desk, _verdicts, _edges, _documented_words)

    @rule("R52")
    def test_r56_another_session_is_refused(self, bench: Bench) -> None:
        """A session that is not the record's, older than it, or of another environment is refused,
        and so is a changed record; another's session is not deleted.

        Else the session that somebody passed in order to log in pays out the money of another one.
        In a sandbox anybody passes.
        """
        desk = Desk(bench)
        judge_parts(desk, _changed_records, _environments)

    @rule("R52")
    def test_r57_a_webhook_is_verified_first(self, bench: Bench) -> None:
        """A webhook is verified before it is read, hints at a session, and changes nothing; one
        that was signed hours ago is refused.

        Anybody can send one, or one that was sent before: a body that is read before its signature
        is a door into the program.
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
        for content, some in product((each for each in forged if each != body), parts):
            outcome = try_out(desk.sessions.receive, content, some)
            is_refused = isinstance(outcome, fm.WebhookRefused)
            assert is_refused, f"a forged webhook with {', '.join(some) or 'no header'} is taken"
            statuses.add(outcome.http_status)
        outcome = try_out(desk.sessions.receive, body, {})
        assert isinstance(outcome, fm.WebhookRefused), "a webhook without a signature is taken"
        assert 422 not in statuses, "a webhook is read before it is verified: its form is refused"
        after = words(desk.sessions.read(session.record))
        assert after == before, f"after a webhook that was refused a session is {after}"
        signed = _times_in(headers)
        desk.clock.sleep(OLD_S)
        again = _times_in(desk.player.deliver(session_id)[1])
        # Only a time that is signed anew is the time of the signature.
        has_time = any(abs(new - old - OLD_S) < 60 for new in again for old in signed)
        outcome = try_out(desk.sessions.receive, body, headers)
        is_refused = isinstance(outcome, fm.WebhookRefused)
        assert is_refused or not has_time, f"a webhook signed {OLD_S / 3600:g} hours ago is taken"

    @rule("R52")
    def test_r58_what_vanished_is_no_verdict(self, bench: Bench) -> None:
        """A session that its vendor has no more, or was asked to delete, is not found, or gone; a
        fault or a refusal says nothing about it.

        A program that takes it for an outage asks forever; one that takes an outage for a refusal
        turns away a person who passed. And somebody answers for each face that is kept.
        """
        desk = Desk(bench)
        judge_parts(desk, _vanished, _deleted, _troubled)

    @rule("R52")
    def test_r59_a_portrait_is_of_who_was_live(self, bench: Bench) -> None:
        """A portrait is of a person who was found live, and of nobody else.

        Else a photograph that is held up to the camera is compared with the document.
        """
        desk = Desk(bench)
        if not desk.can.gives_portrait:
            benches.does_not_apply(f"{bench.backend.name} gives no portraits.")
        for case in desk.cases(Case.PASSED, Case.SPOOF):
            session = desk.start()
            result = desk.look(session, case, with_portrait=True)
            portrait, is_live = result.portrait, result.liveness.is_live
            assert (portrait is None) is not is_live, f"{case.name}: live {is_live}, and {portrait}"


# --- Starts


def _lost_starts(desk: Desk) -> None:
    desk.bench.need(Situation.LOST_ANSWER)
    _, usual, _ = desk.count(desk.start)
    losses = [Situation.LOST_ANSWER, Situation.GATEWAY_ERROR, Situation.UNREADABLE_200]
    losses += [Situation.SLOW] * desk.bench.sends_itself
    for situation in filter(desk.bench.simulator.situations.__contains__, losses):
        record, began = desk.plan(), time.monotonic()
        limit = {"deadline_s": DEADLINE_S} if situation is Situation.SLOW else {}
        start = functools.partial(desk.start_in, situation, record, **limit)
        error, requests, _ = desk.count(start)
        where = f"a start in {situation.name}"
        assert isinstance(error, fm.VendorError), f"{where} gives {words(error)}"
        is_open = error.billing.charged is not fm.Charged.NO
        assert is_open, f"{where} is reported as free: {words(error)}"
        assert requests <= usual, f"{where} sends {requests} requests, and {usual} otherwise"
        taken_s = time.monotonic() - began
        assert not limit or taken_s < LATE_S, f"{where} takes {taken_s:.1f} s, and may {DEADLINE_S}"
        desk.be_well()
        if situation is not Situation.LOST_ANSWER:
            continue
        lost = try_out(desk.sessions.read, record) if desk.can.finds_lost else None
        is_found = lost is None or isinstance(lost, fm.SessionResult)
        assert is_found, f"declared to be found, a session that was lost is {words(lost)}"
        if desk.can.start_is_repeatable:
            ids = [*map(desk.start_anew, (record, record, desk.plan()))]
            ids[:1] = ids[:1] if lost is None else [lost.record.session_id]
            assert ids[0] == ids[1], "the same start again makes a second session"
            assert ids[1] != ids[2], "two records of one person have one session"


def _refused_starts(desk: Desk) -> None:
    for situation in filter(desk.bench.simulator.situations.__contains__, FREE):
        error = try_out(desk.start_in, situation)
        desk.be_well()
        due = EXPECTED[situation].errors
        names = " or ".join(each.__name__ for each in due)
        assert isinstance(error, due), (
            f"a start in {situation.name} gives {words(error)}, not {names}"
        )
        same_bill = error.billing.charged is fm.Charged.NO
        assert same_bill, f"a start in {situation.name} is charged {error.billing.charged}"


def _references(desk: Desk) -> None:
    """Compare what is declared of a reference with what the vendor takes."""
    limits, truth = desk.can.reference_limits, desk.player.reference_limits
    if fm.ComparedWith.GIVEN not in desk.player.compared_with:
        benches.does_not_apply(f"No start of {desk.bench.backend.name} brings a reference.")
    for what, picture in pictures_beyond(truth or limits).items():
        try:
            picture.prepared(limits, fit=False)
        except fm.InvalidImage:
            continue
        raise AssertionError(f"a reference beyond the vendor's limit ({what}) would be sent")
    for what, picture in pictures_within(limits).items() if desk.player.looks_at_references else ():
        started = try_out(desk.start_anew, desk.plan(), picture)
        where = f"a reference of {picture.size_bytes} bytes ({what})"
        assert isinstance(started, str), f"{where} is declared as taken, and gives {words(started)}"


# --- Verdicts


def _verdicts(desk: Desk) -> None:
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
            result = desk.look(desk.start(desk.plan(live_from=LOW_FROM)), case)
            live = f"{words(result)} of a record that asks for {LOW_FROM:g}"
            assert result.liveness.is_live, live
        elif case is Case.TRY_AGAIN:
            assert result.state is State.PENDING, where
            result = desk.look(session, Case.PASSED)
            assert lets_in(result), f"who passed at the second attempt is {words(result)}"


def _edges(desk: Desk) -> None:
    """Put a threshold a little below and above the score of each item; and at it, where the core
    leaves the verdict to the backend."""
    passed = desk.look(desk.start(), Case.PASSED)
    for operation, name in {
        fm.Operation.MATCH: "threshold",
        fm.Operation.LIVENESS: "liveness_threshold",
    }.items():
        item: Any = passed.match if operation is fm.Operation.MATCH else passed.liveness
        if operation not in desk.can.scored or not is_reported(item):
            continue
        assert item.score is not None, f"a {operation} of a session has no score, and is `scored`"
        is_ours = operation is fm.Operation.LIVENESS and desk.can.needs_liveness_threshold
        for step in (-0.01, 0.0, 0.01) if is_ours else (-0.01, 0.01):
            edge = min(max(round(item.score.value + step, 6), 0.0), 100.0)
            result = desk.look(desk.start(desk.plan(**{name: edge})), Case.PASSED)
            due = fm.Threshold(edge, desk.bench.can.threshold_rule).passes(item.score.value)
            at = f"the score {item.score.value:g} of a session at the {name} {edge:g}"
            assert lets_in(result) is due, f"{at} is a {'no' if due else 'yes'}"
            named: Any = result.match if operation is fm.Operation.MATCH else result.liveness
            right = named.threshold is not None and named.threshold.value == edge
            assert right, f"{at}: the result names {named.threshold}"


def _documented_words(desk: Desk) -> None:
    """Play each documented word, one that nobody knows at each place, and none."""
    player = desk.player
    if not player.words:
        benches.not_tested(f"{type(player).__name__} has no `words` of the vendor's pages.")
    passed = desk.look(desk.start(), Case.PASSED).vendor_status
    rows = [row for row in player.words if not isinstance(row.means, Deletion)]
    for row, meanings in (*((row, {row.means}) for row in rows), *_new_words(desk, rows)):
        session = desk.start()
        player.say(str(session.record.session_id), row.place, row.word)
        result = try_out(desk.sessions.read, session.record)
        if isinstance(result, fm.UnexpectedResponse) and row.source == NO_WORD:
            continue
        where = f"`{show_place(row.place)}` {row.word!r} is {words(result)}"
        assert isinstance(result, fm.SessionResult), f"{where}, and by {row.source} {row.means}"
        shown: dict[type, Any] = {
            fm.SessionState: result.state,
            fm.Decision: result.match.decision,
            fm.LivenessDecision: result.liveness.decision,
            fm.ComparedWith: result.compared_with,
        }
        assert lets_in(result) is row.is_yes, f"{where}: that is a {'no' if row.is_yes else 'yes'}"
        assert shown[type(row.means)] in meanings, f"{where}, and by {row.source} it is {row.means}"
        expected = [passed, row.word]
        assert result.vendor_status in expected, f"{where}: `vendor_status` is another word"


#: Sources of rows that no page has.
NO_PAGE, NO_WORD = "no page", "an answer without the word"


def _new_words(desk: Desk, rows: Collection[SessionWord]) -> Iterator[tuple[SessionWord, set[Any]]]:
    """Yield an unknown word and a missing one for each place, with what they may mean."""
    nobody_knows: dict[type, Any] = {
        fm.SessionState: State.UNKNOWN,
        fm.Decision: fm.Decision.REVIEW,
        fm.LivenessDecision: fm.LivenessDecision.REVIEW,
    }
    for place in dict.fromkeys(row.place for row in rows):
        at = [row for row in rows if row.place == place and isinstance(row.word, str)]
        if not at or (kind := type(at[0].means)) not in nobody_knows:
            continue
        unknown, means = nobody_knows[kind], {row.means for row in at}
        # If every word means the same, another one may mean it, too.
        also = means if len(means) == 1 and not any(row.is_yes for row in at) else set()
        word = desk.bench.simulator.unknown_status
        yield SessionWord(place, word, unknown, NO_PAGE), {unknown, *also}
        if kind is not State and None not in {row.word for row in rows if row.place == place}:
            inconclusive: Any = getattr(kind, "INCONCLUSIVE", None)
            yield SessionWord(place, None, unknown, NO_WORD), {unknown, inconclusive, *also}


# --- Whose session


def _changed_records(desk: Desk) -> None:
    first, second = desk.start(), desk.start()
    desk.look(first, Case.PASSED)
    changes: list[tuple[Kept, Any, dict[str, Any]]] = [
        (Kept.ID, second.record, {"session_id": first.record.session_id}),
        (Kept.TERMS, first.record, {"about": "another one"}),
        (Kept.SUBJECT, first.record, {"subject_ref": "somebody else"}),
    ]
    for kept, record, change in changes:
        other = attrs.evolve(record, **change)
        outcome = try_out(desk.sessions.read, other) if kept in desk.can.keeps else None
        is_refused = outcome is None or isinstance(outcome, fm.SessionMismatch)
        assert is_refused, f"with another {next(iter(change))} the record's is {words(outcome)}"
    if desk.can.can_delete and Kept.ID in desk.can.keeps:
        outcome = try_out(desk.sessions.delete, attrs.evolve(second.record, **changes[0][2]))
        is_refused = isinstance(outcome, fm.SessionMismatch)
        assert is_refused, f"another person's session is deleted: {words(outcome)}"
    for name, value in second.record.facts.items():
        changed = list[Place]()
        with desk.bench.overhear(_put_for(value, changed)):
            outcome = try_out(desk.sessions.read, second.record)
        is_refused = not changed or isinstance(outcome, fm.SessionMismatch)
        assert is_refused, f"with another {name} in the vendor's answer it is {words(outcome)}"
    for name, value in first.record.facts.items():
        facts = {**first.record.facts, name: f"another-{value}"}
        outcome = try_out(desk.sessions.read, attrs.evolve(first.record, facts=facts))
        is_refused = isinstance(outcome, fm.FaceMatchError)
        assert is_refused, f"with another {name} in the record it is {words(outcome)}"
    for case in desk.cases(Case.FOREIGN, Case.OLDER):
        session = desk.start()
        outcome = try_out(desk.look, session, case)
        kind = fm.SessionMismatch if case is Case.OLDER else fm.VendorError
        assert isinstance(outcome, kind), f"{case.name} is {words(outcome)}"


def _environments(desk: Desk) -> None:
    for case in desk.cases(Case.SANDBOX, Case.UNKNOWN_ENVIRONMENT):
        session = desk.start()
        desk.player.play(str(session.record.session_id), case)
        # The record says that the session was started in production.
        real = fm.Environment.PRODUCTION if case is Case.SANDBOX else None
        outcome = try_out(desk.sessions.read, attrs.evolve(session.record, environment=real))
        is_refused = isinstance(outcome, fm.EnvironmentMismatch)
        assert is_refused, f"a session in {case.name} is {words(outcome)}"


# --- The end


def _vanished(desk: Desk) -> None:
    for case in desk.cases(Case.VANISHED):
        session = desk.start()
        desk.look(session, Case.PASSED)
        outcome = try_out(desk.look, session, case)
        assert is_gone(outcome), f"a session that is not there is {words(outcome)}"
        if (lasts_s := desk.can.result_lasts_s) is None:
            continue
        session = desk.start()
        desk.look(session, Case.PASSED)
        desk.clock.sleep(lasts_s * 0.9)
        outcome = try_out(desk.sessions.read, session.record)
        is_there = isinstance(outcome, fm.SessionResult) and outcome.state is State.DECIDED
        assert is_there, f"a result is declared to last {lasts_s:g} s, and is {words(outcome)}"
        desk.clock.sleep(lasts_s * 0.1 + 1)
        outcome = try_out(desk.sessions.read, session.record)
        is_over = isinstance(outcome, fm.SessionResult) and is_gone(outcome)
        assert is_over, f"after the time that a result lasts it is {words(outcome)}"


def _deleted(desk: Desk) -> None:
    if not desk.can.can_delete:
        benches.does_not_apply(f"{desk.bench.backend.name} cannot be asked to delete a session.")
    session, states = desk.start(), DeletionState
    desk.look(session, Case.PASSED)
    done, _, charges = desk.count(desk.sessions.delete, session.record)
    right = isinstance(done, Deletion) and done.state in (states.DONE, states.REQUESTED)
    assert right, f"a session that is there is deleted with {words(done)}"
    assert not charges, "a deletion is charged"
    kept = desk.player.kept(str(session.record.session_id)) or done.face_kept is True
    assert not kept, "after a deletion the vendor keeps pictures or a template of the face"
    rest = try_out(desk.sessions.read, session.record)
    right = is_gone(rest) or done.state is states.REQUESTED
    assert right, f"a session that was deleted is {words(rest)}"
    again = try_out(desk.sessions.delete, session.record)
    # A session that is shown as gone may be asked to go once more.
    is_shown = isinstance(rest, fm.SessionResult)
    right = isinstance(again, Deletion) and (is_shown or again.state is not states.DONE)
    assert right, f"a session that is not there is deleted with {words(again)}"
    for row in (row for row in desk.player.words if isinstance(row.means, Deletion)):
        session = desk.start()
        desk.player.say(str(session.record.session_id), row.place, row.word)
        outcome = try_out(desk.sessions.delete, session.record)
        says = isinstance(outcome, Deletion) and (outcome.state, outcome.face_kept)
        due = getattr(row.means, "state", None), getattr(row.means, "face_kept", None)
        where = f"a deletion with `{show_place(row.place)}` {row.word!r}"
        assert says == due, f"{where} is {says}, and by {row.source} it is {due}"


def _troubled(desk: Desk) -> None:
    session = desk.start()
    asks: dict[str, tuple[Callable[..., Any], tuple[Situation, ...]]] = {
        "read": (desk.sessions.read, TROUBLES)
    }
    if desk.can.can_delete:
        # Any answer 200 to a deletion may say that it is done.
        asks["deletion"] = (desk.sessions.delete, TROUBLES[:1])
    for what, (method, troubles) in asks.items():
        ask = functools.partial(method, session.record)
        for situation in filter(desk.bench.simulator.situations.__contains__, troubles):
            desk.bench.prepare(situation)
            _judge_trouble(f"a {what} in {situation.name}", try_out(ask))
        desk.be_well()
        # A read first: after a deletion the session is not there.
        for status, body in product(REFUSALS, REFUSED):
            with desk.bench.overhear(_refuse(status, body)) as steps:
                outcome = try_out(ask)
            if steps:
                _judge_trouble(f"a {what} that is answered {status} {body!r}", outcome)


def _judge_trouble(where: str, outcome: Any) -> None:
    """Assert that a fault says nothing of the session."""
    is_open = isinstance(outcome, fm.VendorError) and not is_gone(outcome)
    assert is_open, f"{where} is {words(outcome)}"


# --- Outcomes and answers


def try_out(ask: Callable[..., Any], *values: Any) -> Any:
    """Return what it gives, or the error."""
    try:
        return run_in_time(functools.partial(ask, *values))
    except fm.FaceMatchError as error:
        return error


def lets_in(result: fm.SessionResult) -> bool:
    return result.is_verified_for(SUBJECT, purpose=PURPOSE, about=ABOUT, max_age_s=3600)


def items_of(result: fm.SessionResult) -> list[fm.MatchResult | fm.LivenessResult]:
    """Return what it reports about a face."""
    return [item for item in (result.match, result.liveness) if is_reported(item)]


def words(outcome: Any) -> str:
    """Describe an outcome in a few words, without anything of the vendor's but its word."""
    if not isinstance(outcome, fm.SessionResult):
        text = f"{type(outcome).__name__} {getattr(outcome, 'state', '')}".rstrip()
        return f"{text} ({outcome})" if isinstance(outcome, Exception) else text
    items = [f"{item.decision}" for item in items_of(outcome)]
    return f"{outcome.state} with {' and '.join(items) or 'no item about a face'}"


def is_gone(outcome: Any) -> bool:
    """Whether it says that the vendor has nothing of a session any more."""
    if isinstance(outcome, fm.SessionResult):
        return outcome.state is State.GONE  # a redacted session may be shown as that
    return isinstance(outcome, fm.SessionNotFound)


def _refuse(status: int, body: bytes) -> Answer:
    return lambda _, reply: attrs.evolve(reply, status=status, body=body)


def _keys_of(session: fm.SessionResult) -> set[str]:
    """Return link and token, and the last part of the link."""
    way_in = session.way_in or WayIn()
    keys = {way.reveal() for way in (way_in.link, way_in.token) if way is not None}
    keys |= {key.rpartition("/")[2] for key in keys}
    return {key for key in keys if len(key) >= 6 and key != session.record.session_id}


def _text_of(request: HttpRequest) -> str:
    """Return all that a request says to the vendor, but for its files."""
    fields = {**request.params, **request.fields, **request.headers}
    return f"{request.url} {fields} {request.json!r} {request.body!r}"


#: A place in a body, and the names that are in one of that form: a list has other places.
_Door = tuple[frozenset[str], Place]


def _doors(reply: HttpReply) -> dict[_Door, Any]:
    """Return every value of an answer by its place, and its form."""
    document = reply.at()
    form = frozenset(map(str, document)) if isinstance(document, (dict, list)) else frozenset()
    return {(form, place): value for place, value in places(document)}


def _spoil(name: Place, doors: Collection[_Door], hidden: set[str]) -> Answer:
    """Leave a value out of replies; the values at `doors` in them are hidden, too."""

    def answer(_: HttpRequest, reply: HttpReply) -> HttpReply:
        values = _doors(reply)
        hidden.update(str(values[door]) for door in doors if values.get(door))
        is_there = any(place == name for _, place in values)
        body = write_with(reply.at(), name, None) if is_there else reply.body
        return attrs.evolve(reply, body=body)

    return answer


def _tell_of_the_person(_: HttpRequest, reply: HttpReply) -> HttpReply:
    """Add what vendors say of people to each object of an answer."""
    document = json.loads(json.dumps(reply.at()), object_hook=lambda item: {**item, **PERSON})
    return attrs.evolve(reply, body=json.dumps(document).encode())


def _put_for(fact: str, changed: list[Place]) -> Answer:
    """Put another text into replies wherever that fact is shown; note where."""

    def answer(_: HttpRequest, reply: HttpReply) -> HttpReply:
        document = reply.at()
        at = [p for p, value in places(document) if str(value).casefold() == fact.casefold()]
        for place in at:
            document = replace(document, place, f"another-{fact}")
        changed.extend(at)
        return attrs.evolve(reply, body=json.dumps(document).encode()) if at else reply

    return answer


def _times_in(headers: Mapping[str, str]) -> set[float]:
    """Return what may be a time among the headers of a webhook, in seconds."""
    text = " ".join(headers.values())
    times = {float(digits[:10]) for digits in re.findall(r"\b\d{10}(?:\d{3})?\b", text)}
    for written in re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)", text):
        times.add(dt.datetime.fromisoformat(written).timestamp())
    return times
