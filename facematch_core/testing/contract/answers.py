"""R38, and the part of R02 about numbers: every answer that can come is read or refused.

An `HttpBackend` reads an answer without sending anything; any other backend is sent it by its
simulator, if that takes replies.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import re
from collections.abc import Container, Iterator, Sequence
from typing import Any, NamedTuple

import attrs

import facematch_core as fm
from facematch_core.backend import Call, Secret
from facematch_core.backend.sdk import SdkBackend
from facematch_core.http import MOCK_HEADER, HttpBackend, HttpReply, HttpRequest
from facematch_core.testing import bodies
from facematch_core.testing.bench import PASS, Bench, Result, does_not_apply, not_tested
from facematch_core.testing.bodies import Place, number_in, places, show_place, write_with
from facematch_core.testing.simulator import AIMED, ANSWERS, BAD, GOOD, SimulatorReply, Situation

from ._frame import Rules, rule

#: Replacements for each value of a good answer, as JSON.
VALUES = ("null", "true", "false", "-1", "7", '"odd"', '""', "[]", "{}", '[["x"]]')

#: Refusals before anything is done; some vendors word a picture without a face as one.
REFUSED = (
    *(Situation.REJECTED, Situation.THROTTLED, Situation.NO_CREDIT, Situation.BAD_KEY),
    Situation.NO_FACE,
)

#: Errors after which a caller changes its request, its key or its account.
BLAMING = (
    *(fm.RequestRejected, fm.AuthenticationFailed, fm.PermissionDenied),
    fm.InsufficientCredit,
)

#: Codes that a vendor may add; the last begins as a known code.
NEW_CODES = ('"CodeOfNextYear"', "98765", '"{}.OfNextYear"')


class AnswerRules(Rules):
    """Every answer that can come is read or refused, and none as more than it is."""

    @rule("R51")
    def test_r38_every_answer_is_read_or_refused(self, bench: Bench) -> None:
        """Every answer that can come is read or refused, and none as more than it is.

        A gateway's page that is read as the vendor's word that nothing was charged is paid twice.
        Vendors add, drop and rename without asking: what is missing must not become a verdict.
        """
        # The second one's threshold is one that the good answer of any simulator passes.
        reader, low = Reader(bench), Reader(bench, 1.0)
        about_faces = bench.cases([Situation.NO_FACE, Situation.TWO_FACES])
        recordings = [*itertools.starmap(reader.record, about_faces)]
        face_statuses: Container[int] = {r.reply.status for r in recordings if r.replies}
        if Situation.NO_FACE not in bench.simulator.situations:
            face_statuses = bodies.STATUSES  # nobody knows which the vendor answers with then
        for operation in bench.operations:
            recording = reader.record(operation, GOOD[operation])
            for step in range(len(recording.replies), 0, -1):
                _other_answers(reader, attrs.evolve(recording, step=step), face_statuses)
        _other_codes(reader)
        for operation, situation in bench.cases(GOOD.values()):
            negative = reader.record_good(operation, BAD[operation])
            _other_values(low, low.record_good(operation, situation), negative)


@attrs.frozen
class Recording:
    """A call and the replies to each of its requests; the one at `step` is replaced."""

    operation: fm.Operation
    situation: Situation
    call: Call
    #: Empty where the vendor's library sends them.
    requests: Sequence[HttpRequest]
    replies: Sequence[HttpReply]
    step: int
    #: The result of the unchanged reply.
    result: Any = None

    @property
    def reply(self) -> HttpReply:
        return self.replies[self.step - 1]

    @property
    def expects(self) -> Container[int]:
        """The statuses of an answer that is no refusal."""
        return self.requests[self.step - 1].expects if self.requests else {200}


class Reading(NamedTuple):
    """The outcome of an answer: a result, the call's error, or neither if the call goes on."""

    where: str
    result: Result | None = None
    error: fm.VendorError | None = None

    @property
    def end(self) -> str:
        return f"{self.where}: {type(self.error).__name__}"

    @property
    def passed(self) -> Result | None:
        passes = self.result is not None and self.result.decision in PASS.values()
        return self.result if passes else None

    @property
    def kind(self) -> object:
        """The decision or the class of the error."""
        return type(self.error) if self.result is None else self.result.decision


