"""R55-R57, R59 and R61: what a read of a hosted session, or a webhook about it, may say."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any
from unittest import mock

import attrs

import facematch_core as fm
from facematch_core.backend import ReadRequest
from facematch_core.backend.fields import path_text
from facematch_core.backend.session_types import Deletion, SessionRecord, VendorCopy
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.testing.bench import (
    Bench,
    Rules,
    assert_among,
    assert_equal,
    rule,
    run_parts,
)
from facematch_core.testing.simulator import SessionCase as Case
from facematch_core.testing.simulator import (
    SessionWebhook,
    SessionWord,
)

from .calls import Recording, ValuePath, replace_value, values_in
from .session_desk import (
    FAILING_CASES,
    FOREIGN_CASES,
    OWN_DOCUMENT,
    Desk,
    State,
    assert_verifies,
    describe,
    describe_word,
    expect,
    id_of,
    items_of,
    verifies,
)

#: Each name has one of the person's words: a vendor may return first and last name apart, and who
#: reads only one of them takes a namesake for the person.
OTHER_DOCUMENTS = {
    "with another first name": attrs.evolve(OWN_DOCUMENT, name="Grace Kit-Lovelace"),
    "with another last name": attrs.evolve(OWN_DOCUMENT, name="Ann Kit-Hopper"),
    "with another date of birth": attrs.evolve(OWN_DOCUMENT, date_of_birth=dt.date(1980, 1, 2)),
}
#: The code of a warning that names a value with this meaning.
CODES_OF_REASONS: Mapping[object, tuple[fm.WarningCode, ...]] = {
    fm.Decision.NO_MATCH: (fm.WarningCode.LOW_SIMILARITY,),
    fm.LivenessDecision.NOT_LIVE: (
        fm.WarningCode.LOW_LIVENESS,
        fm.WarningCode.PRESENTATION_ATTACK,
    ),
}
#: An id of a session that would lead to another path.
STRANGE_ID = "kit/../kit?kit=1"
#: The source of a value that the kit invents.
UNDOCUMENTED = "undocumented"
#: A value that no vendor documents.
UNDOCUMENTED_WORD = "Pending Moonrise"


class ReadingDesk(Desk):
    """Checks the readings of sessions."""

    def check_scores(self) -> None:
        """Check the scores, and the liveness threshold if the backend applies it."""
        passed = self.start_and_pass()
        for operation in self.capabilities.scored:
            item = getattr(passed, operation)
            if item in items_of(passed):
                has_score = item.score is not None
                assert has_score, (
                    f"`scored` includes {operation}, but a session has no score for it"
                )
        score = passed.liveness.score
        if not self.capabilities.needs_liveness_threshold or score is None:
            return
        threshold_rule = self.bench.capabilities.threshold_rule
        for distance in (-0.01, 0.0, 0.01):
            value = min(max(round(score.value + distance, 6), 0.0), 100.0)
            session = self.start(self.plan(liveness_threshold=value))
            result = self.play_and_read(session, Case.PASSED)
            passes = bool(fm.Threshold(value, threshold_rule).passes(score.value))
            label = f"the score {score.value:g} of a session at the threshold {value:g}"
            assert_verifies(result, passes, label)

    def check_documents(self) -> None:
        """Show documents: only the person's own verifies, and no name reaches a result."""
        self.bench.skip_unless_applicable(self.capabilities.reads_document, "reads no documents")
        is_shown = fm.ComparedWith.DOCUMENT in self.player.compared_with
        self.bench.skip_unless_testable(is_shown, "compares with no document")
        self.set_up_sessions(fm.ComparedWith.DOCUMENT)
        own = self.start_and_pass()
        assert verifies(own), f"the person's own document is a no ({own.name_agreement})"
        results = [own]
        for difference, holder in OTHER_DOCUMENTS.items():
            session = self.start()
            self.player.show_document(id_of(session), holder)
            result = self.play_and_read(session, Case.PASSED)
            assert not verifies(result), f"a document {difference} is a yes"
            results.append(result)
        for result in results:
            text = f"{result!r} {json.dumps(result.to_dict())}".casefold()
            names = [name for name in ("kit-lovelace", "kit-hopper") if name in text]
            assert not names, "a result has the name on the document"

    def check_documented_words(self) -> None:
        """Assert that each documented value has its meaning, and that no other ever verifies."""
        documented = self.player.words
        self.bench.skip_unless_testable(
            documented, "has no `words` from the vendor's documentation"
        )
        status_of_pass = self.start_and_pass().vendor_status
        statuses = {Case.PASSED: status_of_pass}
        session_words = [
            session_word
            for session_word in documented
            if not isinstance(session_word.means, Deletion)
        ]
        for session_word in session_words:
            case = session_word.case
            if case not in statuses:
                statuses[case] = self.play_and_read(self.start(), case).vendor_status
            self._check_word(session_word, [session_word.means], statuses[case])
        for path in dict.fromkeys(session_word.place for session_word in session_words):
            self._check_undocumented_words(
                [session_word for session_word in session_words if session_word.place == path],
                status_of_pass,
            )

    def _check_word(
        self, session_word: SessionWord, meanings: Sequence[Any], status_of_case: str | None
    ) -> None:
        """Assert that a value has one of these meanings, and verifies only if it is said to."""
        result = self.outcome_with_word(session_word)
        is_missing = session_word.word is None and session_word.source == UNDOCUMENTED
        if is_missing and isinstance(result, fm.UnexpectedResponse):
            return
        label = describe_word(session_word)
        expect(label, result, *meanings)
        assert_verifies(result, session_word.is_yes, label)
        statuses = status_of_case, session_word.word
        assert_among(f"`vendor_status` with {label}", result.vendor_status, statuses)
        for warning in warnings_of(result):
            if warning.tag == str(session_word.word) and session_word.means in CODES_OF_REASONS:
                expected_codes = CODES_OF_REASONS[session_word.means]
                assert_among(f"the warning's `code` with {label}", warning.code, expected_codes)

    def _check_undocumented_words(
        self, session_words: Sequence[SessionWord], status_of_pass: str | None
    ) -> None:
        """Play an unknown and a missing value at the place of `session_words`.

        The response with the missing one may also be unreadable.
        """
        place = session_words[0].place
        texts = [
            session_word for session_word in session_words if isinstance(session_word.word, str)
        ]
        meaning_class: Any = type(texts[0].means) if texts else None
        if meaning_class not in (State, fm.Decision, fm.LivenessDecision):
            return
        unknown = State.UNKNOWN if meaning_class is State else meaning_class.REVIEW
        meanings = [unknown]
        # If all values have the same meaning, an unknown value may have it, too.
        known_meanings = {session_word.means for session_word in texts}
        if len(known_meanings) == 1 and not any(session_word.is_yes for session_word in texts):
            meanings += known_meanings
        new_word = SessionWord(place, UNDOCUMENTED_WORD, unknown, UNDOCUMENTED)
        self._check_word(new_word, meanings, status_of_pass)
        is_documented = any(session_word.word is None for session_word in session_words)
        if meaning_class is not State and not is_documented:
            missing_word = SessionWord(place, None, unknown, UNDOCUMENTED)
            meanings.append(meaning_class.INCONCLUSIVE)
            self._check_word(missing_word, meanings, status_of_pass)

    def check_changed_records(self) -> None:
        """Assert that a record or a response with another fact is rejected."""
        stores = self.capabilities.stores
        passed_record = self.start_and_pass().record
        open_record = self.start().record
        other_id = attrs.evolve(open_record, session_id=passed_record.session_id)
        changed_records = {
            VendorCopy.ID: other_id,
            VendorCopy.TERMS: attrs.evolve(passed_record, about="another one"),
            VendorCopy.SUBJECT: attrs.evolve(passed_record, subject_ref="somebody else"),
        }
        for copied, record in changed_records.items():
            if copied in stores:
                outcome = self.read(record)
                expect(f"a record with another {copied}", outcome, fm.SessionMismatch)
        if self.capabilities.can_delete and VendorCopy.ID in stores:
            outcome = self.delete(other_id)
            expect("the deletion of another person's session", outcome, fm.SessionMismatch)
        self._check_facts(passed_record)
        self._check_path(open_record)
        self._check_stores(passed_record)

    def _check_stores(self, record: SessionRecord) -> None:
        """Assert that `stores` has each field of the record that a response repeats."""
        with self.bench.record_exchanges() as exchanges:
            self.read(record)
        shown_text = "".join(f"{exchange.reply.at()}" for exchange in exchanges)
        copies = {
            VendorCopy.ID: record.id,
            VendorCopy.TERMS: record.terms,
            VendorCopy.SUBJECT: record.subject_ref,
        }
        for copied, value in copies.items():
            is_declared = value not in shown_text or copied in self.capabilities.stores
            assert is_declared, f"a response has the record's {copied}, and `stores` lacks it"

    def _check_facts(self, record: SessionRecord) -> None:
        """Assert that a reading has the facts that a response shows, and follows it."""
        request = ReadRequest(record=record, clock=self.clock)
        with self.bench.record_exchanges() as exchanges:
            reading = self.bench.backend.read_session(request)
        values = [pair for exchange in exchanges for pair in values_in(exchange.reply.at())]
        for name, fact in record.facts.items():
            paths = [path for path, value in values if str(value).casefold() == fact.casefold()]
            is_read = name in reading.facts
            assert is_read or not paths, f"a response has the fact {name}, and a reading lacks it"
            if is_read and values:
                paths += [path for path, value in values if not isinstance(value, dict | list)]
                follows = any(self._changes_fact(request, name, fact, path) for path in paths)
                assert follows, (
                    f"the fact {name} is {fact} whatever the response says: read it from the "
                    "response, or leave it out of `facts` of the reading"
                )
            facts = {**record.facts, name: f"another-{fact}"}
            outcome = self.read(attrs.evolve(record, facts=facts))
            expect(f"a record with another {name}", outcome, fm.FaceMatchError)

    def _changes_fact(self, request: ReadRequest, name: str, fact: str, path: ValuePath) -> bool:
        """Return whether a reading has another fact if a response has another value at a path."""
        edited = self.bench.record_exchanges(_editor_at(path))
        with edited, contextlib.suppress(fm.FaceMatchError):
            return self.bench.backend.read_session(request).facts.get(name) != fact
        return False

    def _check_path(self, record: SessionRecord) -> None:
        """Assert that a record's `session_id` cannot lead to another path of the vendor."""
        record = attrs.evolve(record, session_id=STRANGE_ID)
        with self.bench.record_exchanges() as exchanges:
            outcome = self.read(record)
        label = f"a read of the session {STRANGE_ID!r}"
        urls = [exchange.request.url for exchange in exchanges]
        is_quoted = all(STRANGE_ID not in url for url in urls)
        assert is_quoted, f"{label} sends it unquoted in the URL: quote it, or raise InvalidRequest"
        if not urls:
            expect(label, outcome, fm.InvalidRequest, fm.SessionNotFound)


