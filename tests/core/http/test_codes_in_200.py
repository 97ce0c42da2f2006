"""Refusals that come with a 200, what each costs, and headers that callers may want."""

from typing import ClassVar

import attrs
import pytest
from core.http.jobs import JobBackend, reply
from kit.acme import match_call

import facematch_core as fm
from facematch_core.backend import NO_FACE
from facematch_core.http import ErrorRow, HttpRequest, InconclusiveRow

YES, NO = fm.Charged.YES, fm.Charged.NO


@attrs.frozen(kw_only=True)
class Polite(JobBackend):
    """Refuses with 200, as its vendor does."""

    name = "polite"
    codes_in_200 = True
    error_codes: ClassVar = {
        "Limit": ErrorRow(fm.RateLimited, NO, "documented", "too many"),
        "Hidden": InconclusiveRow(NO_FACE, YES, "documented"),
        "Paid": ErrorRow(fm.RequestRejected, YES, "documented", "no"),
    }

    def steps(self, call):
        yield HttpRequest(url=f"{self.address}/first", body=b"-", charges=2)
        return self.parse(call, (yield HttpRequest(url=self.address, body=b"-", charges=3)))

    def error_code(self, reply):
        return reply.json().get("code")


FINE = reply(200, {"similarity": 0.935})


def read(*replies):
    return Polite().read_reply(match_call(), *replies)


def test_a_code_in_a_200_is_a_refusal():
    assert read(FINE, FINE).billing.charges == 5
    error = read(reply(200, {"code": "Limit"}, Retry_After="7"))
    assert (type(error), error.billing.charged, error.retryable) == (fm.RateLimited, NO, True)
    assert (error.status_code, error.retry_after_s) == (200, 7.0)
    error = read(FINE, reply(200, {"code": "Limit"}))
    assert (error.billing.charged, error.billing.charges, error.retryable) == (YES, 2, False)
    result = read(FINE, reply(200, {"code": "Hidden"}))
    assert (result.decision, result.warnings[0].tag) == (fm.Decision.INCONCLUSIVE, "Hidden")
    assert (result.billing.charged, result.billing.charges) == (YES, 5)


@pytest.mark.parametrize("body", [{"code": "Odd"}, {"code": 7}, [1]], ids=["odd", "number", "list"])
def test_a_code_that_nobody_knows_is_not_called_free(body):
    error = read(FINE, reply(200, body))
    assert type(error) is fm.UnexpectedResponse
    assert (error.billing.charged, error.billing.charges) == (YES, 5)


@pytest.mark.parametrize("code", ["Hidden", "Paid"])
def test_a_code_in_a_200_that_is_charged_costs_all_that_such_an_answer_costs(code):
    outcome = read(reply(200, {"code": code}))
    assert (outcome.billing.charged, outcome.billing.charges) == (YES, 2)
