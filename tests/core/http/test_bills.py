"""What a call over several requests cost: the backend's word, and the charges of its requests."""

from typing import ClassVar

import attrs
import pytest
from core.http.jobs import reply
from kit.fakes import match_call

import facematch_core as fm
from facematch_core import Billing, Environment, EnvironmentMismatch, VendorError, backend, http

YES = fm.Charged.YES
NO = fm.Charged.NO
UNKNOWN = fm.Charged.UNKNOWN
CALL = match_call(call_id="call-7")
SAME = {"same": True}
FINE = http.HttpReply(status=200, body=b'{"same": true}', headers={http.MOCK_HEADER: "1"})
NO_FACE, BROKEN, ODD = (attrs.evolve(FINE, status=status) for status in (422, 500, 300))
REAL, REAL_NO_FACE = (attrs.evolve(reply, headers={}) for reply in (FINE, NO_FACE))
UNSAID = Billing()


@attrs.frozen(kw_only=True)
class Two(http.ApiKeyBackend):
    """Two requests of one and of two charges; a 422 and a 500 are answers, too."""

    name = "two"
    allowed_hosts = frozenset({"two.example"})
    capabilities = backend.Capabilities(billed_operations=frozenset({fm.Operation.MATCH}))
    base_url: str = "http://127.0.0.1:1"
    stated_bill: ClassVar[Billing] = UNSAID

    def steps(self, request):
        for price in (1, 2):
            reply = yield http.HttpRequest(
                url=f"{self.service_url}/{price}", body=b"{}", charges=price
            )
        return self.parse(request, reply)

    def parse(self, request, reply):
        assert reply.json()["same"]
        return fm.MatchResult(
            decision=fm.Decision.INCONCLUSIVE, backend=self.name, billing=type(self).stated_bill
        )

    def parse_non_200(self, request, reply):
        return self.parse(request, reply)


def read_replies(*replies, **members):
    """What replies mean for a backend with these methods or attributes."""
    backend_class = type("Own", (Two,), members | {"name": "two"})
    return backend_class(api_key="a-key-9c1f").read_reply(CALL, *replies)


EARLIER = "charges of earlier requests of the call: 1"
BOTH = (FINE, FINE)
LATER = (FINE, NO_FACE)
SAID_EARLIER = f"said; {EARLIER}"
ROWS = {
    "nothing said": (BOTH, UNSAID, YES, 3, None),
    "too few said": (BOTH, Billing(YES, "said", 1), YES, 3, "said"),
    "more said": (BOTH, Billing(YES, "said", 5), YES, 5, "said"),
    "no number said": (BOTH, Billing(YES, "said", None), YES, 3, "said"),
    "not known": (BOTH, Billing(UNKNOWN, "said"), UNKNOWN, None, SAID_EARLIER),
    "not known at all": ((NO_FACE,), Billing(UNKNOWN, "said"), UNKNOWN, None, "said"),
    "a refusal of unknown price after a charge": (
        LATER,
        Billing(UNKNOWN, "said"),
        UNKNOWN,
        None,
        SAID_EARLIER,
    ),
    "free": (BOTH, Billing(NO, "said"), NO, 0, "said"),
    "a refusal of the first": ((NO_FACE,), UNSAID, NO, 0, None),
    "a fault at the first": ((BROKEN,), UNSAID, UNKNOWN, None, None),
    "a refusal after a charge": (LATER, UNSAID, YES, 1, None),
    "a free refusal": ((NO_FACE,), Billing(NO, "said"), NO, 0, "said"),
    "a free refusal after a charge": (LATER, Billing(NO, "said"), YES, 1, SAID_EARLIER),
    "a free refusal without a ground": (LATER, Billing(NO), YES, 1, EARLIER),
    "a fault after a charge": ((FINE, BROKEN), UNSAID, UNKNOWN, None, f"a 5xx response; {EARLIER}"),
    "a refusal that costs, after a charge": (LATER, Billing(YES, "said", 1), YES, 2, SAID_EARLIER),
    "a refusal that costs": ((NO_FACE,), Billing(YES, "said", 1), YES, 1, "said"),
}