@attrs.frozen
class SessionRecording(Recording):
    """A recorded read of a session; methods replace the response at `step`."""

    desk: Desk
    record: SessionRecord

    @classmethod
    def of_session(cls, desk: Desk, session: fm.SessionResult) -> SessionRecording:
        """Record the read of a session."""
        record = session.record
        with desk.bench.record_exchanges() as exchanges:
            desk.read(record)
        request: Any = ReadRequest(record=record, clock=desk.clock)
        requests = [exchange.request for exchange in exchanges]
        replies = [exchange.reply for exchange in exchanges]
        return cls(desk.bench, request, requests, replies, len(replies), desk, record)

    def read_session(self, body: bytes) -> Any:
        """Return the outcome of the read with this body in the response at `step`."""
        replies = [*self.replies]
        replies[self.step - 1] = attrs.evolve(self.reply, body=body)
        backend: Any = self.bench.backend
        # A changed response may lead to further requests.
        answer = backend.read_reply(self.request, *replies, *[self.reply] * 20)

        def give_answer(*_: object) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        # The core judges it as if the vendor had sent the replies. A Mock takes as long as a read.
        with mock.patch.object(type(backend), "read_session", give_answer):
            return self.desk.read(self.record)

    def _find_details(self, document: object, verdict: object) -> list[ValuePath]:
        """Return the paths of values that decide nothing, also by the simulator."""
        declared = self.desk.player.decisive_fields
        details = super()._find_details(document, verdict)
        return [path for path in details if path_text(path) not in declared]

    def _verdict_with(self, path: ValuePath, text: str | None) -> object:
        """Return the verdict of a reading whose value at `path` is `text`, or is missing for None.

        Return None if the reading is refused.
        """
        description, body = self._body_with(path, text)
        self._describe(description)
        result = self.read_session(body)
        if not isinstance(result, fm.SessionResult):
            return None
        items = []
        for item in (result.match, result.liveness):
            items.append((item.decision, item.score, item.threshold, item.vendor_status))
        return verifies(result), result.state, result.vendor_status, *items


