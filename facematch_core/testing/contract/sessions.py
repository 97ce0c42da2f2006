"""R52-R59: hosted sessions, from the start to the deletion."""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from facematch_core.testing.bench import (
    INCONCLUSIVE,
    Bench,
    Rules,
    assert_among,
    assert_equal,
    rule,
    run_parts,
)
from facematch_core.testing.pictures import pictures_beyond, pictures_within
from facematch_core.testing.simulator import (
    Refusal,
    SessionSimulator,
    SessionWebhook,
    SessionWord,
    Situation,
    passing_situation_among,
)
from facematch_core.testing.simulator import SessionCase as Case

from .calls import ValuePath, replace_value, values_in
from .money import EXPECTED_ERRORS

State = fm.SessionState
MATCH = fm.Operation.MATCH
LIVENESS = fm.Operation.LIVENESS
SUBJECT = "kit-subject-8d1f"
PURPOSE = "kit-purpose-41c7"
ABOUT = "kit-about-b20e"
#: A liveness threshold that a good score passes, but not the score of LOW_SCORE.
GOOD_LIVENESS = 70.0
#: A liveness threshold below the score of LOW_SCORE.
LOW_LIVENESS = 30.0
#: More sessions than a page of a vendor's list usually has.
SESSIONS_OF_A_PAGE = 21
#: How long a session is open in which time passes, in seconds.
OPEN_S = 1800.0
#: More time than a person may need beyond the end of a session, in seconds.
LONG_S = 6 * 3600.0
#: A person, the holder of her own document, and of the documents of others.
PERSON = fm.Person(name="Ada Kit-Lovelace", date_of_birth=dt.date(1980, 1, 1))
OWN_DOCUMENT = DocumentHolder(name="KIT-LOVELACE ADA", date_of_birth=PERSON.date_of_birth)
OTHER_DOCUMENTS = {
    "with another name": attrs.evolve(OWN_DOCUMENT, name="Grace Kit-Hopper"),
    "with another date of birth": attrs.evolve(OWN_DOCUMENT, date_of_birth=dt.date(1980, 1, 2)),
}
#: Cases that never verify, with the expected outcome: a class of result or error, a state, or a
#: decision.
FAILING_CASES: dict[Case, object] = {
    Case.OTHER_PERSON: fm.Decision.NO_MATCH,
    Case.SPOOF: fm.LivenessDecision.NOT_LIVE,
    Case.TRY_AGAIN: State.PENDING,
    Case.NO_FACE_ITEM: fm.SessionResult,
    Case.OTHER_PICTURE: fm.SessionResult,
    Case.UNFINISHED: fm.SessionResult,
    Case.LOW_SCORE: fm.SessionResult,
}
#: The same for sessions that are not the record's.
FOREIGN_CASES: dict[Case, object] = {
    Case.FOREIGN: fm.VendorError,
    Case.OLDER: fm.SessionMismatch,
    Case.SANDBOX: fm.EnvironmentMismatch,
    Case.UNKNOWN_ENVIRONMENT: fm.EnvironmentMismatch,
}
EXPECTED_OUTCOMES = {
    **FAILING_CASES,
    **FOREIGN_CASES,
    Case.VANISHED: State.GONE,
}
#: The check that a case is about; other cases are about none.
CHECK_OF_CASE = {
    Case.OTHER_PERSON: MATCH,
    Case.OTHER_PICTURE: MATCH,
    Case.SPOOF: LIVENESS,
    Case.LOW_SCORE: LIVENESS,
}
#: The environment that the record requires in a case, if not its own.
REQUIRED_ENVIRONMENTS = {
    Case.SANDBOX: fm.Environment.PRODUCTION,
    Case.UNKNOWN_ENVIRONMENT: None,
}
#: The source of a value that the kit invents.
UNDOCUMENTED = "undocumented"
#: Personal data that a vendor may add to a response.
PERSONAL_DATA = {"full_name": "Ada Kit-Lovelace-77f1", "client_secret": "kit-9e02c41d"}
#: Bodies of a refusal, of which none says that a session is gone.
REFUSAL_BODIES = (
    b"{}",
    b'{"error": "No.", "message": "No.", "detail": "No."}',
    b"<html>No.</html>",
)


