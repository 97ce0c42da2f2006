"""R38-R41: every answer that can come is read, the same way each time, and none as more than it is.

The simulator gives a good answer once. What is made of it, and what no simulator would send, an
`HttpBackend` reads by `read_reply`: thousands of answers cost no request. Any other backend whose
simulator takes replies is sent them, fewer of them.
"""

from __future__ import annotations

import abc
import contextlib
import itertools
import json
import math
import socket
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import attrs

from facematch_core import (
    Charged,
    Decision,
    Environment,
    FaceMatchError,
    LivenessResult,
    MatchResult,
    Operation,
    OutcomeUnknown,
    UnexpectedResponse,
    VendorError,
)
from facematch_core.backend import Call, SdkBackend, Secret
from facematch_core.http import MOCK_HEADER, HttpBackend, HttpReply
from facematch_core.models import Ids
from facematch_core.testing.bench import (
    DEADLINE_S,
    PASS,
    Bench,
    Result,
    does_not_apply,
    not_tested,
)
from facematch_core.testing.bodies import (
    CANARY,
    LONG,
    STATUSES,
    USUAL_STATUSES,
    WAITS,
    Form,
    Place,
    changed,
    forms,
    made_up,
    named,
    number_in,
    places,
    turned_round,
)
from facematch_core.testing.simulator import ANSWERS, BAD, GOOD, SimulatorReply, Situation

from ._frame import Rules, pure

#: A threshold that the good answer of any simulator passes: it is well above the default.
LOW = 1.0

#: What is put in the place of each value of a good answer, as JSON.
VALUES = ("null", "true", "false", "-1", "7", '"odd"', '""', "[]", "{}", '[["x"]]')


