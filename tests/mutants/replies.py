"""Mutants that read more into an answer than its bytes say."""

import contextlib
import json

from mutants.faults import (
    A_PASS,
    FREE,
    PAID,
    UNKNOWN_PRICE,
    BelievesAVerdictAlone,
    as_dict,
    evolve,
    nobody,
    remember,
)
from mutants.making import caught_by
from mutants.reference import HttpReference
from mutants.vendors import HttpNeverWithoutAFace

import facematch_core as fm


def passed(backend, call):
    """A pass that no vendor has given."""
    return backend.result(call, A_PASS)


def completed(body, **missing):
    if "warnings" not in body:
        return body
    return {**missing, **body}


# R38: Every answer is read or refused.


@caught_by("R38")
class TakesAPageForAnOutage(HttpReference):
    """A gateway's page of markup is the vendor's own fault, so free and worth another attempt."""

    def error(self, reply, call):
        if reply.status in (500, 503, 504) and reply.body.startswith(b"<"):
            return fm.VendorUnavailable("Down.", status_code=reply.status)
        return super().error(reply, call)


@caught_by("R38")
class BlamesTheKey(HttpReference):
    """Whatever is answered in one sentence is about the key."""

    def error(self, reply, call):
        if reply.at("detail"):
            return fm.AuthenticationFailed("It is the key.", billing=FREE, status_code=reply.status)
        return super().error(reply, call)


@caught_by("R38")
class QuotesTheBody(HttpReference):
    """The error shows what was answered, if it is short."""

    def error(self, reply, call):
        error = super().error(reply, call)
        if len(reply.body) < 300:
            error.message += f" {reply.body!r}"
        return error


@caught_by("R38")
class BelievesAnAnswerOfAnyStatus(HttpReference):
    """Every 2xx with an object in it is a pass: the vendor "accepted" it."""

    def parse_non_200(self, call, reply):
        if 200 <= reply.status < 300:
            return passed(self, call)
        return None


@caught_by("R38")
class AVerdictIsEnough(HttpReference):
    """A verdict whose score was left out is believed."""

    def body(self, reply):
        return completed(super().body(reply), score=None)

    def unscored(self, call, decision):
        return decision


@caught_by("R38")
class FreeIfItIsOdd(HttpReference):
    """A score that is no number is said to be free."""

    def score(self, call, number):
        if number is None or type(number) is float:
            return super().score(call, number)
        raise fm.UnexpectedResponse("Odd.", billing=FREE)


@caught_by("R38")
class OddIsNoScore(BelievesAVerdictAlone, HttpReference):
    """A score that is no number is dropped, and the verdict believed."""

    def drops(self, number):
        return number is not None and type(number) is not float


@caught_by("R38")
class TrueIsOne(HttpReference):
    """A flag where the score stands is read as 1 or 0."""

    def body(self, reply):
        body = json.loads(reply.body)  # past what reads JSON in the reference
        if isinstance(as_dict(body).get("score"), bool):
            body["score"] = float(body["score"])
        return body


@caught_by("R38")
class NoVerdictIsYes(HttpReference):
    """A body without a verdict is read as a yes."""

    def body(self, reply):
        return completed(super().body(reply), verdict="yes")


@caught_by("R38")
class NoObjectIsNoAnswer(HttpReference):
    """A 200 that is no JSON object was never an answer: not charged, try again."""

    def body(self, reply):
        body = super().body(reply)
        if isinstance(body, dict):
            return body
        raise fm.VendorUnavailable("The vendor did not answer.")


@caught_by("R38")
class FailsAtNull(HttpReference):
    """Its code fails at a refusal whose body is null."""

    def error(self, reply, call):
        if reply.body != b"null":
            return super().error(reply, call)
        raise KeyError("error")


@caught_by("R38")
class NotFoundIsNobody(HttpReference):
    """A 404 is read as a picture without a face, which is free."""

    def parse_non_200(self, call, reply):
        if reply.status == 404:
            return nobody(call)
        return None


@caught_by("R38")
class QuotesALongText(HttpReference):
    """The error repeats the message of an answer, however long."""

    def error(self, reply, call):
        error = super().error(reply, call)
        message = str(reply.at("message"))
        if len(message) > 500:
            error.message += message
        return error


@caught_by("R38")
class TriesAgainAfterA2xx(HttpReference):
    """A success without a result is free, and tried again."""

    def error(self, reply, call):
        if reply.status < 300:
            return fm.VendorUnavailable("Not yet.", billing=FREE, status_code=reply.status)
        return super().error(reply, call)


@caught_by("R38")
class BelievesEachWait(HttpReference):
    """The wait of an answer is taken as it is, also below zero."""

    def error(self, reply, call):
        if reply.status != 429:
            return super().error(reply, call)
        error = fm.RateLimited("Wait.", billing=FREE, status_code=reply.status)
        with contextlib.suppress(ValueError):
            error.retry_after_s = float(reply.headers["Retry-After"])
        return error


@caught_by("R38")
class RefusesAtAnUnknownPrice(HttpReference):
    """It is not known what an unknown refusal costs."""

    def error(self, reply, call):
        error = super().error(reply, call)
        if reply.status == 409:
            error.billing = UNKNOWN_PRICE
        return error


@caught_by("R38")
class PaysForALimit(HttpReference):
    """A limit was charged, and is to be tried again."""

    def error(self, reply, call):
        error = super().error(reply, call)
        if reply.status == 429:
            error.retryable = True
            error.billing = PAID
        return error


@caught_by("R38")
class ReadsEachAnswerOnce(HttpReference):
    """An answer that is read again is refused."""

    def result(self, call, body):
        read_ids = remember(self, "read ids", set())
        if body["id"] in read_ids:
            raise fm.UnexpectedResponse("It was read.")
        result = super().result(call, body)
        read_ids.add(body["id"])
        return result


@caught_by("R38")
class PercentIsANumber(HttpReference):
    """The number in front of a percent sign is a score."""

    def score(self, call, number):
        if isinstance(number, str) and "%" in number:
            number = float(number.rstrip("%"))
        if number is None:
            return None
        return fm.Score(number, super().score(call, 1.0).scale)


@caught_by("R38")
class RefusesAnOddScore(HttpReference):
    """A score that is no number is a refused request."""

    def score(self, call, number):
        if number is None or type(number) is float:
            return super().score(call, number)
        raise fm.RequestRejected("Odd.", billing=FREE)


# R60: A value that decides nothing may have any form.


@caught_by("R60")
class RefusesAnOddBox(HttpReference):
    """A box that cannot be read is an unreadable answer, though the vendor has decided."""

    def faces(self, body, place):
        for edges in self.listed(body, place):
            self.edges_to_box(edges)
        return super().faces(body, place)


@caught_by("R60")
class WantsAnId(HttpReference):
    """An answer without an id that can be read is refused, though nobody compares it."""

    def id_of(self, body):
        return str.strip(body["id"])


@caught_by("R60")
class LooksAtTheOdd(HttpReference):
    """A pass with a box that cannot be read goes to a person."""

    def result(self, call, body):
        result = super().result(call, body)
        if all(face.box for face in result.probe_faces):
            return result
        return evolve(result, decision=type(result.decision).REVIEW)


@caught_by("R38", HttpNeverWithoutAFace)
class TakesANotFoundForAPass(HttpReference):
    """A 404 is a pass, where no face is ever missing."""

    def parse_non_200(self, call, reply):
        if reply.status == 404:
            return evolve(passed(self, call), score=None)
        return None