class Desk:
    """Makes calls about sessions with a backend and its simulator."""

    def __init__(self, bench: Bench) -> None:
        capabilities: Any = bench.backend.session_capabilities
        bench.skip_unless_applicable(capabilities is not None, "has no hosted sessions")
        player: Any = bench.simulator.sessions
        bench.skip_unless_testable(player is not None, "simulates no sessions")
        self.bench = bench
        self.capabilities = capabilities
        #: The simulator of the sessions.
        self.player = player
        self.clock = player.clock or bench.clock
        self.has_webhooks = type(bench.backend).receive_session is not Backend.receive_session
        self.events: list[fm.CallEvent] = []
        self.set_up_sessions(player.compared_with[-1])
        self.end_faults()

    def set_up_sessions(
        self, compared_with: fm.ComparedWith | None, *, searches: bool = True
    ) -> None:
        """Set up sessions that compare a face with this kind of picture (None: no comparison).

        Without `searches`, a start does not search for an earlier session.
        """
        self.player.prepare(compared_with)
        is_document = compared_with is fm.ComparedWith.DOCUMENT
        self.reads_document = is_document and self.capabilities.reads_document
        self.any_document = is_document and not self.capabilities.reads_document
        finds_by_record = self.capabilities.finds_by_record and searches
        capabilities = attrs.evolve(self.capabilities, finds_by_record=finds_by_record)
        expected_checks = set(capabilities.checks)
        if compared_with is None:
            expected_checks.discard(MATCH)
        backend = self.bench.backend
        with mock.patch.object(type(backend), "session_capabilities", capabilities):
            self.sessions = Sessions(
                fm.FaceVerifier(backend, clock=self.clock, on_event=self.events.append),
                expects=expected_checks,
                compared_with=compared_with or fm.ComparedWith.GIVEN,
            )
        document = PERSON if self.reads_document else None
        #: Raises its error; `read`, `delete` and `receive` return it.
        self.read_or_raise = functools.partial(self.sessions.read, document=document)
        self.read = functools.partial(self.outcome_of, self.read_or_raise)
        self.delete = functools.partial(self.outcome_of, self.sessions.delete)
        self.receive = functools.partial(self.outcome_of, self.sessions.receive)

    def end_faults(self) -> None:
        self.bench.simulator.set_situation(passing_situation_among(self.bench.simulator.situations))

    def plan(self, **options: Any) -> SessionRecord:
        """Return the record of a session that is not started."""
        usual_options = {
            "purpose": PURPOSE,
            "about": ABOUT,
            "liveness_threshold": (
                GOOD_LIVENESS if self.capabilities.needs_liveness_threshold else None
            ),
            "any_document": self.any_document,
        }
        return self.sessions.plan(SUBJECT, **{**usual_options, **options})

    def start(self, record: SessionRecord | None = None, **options: Any) -> fm.SessionResult:
        """Start the session of a record, or of a new one."""
        record = record or self.plan()
        usual_options: dict[str, Any] = {"reference": None, "options": None}
        if record.compared_with is fm.ComparedWith.GIVEN:
            _, reference = self.bench.simulator.pictures_for(Situation.SAME_PERSON)
            usual_options["reference"] = reference
        if self.capabilities.options is not None:
            usual_options["options"] = self.player.options(self.capabilities.options)
        session = self.sessions.start(record, **{**usual_options, **options})
        if self.reads_document:
            self.player.show_document(id_of(session), OWN_DOCUMENT)
        return session

    def play_and_read(
        self, session: fm.SessionResult, case: Case, **options: Any
    ) -> fm.SessionResult:
        self.player.play(id_of(session), case)
        return self.read_or_raise(session.record, **options)

    def start_and_pass(self) -> fm.SessionResult:
        """Start a session, put it into PASSED and read it."""
        return self.play_and_read(self.start(), Case.PASSED)

    def outcome_of(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return a function's result or the error it raised; count its requests and charges."""
        self.last_outcome = self.bench.observe(functools.partial(call, *arguments, **options))
        return self.last_outcome.error or self.last_outcome.result

    def playable_cases(self, *cases: Case) -> Iterator[Case]:
        """Yield the playable cases, then skip the rule if an applicable case is missing."""
        applicable = []
        for case in cases:
            check = CHECK_OF_CASE.get(case)
            is_checked = check is None or check in self.capabilities.checks
            is_about_threshold = case is Case.LOW_SCORE
            if is_about_threshold and not self.capabilities.needs_liveness_threshold:
                continue
            if is_checked:
                applicable.append(case)
        missing = []
        for case in applicable:
            if case in self.player.cases:
                yield case
            else:
                missing.append(case)
        reasons = self.player.cannot_happen
        names = [case.name for case in missing if case not in reasons]
        self.bench.skip_unless_testable(not names, f"cannot play {' or '.join(names)}")
        if len(missing) == len(applicable):
            texts = dict.fromkeys(reasons[case] for case in missing)
            pytest.skip(benches.DOES_NOT_APPLY + " ".join(texts))

    def check_cases(self, *cases: Case) -> None:
        """Read a session in each case; assert the expected outcome, which never verifies."""
        for case in self.playable_cases(*cases):
            session = self.start()
            if case is Case.VANISHED:
                self.play_and_read(session, Case.PASSED)
            self.player.play(id_of(session), case)
            environment = REQUIRED_ENVIRONMENTS.get(case, session.record.environment)
            result = self.read(attrs.evolve(session.record, environment=environment))
            label = f"a session in {case.name}"
            if case in REQUIRED_ENVIRONMENTS and isinstance(result, fm.SessionMismatch):
                # The record's environment is another one, too, so its terms cannot agree.
                label = f"the `environment` of {label} is not what the response states: it"
            expect(label, result, EXPECTED_OUTCOMES[case])
            if isinstance(result, fm.SessionResult):
                self._check_verdict(case, session, result)

    def _check_verdict(
        self, case: Case, session: fm.SessionResult, result: fm.SessionResult
    ) -> None:
        """Assert that a case does not verify, and has the items that it is about."""
        items = items_of(result)
        description = f"{case.name} is {describe(result)}"
        assert not verifies(result), f"{description}, which is a yes"
        if case is Case.NO_FACE_ITEM:
            assert not items, f"{description}, but no face was checked"
        elif case is Case.UNFINISHED:
            decisions = {item.decision for item in items}
            is_open = not decisions.isdisjoint(INCONCLUSIVE.values())
            assert is_open, f"{description}, but one is unfinished"
        elif case is Case.LOW_SCORE:
            low = self.play_and_read(self.start(self.plan(liveness_threshold=LOW_LIVENESS)), case)
            is_live = low.liveness.is_live
            assert is_live, f"{case.name} at {LOW_LIVENESS:g} is {describe(low)}"
        elif case is Case.TRY_AGAIN:
            retried = self.play_and_read(session, Case.PASSED)
            retried_text = describe(retried)
            assert verifies(retried), f"a session passed at the second attempt is {retried_text}"

    def check_starts(self) -> None:
        """Assert that a start gives access, and that its session is open until the check."""
        for name in self.player.documented_capabilities:
            is_declared = getattr(self.capabilities, name)
            assert is_declared, f"`{name}` is true of the vendor by its documents, and not declared"
        for compared_with in self.player.compared_with:
            self.set_up_sessions(compared_with)
            session = self.start()
            assert session.access, "a start returns no link, token or page for the person"
            for part in self.player.hands_over:
                assert getattr(session.access, part), f"a start drops the vendor's {part}"
            with self.bench.record_exchanges() as exchanges:
                before = self.read(session.record, with_access=True)
            expect("a session that nobody has opened", before, State.PENDING)
            for part in self.player.hands_over_again:
                has_part = before.access is not None and getattr(before.access, part)
                assert has_part, f"a read drops the vendor's {part}"
            if self.capabilities.link_works_once:
                is_new = before.access is not None and before.access.link != session.access.link
                assert is_new, "`link_works_once` is declared, but a read gives no new link"
            before_text = describe(before)
            assert not items_of(before), f"a session that nobody has opened is {before_text}"
            assert_equal("the number of charges of a read", self.last_outcome.charges, 0)
            if before.access:
                page = dict(before.access.page)
                assert_equal("the page of a read", page, dict(session.access.page))
            else:
                bodies = "".join(f"{exchange.reply.at()}" for exchange in exchanges)
                is_shown = any(key in bodies for key in _link_and_token_texts(session))
                assert not is_shown, "a read drops the link or token of the response"
            result = self.play_and_read(session, Case.PASSED)
            assert verifies(result), f"a passed session is {describe(result)}"
            status = result.vendor_status
            if before.vendor_status is not None:
                is_told = before.vendor_status != status
                assert is_told, f"`vendor_status` is {status} before and after the check"

    def check_start_options(self) -> None:
        """Assert that the options of a start reach the vendor, and that the session expires."""
        options = {}
        patterns = {}
        if self.capabilities.takes_return_url:
            options["return_url"] = "http://127.0.0.1/kit-3d51"
            patterns["return_url"] = "kit-3d51"
        if self.capabilities.takes_language:
            options["language"] = "pt-BR"
            patterns["language"] = r"\bpt(?![a-z])"
        with self.bench.record_exchanges() as exchanges:
            session = self.start(self.plan(valid_for_s=OPEN_S), **options)
        if exchanges:
            sent_text = unquote(" ".join(_sent_text(exchange.request) for exchange in exchanges))
            for name, pattern in patterns.items():
                is_sent = re.search(pattern, sent_text, re.IGNORECASE)
                label = f"a start with the {name} {options[name]}"
                assert is_sent, f"{label} does not send it to the vendor"
        self._check_received(self.player.received(id_of(session)), options)
        lasts_s = self.player.lasts_s(id_of(session)) or 0.0
        assert lasts_s <= OPEN_S, f"a link or token lasts {lasts_s:g} s, its session {OPEN_S:g} s"
        self.clock.sleep(OPEN_S + 1)
        is_open = is_a(self.read(session.record), State.PENDING)
        assert not is_open, "a session that nobody opened in time does not expire"
        if self.capabilities.resumes_expired:
            resumed = self.read(session.record, with_access=True)
            has_access = isinstance(resumed, fm.SessionResult) and resumed.access is not None
            assert has_access, "`resumes_expired` is declared, but an expired session has no access"
        is_known = type(self.player).lasts_s is not SessionSimulator.lasts_s
        self.bench.skip_unless_testable(
            is_known, "does not say how long a link or token works (`lasts_s`)"
        )

    def _check_received(self, received: Mapping[str, Any], options: Mapping[str, str]) -> None:
        """Assert that the vendor has read the options of a start where it looks for them."""
        if "return_url" in options:
            for url in received.get("return_urls", ()):
                assert_equal("a URL to redirect the person to", url, options["return_url"])
        if "language" in options and "language" in received:
            language = str(received["language"])
            is_read = language.lower().startswith("pt")
            assert is_read, f"the vendor reads the language {language}, not {options['language']}"

    def check_asked_back(self) -> None:
        """Assert that an open session expires, unless the vendor has asked its person back."""
        for session_word in self.player.words:
            if session_word.means is not State.PENDING:
                continue
            record = self._play_word(session_word, valid_for_s=OPEN_S)
            self.clock.sleep(OPEN_S + LONG_S)
            result = self.read(record)
            label = f"after the session's time, {_describe_word(session_word)}"
            if session_word.is_asked_back:
                expect(label, result, State.PENDING)
            else:
                assert not is_a(result, State.PENDING), f"{label} is {describe(result)}"

    def check_refused_start(self) -> None:
        """Assert that each documented refusal of a start has its error and charge."""
        # A search is another request, which is refused as a read.
        self.set_up_sessions(self.player.compared_with[-1], searches=False)
        for refusal in self.player.start_refusals:
            record = self.plan()
            self._check_refusal("a start", refusal, functools.partial(self.start, record))

    def check_refused_read_and_deletion(self) -> None:
        """Assert that each documented refusal of a read and a deletion has its error and charge."""
        record = self.start().record
        for refusal in self.player.read_refusals:
            read = functools.partial(self.read_or_raise, record)
            self._check_refusal("a read", refusal, read)
        for refusal in self.player.delete_refusals:
            delete = functools.partial(self.sessions.delete, record)
            self._check_refusal("a deletion", refusal, delete)

    def _check_refusal(self, call_name: str, refusal: Refusal, call: Callable[[], Any]) -> None:
        """Assert that a call with this response has the refusal's error, charge and wait."""
        body = json.dumps(refusal.body)
        headers = {"Content-Type": "application/json", **refusal.headers}
        with self.bench.record_exchanges(
            status=refusal.status, headers=headers, body=body.encode()
        ):
            outcome = self.outcome_of(call)
        label = f"{call_name}, answered {refusal.status} with {body:.120},"
        error_name = getattr(refusal.error, "__name__", None)
        assert_equal(f"the error of {label}", type(outcome).__name__, error_name)
        assert_equal(f"the charge of {label}", outcome.billing.charged, refusal.charged)
        if "Retry-After" in refusal.headers:
            wait_s = float(refusal.headers["Retry-After"])
            assert_equal(f"`retry_after_s` of {label}", outcome.retry_after_s, wait_s)

    def check_failed_starts(self) -> None:
        """Assert that a rejected start is free, and that one with a lost response is sent once."""
        compared_with = self.player.compared_with[-1]
        lost_record = self.plan()
        self.set_up_sessions(compared_with, searches=False)
        self.outcome_of(self.start)
        request_count = self.last_outcome.requests
        for situation in self.bench.available([Situation.NO_CREDIT, Situation.BAD_KEY]):
            self.bench.simulator.set_situation(situation)
            error = self.outcome_of(self.start, self.plan())
            self.end_faults()
            label = f"a start in {situation.name}"
            expect(label, error, *EXPECTED_ERRORS[situation].classes)
            charged = error.billing.charged
            assert charged is fm.Charged.NO, f"`charged` of {label} is {charged}"
        losses = (Situation.GATEWAY_ERROR, Situation.UNREADABLE_200, Situation.LOST_ANSWER)
        for situation in self.bench.available(losses):
            # The requests before the last may be free, for example to create a person.
            if request_count > 1:
                self.bench.simulator.set_situation(situation, step=request_count)
            else:
                self.bench.simulator.set_situation(situation)
            # In LOST_ANSWER the vendor creates the session, and only its response is lost.
            record = lost_record if situation is Situation.LOST_ANSWER else self.plan()
            error = self.outcome_of(self.start, record)
            self.end_faults()
            label = f"a start in {situation.name}"
            expect(label, error, fm.VendorError)
            charged = error.billing.charged
            assert charged is not fm.Charged.NO, f"`charged` of {label} is {charged}"
            requests = self.last_outcome.requests
            is_sent_once = requests <= request_count
            assert is_sent_once, f"{label} sends {requests} requests, not {request_count}"
        self.bench.skip_unless_available(Situation.LOST_ANSWER)
        self._check_lost_is_found(lost_record, compared_with)

    def _check_lost_is_found(
        self, record: SessionRecord, compared_with: fm.ComparedWith | None
    ) -> None:
        """Assert that a lost session is found, and that the same start returns it."""
        session_ids = set()
        if self.capabilities.finds_by_record:
            # Later sessions fill the first page of a list that does not filter by the record.
            for _ in range(SESSIONS_OF_A_PAGE):
                self.clock.sleep(1.0)
                self.start(self.plan())
            self.set_up_sessions(compared_with)
            found = self.read(record)
            expect("a lost session, with `finds_by_record` declared,", found, fm.SessionResult)
            session_ids.add(id_of(found))
            self.set_up_sessions(compared_with, searches=False)
        if self.capabilities.start_is_repeatable:
            session_ids.add(id_of(self.start(record)))
            session_ids.add(id_of(self.start(record)))
            assert len(session_ids) == 1, "repeating a start creates a second session"
            other_id = id_of(self.start(self.plan()))
            assert other_id not in session_ids, "two records of one person share a session"

    def check_reference_limits(self) -> None:
        """Assert that the declared limits of references match what the vendor accepts."""
        limits = self.capabilities.reference_limits
        takes_reference = fm.ComparedWith.GIVEN in self.player.compared_with
        self.bench.skip_unless_applicable(takes_reference, "accepts no reference at a start")
        self.set_up_sessions(fm.ComparedWith.GIVEN)
        for limit_name, picture in pictures_beyond(self.player.reference_limits or limits).items():
            is_refused = False
            try:
                picture.prepared(limits, fit=False)
            except fm.InvalidImage:
                is_refused = True
            label = f"a reference beyond the vendor's limit ({limit_name})"
            assert is_refused, f"{label} would be sent"
        if not self.player.looks_at_references:
            return
        for limit_name, picture in pictures_within(limits).items():
            started = self.outcome_of(self.start, reference=picture)
            label = f"a reference of {picture.size_bytes} bytes ({limit_name})"
            expect(f"the outcome for {label}, within the limits,", started, fm.SessionResult)

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
        result = self._outcome_with_word(session_word)
        is_missing = session_word.word is None and session_word.source == UNDOCUMENTED
        if is_missing and isinstance(result, fm.UnexpectedResponse):
            return
        label = _describe_word(session_word)
        expect(label, result, *meanings)
        assert_verifies(result, session_word.is_yes, label)
        statuses = status_of_case, session_word.word
        assert_among(f"`vendor_status` with {label}", result.vendor_status, statuses)

    def _outcome_with_word(self, session_word: SessionWord) -> Any:
        """Return the outcome of a read or deletion of a session with this value."""
        record = self._play_word(session_word)
        if isinstance(session_word.means, Deletion):
            return self.delete(record)
        return self.read(record)

    def _play_word(self, session_word: SessionWord, **options: Any) -> SessionRecord:
        """Return the record of a new session with this value; `options` are those of `plan`."""
        record = self.start(self.plan(**options)).record
        # Only where it is needed, because a simulator of earlier kits knows no case.
        case = {} if session_word.case is Case.PASSED else {"case": session_word.case}
        say: Any = self.player.say
        say(str(record.session_id), session_word.place, session_word.word, **case)
        return record

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
        status = self.bench.simulator.unknown_status
        new_word = SessionWord(place, status, unknown, UNDOCUMENTED)
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
        self._check_facts(open_record, passed_record)
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

    def _check_facts(self, open_record: SessionRecord, passed_record: SessionRecord) -> None:
        for name, value in open_record.facts.items():
            replaced_paths: list[ValuePath] = []
            with self.bench.record_exchanges(_editor_that_replaces(value, replaced_paths)):
                outcome = self.read(open_record)
            if replaced_paths:
                expect(f"a response with another {name}", outcome, fm.SessionMismatch)
            facts = {**passed_record.facts, name: f"another-{value}"}
            outcome = self.read(attrs.evolve(passed_record, facts=facts))
            expect(f"a record with another {name}", outcome, fm.FaceMatchError)

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
            # A session that a read still reports (as gone) may be deleted again.
            is_done = repeated_deletion.state is DeletionState.DONE
            assert not is_done, "the deletion of a missing session is reported as done"
        # Documented answers to a deletion.
        for session_word in self.player.words:
            if isinstance(session_word.means, Deletion):
                outcome = self._outcome_with_word(session_word)
                label = _describe_word(session_word)
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
        outcomes: dict[str, Any] = {}
        for situation in self.bench.available(situations):
            self.bench.simulator.set_situation(situation)
            outcomes[situation.name] = call(record)
        self.end_faults()
        for status, body in product((400, 401, 403, 429, 500, 503), REFUSAL_BODIES):
            with self.bench.record_exchanges(status=status, body=body) as exchanges:
                outcome = call(record)
            if exchanges:
                outcomes[f"{status} {body!r}"] = outcome
        for fault_name, outcome in outcomes.items():
            label = f"{call_name} during {fault_name}"
            expect(label, outcome, fm.VendorError)
            assert not is_a(outcome, State.GONE), f"{label} reports the session as gone"


class SessionRules(Rules):
    """Rules about hosted sessions: only a read can verify, for one person and one purpose."""

    @rule()
    def test_r52_a_session_lets_its_person_in(self, bench: Bench) -> None:
        """A passed session lets its person in, and the read is free.

        Before that, the session stays open until it expires, the person can return to it, and the
        vendor has received the URL to which to redirect the person afterwards.
        """
        run_parts(Desk(bench), Desk.check_starts, Desk.check_asked_back, Desk.check_start_options)

    @rule("R52")
    def test_r53_a_lost_start_is_unknown(self, bench: Bench) -> None:
        """A start with a lost response has an unknown outcome, and is not retried automatically. A
        rejected start is free, or costs what is documented. A reference that the vendor would
        reject is not sent.

        If the vendor finds a session by its record, only the same start returns the same session.
        """
        run_parts(
            Desk(bench),
            Desk.check_refused_start,
            Desk.check_failed_starts,
            Desk.check_reference_limits,
        )

    @rule("R52")
    def test_r54_the_handoff_stays_in_the_session(self, bench: Bench) -> None:
        """Only `access` contains the link and token. A record, result, `raw`, event or log contains
        no personal data, and the vendor stores none unless asked to.

        The link and token are keys: anyone who finds them in a log can open the session.
        """
        desk = Desk(bench)
        with leaks.capture_log() as log:
            self._r54_check_not_told(desk)
            self._r54_check_not_stored(desk)
            session = desk.start()
            before = desk.sessions.read(session.record)
            after = desk.play_and_read(session, Case.PASSED)
            with bench.record_exchanges(_add_personal_data):
                with_person = desk.read(session.record)
            if desk.has_webhooks:
                desk.receive(*desk.player.deliver(id_of(after)))
            if desk.capabilities.can_delete:
                desk.delete(session.record)
        outputs = {
            "the backend": repr(bench.backend),
            "the result of a start": repr(session),
            "an event": repr(desk.events),
            "the log": log.getvalue(),
        }
        for document in (session.record, before, after):
            class_name = type(document).__name__
            document_text = f"{document!r} {json.dumps(document.to_dict())}"
            outputs[class_name] = outputs.get(class_name, "") + document_text
        hidden = _link_and_token_texts(session) | set(bench.simulator.secrets)
        for output_name, text in outputs.items():
            for key in hidden:
                is_leaked = leaks.find_leaks(key, text)
                assert not is_leaked, f"a link, a token or a key is in {output_name}"
        self._r54_check_raw(before)
        self._r54_check_raw(after)
        text = log.getvalue()
        if isinstance(with_person, fm.SessionResult):
            text += json.dumps(with_person.to_dict())
        for name, value in PERSONAL_DATA.items():
            label = "a result or the log has personal data from the vendor"
            assert value not in text, f"{label}: {name}"

    def _r54_check_raw(self, result: fm.SessionResult) -> None:
        for _, value in values_in(result.raw):
            if isinstance(value, str):
                is_short = "://" not in value and len(value) <= 300
                assert is_short, f"`raw` has a URL or a picture: {value:.12}..."

    def _r54_check_not_told(self, desk: Desk) -> None:
        """Assert that the vendor is not told the purpose, nor whom a session is for."""
        hidden = {PURPOSE, ABOUT}
        if VendorCopy.SUBJECT not in desk.capabilities.stores:
            hidden.add(SUBJECT)
        with desk.bench.record_exchanges() as exchanges:
            desk.sessions.read(desk.start().record)
        sent_text = "".join(_sent_text(exchange.request) for exchange in exchanges)
        for value in hidden:
            assert value not in sent_text, "a start or a read sends data of the record"

    def _r54_check_not_stored(self, desk: Desk) -> None:
        session = desk.play_and_read(desk.start(options=None), Case.PASSED)
        stored_count = desk.player.kept(id_of(session)) or 0
        excess = stored_count - desk.player.always_kept
        assert excess <= 0, f"the vendor keeps {excess} pictures more than it always does, unasked"

    @rule("R52")
    def test_r55_only_a_face_that_passed_is_a_yes(self, bench: Bench) -> None:
        """A session is verified only if the vendor approved it, a check of the face passed, and a
        compared document is the person's. Each value has its documented meaning. A score equal to
        the threshold follows the declared rule.

        "Approved" may refer to a document, and an unknown value may mean fraud.
        """
        parts = Desk.check_scores, Desk.check_documented_words, Desk.check_documents
        run_parts(Desk(bench), lambda desk: desk.check_cases(*FAILING_CASES), *parts)

    @rule("R52")
    def test_r56_another_session_is_refused(self, bench: Bench) -> None:
        """A session that does not belong to the record, predates it, or is from another environment
        is rejected, as is a changed record. The session of another record is not deleted.

        A session passed for a login must not authorise a payment. In a sandbox anybody passes.
        """
        run_parts(
            Desk(bench),
            Desk.check_changed_records,
            lambda desk: desk.check_cases(*FOREIGN_CASES),
        )

    @rule("R52")
    def test_r57_a_webhook_is_verified_first(self, bench: Bench) -> None:
        """A webhook is verified before it is parsed. It only names a session and changes nothing. A
        webhook that was signed hours ago is rejected.

        Anybody can send a webhook, so its content is untrusted until its signature is verified.
        """
        desk = Desk(bench)
        bench.skip_unless_applicable(desk.has_webhooks, "sends no webhooks about sessions")
        session = desk.start()
        failing_case = next(desk.playable_cases(Case.SPOOF, Case.OTHER_PERSON))
        before = describe(desk.play_and_read(session, failing_case))
        body, headers = desk.player.deliver(id_of(session))
        self._r57_check_signed(desk, session, body, headers)
        for webhook in desk.player.webhooks(id_of(session)):
            self._r57_check_kind(desk, session, webhook)
        for forged_body, forged_headers in _forgeries(session, body, headers):
            outcome = desk.receive(forged_body, forged_headers)
            names = ", ".join(forged_headers) or "(none)"
            label = f"a forged webhook with the headers {names}"
            expect(label, outcome, fm.WebhookRefused)
            assert outcome.http_status != 422, f"{label} is parsed before it is verified"
        after = describe(desk.sessions.read(session.record))
        assert after == before, f"after a rejected webhook, a session is {after}"
        # Longer than any vendor's tolerance.
        desk.clock.sleep(6 * 3600.0)
        now_s = desk.clock.now().timestamp()
        _, new_headers = desk.player.deliver(id_of(session))
        # Tested only if the headers contain the signing time.
        if any(abs(time_s - now_s) < 60 for time_s in _possible_times_in(new_headers)):
            late = desk.receive(body, headers)
            expect("a webhook signed 6 hours ago", late, fm.WebhookRefused)

    def _r57_check_signed(
        self, desk: Desk, session: fm.SessionResult, body: bytes, headers: Mapping[str, str]
    ) -> None:
        """Assert that a genuine webhook names its session, and that nothing is sent."""
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

    def _r57_check_kind(
        self, desk: Desk, session: fm.SessionResult, webhook: SessionWebhook
    ) -> None:
        """Assert that a further kind of webhook names its session, or none."""
        label = f"the documented webhook {webhook.body[:120]!r}"
        hints = desk.receive(webhook.body, webhook.headers)
        expect(label, hints, tuple)
        names = [hint.session_id for hint in hints]
        assert_equal(f"the sessions of {label}", names, [id_of(session)] * webhook.names_session)
        told_record_id = _record_id_in(webhook.body, session)
        for hint in hints:
            assert_equal(f"`record_id` of {label}", hint.record_id, told_record_id)

    @rule("R52")
    def test_r58_what_vanished_is_no_verdict(self, bench: Bench) -> None:
        """A session that the vendor no longer has, or was asked to delete, is reported as not found
        or gone, but a fault or a rejection is not: each documented one has its own error.

        If "gone" looks like an outage, callers poll forever. They are liable for undeleted faces.
        """
        parts = (
            Desk.check_vanished,
            Desk.check_refused_read_and_deletion,
            Desk.check_deletion,
            Desk.check_faults,
        )
        run_parts(Desk(bench), *parts)

    @rule("R52")
    def test_r59_a_portrait_is_of_who_was_live(self, bench: Bench) -> None:
        """A portrait shows only a person who passed the liveness check.

        Otherwise a photograph held up to the camera could be compared with the document.
        """
        desk = Desk(bench)
        bench.skip_unless_applicable(desk.capabilities.gives_portrait, "gives no portraits")
        for case in desk.playable_cases(Case.PASSED, Case.SPOOF):
            result = desk.play_and_read(desk.start(), case, with_portrait=True)
            has_portrait = result.portrait is not None
            label = f"the portrait of {case.name} is {result.portrait}"
            assert has_portrait == bool(result.liveness.is_live), label


def id_of(session: fm.SessionResult) -> str:
    return str(session.record.session_id)


def _record_id_in(body: bytes, session: fm.SessionResult) -> str | None:
    """Return the id of the session's record if a webhook repeats it, else None."""
    record_id = session.record.id
    return record_id if record_id.encode() in body else None


def verifies(result: fm.SessionResult) -> bool:
    return result.is_verified_for(SUBJECT, purpose=PURPOSE, about=ABOUT, max_age_s=3600)


def items_of(result: fm.SessionResult) -> list[fm.MatchResult | fm.LivenessResult]:
    """Return the items that a result reports about a face."""
    return [item for item in (result.match, result.liveness) if hosted.is_reported(item)]


def assert_verifies(result: fm.SessionResult, is_yes: bool, label: str) -> None:
    """Assert that a result verifies the person, or that it does not."""
    if is_yes:
        assert verifies(result), f"{label} is a no"
    else:
        assert not verifies(result), f"{label} is a yes"


def _describe_word(session_word: SessionWord) -> str:
    path = ".".join(map(str, session_word.place))
    return f"`{path}` {session_word.word!r} (meaning {session_word.means}, {session_word.source})"


def describe(outcome: object) -> str:
    """Describe an outcome in a few words."""
    if isinstance(outcome, tuple):
        return "accepted"
    if isinstance(outcome, fm.SessionResult):
        items = [f"{item.decision}" for item in items_of(outcome)]
        return f"{outcome.state} with {' and '.join(items) or 'no item about a face'}"
    text = f"{type(outcome).__name__} {getattr(outcome, 'state', '')}".rstrip()
    return f"{text} ({outcome})" if isinstance(outcome, Exception) else text


def is_a(outcome: object, expected: object) -> bool:
    """Return whether an outcome has this class, state, decision or picture."""
    if isinstance(expected, type):
        return isinstance(outcome, expected)
    values = [getattr(outcome, "state", None), getattr(outcome, "compared_with", None)]
    if isinstance(outcome, fm.SessionResult):
        values += [outcome.match.decision, outcome.liveness.decision]
    if isinstance(outcome, fm.SessionNotFound):  # as of a redacted session
        values.append(State.GONE)
    # Members of two enums may be equal.
    return any(value is expected for value in values)


def expect(label: str, outcome: object, *expected: object) -> None:
    """Assert that an outcome is one of these classes, states, decisions or pictures."""
    assert any(is_a(outcome, each) for each in expected), f"{label} is {describe(outcome)}"


def _add_personal_data(_: HttpRequest, reply: HttpReply) -> HttpReply:
    """Add personal data to each object of a response, as a vendor might."""

    def add(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, **PERSONAL_DATA}

    changed = json.loads(json.dumps(reply.at()), object_hook=add)
    return attrs.evolve(reply, body=json.dumps(changed).encode())


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


def _link_and_token_texts(session: fm.SessionResult) -> set[str]:
    """Return the link, its last part, and the token."""
    access = session.access or hosted.SessionAccess()
    keys = set()
    for secret in (access.link, access.token):
        if secret is not None:
            text = secret.reveal()
            keys |= {text, text.rpartition("/")[2]}
    return {key for key in keys if len(key) >= 6 and key != session.record.session_id}


def _sent_text(request: HttpRequest) -> str:
    """Return all text in a request to the vendor, without its files."""
    fields = {**request.params, **request.fields, **request.headers}
    return f"{request.url} {fields} {request.json!r} {request.body!r}"


def _editor_that_replaces(
    fact: str, replaced_paths: list[ValuePath]
) -> Callable[[HttpRequest, HttpReply], HttpReply]:
    """Return a hook that replaces `fact` in each response and notes its paths."""

    def edit(_: HttpRequest, reply: HttpReply) -> HttpReply:
        document = reply.at()
        paths = []
        for path, value in values_in(document):
            if str(value).casefold() == fact.casefold():
                paths.append(path)
        if not paths:
            return reply
        for path in paths:
            document = replace_value(document, path, f"another-{fact}")
        replaced_paths.extend(paths)
        return attrs.evolve(reply, body=json.dumps(document).encode())

    return edit


def _possible_times_in(headers: Mapping[str, str]) -> set[float]:
    """Return the possible timestamps in a webhook's headers, in seconds."""
    text = " ".join(headers.values())
    times = {float(digits[:10]) for digits in re.findall(r"\b\d{10}(?:\d{3})?\b", text)}
    for written in re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)", text):
        times.add(dt.datetime.fromisoformat(written).timestamp())
    return times