class MappingRules(Rules):
    """Every answer that can come is read, the same way each time, and none as more than it is."""

    @pure
    def test_r38_every_answer_has_one_error(self, bench: Bench) -> None:
        """Every status but 200, with any form of body, becomes one error that does not contradict
        itself about money.

        A gateway's page in place of the vendor's answer comes on the worst day of the year. Code
        that reads it as the vendor's word that nothing was charged repeats a thousand calls, and
        pays twice. A redirect that is followed hands key and faces to whoever is there.
        """
        reader = _needed_reader(bench)
        secrets = [text for _, text in bench.secrets()]
        waits = itertools.cycle(WAITS)
        for operation in bench.operations:
            known = reader.statuses_of_answers(operation)
            for given in reader.before_each_step(operation):
                for status, form in reader.refusals(secrets):
                    said = {"Content-Type": form.content_type, "Retry-After": next(waits)}
                    told = reader.read(given, form.body, status, said)
                    where = f"{operation}, {status} with {form.name}"
                    if not isinstance(told, FaceMatchError):
                        assert status in known, f"{where} is {told.decision}, and not an error"
                        assert not passes(told), f"{where} is {told.decision}"
                        continue
                    reader.agrees(told, status, where)
                    assert status >= 300 or not getattr(told, "retryable", False), (
                        f"{where}: a success is repeated"
                    )
                    gateway = status >= 500 and not form.is_json
                    assert not gateway or _charged(told) is not Charged.NO, (
                        f"{where}: nobody said that it was not charged"
                    )
                    _is_silent(told, secrets, where)
        reader.stays_where_it_is()

    def test_r39_what_is_no_number_is_no_score(self, bench: Bench) -> None:
        """Where the score belongs, nothing, true, a text, NaN or a list becomes no score, or an
        error of a charged call.

        In many languages true is 1 and a text is a number. A vendor that changes its form must be
        noticed at the first answer, not by who came in. Digits in a text may be read as a number
        only with a warning.
        """
        reader = _needed_reader(bench)
        scaled = [operation for operation in bench.operations if bench.scale(operation)]
        found = 0
        for operation in scaled:
            good = reader.good(operation, GOOD[operation])
            for place, value in _scores(reader, good):
                found += 1
                spelt = '"high"' if isinstance(value, str) else json.dumps(str(value))
                inside = json.dumps(value)
                near = (f'"{value}%"', f'"{value} of 100"', f"[{inside}]", f'{{"value": {inside}}}')
                for text in (None, "true", spelt, "NaN", "-1", "1e999", "[]", "{}", *near):
                    told = reader.read(good, changed(good.document, place, text))
                    where = f"{operation}, {text or 'nothing'} at {named(place)}"
                    if isinstance(told, OutcomeUnknown) and isinstance(bench.backend, SdkBackend):
                        continue  # its own library fell over the answer, and does not hand it on
                    if isinstance(told, FaceMatchError):
                        assert isinstance(told, UnexpectedResponse), f"{where}: {told!r}"
                        charged = told.billing.charged
                        assert charged in bench.paid_if_unreadable(operation), f"{where}: {charged}"
                    elif not (text == spelt and _says_so(told, good.result)):
                        assert told.score is None, f"{where}: {told.score}"
                        # What is left out may leave the vendor's own verdict: R10 looks at that.
                        assert text is None or not passes(told), f"{where}: {told.decision}"
        if not scaled:
            does_not_apply(f"{bench.backend.name} declares no scale of scores.")
        if not found:
            not_tested(f"The score of {bench.backend.name} stands nowhere in its answers.")

    @pure
    def test_r40_any_body_is_read_or_refused(self, bench: Bench) -> None:
        """Whatever JSON comes with status 200, the call ends in a valid result or in one error.

        Vendors add, drop and rename without asking. What is missing must not become a score or a
        verdict, and a call that was paid must not end in an error that says it was not.
        """
        reader = _needed_reader(bench)
        for operation in bench.operations:
            for given in reader.before_each_step(operation):
                for body in made_up(reader.made_up):
                    told = reader.read(given, body)
                    where = f"{operation}, {body[:200]!r}"
                    _keeps(told, reader, given, body, where)
                    if isinstance(told, VendorError) and given.is_paid(bench):
                        assert told.billing.charged is not Charged.NO, f"{where}: {told!r}"
            if GOOD[operation] in bench.simulator.situations:
                self._changed(bench, reader, operation)
        for operation, situation in bench.cases([Situation.UNKNOWN_WARNING]):
            self._odd_warnings(bench, reader, reader.good(operation, situation, LOW))

    def _changed(self, bench: Bench, reader: Reader, operation: Operation) -> None:
        """The good answer, with one value changed at a time."""
        good = reader.good(operation, GOOD[operation], LOW)
        bad = reader.good(operation, BAD[operation])
        for change in _changes(reader, good, bad):
            told = reader.read(good, change.body)
            where = f"{operation}, {change.how}"
            _keeps(told, reader, good, change.body, where)
            if isinstance(told, FaceMatchError) or not passes(told):
                continue
            if bench.scale(operation):
                assert told.score is not None, f"{where}: a pass without a score"
            if change.decisive:
                # Some vendors may leave their word out; then nothing may be put in its place.
                unsaid = change.dropped and told.vendor_status is None
                kept = "a match" if told.decision is Decision.MATCH else told.decision
                assert unsaid, f"{operation}, {change.words} the result was still {kept}"

    def _odd_warnings(self, bench: Bench, reader: Reader, answer: Given) -> None:
        """A grave warning, put in a form that cannot be read."""
        listed = _warning_list(reader, answer, bench.simulator.unknown_warning[0])
        if listed is None:
            return  # They come in another form than a list.
        others = [item for item in listed.items if json.dumps(listed.tag) not in json.dumps(item)]
        gone = len(listed.items) - len(others)
        for odd in (None, True, 7, "odd", [], {}, ["odd"], {"odd": 7}):
            body = listed.with_items([*others, odd])
            told = reader.read(answer, body)
            where = f"{answer.operation}, {odd!r} among the warnings"
            _keeps(told, reader, answer, body, where)
            if not isinstance(told, FaceMatchError) and passes(told):
                known = len(answer.result.warnings) - gone < len(told.warnings)
                assert known, f"{where} is passed over, and it is {told.decision}"

    def test_r41_same_answer_same_result(self, bench: Bench) -> None:
        """The same answer is read the same way each time.

        Whoever was refused asks again. Nobody can explain a result that depends on earlier answers,
        or on the order in which a vendor happens to write its keys.
        """
        for operation in bench.operations:
            first, second = (bench.ask(operation, GOOD[operation]).answer for _ in range(2))
            assert _timeless(first, same_answer=False) == _timeless(second, same_answer=False)
        reader = _reader(bench)
        if reader is None:
            return  # Its answers are not there to be read again.
        answers = [
            reader.good(operation, situation)
            for operation, situation in bench.cases(ANSWERS)
            if situation is not Situation.NULL_SCORE or not bench.ask(operation, situation).error
        ]
        for answer in (*answers, *reversed(answers)):
            body = json.dumps(turned_round(answer.document)).encode()
            for told in (reader.read(answer, answer.reply.body), reader.read(answer, body)):
                assert not isinstance(told, FaceMatchError), f"{told!r}"
                assert _timeless(told) == _timeless(answer.result)
        for operation, situation in bench.cases([Situation.UNKNOWN_WARNING]):
            # Warnings come in the vendor's order: enough of them that no other order is this
            # one by chance.
            answer = reader.good(operation, situation)
            listed = _warning_list(reader, answer, bench.simulator.unknown_warning[0])
            if listed is not None:
                tags, items = zip(*map(listed.again, range(12)), strict=True)
                found = listed.tags(reader, answer, list(items)) or ()
                assert [t for t in found if t in tags] == [*tags], "warnings in another order"