class Reader:
    """Lets the backend read answers that no vendor has given."""

    def __init__(self, bench: Bench, threshold: float | None = None) -> None:
        self.bench, self.backend, self.threshold = bench, bench.backend, threshold
        self.is_core = isinstance(bench.backend, HttpBackend)
        self.secrets = [text for _, text in bench.secrets()]
        #: Texts and numbers that the backend's table of codes has a meaning for.
        self.known = frozenset(map(str, getattr(bench.backend, "error_codes", ())))
        if not self.is_core and not bench.simulator.takes_replies:
            does_not_apply(
                f"{bench.backend.name} is no HttpBackend, and its simulator takes no replies: its "
                "answers cannot be changed."
            )

    def record(self, operation: fm.Operation, situation: Situation) -> Recording:
        """Return a call as it is answered, at its last request."""
        bench, backend = self.bench, self.backend
        call = bench.call(operation, situation, threshold=self.threshold)
        mock = {MOCK_HEADER: "kit"} if backend.environment is fm.Environment.MOCK else {}
        # The reply has the secrets of its request, as a reply of the client has.
        blank = HttpReply(status=200, headers=mock, secrets=tuple(map(Secret, self.secrets)))
        if isinstance(backend, HttpBackend) and situation not in bench.simulator.situations:
            request = next(step for step in backend.steps(call) if isinstance(step, HttpRequest))
            exchanges = [(request, attrs.evolve(blank, status=min(request.expects)))]
        else:
            several = bench.steps(operation) > 1 and situation in AIMED
            bench.prepare(situation, step=1 if several else None)
            with bench.overhear() as exchanges:
                outcome = bench.make_call(call)
            # A number off the scale may make an answer that cannot be read.
            may_fail = (*REFUSED, Situation.IMPOSSIBLE_SCORE)
            fails = outcome.error is not None and situation not in may_fail
            assert not fails, f"{operation}, {situation.name}: {outcome.error!r}"
        requests = [request for request, _ in exchanges]
        replies = [reply for _, reply in exchanges]
        if not self.is_core and (last := bench.simulator.last_reply):
            headers = {**mock, **last.headers}
            end = attrs.evolve(blank, status=last.status, body=last.content, headers=headers)
            replies = [blank] * (outcome.requests - 1) + [end]  # those before it are not seen
        if not replies and situation in ANSWERS:  # a login that is refused has no reply
            not_tested(f"{backend.name} does not send by its `client`: its answers are not seen.")
        return Recording(operation, situation, call, requests, replies, len(replies))

    def record_good(self, operation: fm.Operation, situation: Situation) -> Recording:
        """Record a call with the result of its last answer; skip if that is no JSON."""
        self.bench.need(situation)
        recording = self.record(operation, situation)
        if not isinstance(recording.reply.at(), (dict, list)):
            not_tested(f"The answer in {situation.name} is neither a JSON object nor a list.")
        reading = self.read(recording, f"as in {situation.name}", recording.reply.body)
        assert reading.result is not None, f"{reading.where}, and read again: {reading.error!r}"
        return attrs.evolve(recording, result=reading.result)

    def costs(self, recording: Recording, *, before: bool = True) -> bool:
        """Whether the vendor charges the request, or one before it, as far as is declared."""
        sent = recording.requests[0 if before else recording.step - 1 : recording.step]
        free = sent and not any(request.charges for request in sent)
        return recording.operation in self.bench.can.billed_operations and not free

    def judge_price(self, recording: Recording, reading: Reading) -> None:
        free = reading.error is not None and reading.error.billing.charged is fm.Charged.NO
        wrong = free and self.costs(recording)
        assert not wrong, f"{reading.end} says that it was free, and the vendor charges it"

    def read_changed(self, good: Recording, place: Place, text: str | None) -> Reading:
        """Read a good answer with `text` at `place`; with None, without the value and its key."""
        before = good.reply.at(*place)
        how = f"without `{show_place(place)}` (it was {before!r:.60})"
        if text is not None:
            shown = text[:60].replace('"', "'")
            how = f"with `{show_place(place)}` changed from {before!r:.60} to {shown}"
        return self.read(good, how, write_with(good.reply.at(), place, text))

    def read(self, recording: Recording, how: str, body: bytes, **other: Any) -> Reading:
        """Return what the call ends in if the request at its step is answered so."""
        replies, step = recording.replies, recording.step
        several = len(replies) > 1
        at = f"request {step} of {len(replies)} " if several else ""
        where = f"{recording.operation}, {at}answered {how}"
        reply, rest = attrs.evolve(recording.reply, body=body, **other), replies[step:]
        answer: Any
        if isinstance(self.backend, HttpBackend):
            until = [*replies[: step - 1], reply]
            further = [*rest, *[replies[-1]] * 20]  # it may poll, and finds the good end each time
            for more in ([], further):
                with contextlib.suppress(ValueError):  # it asks for more than these
                    answer = self.backend.read_reply(recording.call, *until, *more)
                    break
            else:
                return Reading(where)
            goes_on, seen = more is further, until + more
        else:
            sent = SimulatorReply(status=reply.status, body=body, headers=reply.headers)
            self.bench.simulator.set_reply(sent, **({"step": step} if several else {}))
            outcome = self.bench.make_call(recording.call)
            answer, goes_on = outcome.error or outcome.answer, outcome.requests > step
            assert several or not goes_on, f"{where}: it is sent {outcome.requests} times"
            seen = [reply, *(rest if goes_on else ())]
        if isinstance(answer, fm.FaceMatchError):
            return self._judge_error(recording, where, answer, reply.status, goes_on=goes_on)
        raw = None if answer.score is None else answer.score.raw
        numbers = (number_in(value) for each in seen for _, value in places([each.at()]))
        is_read = raw is None or raw in numbers
        assert is_read, f"{where}: its score is made of {raw}, which is in no answer of the call"
        return Reading(where, result=None if goes_on else answer)

    def _judge_error(
        self,
        recording: Recording,
        where: str,
        error: fm.FaceMatchError,
        status: int,
        *,
        goes_on: bool,
    ) -> Reading:
        """Assert that status, bill and `retryable` of an error agree."""
        end = f"{where}: {type(error).__name__}"
        assert isinstance(error, fm.VendorError), f"{end} says nothing of the charge"
        charged, wait_s = error.billing.charged, getattr(error, "retry_after_s", None)
        # A library of the vendor's may not say what it was answered.
        is_unsaid = error.status_code is None and not self.is_core
        right = goes_on or is_unsaid or error.status_code == status
        assert right, f"{end} has the status {error.status_code}"
        is_lost = isinstance(error, fm.OutcomeUnknown)
        allowed = {fm.Charged.UNKNOWN} if is_lost else {fm.Charged.YES, fm.Charged.NO}
        if recording.step > 1:  # of a job that was accepted the outcome alone may be unknown
            allowed.add(fm.Charged.YES if self.costs(recording) else fm.Charged.NO)
        assert charged in allowed, f"{end} says of the charge: {charged}"
        repeats = error.retryable and charged is not fm.Charged.NO
        assert not repeats, f"{end} may be repeated, and says of the charge: {charged}"
        assert wait_s is None or 0 <= wait_s < math.inf, f"{end} says to wait {wait_s} s"
        return Reading(where, error=error)


