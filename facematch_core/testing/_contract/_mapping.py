"""R38-R41: every answer that can come is read, the same way each time, and none as more than it is.

The double gives a good answer once. What is made of it, and what no double would send, is read by
`HttpBackend.read_reply`, so that thousands of answers cost no request.
"""

from __future__ import annotations

import itertools
import json
import math

import attrs

from facematch_core import Charged, FaceMatchError, Operation, UnexpectedResponse, VendorError
from facematch_core._policy import passes
from facematch_core.http import HttpBackend, HttpReply
from facematch_core.testing._bodies import (
    CANARY,
    LONG,
    WAITS,
    Form,
    forms,
    made_up,
    named,
    numbers,
    replaced,
    turned_round,
)
from facematch_core.testing._situations import ANSWERS, BAD, BEST, Situation

from ._bench import Bench, does_not_apply, not_tested
from ._changes import changes, scores, warning_list
from ._money import unreadable_costs
from ._outcome import Result
from ._replies import (
    Recorded,
    agrees,
    asked,
    http_backend,
    read,
    recorded,
    reply_of,
    timeless,
    told_of,
)
from ._rules import Rules, pure

#: Every status that a server can answer with, but the one that is a success.
STATUSES = tuple(status for status in range(100, 600) if status != 200)

#: How many bodies are made up for each operation.
MADE_UP = 150

#: A threshold that the good answer of any double passes: it is well above the default.
LOW = 1.0


class MappingRules(Rules):
    """Every answer that can come is read, the same way each time, and none as more than it is."""

    @pure
    def test_r38_every_answer_has_one_error(self, bench: Bench) -> None:
        """Every status with every form of body is one error, which agrees with itself about money.

        A gateway's page in the vendor's place comes on the worst day of the year. Whoever takes it
        for the vendor's word that nothing was charged repeats a thousand calls, and pays twice.
        """
        backend = http_backend(bench)
        secrets = [text for _, text in bench.secrets()]
        waits = itertools.cycle(WAITS)
        for operation in bench.declared:
            call, plain = asked(bench, operation), reply_of(bench, 200, b"")
            rounds = zip(STATUSES, forms(secrets), strict=False)
            for status, form in ((status, form) for status, bodies in rounds for form in bodies):
                said = {"Content-Type": form.content_type, "Retry-After": next(waits)}
                reply = attrs.evolve(
                    plain, status=status, body=form.body, headers={**plain.headers, **said}
                )
                told = read(backend, call, reply)
                where = f"{operation}, {status} with {form.name}"
                if isinstance(told, FaceMatchError):
                    agrees(told, backend, status, where)
                    _refuses(told, status, form, where)
                    _is_silent(told, secrets, where)
                else:
                    assert not passes(told), f"{where} is {told.decision}"

    def test_r39_what_is_no_number_is_no_score(self, bench: Bench) -> None:
        """Where the score stands, true, a text, NaN or a list is an error that was paid, or no
        score.

        In many languages true is 1 and a text is a number. A vendor that changes its form must be
        noticed at the first answer, not by who came in. Digits in a text may be read as the number
        that they spell only with a warning.
        """
        backend = http_backend(bench)
        scaled = [o for o in bench.declared if _scale(bench, o)]
        found = 0
        for operation in scaled:
            good = recorded(bench, operation, BEST[operation])
            for place, value in scores(backend, good):
                found += 1
                spelt = '"high"' if isinstance(value, str) else json.dumps(str(value))
                inside = json.dumps(value)
                near = (f'"{value}%"', f'"{value} of 100"', f"[{inside}]", f'{{"value": {inside}}}')
                for text in ("true", spelt, "NaN", "-1", "1e999", "[]", "{}", *near):
                    body = replaced(good.document, place, text)
                    told = read(backend, good.call, good.with_body(body))
                    where = f"{operation}, {text} at {named(place)}"
                    if isinstance(told, FaceMatchError):
                        assert isinstance(told, UnexpectedResponse), f"{where}: {told!r}"
                        costs = unreadable_costs(bench, operation)
                        assert told.billing.charged in costs, f"{where}: {told.billing.charged}"
                    elif not (text == spelt and _says_so(told, good.result)):
                        assert told.score is None, f"{where}: {told.score}"
                        assert not passes(told), f"{where}: {told.decision}"
        if not scaled:
            does_not_apply(f"{bench.backend.name} declares no scale of scores.")
        if not found:
            not_tested(f"The score of {bench.backend.name} stands nowhere in its answers.")

    @pure
    def test_r40_any_body_is_read_or_refused(self, bench: Bench) -> None:
        """Whatever JSON comes with status 200, the call ends in a result that keeps the rules or in
        one error.

        Vendors add, drop and rename without asking. What is not there may become no score and no
        verdict, and a call that was paid may not end in an error that says it was not.
        """
        backend = http_backend(bench)
        for operation in bench.declared:
            call = asked(bench, operation)
            for body in made_up(MADE_UP):
                told = read(backend, call, reply_of(bench, 200, body))
                where = f"{operation}, {body[:200]!r}"
                _keeps(told, bench, operation, reply_of(bench, 200, body), where)
                if isinstance(told, VendorError) and operation in bench.can.billed_operations:
                    assert told.billing.charged is not Charged.NO, f"{where}: {told!r}"
            if BEST[operation] in bench.double.situations:
                self._changed(bench, operation)
        for operation, situation in bench.cases([Situation.UNKNOWN_WARNING]):
            self._odd_warnings(bench, operation, recorded(bench, operation, situation, LOW))

    def _changed(self, bench: Bench, operation: Operation) -> None:
        """The good answer, with one value changed at a time."""
        backend = http_backend(bench)
        judged = operation in bench.operations
        low = LOW if judged else None
        good = recorded(bench, operation, BEST[operation], low)
        bad = recorded(bench, operation, BAD[operation]) if judged else None
        for change in changes(backend, good, bad):
            reply = good.with_body(change.body)
            told = read(backend, good.call, reply)
            where = f"{operation}, {change.how}"
            _keeps(told, bench, operation, reply, where)
            if isinstance(told, FaceMatchError) or not passes(told):
                continue
            if bench.scale(operation) and operation in bench.operations:
                assert told.score is not None, f"{where}: a pass without a score"
            if change.decisive:
                # Some vendors may leave their word out; then nothing may be put in its place.
                unsaid = change.dropped and told.vendor_status is None
                assert unsaid, f"{where} (it was {change.was!r}) still is {told.decision}"

    def _odd_warnings(self, bench: Bench, operation: Operation, answer: Recorded) -> None:
        """A grave warning, put in a form that cannot be read."""
        backend = http_backend(bench)
        listed = warning_list(backend, answer, bench.double.unknown_warning[0])
        if listed is None:
            return  # They are told in another form than a list.
        others = listed.others
        gone = len(listed.items) - len(others)
        for odd in (None, True, 7, "odd", [], {}, ["odd"], {"odd": 7}):
            reply = answer.with_body(listed.with_items([*others, odd]))
            told = read(backend, answer.call, reply)
            where = f"{operation}, {odd!r} among the warnings"
            _keeps(told, bench, operation, reply, where)
            if not isinstance(told, FaceMatchError) and passes(told):
                known = len(answer.result.warnings) - gone < len(told.warnings)
                assert known, f"{where} is passed over, and it is {told.decision}"

    def test_r41_same_answer_same_result(self, bench: Bench) -> None:
        """The same answer is read the same way each time.

        Whoever was refused asks again. A result that hangs on what was answered before, or on the
        order in which a vendor happens to write its keys, can be explained to nobody.
        """
        for operation in bench.operations:
            first, second = (bench.ask(operation, BEST[operation]).answer for _ in range(2))
            assert timeless(first, same_call=False) == timeless(second, same_call=False)
        if not isinstance(bench.backend, HttpBackend):
            return  # Its answers are not there to be read again.
        answers = [recorded(bench, *case) for case in bench.cases(ANSWERS)]
        backend = bench.backend
        for answer in (*answers, *reversed(answers)):
            again = read(backend, answer.call, answer.reply)
            body = json.dumps(turned_round(answer.document)).encode()
            other_order = read(backend, answer.call, answer.with_body(body))
            for told in (again, other_order):
                assert not isinstance(told, FaceMatchError), f"{told!r}"
                assert timeless(told) == timeless(answer.result)
        for operation, situation in bench.cases([Situation.UNKNOWN_WARNING]):
            self._keeps_the_order(backend, recorded(bench, operation, situation), bench)

    def _keeps_the_order(self, backend: HttpBackend, answer: Recorded, bench: Bench) -> None:
        """Warnings are told in the vendor's order."""
        listed = warning_list(backend, answer, bench.double.unknown_warning[0])
        if listed is not None:
            # Enough of them that no other order is this one by chance.
            tags, items = zip(*(listed.again(number) for number in range(12)), strict=True)
            told = listed.tags(backend, list(items)) or ()
            assert [tag for tag in told if tag in tags] == [*tags], "warnings in another order"


