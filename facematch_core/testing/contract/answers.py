"""R38: every answer that can come is read or refused, by an `HttpBackend`."""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

import facematch_core as fm
from facematch_core.backend import Call, Secret
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.testing.bench import PASS, Bench, Result, Rules, rule, same
from facematch_core.testing.simulator import BAD, GOOD, Situation

#: The statuses that vendors, servers and gateways answer with, and some that nobody does.
STATUSES = (
    *(200, 201, 202, 203, 204, 206, 299, 300, 301, 302, 303, 304, 307, 308, 399),
    *(400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 413, 415, 418, 422, 423, 425, 429),
    *(431, 451, 460, 499, 500, 501, 502, 503, 504, 507, 511, 520, 522, 524, 529, 599),
)
#: Values of ``Retry-After``, sensible and not.
WAITS = ("7", "soon", "-5", "nan", "1e999", "9" * 40, "Wed, 21 Oct 2015 07:28:00 GMT", "")
#: A word that looks like a key or a piece of a picture: an error must not repeat it.
CANARY = "kit0canary5d41402abc4b2a76b9719d911017c592"
#: Characters of a text that no error should repeat as a whole.
LONG = 1000
#: Replacements for each value of a good answer, as JSON.
VALUES = ("null", "true", "false", "-1", "7", '"odd"', '""', "[]", "{}", '[["x"]]')
#: Errors after which a caller changes its request, its key or its account.
BLAMING = (
    *(fm.RequestRejected, fm.AuthenticationFailed, fm.PermissionDenied),
    fm.InsufficientCredit,
)


