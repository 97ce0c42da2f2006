"""R52-R54: how a hosted session is started, and what its person is handed."""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import attrs

import facematch_core as fm
from facematch_core.backend.session_types import (
    Deletion,
    SessionAccess,
    SessionRecord,
    VendorCopy,
)
from facematch_core.http import HttpReply, HttpRequest
from facematch_core.testing import leaks
from facematch_core.testing.bench import (
    Bench,
    Difference,
    ObservedExchange,
    Rules,
    assert_equal,
    rule,
    run_parts,
)
from facematch_core.testing.pictures import pictures_within
from facematch_core.testing.simulator import SessionCase as Case
from facematch_core.testing.simulator import (
    SessionSimulator,
    Situation,
)

from .calls import check_documented, check_settings, values_in
from .money import EXPECTED_ERRORS
from .session_desk import (
    ABOUT,
    PURPOSE,
    SUBJECT,
    Desk,
    State,
    describe,
    describe_no,
    describe_word,
    expect,
    id_of,
    is_a,
    items_of,
    link_and_token_texts,
    link_values,
    text_of_request,
    verifies,
)

#: More sessions than a page of a vendor's list usually has.
SESSIONS_OF_A_PAGE = 21
#: More time than a vendor remembers the key of a start, in seconds.
REPEATABLE_S = 2 * 86400.0
#: How long a session is open in which time passes, in seconds.
OPEN_S = 1800.0
#: A lifetime of a link below this is in a wrong unit, in seconds.
SHORTEST_S = 60.0
#: More time than a person may need beyond the end of a session, in seconds.
LONG_S = 6 * 3600.0
#: Personal data that a vendor may add to a response.
PERSONAL_DATA = {"full_name": "Ada Kit-Lovelace-77f1", "client_secret": "kit-9e02c41d"}


class StartDesk(Desk):
    """Checks the starts of sessions."""

    def check_starts(self) -> None:
        """Assert that a start gives access, and that its session is open until the check."""
        check_settings(self.bench)
        check_documented(self.capabilities, self.player.documented_capabilities)
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
                self._check_new_link(session.access, before.access, exchanges)
            before_text = describe(before)
            assert not items_of(before), f"a session that nobody has opened is {before_text}"
            assert_equal("the number of charges of a read", self.last_outcome.charges, 0)
            if before.access:
                page = dict(before.access.page)
                assert_equal("the page of a read", page, dict(session.access.page))
            else:
                bodies = "".join(f"{exchange.reply.at()}" for exchange in exchanges)
                is_shown = any(key in bodies for key in link_and_token_texts(session))
                assert not is_shown, "a read drops the link or token of the response"
            result = self.play_and_read(session, Case.PASSED)
            assert verifies(result), f"a passed session is {describe_no(result)}"
            status = result.vendor_status
            if before.vendor_status is not None:
                is_told = before.vendor_status != status
                assert is_told, f"`vendor_status` is {status} before and after the check"

    def _check_new_link(
        self,
        access: SessionAccess,
        later: SessionAccess | None,
        exchanges: Sequence[ObservedExchange],
    ) -> None:
        """Assert that a read gives a new link, because the link of the start works once."""
        bodies = "".join(f"{exchange.reply.at()}" for exchange in exchanges)
        if access.link is not None and access.link.reveal() in bodies:
            raise Difference(
                "`link_works_once` is declared, but the response to a read has the link of the "
                "start: each read makes a new link"
            )
        is_new = later is not None and later.link != access.link
        assert is_new, "`link_works_once` is declared, but a read gives no new link"

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
            sent_text = unquote(
                " ".join(text_of_request(exchange.request) for exchange in exchanges)
            )
            for name, pattern in patterns.items():
                is_sent = re.search(pattern, sent_text, re.IGNORECASE)
                label = f"a start with the {name} {options[name]}"
                assert is_sent, f"{label} does not send it to the vendor"
        self._check_received(self.player.received(id_of(session)), options)
        self._check_own_options()
        lasts_s = self.player.lasts_s(id_of(session))
        if lasts_s is not None:
            is_in_time = SHORTEST_S <= lasts_s <= OPEN_S
            label = f"a link or token lasts {lasts_s:g} s, its session {OPEN_S:g} s"
            assert is_in_time, f"{label}: is it in the vendor's unit?"
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

    def _check_own_options(self) -> None:
        """Assert that the plug-in's own options of a start reach the vendor."""
        options_class = self.capabilities.options
        if options_class is None:
            return
        for options, sent in self.player.other_options(options_class).items():
            with self.bench.record_exchanges() as exchanges:
                self.start(options=options)
            text = " ".join(text_of_request(exchange.request) for exchange in exchanges)
            is_sent = sent in unquote(text) or not exchanges
            assert is_sent, f"a start with {options} does not send {sent} to the vendor"

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
            record = self.play_word(session_word, valid_for_s=OPEN_S)
            self.clock.sleep(OPEN_S + LONG_S)
            result = self.read(record)
            label = f"after the session's time, {describe_word(session_word)}"
            if session_word.is_asked_back:
                expect(label, result, State.PENDING)
            else:
                assert not is_a(result, State.PENDING), f"{label} is {describe(result)}"

    def check_refused_start(self) -> None:
        """Assert that each documented refusal of a start has its error and charge."""
        # A search is another request, which is refused as a read.
        self.set_up_sessions(self.player.compared_with[-1], searches=False)
        steps = [1]
        with self.bench.record_exchanges() as exchanges:
            self.start()
        for step, exchange in enumerate(exchanges, 1):
            # After the charged request, the session exists, so an error means something else.
            if exchange.request.charges:
                steps = list(range(1, step + 1))
                break
        for refusal, step in itertools.product(self.player.start_refusals, steps):
            start = functools.partial(self.start, self.plan())
            self.check_refusal("a start", refusal, start, step)

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

    def check_several_sessions(self) -> None:
        """Assert that a read finds the passed one of a record's sessions, and a deletion all."""
        self.bench.skip_unless_applicable(
            self.capabilities.finds_by_record, "finds no session by its record"
        )
        compared_with = self.player.compared_with[-1]
        record = self.plan(valid_for_s=2 * REPEATABLE_S)
        # A start that searched would find the first session, and make no second one.
        self.set_up_sessions(compared_with, searches=False)
        passed_id = id_of(self.start(record))
        self.player.play(passed_id, Case.PASSED)
        wait_s = REPEATABLE_S if self.capabilities.start_is_repeatable else 1.0
        self.clock.sleep(wait_s)
        later_id = id_of(self.start(record))
        self.set_up_sessions(compared_with)
        is_over = (self.capabilities.result_lasts_s or math.inf) <= wait_s
        if later_id == passed_id or is_over:  # the vendor has no second session of a record
            return
        found = self.read(record)
        expect("a record with two sessions", found, State.DECIDED, State.PENDING)
        is_passed = id_of(found) == passed_id
        assert is_passed, "of two sessions of a record, a read finds the open one, not the passed"
        if self.capabilities.can_delete:
            self.player.play(later_id, Case.PASSED)
            expect("the deletion of a record with two sessions", self.delete(record), Deletion)
            are_kept = self.player.kept(passed_id) or self.player.kept(later_id)
            assert not are_kept, "after a deletion the vendor keeps the face of a second session"

    def check_reference_limits(self) -> None:
        """Assert that the vendor accepts references within the declared limits."""
        looks = self.player.looks_at_references
        self.bench.skip_unless_applicable(looks, "has a vendor that looks at no references")
        self.set_up_sessions(fm.ComparedWith.GIVEN)
        for limit_name, picture in pictures_within(self.capabilities.reference_limits).items():
            started = self.outcome_of(self.start, reference=picture)
            label = f"a reference of {picture.size_bytes} bytes ({limit_name})"
            expect(f"the outcome for {label}, within the limits,", started, fm.SessionResult)