def _other_answers(reader: Reader, recording: Recording, face_statuses: Container[int]) -> None:
    """Read every status with any form of body, and odd bodies with the status of an answer."""
    priced, several = reader.costs(recording, before=False), len(recording.replies) > 1
    forms, waits = bodies.forms(reader.secrets), itertools.cycle(bodies.WAITS)
    kinds = [
        itertools.cycle([f for f in forms if f.is_json is is_json]) for is_json in (True, False)
    ]
    # A call or a step that is expensive to repeat gets one form of each kind in turn.
    in_turn = not reader.is_core or (not priced and several)
    for status in bodies.STATUSES:
        for form in forms if status in bodies.USUAL and not in_turn else map(next, kinds):
            how, headers = f"{status} with {form.name}", dict(recording.reply.headers)
            headers |= {"Content-Type": form.content_type, "Retry-After": next(waits)}
            reading = reader.read(recording, how, form.body, status=status, headers=headers)
            error, result, end = reading.error, reading.result, reading.end
            text = f"{error} {error!r} {error and vars(error)}"
            assert not any(secret in text for secret in reader.secrets), f"{end} shows a secret"
            assert bodies.CANARY not in text, f"{end} shows what looks like a key"
            assert len(str(error)) < bodies.LONG / 2, f"{end} repeats the body whole"
            if status in recording.expects:
                continue  # It is no refusal.
            if result is not None:
                where = reading.where
                if recording.step == len(recording.requests) > 1:
                    where += " (mark what only removes something: `is_cleanup=True`)"
                read = status in face_statuses and reading.passed is None
                assert read, f"{where}: it becomes a result, {result.decision}, and not an error"
            if error is not None:
                assert status >= 300 or not error.retryable, f"{end} may be repeated"
                blames = status >= 500 and isinstance(error, BLAMING)
                assert not blames, f"{end} says that it is the caller's, and the vendor failed"
                gateway = status >= 500 and not form.is_json and priced
                unsaid = gateway and error.billing.charged is fm.Charged.NO
                assert not unsaid, f"{end} says that it was free, and the vendor did not"
    odd = bodies.make_up(reader.known)
    for body in itertools.islice(odd, 0, None, 1 if reader.is_core else 3):
        reading = reader.read(recording, f"with {body[:200].decode()}", body)
        reader.judge_price(recording, reading)


