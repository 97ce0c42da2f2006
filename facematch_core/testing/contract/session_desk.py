"""What the rules about hosted sessions share: a desk that makes calls, and expected outcomes."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs
import pytest

import facematch_core as fm
from facematch_core.backend import Backend, DocumentHolder
from facematch_core.backend import session_types as hosted
from facematch_core.backend.session_types import Deletion, SessionRecord
from facematch_core.http import HttpReply, HttpRequest
from facematch_core.sessions.sessions import Sessions
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import (
    INCONCLUSIVE,
    Bench,
    assert_equal,
)
from facematch_core.testing.simulator import (
    Refusal,
    SessionWord,
    Situation,
    passing_situation_among,
)
from facematch_core.testing.simulator import SessionCase as Case

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
#: Characters from which a value in a link may be a secret; a shorter one is a word or a language.
LONG_VALUE = 16
#: A person, the holder of her own document, and of the documents of others.
PERSON = fm.Person(name="Ann Kit-Lovelace", date_of_birth=dt.date(1980, 1, 1))
OWN_DOCUMENT = DocumentHolder(name="KIT-LOVELACE ANN", date_of_birth=PERSON.date_of_birth)
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


class Desk:
    """Makes calls about sessions with a backend and its simulator."""

    def __init__(self, bench: Bench) -> None:
        """Open the backend's sessions at the simulator; skip the rule if there are none."""
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
        longest_s = self.capabilities.longest_valid_s
        if longest_s is not None and "valid_for_s" in options:
            options["valid_for_s"] = min(options["valid_for_s"], longest_s)
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
            retried_text = describe_no(retried)
            assert verifies(retried), f"a session passed at the second attempt is {retried_text}"

    def check_refusal(
        self, call_name: str, refusal: Refusal, call: Callable[[], Any], step: int = 1
    ) -> None:
        """Assert that a call with this response has the refusal's error, charge and wait.

        The response is that of the request at `step`, counted from 1.
        """
        body = json.dumps(refusal.body)
        headers = {"Content-Type": "application/json", **refusal.headers}
        requests: list[HttpRequest] = []

        def refuse(request: HttpRequest, reply: HttpReply) -> HttpReply:
            requests.append(request)
            if len(requests) != step:
                return reply
            return attrs.evolve(reply, status=refusal.status, headers=headers, body=body.encode())

        with self.bench.record_exchanges(refuse):
            outcome = self.outcome_of(call)
        label = f"{call_name}, answered {refusal.status} with {body:.120},"
        if step > 1:
            label = f"{label} at request {step}"
        error_name = getattr(refusal.error, "__name__", None)
        assert_equal(f"the error of {label}", type(outcome).__name__, error_name)
        assert_equal(f"the charge of {label}", outcome.billing.charged, refusal.charged)
        self.bench.check_wait(outcome, refusal, label)

    def outcome_with_word(self, session_word: SessionWord) -> Any:
        """Return the outcome of a read or deletion of a session with this value."""
        record = self.play_word(session_word)
        if isinstance(session_word.means, Deletion):
            return self.delete(record)
        return self.read(record)

    def play_word(self, session_word: SessionWord, **options: Any) -> SessionRecord:
        """Return the record of a new session with this value; `options` are those of `plan`."""
        record = self.start(self.plan(**options)).record
        # Only where it is needed, because a simulator of earlier kits knows no case.
        case = {} if session_word.case is Case.PASSED else {"case": session_word.case}
        say: Any = self.player.say
        say(str(record.session_id), session_word.place, session_word.word, **case)
        return record


def id_of(session: fm.SessionResult) -> str:
    return str(session.record.session_id)


def verifies(result: fm.SessionResult) -> bool:
    return result.is_verified_for(SUBJECT, purpose=PURPOSE, about=ABOUT, max_age_s=3600)


def describe_no(result: fm.SessionResult) -> str:
    """Describe a session that does not verify, with the reasons."""
    reasons = result.why_not(SUBJECT, purpose=PURPOSE, about=ABOUT, max_age_s=3600)
    return f"{describe(result)}, which is a no: {'; '.join(reasons)}"


def items_of(result: fm.SessionResult) -> list[fm.MatchResult | fm.LivenessResult]:
    """Return the items that a result reports about a face."""
    return [item for item in (result.match, result.liveness) if hosted.is_reported(item)]


def assert_verifies(result: fm.SessionResult, is_yes: bool, label: str) -> None:
    """Assert that a result verifies the person, or that it does not."""
    if is_yes:
        assert verifies(result), f"{label} is {describe_no(result)}"
    else:
        assert not verifies(result), f"{label} is a yes"


def describe_word(session_word: SessionWord) -> str:
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


def link_and_token_texts(session: fm.SessionResult) -> set[str]:
    """Return the link, its last part, and the token."""
    access = session.access or hosted.SessionAccess()
    keys = set()
    for secret in (access.link, access.token):
        if secret is not None:
            text = secret.reveal()
            keys |= {text, text.rpartition("/")[2]}
    return {key for key in keys if len(key) >= 6 and key != session.record.session_id}


def link_values(session: fm.SessionResult) -> set[str]:
    """Return the long values of the link's query, and the long last segment of its path.

    Either may be a key to the session without the rest of the link.
    """
    if session.access is None or session.access.link is None:
        return set()
    link = urlsplit(session.access.link.reveal())
    values = {value for _, value in parse_qsl(f"{link.query}&{link.fragment}")}
    values.add(unquote(link.path.rstrip("/").rpartition("/")[2]))
    return {value for value in values if len(value) >= LONG_VALUE}


def text_of_request(request: HttpRequest) -> str:
    """Return all text in a request to the vendor, without its files."""
    fields = {**request.params, **request.fields, **request.headers}
    return f"{request.url} {fields} {request.json!r} {request.body!r}"