def _scale(bench: Bench, operation: Operation) -> str | None:
    return bench.scale(operation)


def _refuses(error: FaceMatchError, status: int, form: Form, where: str) -> None:
    """Assert that an error says no more of money than who spoke can know."""
    assert isinstance(error, VendorError)
    if status < 300:
        assert not error.retryable, f"{where}: a success is repeated"
    if status >= 500 and not form.is_json:
        assert error.billing.charged is not Charged.NO, (
            f"{where}: nobody said that it was not charged"
        )


def _is_silent(error: FaceMatchError, secrets: list[str], where: str) -> None:
    """Assert that an error repeats no secret and no more of a body than the core does."""
    text = told_of(error)
    assert not any(secret in text for secret in secrets), f"{where}: a secret is handed on"
    assert CANARY not in text, f"{where}: what looks like a key is handed on"
    assert len(str(error)) < LONG / 2, f"{where}: the body is handed on whole"


def _says_so(told: Result, good: Result) -> bool:
    """Whether digits were read as the number that they spell, and a warning tells it."""
    return told.score == good.score and len(told.warnings) > len(good.warnings)


def _keeps(
    told: Result | FaceMatchError, bench: Bench, operation: Operation, reply: HttpReply, where: str
) -> None:
    """Assert what holds for whatever comes of an answer that may be a result."""
    backend = http_backend(bench)
    if isinstance(told, FaceMatchError):
        agrees(told, backend, reply.status, where)
        return
    assert told.backend == backend.name, where
    json.dumps(told.to_dict(), allow_nan=False)
    if told.score is not None:
        assert told.score.scale == _scale(bench, operation), f"{where}: {told.score}"
        assert 0 <= told.score.value <= 100, f"{where}: {told.score}"
    if told.score is not None and told.score.raw is not None:
        assert math.isfinite(told.score.raw), where
        assert told.score.raw in numbers(reply.json()), f"{where}: nobody said {told.score.raw}"