def _other_codes(reader: Reader) -> None:
    """Read refusals that have the status of an answer: with an unknown code, or a good answer."""
    refusals = list[tuple[Recording, object]]()
    for recording in itertools.starmap(reader.record, reader.bench.cases(REFUSED)):
        if recording.replies and recording.reply.status in recording.expects:
            how = f"as in {recording.situation.name}"
            refusals.append((recording, reader.read(recording, how, recording.reply.body).kind))
    for recording, end in refusals:
        good = reader.record_good(recording.operation, GOOD[recording.operation])
        both = json.dumps(bodies.merge(good.reply.at(), recording.reply.at())).encode()
        reading = reader.read(good, f"with {recording.situation.name} beside it", both)
        assert reading.passed is None, f"{reading.where}: the refusal is ignored"
        for place, code in places(recording.reply.at()):
            # The value is the code if another refusal's code makes that refusal of it.
            is_code = any(
                isinstance(other_code := other.reply.at(*place), (str, int))
                and reader.read_changed(recording, place, json.dumps(other_code)).kind == other_end
                for other, other_end in refusals
                if other_end != end and other.operation is recording.operation
            )
            for text in NEW_CODES if is_code else ():
                reading = reader.read_changed(recording, place, text.format(code))
                is_result = reading.result is not None
                assert not is_result, f"{reading.where}: a refusal that nobody knows is a result"
                # Some vendors say of all codes with one beginning that they are free.
                if text is not NEW_CODES[-1]:
                    reader.judge_price(recording, reading)


def _other_values(reader: Reader, good: Recording, negative: Recording) -> None:
    """Change one value of the good answer at a time; in all ways where the verdict stands."""
    negatives, (_, verdicts) = [*places(negative.reply.at())], _decide(reader, good)
    # Beside a comparison there may be words for a spoof, or no face, by which nobody passes.
    held = [
        (place, word)
        for case in reader.bench.cases((Situation.SPOOF, Situation.NO_FACE))
        if case[0] is good.operation
        for place, word in places(reader.record_good(*case).reply.at())
        if _is_word(word) and _is_word(value := good.reply.at(*place)) and word != value
    ]
    for place, word in held:
        if reader.read_changed(good, place, json.dumps(word)).passed is None:
            verdicts.add(place)
    # Removing the object around a verdict removes the verdict.
    decisive = {place[:end] for place in verdicts for end in range(1, len(place) + 1)}
    values, turn = [*places(good.reply.at())], itertools.count()
    # Some hundred changes are enough, fewer where each costs a request.
    sparing = 1 + len(values) * len(VALUES) // (400 if reader.is_core else 100)
    for place, value in values:
        unchanged = json.dumps(value)
        texts = [*VALUES, f"[{unchanged}]", f'{{"value": {unchanged}}}', None]
        if place in decisive and isinstance(value, str):
            words = [f"not {value}", f"{value} pending", f"{value}_not"]
            words += [word for at, word in (*negatives, *held) if at == place]
            texts += map(json.dumps, words)
        for text in texts:
            is_left_out = place not in decisive and next(turn) % sparing
            if is_left_out or text == unchanged:
                continue
            reading = reader.read_changed(good, place, text)
            if (result := reading.passed) is None:
                continue
            still = f"{reading.where}: the result is still {result.decision}"
            scored = result.score is not None or not reader.bench.scale(good.operation)
            assert scored, f"{still}, without a score"
            # A vendor may leave its word out, but no other value may stand there.
            is_unsaid = text is None and result.vendor_status is None
            assert is_unsaid or place not in decisive, still


