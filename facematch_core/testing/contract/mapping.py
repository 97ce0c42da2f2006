"""R38, R39: every answer that can come is read or refused, and none as more than it is.

The simulator gives a good answer once. What is made of it, and what no simulator would send, an
`HttpBackend` reads by `read_reply`: thousands of answers cost no request. Any other backend whose
simulator takes replies is sent them, fewer of them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import attrs

import facematch_core as fm
from facematch_core.backend import Call, Secret
from facematch_core.http import MOCK_HEADER, HttpBackend, HttpReply, HttpRequest
from facematch_core.sdk import SdkBackend
from facematch_core.testing import bodies
from facematch_core.testing.bench import PASS, Bench, Result, does_not_apply, not_tested
from facematch_core.testing.bodies import Place, changed, named, number_in, places
from facematch_core.testing.simulator import AIMED, ANSWERS, BAD, GOOD, SimulatorReply, Situation

from ._frame import Rules, pure
from .jobs import is_word, judge_polls

#: A threshold that the good answer of any simulator passes: it is well above the default.
LOW = 1.0

#: What is put in the place of each value of a good answer, as JSON.
VALUES = ("null", "true", "false", "-1", "7", '"odd"', '""', "[]", "{}", '[["x"]]')

#: Refusals before anything is done, and the answer that some vendors word as one.
REFUSALS = (
    *(Situation.REJECTED, Situation.THROTTLED, Situation.NO_CREDIT, Situation.BAD_KEY),
    Situation.NO_FACE,
)

#: What a code may be that the vendor has added since.
NEW_CODES = ('"CodeOfNextYear"', "98765")

#: How often a call may ask for the good end once more: it may poll.
POLLS = 20


class MappingRules(Rules):
    """Every answer that can come is read or refused, and none as more than it is."""

    @pure
    def test_r38_every_answer_is_read_or_refused(self, bench: Bench) -> None:
        """Every answer that can come is read or refused, the same way each time, and none as more
        than it is.

        A gateway's page that is read as the vendor's word that nothing was charged is paid twice.
        Vendors add, drop and rename without asking: what is missing must not become a verdict. And
        nobody can explain a result that depends on earlier answers.
        """
        for operation, situation in bench.cases(GOOD.values()):
            first = bench.ask(operation, situation).answer
            for other in (BAD[operation], Situation.NO_FACE, Situation.TWO_FACES):
                if other in bench.simulator.situations:
                    bench.ask(operation, other)
                    again = bench.ask(operation, situation).answer
                    apart = _difference(first, again, "ids", "headers", "raw")
                    assert not apart, f"{operation}, the same again, after {other.name}: {apart}"
        reader = Reader(bench)
        _other_codes(reader)
        about_faces = bench.cases([Situation.NO_FACE, Situation.TWO_FACES])
        answers = itertools.starmap(reader.given, about_faces)
        known: Container[int] = {given.reply.status for given in answers if given.replies}
        if Situation.NO_FACE not in bench.simulator.situations:
            known = bodies.STATUSES  # nobody knows with which the vendor says something of faces
        for operation in bench.operations:
            given = reader.given(operation, GOOD[operation])
            for step in range(len(given.replies), 0, -1):
                _other_answers(reader, attrs.evolve(given, step=step), known)
            judge_polls(bench, operation)
        for case in bench.cases(GOOD.values()):
            _other_values(reader, *case)
        _read_again(reader)
        for case in bench.cases([Situation.UNKNOWN_WARNING]):
            _other_warnings(reader, reader.good(*case, low=True))

    def test_r39_what_is_no_number_is_no_score(self, bench: Bench) -> None:
        """Where the score belongs, nothing, true, a text, NaN or a list becomes no score, or an
        error of a charged call.

        A vendor that changes its form must be noticed at the first answer, not by who came in.
        Digits in a text may be read as a number only with a warning.
        """
        reader = Reader(bench)
        scaled = [operation for operation in bench.operations if bench.scale(operation)]
        if not scaled:
            does_not_apply(f"{bench.backend.name} declares no scale of scores.")
        goods = [reader.good(operation, GOOD[operation]) for operation in scaled]
        found = [(good, *score) for good in goods for score in _decisive(reader, good)[0].items()]
        if not found:
            not_tested(f"The score of {bench.backend.name} stands nowhere in its answers.")
        for good, place, value in found:
            _other_scores(reader, good, place, value)


# --- Who reads ------------------------------------------------------------------------------------


@attrs.frozen
class Given:
    """A call, and what was answered to each of its requests; that at `step` is answered anew."""

    operation: fm.Operation
    situation: Situation
    call: Call
    replies: Sequence[HttpReply]
    #: Empty where the vendor's library sends them.
    requests: Sequence[HttpRequest]
    step: int
    #: What is read of it.
    result: Any = None

    @property
    def reply(self) -> HttpReply:
        return self.replies[self.step - 1]


class Reading(NamedTuple):
    """What an answer became: a result, or the call's error, or neither, where the call goes on."""

    where: str
    result: Result | None = None
    error: fm.VendorError | None = None

    @property
    def passed(self) -> Result | None:
        """The result, if it lets somebody in."""
        passes = self.result is not None and self.result.decision in PASS.values()
        return self.result if passes else None