def passes(told: Result) -> bool:
    """Whether somebody is accepted."""
    return told.decision in PASS.values()


# --- Who reads ------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Given:
    """What was answered to a call.

    Attributes:
        operation, call: What was asked.
        replies: Those to each of its requests.
        step: Which of them is made up anew, from 1.
        charges: What the vendor counted for each of them; None if nobody saw it.
        result: What was made of them; None for nothing yet.
    """

    operation: Operation
    call: Call
    replies: tuple[HttpReply, ...]
    step: int
    charges: tuple[int, ...] | None = None
    _result: Result | None = None

    @property
    def reply(self) -> HttpReply:
        return self.replies[self.step - 1]

    @property
    def document(self) -> Any:
        """The body, decoded."""
        return self.reply.json()

    @property
    def result(self) -> Result:
        assert self._result is not None
        return self._result

    def is_paid(self, bench: Bench) -> bool:
        """Whether an answer 200 to that request costs anything, with those before it."""
        is_free = self.charges is not None and not sum(self.charges[: self.step])
        return self.operation in bench.can.billed_operations and not is_free


class Reader(abc.ABC):
    """Has the backend read answers that nobody gave.

    Attributes:
        made_up: How many bodies are made up for each operation.
        sparing: How many changes of a good answer are made for each that is read.
    """

    made_up: int
    sparing: int

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def read(
        self,
        given: Given,
        body: bytes,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Result | FaceMatchError:
        """What the call ends in if one of its requests is answered so.

        Anything but a result or one error of ours is a fault.

        Args:
            given: The call, what was answered to it, and which of its requests that is.
            body, status, headers: What is answered instead; None for the status as it was.
        """
        said = {**given.reply.headers, **(headers or {})}
        return self.outcome(given, status or given.reply.status, body, said)

    @abc.abstractmethod
    def outcome(
        self, given: Given, status: int, body: bytes, headers: Mapping[str, str]
    ) -> Result | FaceMatchError:
        """The same, with all that is answered."""

    @abc.abstractmethod
    def replies(
        self, operation: Operation, situation: Situation, call: Call
    ) -> tuple[list[HttpReply], list[int] | None]:
        """Make a call; what was answered to each of its requests, and what each cost if known."""

    @abc.abstractmethod
    def refusals(self, secrets: Sequence[str]) -> Iterator[tuple[int, Form]]:
        """Answers other than 200: status and body."""

    @abc.abstractmethod
    def status_codes(self, status: int) -> tuple[int | None, ...]:
        """What `status_code` of an error may say of an answer with this status."""

    def statuses_of_answers(self, operation: Operation) -> Container[int]:
        """The statuses with which the vendor says something about the faces, as far as is known."""
        if Situation.NO_FACE not in self.bench.simulator.situations:
            return STATUSES
        found = set[int]()
        for situation in {Situation.NO_FACE, Situation.TWO_FACES} & self.bench.simulator.situations:
            self.bench.prepare(situation)
            outcome = self.bench.made(self.bench.call(operation, situation))
            last = self.bench.simulator.last_reply
            if outcome.error is None and last is not None:
                found.add(last.status)
        return found

    def stays_where_it_is(self) -> None:  # noqa: B027 - the core follows none
        """Assert that no redirect is followed; nothing to do where the core sends."""

    def good(
        self, operation: Operation, situation: Situation, threshold: float | None = None
    ) -> Given:
        """What the simulator answers; skips if it is no JSON."""
        self.bench.need(situation)
        call = self.bench.call(operation, situation, threshold=threshold)
        self.bench.prepare(situation)
        replies, charges = self.replies(operation, situation, call)
        steps = self.bench.steps(operation)
        given = Given(
            operation=operation,
            call=call,
            replies=tuple(replies[-steps:]),
            step=min(len(replies), steps),
            charges=None if charges is None else tuple(charges[-steps:]),
        )
        try:
            document = given.document
        except ValueError:
            document = None
        if not isinstance(document, (dict, list)):
            not_tested(
                f"What {self.bench.backend.name} is answered in {situation.name} is neither a "
                "JSON object nor a list."
            )
        told = self.read(given, given.reply.body)
        assert isinstance(told, (MatchResult, LivenessResult)), (
            f"read again, {situation.name} gave {told!r}"
        )
        return attrs.evolve(given, result=told)

    def before_each_step(self, operation: Operation) -> Iterator[Given]:
        """For each request of a call what was answered until then; the last one first."""
        steps = self.bench.steps(operation)
        if steps == 1:
            call = self.bench.call(operation, GOOD[operation])
            yield Given(operation=operation, call=call, replies=(self.reply(200, b""),), step=1)
            return
        good = self.good(operation, GOOD[operation])
        for step in range(steps, 0, -1):
            yield attrs.evolve(good, step=step)

    def reply(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        """A reply as the client would hand it over, to a request that carried every secret."""
        mock = self.bench.backend.environment is Environment.MOCK
        return HttpReply(
            status=status,
            body=body,
            headers={**(headers or {}), **({MOCK_HEADER: "kit"} if mock else {})},
            secrets=tuple(Secret(text) for _, text in self.bench.secrets()),
        )

    def agrees(self, error: FaceMatchError, status: int, where: str) -> None:
        """Assert that an error agrees with itself and with its status about money."""
        assert isinstance(error, VendorError), f"{where}: {error!r}"
        assert error.status_code in self.status_codes(status), f"{where}: {error!r}"
        assert error.backend == self.bench.backend.name, f"{where}: {error!r}"
        charged = error.billing.charged
        assert isinstance(error, OutcomeUnknown) == (charged is Charged.UNKNOWN), (
            f"{where}: {error!r} is {charged}"
        )
        assert not error.retryable or charged is Charged.NO, f"{where}: repeated and paid twice"
        wait_s = getattr(error, "retry_after_s", None)
        assert wait_s is None or (math.isfinite(wait_s) and wait_s >= 0), (
            f"{where}: waits {wait_s} s"
        )
        assert str(error).strip(), f"{where}: an error without a sentence"


class _ByCore(Reader):
    """An `HttpBackend`, whose answers are read without a request."""

    made_up, sparing = 150, 1

    def outcome(
        self, given: Given, status: int, body: bytes, headers: Mapping[str, str]
    ) -> Result | FaceMatchError:
        replies = list(given.replies)
        replies[given.step - 1] = attrs.evolve(
            given.reply, status=status, body=body, headers=headers
        )
        if len(replies) == 1:
            # Without a simulator nobody knows of further requests: they are answered alike.
            replies *= 9
        told = self.bench.backend.read_reply(given.call, *replies)  # type: ignore[attr-defined]  # an HttpBackend
        assert isinstance(told, (MatchResult, LivenessResult, FaceMatchError)), type(told).__name__
        return told

    def replies(
        self, operation: Operation, situation: Situation, call: Call
    ) -> tuple[list[HttpReply], list[int] | None]:
        before = self.bench.simulator.charges
        with _overheard(self.bench) as heard:
            error = self.bench.made(call).error
        assert error is None, f"{situation.name} gave {error!r}"
        if not heard:
            not_tested(
                f"{self.bench.backend.name} does not send by its `client`, so that the answer to "
                f"{situation.name} is not seen."
            )
        replies, charges = zip(*heard, strict=True)
        counts = itertools.pairwise((before, *charges))
        return list(replies), [after - earlier for earlier, after in counts]

    def refusals(self, secrets: Sequence[str]) -> Iterator[tuple[int, Form]]:
        for status, bodies in zip(STATUSES, forms(secrets), strict=False):
            if status in USUAL_STATUSES:
                yield from ((status, form) for form in bodies)
                continue
            # What hardly any server says: one in the vendor's words, one of a gateway, in turn.
            for is_json in (True, False):
                some = [form for form in bodies if form.is_json is is_json]
                yield status, some[status % len(some)]

    def status_codes(self, status: int) -> tuple[int | None, ...]:
        return (status,)


@contextlib.contextmanager
def _overheard(bench: Bench) -> Iterator[list[tuple[HttpReply, int]]]:
    """What the client is answered meanwhile, to requests of calls: signing in has no id of a call.

    Beside each reply is what the vendor has charged by then.
    """
    heard: list[tuple[HttpReply, int]] = []
    client: Any = bench.backend.client  # type: ignore[attr-defined]  # an HttpBackend
    send = client.send

    def sent(request: Any, **how: Any) -> HttpReply:
        reply: HttpReply = send(request, **how)
        if how.get("call_id") is not None:
            heard.append((reply, bench.simulator.charges))
        return reply

    client.send = sent
    try:
        yield heard
    finally:
        del client.send


class _BySocket(Reader):
    """Any other backend, whose simulator answers with what a test sets."""

    made_up, sparing = 25, 4

    def outcome(
        self, given: Given, status: int, body: bytes, headers: Mapping[str, str]
    ) -> Result | FaceMatchError:
        said = {"Content-Type": "application/json", **headers}
        steps = self.bench.steps(given.operation)
        reply = SimulatorReply(status=status, body=body, headers=said)
        aim = {} if steps == 1 else {"step": given.step}
        self.bench.simulator.set_reply(reply, **aim)
        outcome = self.bench.made(given.call)
        assert outcome.requests <= (steps if status == 200 else given.step), (
            f"{outcome.requests} requests for a call that was answered {status}"
        )
        return outcome.error or outcome.answer

    def replies(
        self, operation: Operation, situation: Situation, call: Call
    ) -> tuple[list[HttpReply], list[int] | None]:
        outcome = self.bench.made(call)
        assert outcome.error is None, f"{situation.name} gave {outcome.error!r}"
        last = self.bench.simulator.last_reply
        assert last is not None
        # Those before the last are not seen, and not made up anew.
        every = [self.reply(last.status, last.content, last.headers)] * outcome.requests
        return every, None

    def refusals(self, secrets: Sequence[str]) -> Iterator[tuple[int, Form]]:
        # Three of each round: one in the vendor's words, one that takes turns, one of a gateway.
        for at, (status, bodies) in enumerate(zip(USUAL_STATUSES, forms(secrets), strict=False)):
            spoken = [form for form in bodies if form.is_json]
            gateways = [form for form in bodies if not form.is_json]
            yield status, spoken[at % 2]
            yield status, spoken[2 + at % 2]
            yield status, gateways[at % len(gateways)]

    def stays_where_it_is(self) -> None:
        bench = self.bench
        with socket.create_server(("127.0.0.1", 0)) as elsewhere:
            elsewhere.settimeout(0)
            where = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/elsewhere"
            for operation in bench.operations:
                call = bench.call(operation, GOOD[operation], deadline_s=DEADLINE_S)
                for status in (301, 302, 303, 307, 308):
                    reply = SimulatorReply(status=status, body={}, headers={"Location": where})
                    bench.simulator.set_reply(reply)
                    bench.made(call)
                    with contextlib.suppress(BlockingIOError):
                        elsewhere.accept()[0].close()
                        raise AssertionError(
                            f"{operation}: a {status} was followed to another address, with the "
                            "key and the faces: turn the redirects of its library off"
                        )

    def status_codes(self, status: int) -> tuple[int | None, ...]:
        # A library of the vendor's may not say what it was answered.
        return (status, None)


def _reader(bench: Bench) -> Reader | None:
    """Who has answers read by this backend; None if nobody can."""
    if isinstance(bench.backend, HttpBackend):
        return _ByCore(bench)
    return _BySocket(bench) if bench.simulator.takes_replies else None


def _needed_reader(bench: Bench) -> Reader:
    reader = _reader(bench)
    if reader is None:
        does_not_apply(
            f"{bench.backend.name} is no HttpBackend, and its simulator takes no replies: what "
            "answers look like to it, it alone knows."
        )
    return reader


def _charged(error: FaceMatchError) -> Charged | None:
    return error.billing.charged if isinstance(error, VendorError) else None


def _is_silent(error: FaceMatchError, secrets: Sequence[str], where: str) -> None:
    """Assert that an error repeats no secret and no more of a body than the core does."""
    text = f"{error} {error!r} {vars(error)}"
    assert not any(secret in text for secret in secrets), f"{where}: a secret is handed on"
    assert CANARY not in text, f"{where}: what looks like a key is handed on"
    assert len(str(error)) < LONG / 2, f"{where}: the body is handed on whole"


def _says_so(told: Result, good: Result) -> bool:
    """Whether digits were read as the number that they spell, and a warning says so."""
    return told.score == good.score and len(told.warnings) > len(good.warnings)


def _keeps(
    told: Result | FaceMatchError, reader: Reader, given: Given, body: bytes, where: str
) -> None:
    """Assert what holds for whatever comes of an answer that may be a result."""
    if isinstance(told, FaceMatchError):
        reader.agrees(told, given.reply.status, where)
        return
    assert told.backend == reader.bench.backend.name, where
    json.dumps(told.to_dict(), allow_nan=False)
    if told.score is None:
        return
    assert told.score.scale == reader.bench.scale(given.operation), f"{where}: {told.score}"
    assert 0 <= told.score.value <= 100, f"{where}: {told.score}"
    if told.score.raw is not None:
        assert math.isfinite(told.score.raw), where
        said = {number_in(value) for _, value in places([reader.reply(200, body).json()])}
        assert told.score.raw in said, f"{where}: nobody said {told.score.raw}"


def _timeless(result: Result, *, same_answer: bool = True) -> tuple[Result, Any]:
    """`result` for a comparison, without times; of another answer also without ids and raw."""
    ids = attrs.evolve(result.ids, call=None) if same_answer else Ids()
    raw = json.loads(json.dumps(result.raw)) if same_answer else None
    return attrs.evolve(result, created_at=None, elapsed_s=0.0, ids=ids), raw


# --- Where in a good answer what stands -----------------------------------------------------------


def _number_of(told: Result) -> float | None:
    """The vendor's number in what was read, as far as it is given."""
    if told.score is None:
        return None
    return told.score.value if told.score.raw is None else told.score.raw


def _with(reader: Reader, good: Given, place: Place, text: str) -> Result | None:
    """What a good answer becomes with `text` at `place`; None for an error."""
    told = reader.read(good, changed(good.document, place, text))
    return None if isinstance(told, FaceMatchError) else told


def _scores(reader: Reader, good: Given) -> Iterator[tuple[Place, object]]:
    """Where in an answer the score stands, and as what."""
    number = _number_of(good.result)
    for place, value in places(good.document):
        if number is None or number_in(value) != number:
            continue
        # Others may be equal by chance: the score is the one that the result follows.
        other = _with(reader, good, place, repr(number / 2))
        if other is not None and _number_of(other) != number:
            yield place, value


def _verdicts(reader: Reader, good: Given) -> set[Place]:
    """Where the verdict stands: a yes whose opposite is another decision, or the vendor's word."""
    decision, word = good.result.decision, good.result.vendor_status
    found = set()
    for place, value in places(good.document):
        if isinstance(value, bool):
            other = _with(reader, good, place, json.dumps(not value))
            if other is not None and other.decision is not decision:
                found.add(place)
        elif isinstance(value, str) and value == word:
            other = _with(reader, good, place, '"another word"')
            # The same word may stand elsewhere by chance.
            if other is None or other.vendor_status != word:
                found.add(place)
    return found


@attrs.frozen(kw_only=True)
class _Change:
    """A good answer with one value changed.

    Attributes:
        how: What was done where, for messages.
        words: The same as a sentence says it.
        body: The whole, as JSON.
        decisive: Whether the verdict stood there.
        dropped: Whether the value is gone, key and all.
    """

    how: str
    words: str
    body: bytes
    decisive: bool
    dropped: bool = False


def _changes(reader: Reader, good: Given, bad: Given) -> Iterator[_Change]:
    """What may become of one value of a good answer; all of it where the verdict stands.

    Args:
        reader: Who reads it.
        good: The answer.
        bad: One of the same call that is no pass, for the vendor's own no.
    """
    document, decisive = good.document, _verdicts(reader, good)
    other, turn = dict(places(bad.document)), itertools.count()
    for place, value in places(document):
        texts = [*VALUES, f"[{json.dumps(value)}]", f'{{"value": {json.dumps(value)}}}']
        if place in decisive and isinstance(value, str):
            texts += [json.dumps(f"not {value}"), json.dumps(f"{value} pending")]
            texts += [json.dumps(other[place])] if place in other else []
        for text in (*texts, None):
            # One of them may be what is there anyway.
            if text == json.dumps(value):
                continue
            if place not in decisive and next(turn) % reader.sparing:
                continue
            yield _Change(
                how=f"{'nothing' if text is None else text[:60]} at {named(place)}",
                words=_in_words(named(place), value, text),
                body=changed(document, place, text),
                decisive=place in decisive,
                dropped=text is None,
            )


def _in_words(place: str, was: Any, text: str | None) -> str:
    """What was changed, for whoever reads the report."""
    name = f"`{place.removeprefix('$.')}`"
    if text is None:
        return f"without {name} (it was {was!r})"
    return f"with {name} changed from {was!r} to {text[:60].replace(chr(34), chr(39))}"


@attrs.frozen(kw_only=True)
class _WarningList:
    """Where the vendor's warnings are in an answer.

    Attributes:
        document: The answer, decoded.
        place: That of the list.
        items: What is in it.
        number: Which of them has the tag.
        tag: The vendor's tag of that one.
    """

    document: Any
    place: Place
    items: list[Any]
    number: int
    tag: str

    def again(self, number: int) -> tuple[str, Any]:
        """A further warning of the same form: its tag, and the item."""
        tag = f"{self.tag}_{number}"
        return tag, json.loads(json.dumps(self.items[self.number]).replace(self.tag, tag))

    def with_items(self, items: list[Any]) -> bytes:
        """The answer with other warnings."""
        return changed(self.document, self.place, json.dumps(items))

    def tags(self, reader: Reader, answer: Given, items: list[Any]) -> list[str | None] | None:
        """The tags that are read of other warnings; None if that is an error."""
        told = reader.read(answer, self.with_items(items))
        return (
            None if isinstance(told, FaceMatchError) else [warning.tag for warning in told.warnings]
        )


def _warning_list(reader: Reader, told: Given, tag: str) -> _WarningList | None:
    """The list that the warning with this tag is in; None if it is in none."""
    document = told.document
    for leaf, value in places(document):
        if value != tag:
            continue
        for depth, step in enumerate(leaf):
            if isinstance(step, str):
                continue
            items = document
            for outer in leaf[:depth]:
                items = items[outer]
            found = _WarningList(
                document=document, place=leaf[:depth], items=items, number=step, tag=tag
            )
            # Lists are in lists: it is the one in which a further item is a further warning.
            another, item = found.again(0)
            if another in (found.tags(reader, told, [*items, item]) or ()):
                return found
    return None