class SessionStartRules(Rules):
    """Rules about starts: a person is let in, nothing is paid twice, and no secret leaves."""

    @rule()
    def test_r52_a_session_lets_its_person_in(self, bench: Bench) -> None:
        """A passed session lets its person in, and the read is free.

        Before that, the session stays open until it expires, the person can return to it, and the
        vendor has received the URL to which to redirect the person afterwards.
        """
        run_parts(
            StartDesk(bench),
            StartDesk.check_starts,
            StartDesk.check_asked_back,
            StartDesk.check_start_options,
        )

    @rule("R52")
    def test_r53_a_lost_start_is_unknown(self, bench: Bench) -> None:
        """A start with a lost response has an unknown outcome, and is not retried automatically. A
        rejected start is free, or costs what is documented. The vendor accepts a reference within
        the declared limits.

        If the vendor finds a session by its record, only the same start returns the same session.
        Of two sessions of a record, a read returns the one that passed, and a deletion removes
        both.
        """
        run_parts(
            StartDesk(bench),
            StartDesk.check_refused_start,
            StartDesk.check_failed_starts,
            StartDesk.check_several_sessions,
            StartDesk.check_reference_limits,
        )

    @rule("R52")
    def test_r54_the_handoff_stays_in_the_session(self, bench: Bench) -> None:
        """Only `access` contains the link and token. A record, result, `raw`, event or log contains
        no personal data, and the vendor stores none unless asked to.

        The link and token are keys: anyone who finds them in a log can open the session. So are the
        last part of the link's path and the long values of its query, if each session has others.
        """
        desk = StartDesk(bench)
        with leaks.capture_log() as log:
            self._r54_check_not_told(desk)
            self._r54_check_not_stored(desk)
            other_session = desk.start()
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
            "the result of a start": f"{session!r} {json.dumps(session.to_dict())}",
            "an event": repr(desk.events),
            "the log": log.getvalue(),
        }
        for document in (session.record, before, after):
            class_name = type(document).__name__
            document_text = f"{document!r} {json.dumps(document.to_dict())}"
            outputs[class_name] = outputs.get(class_name, "") + document_text
        record = session.record
        # A value that the links share is a setting, such as an account's id.
        values_of_session = link_values(session) - link_values(other_session)
        public_values = {record.id, record.session_id, record.subject_ref, record.terms}
        hidden = link_and_token_texts(session) | set(bench.simulator.secrets)
        hidden |= values_of_session - public_values
        for output_name, text in outputs.items():
            for key in hidden:
                is_leaked = leaks.find_leaks(key, text)
                assert not is_leaked, f"a link, a part of it, a token or a key is in {output_name}"
        self._r54_check_raw(session)
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
        sent_text = "".join(text_of_request(exchange.request) for exchange in exchanges)
        for value in hidden:
            assert value not in sent_text, "a start or a read sends data of the record"

    def _r54_check_not_stored(self, desk: Desk) -> None:
        session = desk.play_and_read(desk.start(options=None), Case.PASSED)
        stored_count = desk.player.kept(id_of(session)) or 0
        excess = stored_count - desk.player.always_kept
        assert excess <= 0, f"the vendor keeps {excess} pictures more than it always does, unasked"


def _add_personal_data(_: HttpRequest, reply: HttpReply) -> HttpReply:
    """Add personal data to each object of a response, as a vendor might."""

    def add(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, **PERSONAL_DATA}

    changed = json.loads(json.dumps(reply.at()), object_hook=add)
    return attrs.evolve(reply, body=json.dumps(changed).encode())