class Reader:
    """Has the backend read answers that nobody gave."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.backend = bench, bench.backend
        self.is_core = isinstance(bench.backend, HttpBackend)
        self.secrets = [text for _, text in bench.secrets()]
        if not self.is_core and not bench.simulator.takes_replies:
            does_not_apply(
                f"{bench.backend.name} is no HttpBackend, and its simulator takes no replies: what "
                "answers look like to it, it alone knows."
            )

    def given(self, operation: fm.Operation, situation: Situation, *, low: bool = False) -> Given:
        """A call as it is answered, at its last request; at its first where nobody answers."""
        bench, backend = self.bench, self.backend
        call = bench.call(operation, situation, threshold=LOW if low else None)
        mock = {MOCK_HEADER: "kit"} if backend.environment is fm.Environment.MOCK else {}
        # As the client hands it over, to a request that carried every secret.
        blank = HttpReply(status=200, headers=mock, secrets=tuple(map(Secret, self.secrets)))
        if isinstance(backend, HttpBackend) and situation not in bench.simulator.situations:
            requests = [next(step for step in backend.steps(call) if isinstance(step, HttpRequest))]
            replies = [attrs.evolve(blank, status=min(requests[0].expects))]
        else:
            requests = [*bench.requests(operation)]
            several = bench.steps(operation) > 1 and situation in AIMED
            bench.prepare(situation, step=1 if several else None)
            with bench.overheard() as heard:
                outcome = bench.made(call)
            fails = outcome.error is not None and situation not in REFUSALS
            assert not fails, f"{operation}, {situation.name}: {outcome.error!r}"
            removes = bool(requests) and requests[-1].method == "DELETE"
            assert not removes, f"{operation} ends with a DELETE: mark it `is_cleanup=True`"
            replies = [reply for _, reply in heard]
            if (last := bench.simulator.last_reply) and not self.is_core:
                headers = {**mock, **last.headers}
                end = attrs.evolve(blank, status=last.status, body=last.content, headers=headers)
                replies = [blank] * (outcome.requests - 1) + [end]  # those before it are not seen
        if not replies and situation not in REFUSALS:
            not_tested(f"{backend.name} does not send by its `client`: its answers are not seen.")
        return Given(operation, situation, call, replies, requests, len(replies))

    def good(self, operation: fm.Operation, situation: Situation, *, low: bool = False) -> Given:
        """The same, with what is read in the last answer; skips if that is no JSON."""
        self.bench.need(situation)
        given = self.given(operation, situation, low=low)
        if not isinstance(given.reply.at(), (dict, list)):
            not_tested(f"The answer in {situation.name} is neither a JSON object nor a list.")
        reading = self.read(given, f"as in {situation.name}", given.reply.body)
        assert reading.result is not None, f"{reading.where}, and read again: {reading.error!r}"
        return attrs.evolve(given, result=reading.result)

    def costs(self, given: Given, *, before: bool = True) -> bool:
        """Whether the vendor charges that request, or one before it, as far as is declared."""
        sent = given.requests[0 if before else given.step - 1 : given.step]
        free = sent and not any(request.charges for request in sent)
        return given.operation in self.bench.can.billed_operations and not free

    def changed(self, good: Given, place: Place, text: str | None) -> Reading:
        """What a good answer becomes with `text` at `place`; None for nothing, key and all."""
        was = good.reply.at(*place)
        how = f"without `{named(place)}` (it was {was!r:.60})"
        if text is not None:
            shown = text[:60].replace('"', "'")
            how = f"with `{named(place)}` changed from {was!r:.60} to {shown}"
        return self.read(good, how, changed(good.reply.at(), place, text))

    def read(self, given: Given, how: str, body: bytes, **other: Any) -> Reading:
        """What the call ends in if the request at its step is answered so; `how` in words."""
        several, step = len(given.replies) > 1, given.step
        at = f"request {step} of {len(given.replies)} " if several else ""
        where = f"{given.operation}, {at}answered {how}"
        reply, rest = attrs.evolve(given.reply, body=body, **other), given.replies[step:]
        told: Any
        if isinstance(self.backend, HttpBackend):
            until = [*given.replies[: step - 1], reply]
            further = [*rest, *[given.replies[-1]] * POLLS]
            for more in ([], further):
                with contextlib.suppress(ValueError):  # it asks for more than these
                    told = self.backend.read_reply(given.call, *until, *more)
                    break
            else:
                ends = given.situation in self.bench.simulator.situations
                assert not ends, f"{where}: {POLLS} good answers more do not end it"
                return Reading(where)
            went_on, seen = more is further, until + more
        else:
            sent = SimulatorReply(status=reply.status, body=body, headers=reply.headers)
            self.bench.simulator.set_reply(sent, **({"step": step} if several else {}))
            outcome = self.bench.made(given.call)
            told, went_on = outcome.error or outcome.answer, outcome.requests > step
            assert several or not went_on, f"{where}: it is sent {outcome.requests} times"
            seen = [reply, *(rest if went_on else ())]
        end = f"{where}: {type(told).__name__}"
        if isinstance(told, fm.FaceMatchError):
            assert isinstance(told, fm.VendorError), f"{end} says nothing of the charge"
            self._judge(given, told, end, None if went_on else reply.status)
            return Reading(where, error=told)
        raw = None if told.score is None else told.score.raw
        numbers = (number_in(value) for reply in seen for _, value in places([reply.at()]))
        is_told = raw is None or raw in numbers
        assert is_told, f"{end} has a score made of {raw}, which is in no answer of the call"
        return Reading(where, result=None if went_on else told)

    def _judge(self, given: Given, error: fm.VendorError, end: str, status: int | None) -> None:
        """Assert what holds of any error; `status` is that which the call ended with, if known."""
        charged, wait_s = error.billing.charged, getattr(error, "retry_after_s", None)
        # A library of the vendor's may not say what it was answered.
        unsaid = error.status_code is None and not self.is_core
        same = unsaid or status in (None, error.status_code)
        assert same, f"{end} has the status {error.status_code}"
        is_lost = isinstance(error, fm.OutcomeUnknown)
        known = {fm.Charged.UNKNOWN} if is_lost else {fm.Charged.YES, fm.Charged.NO}
        if given.step > 1:  # of a job that was accepted the outcome alone may be unknown
            known.add(fm.Charged.YES if self.costs(given) else fm.Charged.NO)
        assert charged in known, f"{end} says of the charge: {charged}"
        repeats = error.retryable and charged is not fm.Charged.NO
        assert not repeats, f"{end} may be repeated, and says of the charge: {charged}"
        assert wait_s is None or 0 <= wait_s < math.inf, f"{end} says to wait {wait_s} s"


def _difference(first: Result, second: Result, *but: str) -> str:
    """What differs between two results, but for times and what is named."""
    one, other = first.to_dict(), second.to_dict()
    return " and ".join(
        f"`{name}` is {json.dumps(other[name])[:100]}, and was {json.dumps(one[name])[:100]}"
        for name in one
        if name not in ("created_at", "elapsed_s", *but) and one[name] != other[name]
    )


# --- What is tried --------------------------------------------------------------------------------


def _other_answers(reader: Reader, given: Given, known: Container[int]) -> None:
    """Every status with any form of body, of which `known` may be about faces; and odd bodies."""
    priced = reader.costs(given, before=False)
    sent = given.requests[: given.step]
    expects: Container[int] = sent[-1].expects if sent else {200}
    forms, waits = bodies.forms(reader.secrets), itertools.cycle(bodies.WAITS)
    spoken = itertools.cycle([form for form in forms if form.is_json])
    others = itertools.cycle([form for form in forms if not form.is_json])
    # One of each kind in turn where each costs a request, or is an answer to a free one of several.
    in_turn = not reader.is_core or (not priced and len(given.replies) > 1)
    for status in bodies.STATUSES:
        for form in (next(spoken), next(others)) if in_turn else forms:
            said = {"Content-Type": form.content_type, "Retry-After": next(waits)}
            how, headers = f"{status} with {form.name}", {**given.reply.headers, **said}
            reading = reader.read(given, how, form.body, status=status, headers=headers)
            where, result, error = reading
            end = f"{where}: {type(error).__name__}"
            text = f"{error} {error!r} {error and vars(error)}"
            assert not any(secret in text for secret in reader.secrets), f"{end} shows a secret"
            assert bodies.CANARY not in text, f"{end} shows what looks like a key"
            assert len(str(error)) < bodies.LONG / 2, f"{end} repeats the body whole"
            if status in expects:
                continue  # It is no refusal.
            if result is not None:
                read = status in known and reading.passed is None
                if given.step == len(given.requests) > 1:
                    where += " (what only removes something is marked `is_cleanup=True`)"
                assert read, f"{where}: it becomes a result, {result.decision}, and not an error"
            if error is not None:
                assert status >= 300 or not error.retryable, f"{end} may be repeated"
                gateway = status >= 500 and not form.is_json and priced
                unsaid = gateway and error.billing.charged is fm.Charged.NO
                assert not unsaid, f"{end} says that it was free, and the vendor did not"
    for body in itertools.islice(bodies.made_up(), 0, None, 1 if reader.is_core else 3):
        where, _, error = reader.read(given, f"with {body[:200].decode()}", body)
        free = error is not None and error.billing.charged is fm.Charged.NO
        end = f"{where}: {type(error).__name__}"
        wrong = free and reader.costs(given)
        assert not wrong, f"{end} says that it was free, and the vendor charges it"


def _other_codes(reader: Reader) -> None:
    """A refusal with the status of an answer and a code that nobody knows: who says it is free?"""
    refusals = list[tuple[Given, object]]()
    for given in itertools.starmap(reader.given, reader.bench.cases(REFUSALS)):
        sent = given.requests[: given.step]
        # What is refused at its sign-in has no reply.
        if given.replies and given.reply.status in (sent[-1].expects if sent else {200}):
            outcome = _kind(reader.read(given, f"as in {given.situation.name}", given.reply.body))
            refusals.append((given, outcome))
    for given, outcome in refusals:
        for place in dict(places(given.reply.at())):
            # It is the code if that of another refusal makes that refusal of it.
            others = (
                (other.reply.at(*place), end)
                for other, end in refusals
                if end != outcome and other.operation is given.operation
            )
            is_code = any(
                isinstance(code, (str, int))
                and _kind(reader.changed(given, place, json.dumps(code))) == end
                for code, end in others
            )
            for text in NEW_CODES if is_code else ():
                where, result, error = reader.changed(given, place, text)
                assert result is None, f"{where}: a refusal that nobody knows is a result"
                free = error is not None and error.billing.charged is fm.Charged.NO
                wrong = free and reader.costs(given)
                assert not wrong, f"{where}: an unknown refusal is free, by {type(error).__name__}"


def _kind(reading: Reading) -> object:
    """What became of an answer, roughly."""
    return type(reading.error) if reading.result is None else reading.result.decision


def _other_values(reader: Reader, operation: fm.Operation, situation: Situation) -> None:
    """The good answer, with one value changed at a time; in all ways where the verdict stands."""
    good = reader.good(operation, situation, low=True)
    negatives = dict(places(reader.good(operation, BAD[operation]).reply.at()))
    _, decisive = _decisive(reader, good)
    # Beside a comparison there may be words for a spoof, or no face, which hold back who matches.
    for case in reader.bench.cases((Situation.SPOOF, Situation.NO_FACE)):
        words = places(reader.good(*case).reply.at()) if case[0] is operation else ()
        decisive |= {
            place
            for place, word in words
            if is_word(word)
            and is_word(good.reply.at(*place))
            and word != good.reply.at(*place)
            and reader.changed(good, place, json.dumps(word)).passed is None
        }
    values, turn = [*places(good.reply.at())], itertools.count()
    # Some hundred of them are enough, fewer where each costs a request.
    sparing = 1 + len(values) * len(VALUES) // (400 if reader.is_core else 100)
    for place, value in values:
        same = json.dumps(value)
        texts = [*VALUES, f"[{same}]", f'{{"value": {same}}}', None]
        if place in decisive and isinstance(value, str):
            texts += map(
                json.dumps, (f"not {value}", f"{value} pending", negatives.get(place, value))
            )
        for text in texts:
            left_out = place not in decisive and next(turn) % sparing
            if left_out or text == same:
                continue
            reading = reader.changed(good, place, text)
            if (result := reading.passed) is None:
                continue
            still = f"{reading.where}: the result is still {result.decision}"
            scored = result.score is not None or not reader.bench.scale(operation)
            assert scored, f"{still}, without a score"
            # Some vendors may leave their word out; then nothing may be put in its place.
            unsaid = text is None and result.vendor_status is None
            assert unsaid or place not in decisive, still


def _read_again(reader: Reader) -> None:
    """Answers that were read before, in another order, and with their keys in another order."""
    # A score of null may be an answer that cannot be read.
    situations = [one for one in ANSWERS if one is not Situation.NULL_SCORE]
    answers = [reader.good(*case) for case in reader.bench.cases(situations)]
    for answer in (*answers, *reversed(answers)):
        turned = json.dumps(bodies.turned_round(answer.reply.at())).encode()
        for body, how in ((answer.reply.body, "again"), (turned, "with its keys turned round")):
            reading = reader.read(answer, f"as in {answer.situation.name}, {how}", body)
            assert reading.result is not None, f"{reading.where}: {reading.error!r}"
            apart = _difference(answer.result, reading.result)
            assert not apart, f"{reading.where}: {apart}"


def _other_warnings(reader: Reader, answer: Given) -> None:
    """A grave warning in a form that cannot be read, and many warnings in their order."""
    tag, document = reader.bench.simulator.unknown_warning[0], answer.reply.at()
    # Enough of them that no other order is this one by chance.
    tags = [f"{tag}_{number}" for number in range(12)]
    for place, items in (((), document), *places(document)):
        is_list = isinstance(items, list)
        tagged = [item for item in items if json.dumps(tag) in json.dumps(item)] if is_list else []
        if not tagged:
            continue
        many = [json.loads(json.dumps(tagged[0]).replace(tag, new)) for new in tags]
        reading = reader.changed(answer, place, json.dumps(many))
        told = () if reading.result is None else reading.result.warnings
        order = [warning.tag for warning in told if warning.tag in tags]
        if not order:
            continue  # Lists are in lists: it is the one in which each item is a warning.
        assert order == tags, f"{reading.where}: the result has {', '.join(map(str, order))}"
        others = [item for item in items if item not in tagged]
        fewest = len(answer.result.warnings) - len(tagged)
        for odd in (None, True, 7, "odd", [], {}, ["odd"], {"odd": 7}):
            reading = reader.changed(answer, place, json.dumps([odd, *others]))
            if (passed := reading.passed) is not None:
                seen = len(passed.warnings) > fewest
                assert seen, f"{reading.where}: it is passed over, {passed.decision}"


def _other_scores(reader: Reader, good: Given, place: Place, value: object) -> None:
    """Other things than a number where the score stands."""
    inside = json.dumps(value)
    spelt = '"high"' if isinstance(value, str) else json.dumps(str(value))
    near = (f'"{value}%"', f'"{value} of 100"', f"[{inside}]", f'{{"value": {inside}}}')
    for text in (None, "true", spelt, "NaN", "-1", "1e999", "[]", "{}", *near):
        where, result, error = reading = reader.changed(good, place, text)
        if isinstance(error, fm.OutcomeUnknown) and isinstance(reader.backend, SdkBackend):
            continue  # Its own library fell over the answer, and does not hand it on.
        if error is not None:
            assert isinstance(error, fm.UnexpectedResponse), f"{where}: it ends in {error!r}"
            paid = error.billing.charged in reader.bench.paid_if_unreadable(good.operation)
            assert paid, f"{where}: the error says of the charge: {error.billing.charged}"
        elif result is not None:
            warned = len(result.warnings) > len(good.result.warnings)
            if text == spelt and result.score == good.result.score and warned:
                continue  # Digits were read as a number, and it says so.
            assert result.score is None, f"{where}: the score is {result.score}"
            # What is left out may leave the vendor's own verdict: R10 looks at that.
            held = text is None or reading.passed is None
            assert held, f"{where}: the decision is {result.decision}"


def _number(result: Result) -> float | None:
    """The vendor's number in a result, as far as it is given."""
    score = result.score
    return None if score is None else score.value if score.raw is None else score.raw


def _decisive(reader: Reader, good: Given) -> tuple[dict[Place, object], set[Place]]:
    """Where in an answer the score is, and as what; where a yes and the vendor's word are.

    Others may be equal by chance: it is those that the result follows.
    """

    def read(result: Result) -> tuple[object, ...]:
        return _number(result), result.decision, result.vendor_status

    scores, verdicts = dict[Place, object](), set[Place]()
    number, word = _number(good.result), good.result.vendor_status
    for place, value in places(good.reply.at()):
        is_score = number is not None and number_in(value) == number
        is_word = isinstance(value, str) and value == word
        if not is_score and not is_word and not isinstance(value, bool):
            continue
        another = (number or 0) / 2 if is_score else "another word" if is_word else not value
        other = reader.changed(good, place, json.dumps(another)).result
        follows = other is not None and read(other) != read(good.result)
        if is_score and follows:
            scores[place] = value
        elif follows or (is_word and other is None):
            verdicts.add(place)
    return scores, verdicts