def forms(secrets: Iterable[str]) -> list[tuple[str, bytes, bool]]:
    """Return a body of every form, with its name and whether it is JSON; others are a gateway's.

    Most repeat `secrets` and a word like a key. Their words and numbers are the kit's own: no table
    of a vendor's codes has a meaning for them.
    """
    sentence = f"It is so, said {' and '.join(secrets)} to {CANARY}."
    spoken = {
        "an error": {"error": sentence, "code": "kit-code-70531", "trace": {"request": CANARY}},
        "a detail": {"detail": sentence, "message": sentence},
        "fields": {"probe": [sentence], "reference": [CANARY]},
        "a list": [sentence],
        "a long text": {"message": "It is so. " * (LONG // 10), "sub_code": CANARY},
        "an empty object": {},
        "null": None,
    }
    return [
        *((name, json.dumps(value).encode(), True) for name, value in spoken.items()),
        ("a page of markup", f"<html><h1>Bad Gateway</h1>{sentence}</html>".encode(), False),
        ("nothing", b"", False),
        ("JSON that breaks off", b'{"error": "' + sentence.encode(), False),
        ("no text", b"\xff\xfe\x00" + sentence.encode(), False),
    ]


#: The path to a value in a document: keys of objects and numbers in lists, from the outside in.
Place = tuple[str | int, ...]
#: Stands for no value, key and all.
GONE = object()


def show_place(place: Place) -> str:
    """Return `place` for people: ``face_match.warnings[0]``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "".join(steps).removeprefix(".")


def places(document: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield every value below `document` with its place, the outer ones first."""
    items = document if isinstance(document, list) else ()
    for step, value in document.items() if isinstance(document, Mapping) else enumerate(items):
        yield (*at, step), value
        yield from places(value, (*at, step))


def replace(document: Any, place: Place, value: Any) -> Any:
    """Return a copy of `document` with `value` at `place`; with GONE, without it."""
    if not place:
        return value
    copied, (first, *rest) = copy.copy(document), place
    if value is GONE and not rest:
        del copied[first]
    else:
        copied[first] = replace(document[first], tuple(rest), value)
    return copied


def number_in(value: Any) -> float | None:
    """Return the number that a value is, or spells; None for anything else, true included."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


class AnswerRules(Rules):
    """The rule about answers."""

    @rule("R51")
    def test_r38_every_answer_is_read_or_refused(self, bench: Bench) -> None:
        """Every answer that can come is read or refused, and none as more than it is.

        A gateway's page that is read as the vendor's word that nothing was charged is paid twice.
        Vendors add, drop and rename without asking: what is missing must not become a verdict.
        """
        is_http = isinstance(bench.backend, HttpBackend)
        bench.applies_if(is_http, "is no HttpBackend: no answer can be changed")
        cases = bench.cases([Situation.NO_FACE, Situation.TWO_FACES])
        statuses: Container[int] = [Recording.of(bench, *case).reply.status for case in cases]
        if Situation.NO_FACE not in bench.simulator.situations:
            statuses = STATUSES  # nobody knows which the vendor answers with then
        for operation in bench.operations:
            recording = Recording.of(bench, operation, GOOD[operation])
            for step in range(len(recording.replies), 0, -1):
                _other_answers(attrs.evolve(recording, step=step), statuses)
            # The good answer of any simulator passes this threshold.
            pair = GOOD[operation], BAD[operation]
            good, bad = (Recording.of(bench, operation, case, threshold=1.0) for case in pair)
            _other_values(good, bad)


#: What a call ends in: a result or an error, or neither if it goes on.
Reading = tuple[Result | None, fm.VendorError | None]


def passes(result: Result | None) -> bool:
    return result is not None and result.decision in PASS.values()


@attrs.frozen
class Recording:
    """A call and the replies to each of its requests; the one at `step` is replaced and read."""

    bench: Bench
    call: Call
    requests: Sequence[HttpRequest]
    replies: Sequence[HttpReply]
    step: int

    @classmethod
    def of(
        cls, bench: Bench, operation: fm.Operation, situation: Situation, **how: Any
    ) -> Recording:
        """Record a call as it is answered, at its last request."""
        bench.need(situation)
        call = bench.call(operation, situation, **how)
        bench.simulator.set_situation(situation)
        with bench.overhear() as exchanges:
            outcome = bench.make_call(call)
        # A refusal may be the word for no face.
        fails = outcome.error is not None and situation is not Situation.NO_FACE
        assert not fails, f"{operation}, {situation.name}: {outcome.error!r}"
        bench.tested_if(exchanges, "hears nothing that is sent by the `client`")
        # A reply has the secrets of its request, as a reply of the client has.
        secrets = tuple(Secret(text) for _, text in bench.secrets())
        replies = [attrs.evolve(reply, secrets=secrets) for _, reply in exchanges]
        return cls(bench, call, [request for request, _ in exchanges], replies, len(replies))

    @property
    def reply(self) -> HttpReply:
        return self.replies[self.step - 1]

    def costs(self, *, before: bool = True) -> bool:
        """Whether the vendor charges the request, or one before it, as far as is declared."""
        sent = self.requests[0 if before else self.step - 1 : self.step]
        is_billed = self.call.operation in self.bench.can.billed_operations
        return is_billed and any(request.charges for request in sent)

    def read_changed(self, place: Place, text: str | None) -> Reading:
        """Read the answer with `text` at `place`, which may be no JSON; with None, without it."""
        before, after = self.reply.at(*place), "nothing" if text is None else text[:60]
        how = f"with `{show_place(place)}` changed from {before!r:.60} to {after}"
        stand_in = "(here it goes)"
        changed = replace(self.reply.at(), place, GONE if text is None else stand_in)
        written = json.dumps(changed).replace(f'"{stand_in}"', text or "")
        return self.read(how, written.encode())

    def read(self, how: str, body: bytes, **other: Any) -> Reading:
        """Return what the call ends in if the request at its step is answered so."""
        bench, replies, step = self.bench, self.replies, self.step
        backend: Any = bench.backend
        at = f"request {step} of {len(replies)} " if len(replies) > 1 else ""
        bench.at = f"{self.call.operation}, {at}answered {how}"
        until = [*replies[: step - 1], attrs.evolve(self.reply, body=body, **other)]
        # It may poll, and finds the good end each time.
        further = [*replies[step:], *[replies[-1]] * 20]
        for more in ([], further):
            with contextlib.suppress(ValueError):  # it asks for more than these
                answer = backend.read_reply(self.call, *until, *more)
                break
        else:
            return None, None
        if isinstance(answer, fm.FaceMatchError):
            bench.at += f": {type(answer).__name__}"
            return None, self._judged(answer)
        raw = None if answer.score is None else answer.score.raw
        numbers = (number_in(v) for each in until + more for _, v in places([each.at()]))
        assert raw is None or raw in numbers, f"the score is made of {raw}, which no answer has"
        return None if more is further else answer, None

    def _judged(self, error: Any) -> fm.VendorError:
        """Assert that bill, wait and `retryable` of an error agree; return it."""
        assert isinstance(error, fm.VendorError), "it says nothing of the charge"
        charged, wait_s = error.billing.charged, getattr(error, "retry_after_s", None)
        is_lost = isinstance(error, fm.OutcomeUnknown)
        allowed = {fm.Charged.UNKNOWN} if is_lost else {fm.Charged.YES, fm.Charged.NO}
        if self.step > 1:  # of a job that was accepted the outcome alone may be unknown
            allowed.add(fm.Charged.YES if self.costs() else fm.Charged.NO)
        same("the charge", charged, *allowed)
        repeats = error.retryable and charged is not fm.Charged.NO
        assert not repeats, f"it may be repeated, and says of the charge: {charged}"
        assert wait_s is None or 0 <= wait_s < math.inf, f"it says to wait {wait_s} s"
        return error


def _other_answers(recording: Recording, face_statuses: Container[int]) -> None:
    """Read every status with any form of body."""
    priced, waits = recording.costs(before=False), itertools.cycle(WAITS)
    secrets = [secret.reveal() for secret in recording.reply.secrets]
    is_last = recording.step == len(recording.requests) > 1
    cases = [*itertools.product(STATUSES, forms(secrets))]
    if not priced and len(recording.replies) > 1:  # a step that is free to repeat
        cases = [*zip(STATUSES, itertools.cycle(forms(secrets)), strict=False)]
    for status, (name, body, is_json) in cases:
        headers = {**recording.reply.headers, "Retry-After": next(waits)}
        how = f"{status} with {name}"
        result, error = recording.read(how, body, status=status, headers=headers)
        is_free = error is not None and error.billing.charged is fm.Charged.NO
        text = f"{error} {error!r} {error and vars(error)}"
        assert not any(secret in text for secret in secrets), "it shows a secret"
        assert CANARY not in text, "it shows what looks like a key"
        assert len(str(error)) < LONG / 2, "it repeats the body whole"
        if status in recording.requests[recording.step - 1].expects:  # it is no refusal
            assert not (is_free and recording.costs()), "it is free, and the vendor charges it"
        elif error is not None:
            assert status >= 300 or not error.retryable, "it may be repeated"
            blames = status >= 500 and isinstance(error, BLAMING)
            assert not blames, "it says that it is the caller's, and the vendor failed"
            unsaid = status >= 500 and not is_json and priced and is_free
            assert not unsaid, "it says that it was free, and the vendor did not"
        elif result is not None:
            hint = " (mark what only removes something: `is_cleanup=True`)" * is_last
            is_read = status in face_statuses and not passes(result)
            assert is_read, f"it becomes a result, {result.decision}, and no error{hint}"


def _other_values(good: Recording, bad: Recording) -> None:
    """Change one value of the good answer at a time; in all ways where the verdict stands."""
    document, bench, operation = good.reply.at(), good.bench, good.call.operation
    is_document = isinstance(document, (dict, list))
    bench.tested_if(is_document, "answers with neither a JSON object nor a list")
    usual, error = good.read("as before", good.reply.body)
    assert usual is not None, f"it is not read a second time: {error!r}"
    scores, verdicts = _decide(good, usual)
    bench.tested_if(scores or not bench.scale(operation), "has the score nowhere in its answers")
    _no_numbers(good, usual, scores)
    # Removing the object around a verdict removes the verdict.
    decisive = {place[:end] for place in verdicts for end in range(1, len(place) + 1)}
    values, turn = [*places(document)], itertools.count()
    sparing = 1 + len(values) * len(VALUES) // 400  # some hundred changes are enough
    for place, value in values:
        unchanged = json.dumps(value)
        texts = [*VALUES, f"[{unchanged}]", f'{{"value": {unchanged}}}', None]
        if place in decisive and isinstance(value, str):
            others = [f"not {value}", f"{value} pending", f"{value}_not"]
            texts += map(json.dumps, [*others, bad.reply.at(*place)])
        for text in texts:
            if (place not in decisive and next(turn) % sparing) or text == unchanged:
                continue
            result, _ = good.read_changed(place, text)
            if result is None or not passes(result):
                continue
            scored = result.score is not None or not bench.scale(operation)
            assert scored, f"the result is still {result.decision}, without a score"
            # A vendor may leave its word out, but no other value may stand there.
            is_unsaid = text is None and result.vendor_status is None
            assert is_unsaid or place not in decisive, f"the result is still {result.decision}"


def _no_numbers(good: Recording, usual: Result, scores: Sequence[tuple[Place, object]]) -> None:
    """Assert that where a score belongs, nothing but a number becomes one."""
    for place, value in scores:
        inside, as_text = json.dumps(value), json.dumps(str(value))
        odd = '"high"' if isinstance(value, str) else as_text
        texts = (None, "true", "NaN", "1e999", "[]", "{}", odd, f"[{inside}]")
        for text in (*texts, f'"{value}%"', f'"{value} of 100"', f'{{"value": {inside}}}'):
            result, error = good.read_changed(place, text)
            if error is not None:
                good.bench.judge_unreadable(good.call.operation, error)
            elif result is not None:
                warned = len(result.warnings) > len(usual.warnings)
                if text == as_text and result.score == usual.score and warned:
                    continue  # Digits were read as a number, and it says so.
                same("the score", result.score, None)
                # If the number is left out, the vendor's verdict may stay: R02 looks at that.
                assert text is None or not passes(result), f"the decision is {result.decision}"


def _decide(good: Recording, usual: Result) -> tuple[list[tuple[Place, object]], set[Place]]:
    """Return where the score is in an answer, and as what; and where a verdict is."""

    def facts(result: Result) -> tuple[float | None, str | None, object]:
        score = result.score
        number = None if score is None else score.value if score.raw is None else score.raw
        return number, result.vendor_status, result.decision

    scores, verdicts = list[tuple[Place, object]](), set[Place]()
    number, word, _ = facts(usual)
    for place, value in places(good.reply.at()):
        is_score = number is not None and number_in(value) == number
        is_status = isinstance(value, str) and value == word
        if not is_score and not is_status and not isinstance(value, bool):
            continue
        another: object = "another word" if is_status else not value
        if is_score:
            half = (number or 0) / 2
            another = str(half) if isinstance(value, str) else half
        other, _ = good.read_changed(place, json.dumps(another))
        follows = other is not None and facts(other) != facts(usual)
        if is_score and follows:
            scores.append((place, value))
        elif follows or (is_status and other is None):
            verdicts.add(place)
    return scores, verdicts