@pytest.mark.parametrize(
    ("replies", "stated_bill", "charged", "charges", "ground"), ROWS.values(), ids=ROWS
)
def test_charges_of_a_result(replies, stated_bill, charged, charges, ground):
    billing = read_replies(*replies, stated_bill=stated_bill).billing
    assert (billing.charged, billing.charges) == (charged, charges)
    assert ground in (None, billing.ground)


PAID = "a response counts as charged"


@pytest.mark.parametrize(
    ("replies", "stated_bill", "bill", "has_result"),
    [
        ((REAL,), UNSAID, Billing(YES, PAID, 1), False),
        ((FINE, REAL), UNSAID, Billing(YES, PAID, 3), True),
        ((FINE, REAL_NO_FACE), Billing(NO, "said"), Billing(YES, SAID_EARLIER, 1), True),
    ],
)
def test_charges_of_a_response_from_the_wrong_environment(replies, stated_bill, bill, has_result):
    error = read_replies(*replies, stated_bill=stated_bill, environment=Environment.MOCK)
    assert isinstance(error, EnvironmentMismatch)
    assert error.billing == bill
    assert (error.result is not None) == has_result
    assert error.ids.call == "call-7"


@pytest.mark.parametrize(
    ("stated_bill", "bill"),
    [
        (Billing(YES, "said", 2), Billing(YES, SAID_EARLIER, 3)),
        (Billing(YES, "said", None), Billing(YES, SAID_EARLIER, 2)),
        (Billing(NO, "said", None), Billing(YES, SAID_EARLIER, 1)),
        (Billing(UNKNOWN, "said"), Billing(UNKNOWN, SAID_EARLIER)),
    ],
)
def test_charges_of_a_backend_error_include_earlier_requests(stated_bill, bill):
    def fails(*_):
        raise VendorError("No.", billing=stated_bill, retryable=True)

    def steps(self, call):
        yield from Two.steps(self, call)
        fails()

    for error in (
        read_replies(FINE, FINE, steps=steps),
        read_replies(FINE, NO_FACE, parse_non_200=fails),
        read_replies(FINE, ODD, parse_non_200=fails),
    ):
        assert type(error) is VendorError
        assert error.__traceback__ is None
        assert (error.billing, error.retryable) == (bill, False)


CODES = {
    "Limit": http.ErrorRow(fm.RateLimited, NO, "documented", "too many"),
    "Hidden": http.InconclusiveRow(backend.NO_FACE, YES, "documented"),
    "Paid": http.ErrorRow(fm.RequestRejected, YES, "documented", "no"),
}


def read_codes(*bodies):
    """What bodies that come with 200 mean for a backend whose vendor may refuse so."""
    replies = [reply(200, body, Retry_After="7") for body in bodies]
    return read_replies(
        *replies,
        codes_in_200=True,
        error_codes=CODES,
        parse_non_200=http.ApiKeyBackend.parse_non_200,
        error_code=lambda self, reply: reply.json().get("code"),
    )


def test_error_code_in_a_200_response_is_treated_as_a_refusal():
    assert read_codes(SAME, SAME).billing.charges == 3
    error = read_codes({"code": "Limit"})
    assert (type(error), error.billing.charged, error.retryable) == (fm.RateLimited, NO, True)
    assert (error.status_code, error.retry_after_s) == (200, 7.0)
    error = read_codes(SAME, {"code": "Limit"})
    assert (error.billing.charged, error.billing.charges, error.retryable) == (YES, 1, False)
    assert read_codes({"code": "Hidden"}).billing.charges == 1
    assert read_codes({"code": "Paid"}).billing.charges == 1
    result = read_codes(SAME, {"code": "Hidden"})
    assert (result.decision, result.warnings[0].tag) == (fm.Decision.INCONCLUSIVE, "Hidden")
    assert (result.billing.charged, result.billing.charges) == (YES, 3)


@pytest.mark.parametrize("body", [{"code": "Odd"}, [1]], ids=["odd", "list"])
def test_unknown_code_in_a_200_response_is_charged(body):
    error = read_codes(SAME, body)
    assert type(error) is fm.UnexpectedResponse
    assert (error.billing.charged, error.billing.charges) == (YES, 3)