class SessionReadingRules(Rules):
    """Rules about readings: only a read can verify, for one person and one purpose."""

    @rule("R52")
    def test_r55_only_a_face_that_passed_is_a_yes(self, bench: Bench) -> None:
        """A session is verified only if the vendor approved it, a check of the face passed, and a
        compared document is the person's. Each value has its documented meaning, and so has the
        `code` of a warning that names it. A score equal to the threshold follows the declared rule.

        "Approved" may refer to a document, and an unknown value may mean fraud.
        """
        parts = (
            ReadingDesk.check_scores,
            ReadingDesk.check_documented_words,
            ReadingDesk.check_documents,
        )
        run_parts(ReadingDesk(bench), lambda desk: desk.check_cases(*FAILING_CASES), *parts)

    @rule("R52")
    def test_r56_another_session_is_refused(self, bench: Bench) -> None:
        """A session that does not belong to the record, predates it, or is from another environment
        is rejected, as is a changed record. The session of another record is not deleted.

        A fact follows the response. A `session_id` is quoted in a URL, or refused.

        A session passed for a login must not authorise a payment. In a sandbox anybody passes.
        """
        run_parts(
            ReadingDesk(bench),
            ReadingDesk.check_changed_records,
            lambda desk: desk.check_cases(*FOREIGN_CASES),
        )

    @rule("R52")
    def test_r57_a_webhook_is_verified_first(self, bench: Bench) -> None:
        """A webhook is verified before it is parsed. It only names a session and changes nothing. A
        webhook that was signed hours ago, or longer ago than documented, is rejected.

        Anybody can send a webhook, so its content is untrusted until its signature is verified.
        """
        desk = ReadingDesk(bench)
        bench.skip_unless_applicable(desk.has_webhooks, "sends no webhooks about sessions")
        session = desk.start()
        failing_case = next(desk.playable_cases(Case.SPOOF, Case.OTHER_PERSON))
        before = describe(desk.play_and_read(session, failing_case))
        body, headers = desk.player.deliver(id_of(session))
        self._check_signed(desk, session, body, headers)
        for webhook in desk.player.webhooks(id_of(session)):
            self._check_kind(desk, session, webhook)
        for forged_body, forged_headers in _forgeries(session, body, headers):
            outcome = desk.receive(forged_body, forged_headers)
            names = ", ".join(forged_headers) or "(none)"
            label = f"a forged webhook with the headers {names}"
            expect(label, outcome, fm.WebhookRefused)
            assert outcome.http_status != 422, f"{label} is parsed before it is verified"
        after = describe(desk.sessions.read(session.record))
        assert after == before, f"after a rejected webhook, a session is {after}"
        tolerance_s = desk.player.webhook_max_age_s
        if tolerance_s is not None:
            body, headers = desk.player.deliver(id_of(session))
            desk.clock.sleep(tolerance_s * 0.9)
            expect("a webhook within its tolerance", desk.receive(body, headers), tuple)
            desk.clock.sleep(tolerance_s * 0.2)
        else:
            # Longer than any vendor's tolerance.
            desk.clock.sleep(6 * 3600.0)
        now_s = desk.clock.now().timestamp()
        _, new_headers = desk.player.deliver(id_of(session))
        # Without a documented time, tested only if the headers contain the signing time.
        shows_time = any(abs(time_s - now_s) < 60 for time_s in _possible_times_in(new_headers))
        if tolerance_s is not None or shows_time:
            late = desk.receive(body, headers)
            expect("a webhook signed too long ago", late, fm.WebhookRefused)

    def _check_signed(
        self, desk: Desk, session: fm.SessionResult, body: bytes, headers: Mapping[str, str]
    ) -> None:
        """Assert that a genuine webhook names its session, and that nothing is sent (rule R57)."""
        received = desk.bench.backend.receive_session(
            body, {name.lower(): value for name, value in headers.items()}, desk.clock.now()
        )
        class_name = type(received).__name__
        assert_equal("the class that `receive_session` returns", class_name, "tuple")
        hints = desk.receive(body, headers)
        expect("a signed webhook", hints, tuple)
        told_record_id = _record_id_in(body, session)
        for hint in hints:
            is_its = hint.session_id == id_of(session)
            assert is_its, "a webhook names another session"
            assert_equal("`record_id` of a webhook", hint.record_id, told_record_id)
        assert hints, "a webhook names no session"
        is_silent = not desk.last_outcome.requests
        assert is_silent, "a webhook sends a request: a forged one would, too"

    def _check_kind(self, desk: Desk, session: fm.SessionResult, webhook: SessionWebhook) -> None:
        """Assert that a further kind of webhook names its session, or none (rule R57)."""
        label = f"the documented webhook {webhook.body[:120]!r}"
        hints = desk.receive(webhook.body, webhook.headers)
        expect(label, hints, tuple)
        names = [hint.session_id for hint in hints]
        assert_equal(f"the sessions of {label}", names, [id_of(session)] * webhook.names_session)
        told_record_id = _record_id_in(webhook.body, session)
        for hint in hints:
            assert_equal(f"`record_id` of {label}", hint.record_id, told_record_id)

    @rule("R52")
    def test_r59_a_portrait_is_of_who_was_live(self, bench: Bench) -> None:
        """A portrait shows only a person who passed the liveness check.

        Otherwise a photograph held up to the camera could be compared with the document.
        """
        desk = ReadingDesk(bench)
        bench.skip_unless_applicable(desk.capabilities.gives_portrait, "gives no portraits")
        for case in desk.playable_cases(Case.PASSED, Case.SPOOF):
            result = desk.play_and_read(desk.start(), case, with_portrait=True)
            has_portrait = result.portrait is not None
            label = f"the portrait of {case.name} is {result.portrait}"
            assert has_portrait == bool(result.liveness.is_live), label

    @rule("R52")
    def test_r61_details_of_a_session_may_have_any_form(self, bench: Bench) -> None:
        """A value of a session that decides nothing, such as a time, a link or another check, may
        have any form or be missing: the person stays verified, and state, decisions, scores and
        status stay. `decisive_fields` of the simulator names what decides all the same.

        The session is paid for, and the person waits until a release reads the new form.
        """
        desk = Desk(bench)
        is_http = isinstance(bench.backend, HttpBackend)
        bench.skip_unless_applicable(
            is_http, "is not an HttpBackend, so responses cannot be changed"
        )
        # The replies are replayed, so the vendor's rate limit does not apply.
        desk.capabilities = attrs.evolve(desk.capabilities, read_windows=())
        for compared_with in desk.player.compared_with:
            desk.set_up_sessions(compared_with)
            session = desk.start()
            desk.play_and_read(session, Case.PASSED)
            recording = SessionRecording.of_session(desk, session)
            for step in range(len(recording.replies), 0, -1):
                attrs.evolve(recording, step=step).check_details()