def _is_word(value: object) -> bool:
    """Whether it may be a vendor's word for something: no sentence, time or id."""
    word = r"[^\W\d_]+([ _-][^\W\d_]+){0,2}"
    return isinstance(value, str) and re.fullmatch(word, value) is not None


def judge_what_is_no_number(bench: Bench) -> None:
    """Assert that where the score belongs, nothing but a number becomes one."""
    reader = Reader(bench)
    scaled = [operation for operation in bench.operations if bench.scale(operation)]
    if not scaled:
        does_not_apply(f"{bench.backend.name} declares no scale of scores.")
    recordings = [reader.record_good(operation, GOOD[operation]) for operation in scaled]
    scores = [(good, _decide(reader, good)[0]) for good in recordings]
    if not any(values for _, values in scores):
        not_tested(f"The score of {bench.backend.name} stands nowhere in its answers.")
    for good, values in scores:
        impossible = dict[Place, object]()
        if values and Situation.IMPOSSIBLE_SCORE in bench.simulator.situations:
            answer = reader.record(good.operation, Situation.IMPOSSIBLE_SCORE)
            impossible = dict(places(answer.reply.at()))
        for place, value in values.items():
            for text in _no_numbers(value, impossible.get(place, value)):
                _judge_no_number(
                    reader, good, place, text, is_digits=text == json.dumps(str(value))
                )


def _no_numbers(value: object, beyond: object) -> Iterator[str | None]:
    """Yield what stands in the place of a score and is no number on its scale, as JSON."""
    inside = json.dumps(value)
    yield from (None, "true", "NaN", "1e999", "[]", "{}", f'"{value}%"', f'"{value} of 100"')
    yield from ('"high"' if isinstance(value, str) else json.dumps(str(value)), f"[{inside}]")
    yield f'{{"value": {inside}}}'
    # A vendor that sends the same score twice may show the impossible one elsewhere.
    if json.dumps(beyond) != inside:
        yield json.dumps(beyond)


def _judge_no_number(
    reader: Reader, good: Recording, place: Place, text: str | None, *, is_digits: bool
) -> None:
    where, result, error = reading = reader.read_changed(good, place, text)
    if isinstance(error, fm.OutcomeUnknown) and isinstance(reader.backend, SdkBackend):
        return  # Its library fell over the answer, and does not hand it on.
    if error is not None:
        assert isinstance(error, fm.UnexpectedResponse), f"{where}: it ends in {error!r}"
        paid = error.billing.charged in reader.bench.paid_if_unreadable(good.operation)
        assert paid, f"{where}: the error says of the charge: {error.billing.charged}"
    elif result is not None:
        warned = len(result.warnings) > len(good.result.warnings)
        if is_digits and result.score == good.result.score and warned:
            return  # Digits were read as a number, and it says so.
        assert result.score is None, f"{where}: the score is {result.score}"
        # A number that is left out may leave the vendor's own verdict: R02 looks at that by itself.
        held = text is None or reading.passed is None
        assert held, f"{where}: the decision is {result.decision}"


def _decide(reader: Reader, good: Recording) -> tuple[dict[Place, object], set[Place]]:
    """Return where the score is in an answer, and as what; and where a verdict is."""

    def facts(result: Result) -> tuple[float | None, str | None, object]:
        score = result.score
        number = None if score is None else score.value if score.raw is None else score.raw
        return number, result.vendor_status, result.decision

    scores, verdicts = dict[Place, object](), set[Place]()
    number, word, _ = facts(good.result)
    for place, value in places(good.reply.at()):
        is_score = number is not None and number_in(value) == number
        is_status = isinstance(value, str) and value == word
        if not is_score and not is_status and not isinstance(value, bool):
            continue
        another: object = not value
        if is_score:
            half = (number or 0) / 2
            another = str(half) if isinstance(value, str) else half
        elif is_status:
            another = "another word"
        other = reader.read_changed(good, place, json.dumps(another)).result
        follows = other is not None and facts(other) != facts(good.result)
        if is_score and follows:
            scores[place] = value
        elif follows or (is_status and other is None):
            verdicts.add(place)
    return scores, verdicts