def warnings_of(result: fm.SessionResult) -> tuple[fm.ResultWarning, ...]:
    """Return the warnings of a session and of its checks."""
    return (*result.warnings, *result.match.warnings, *result.liveness.warnings)


def _record_id_in(body: bytes, session: fm.SessionResult) -> str | None:
    """Return the id of the session's record if a webhook repeats it, else None."""
    record_id = session.record.id
    return record_id if record_id.encode() in body else None


def _forgeries(
    session: fm.SessionResult, body: bytes, headers: Mapping[str, str]
) -> Iterator[tuple[bytes, dict[str, str]]]:
    """Yield bodies and headers of webhooks that the vendor did not send."""
    bodies = [b"\xff{", b"[" * 50_000, b""]
    for signed_id in (id_of(session), session.record.id):
        other_body = body.replace(signed_id.encode(), signed_id[::-1].encode())
        if other_body != body:
            bodies.append(other_body)
    header_sets: list[dict[str, str]] = [{}, {**headers}]
    # An attacker may also omit the signature headers.
    for name, value in headers.items():
        header_sets.append({name: value})
        header_sets.append({other: headers[other] for other in headers if other != name})
    yield from product(bodies, header_sets)
    yield body, {}


def _editor_at(path: ValuePath) -> Callable[[HttpRequest, HttpReply], HttpReply]:
    """Return a hook that changes the value at a path of each response that has one there."""

    def edit(_: HttpRequest, reply: HttpReply) -> HttpReply:
        document = reply.at()
        if path not in dict(values_in(document)):
            return reply
        value = reply.at(*path)
        other = not value if isinstance(value, bool) else f"another-{value}"
        return attrs.evolve(reply, body=json.dumps(replace_value(document, path, other)).encode())

    return edit


def _possible_times_in(headers: Mapping[str, str]) -> set[float]:
    """Return the possible timestamps in a webhook's headers, in seconds."""
    text = " ".join(headers.values())
    times = {float(digits[:10]) for digits in re.findall(r"\b\d{10}(?:\d{3})?\b", text)}
    for written in re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)", text):
        times.add(dt.datetime.fromisoformat(written).timestamp())
    return times
