"""What a call over several requests cost: the backend's word, and the charges of its requests."""

from typing import ClassVar

import attrs
import pytest
from kit.fakes import picture

from facematch_core import (
    Billing,
    Charged,
    Decision,
    Environment,
    EnvironmentMismatch,
    Ids,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    Operation,
    UnexpectedResponse,
    VendorError,
)
from facematch_core.backend import Capabilities, LivenessCall, MatchCall
from facematch_core.http import MOCK_HEADER, ApiKeyBackend, HttpReply, HttpRequest

CALL = MatchCall(probe=picture(), reference=picture((1, 2, 3)), call_id="call-7")
FINE = HttpReply(status=200, body=b"{}", headers={MOCK_HEADER: "1"})
NO_FACE, BROKEN = attrs.evolve(FINE, status=422), attrs.evolve(FINE, status=500)
UNSAID = Billing()


@attrs.frozen(kw_only=True)
class Two(ApiKeyBackend):
    """Two requests of one and of two charges; a 422 and a 500 are answers, too."""

    name = "two"
    allowed_hosts = frozenset({"two.example"})
    capabilities = Capabilities(billed_operations=frozenset({Operation.MATCH}))
    base_url: str = "http://127.0.0.1:1"
    said: ClassVar[Billing] = UNSAID

    def steps(self, call):
        for price in (1, 2):
            yield HttpRequest(url=f"{self.address}/{price}", body=b"{}", charges=price)
        return self.parse_non_200(call, FINE)

    def parse_non_200(self, call, reply):
        return MatchResult(
            decision=Decision.INCONCLUSIVE, backend=self.name, billing=type(self).said
        )


def asked(*replies, said=UNSAID, environment=None):
    """What they mean for a backend that says this of the bill."""
    own = {"said": said, "name": "two", "environment": environment}
    backend = type("Said", (Two,), own)(api_key="a-key-9c1f")
    return backend.read_reply(CALL, *replies)


YES, NO, UNKNOWN = Charged.YES, Charged.NO, Charged.UNKNOWN
EARLIER = "charges of earlier requests of the call: 1"
ROWS = {
    "nothing said": ((FINE, FINE), UNSAID, YES, 3, None),
    "too few said": ((FINE, FINE), Billing(YES, "said", 1), YES, 3, "said"),
    "more said": ((FINE, FINE), Billing(YES, "said", 5), YES, 5, "said"),
    "not known": ((FINE, FINE), Billing(UNKNOWN, "said"), UNKNOWN, None, f"said; {EARLIER}"),
    "not known at all": ((NO_FACE,), Billing(UNKNOWN, "said"), UNKNOWN, None, "said"),
    "a refusal of unknown price after a charge": (
        (FINE, NO_FACE),
        Billing(UNKNOWN, "said"),
        UNKNOWN,
        None,
        f"said; {EARLIER}",
    ),
    "free": ((FINE, FINE), Billing(NO, "said"), NO, 0, "said"),
    "a refusal of the first": ((NO_FACE,), UNSAID, NO, 0, None),
    "a fault at the first": ((BROKEN,), UNSAID, UNKNOWN, None, None),
    "a refusal after a charge": ((FINE, NO_FACE), UNSAID, YES, 1, None),
    "a free refusal": ((NO_FACE,), Billing(NO, "said"), NO, 0, "said"),
    "a free refusal after a charge": (
        (FINE, NO_FACE),
        Billing(NO, "said"),
        YES,
        1,
        f"said; {EARLIER}",
    ),
    "a free refusal without a ground": ((FINE, NO_FACE), Billing(NO), YES, 1, EARLIER),
    "a fault after a charge": ((FINE, BROKEN), UNSAID, UNKNOWN, None, f"a 5xx answer; {EARLIER}"),
    "all said at the end": ((FINE, NO_FACE), Billing(YES, "said", 1), YES, 1, "said"),
    "a refusal that costs": ((NO_FACE,), Billing(YES, "said", 1), YES, 1, "said"),
}


@pytest.mark.parametrize(
    ("replies", "said", "charged", "charges", "ground"), ROWS.values(), ids=ROWS
)
def test_what_a_result_cost(replies, said, charged, charges, ground):
    """Never less than its requests did, and nobody's doubt is made a certainty."""
    billing = asked(*replies, said=said).billing
    assert (billing.charged, billing.charges) == (charged, charges)
    assert ground in (None, billing.ground)


REAL, REAL_NO_FACE, REAL_BROKEN = (attrs.evolve(one, headers={}) for one in (FINE, NO_FACE, BROKEN))
PAID = "a 200 answer is taken as charged"
REFUSED = "a 4xx answer; the vendor says nothing of charging"


@pytest.mark.parametrize(
    ("replies", "said", "bill", "has_result"),
    [
        ((REAL,), UNSAID, Billing(YES, PAID, 1), False),
        ((FINE, REAL), UNSAID, Billing(YES, PAID, 3), True),
        ((REAL_NO_FACE,), UNSAID, Billing(NO, REFUSED), True),
        ((REAL_BROKEN,), UNSAID, Billing(UNKNOWN, "a 5xx answer"), True),
        ((FINE, REAL_NO_FACE), Billing(NO, "said"), Billing(YES, f"said; {EARLIER}", 1), True),
    ],
)
def test_what_an_answer_from_elsewhere_cost(replies, said, bill, has_result):
    """Set to mock, and answered by who may be the vendor: that is paid for."""
    error = asked(*replies, said=said, environment=Environment.MOCK)
    assert isinstance(error, EnvironmentMismatch)
    assert error.billing == bill
    assert (error.result is not None) == has_result
    assert error.ids.call == "call-7"


def answered(*replies, steps=None, read=None, call=CALL, **own):
    """What replies mean for a backend with these requests, and this reading of another status."""
    own |= {"name": "two"} | ({"steps": steps} if steps else {})
    own |= {"parse_non_200": read} if read else {}
    return type("Own", (Two,), own)(api_key="a-key-9c1f").read_reply(call, *replies)


def asking(*prices, last):
    """Steps with these charges, and what happens after the last."""

    def steps(self, call):
        for price in prices:
            yield HttpRequest(url=self.address, body=b"{}", charges=price)
        return last()

    return steps


def unread():
    """A body without what it should have."""
    return {}["score"]


@pytest.mark.parametrize(
    ("prices", "charges"), [((2,), 2), ((0,), 0), ((1, 2), 3), ((1, 0), 1), ((3, 5), 8)]
)
@pytest.mark.parametrize("environment", [None, Environment.MOCK])
def test_an_answer_that_cannot_be_read_costs_what_its_requests_do(prices, charges, environment):
    """Wherever it comes from; a free one costs nothing."""
    replies = [FINE] * (len(prices) - 1) + [REAL]
    steps = asking(*prices, last=unread)
    error = answered(*replies, steps=steps, environment=environment)
    kind = UnexpectedResponse if environment is None else EnvironmentMismatch
    assert type(error) is kind
    assert (error.billing.charged, error.billing.charges) == (YES if charges else NO, charges)


def test_a_request_from_elsewhere_in_the_middle_of_a_call():
    """All that was asked until then is paid for; what was free there is free here, too."""
    for prices, billing in (
        ((3, 1), Billing(YES, PAID, 3)),
        ((0, 1), Billing(NO, "the vendor charges nothing for it")),
    ):
        steps = asking(*prices, last=unread)
        assert answered(REAL, steps=steps, environment=Environment.MOCK).billing == billing


@pytest.mark.parametrize(
    ("said", "bill"),
    [
        (Billing(YES, "said", 2), Billing(YES, f"said; {EARLIER}", 3)),
        (Billing(YES, "said", None), Billing(YES, f"said; {EARLIER}", 2)),
        (Billing(NO, "said", None), Billing(YES, f"said; {EARLIER}", 1)),
        (Billing(UNKNOWN, "said"), Billing(UNKNOWN, f"said; {EARLIER}")),
    ],
)
def test_an_error_of_the_backend_s_own_after_a_charge(said, bill):
    """A charge whose number is not known counts as one."""

    def fails(*_):
        raise VendorError("No.", billing=said, retryable=True)

    for error in (
        answered(FINE, FINE, steps=asking(1, 2, last=fails)),
        answered(FINE, NO_FACE, read=fails),
    ):
        assert type(error) is VendorError
        assert error.__traceback__ is None
        assert error.billing == bill
        assert not error.retryable


def test_a_backend_may_not_know_how_many_charges_there_were():
    """Unless its requests have more than one."""
    said = Billing(YES, "said", None)
    result = MatchResult(decision=Decision.MATCH, backend="two", billing=said)
    assert answered(FINE, steps=asking(1, last=lambda: result)).billing == said
    bill = answered(FINE, FINE, steps=asking(1, 1, last=lambda: result)).billing
    assert bill == Billing(YES, "said", 2)


def test_whose_error_it_is():
    """A backend may name who failed and where; which call it was, the call itself says."""

    def fails(*_):
        told = {"backend": "login", "ids": Ids(call="another", vendor="v-1")}
        raise VendorError("No.", environment=Environment.SANDBOX, **told)

    error = answered(REAL, steps=asking(1, last=fails))
    assert (error.backend, error.environment) == ("login", Environment.SANDBOX)
    assert error.ids == Ids(call="call-7", vendor="v-1")
    error = answered(FINE, steps=asking(1, last=unread))
    assert (error.backend, error.environment) == ("two", Environment.MOCK)


def test_who_is_asked_for_a_result_in_another_status():
    """The backend, with the call; but only for JSON: of other bodies it says nothing."""
    asked_for = []

    def read(self, call, reply):
        asked_for.append((call, reply))

    for body in (b"<html>", b"", b"no"):
        answered(attrs.evolve(NO_FACE, body=body), read=read)
    assert asked_for == []
    answered(NO_FACE, read=read)
    assert asked_for == [(CALL, NO_FACE)]


@attrs.frozen(kw_only=True)
class Alive(Two):
    """Of liveness, and free."""

    capabilities = Capabilities(operations=frozenset({Operation.LIVENESS}))
    environment = Environment.MOCK

    def parse_non_200(self, call, reply):
        return LivenessResult(decision=LivenessDecision.LIVE, backend=self.name)


def test_a_liveness_answer_from_elsewhere_is_kept():
    """For a person to look at, as that of a comparison; free, for nobody charges for it."""
    call = LivenessCall(probe=picture())
    error = Alive(api_key="a-key-9c1f").read_reply(call, FINE, REAL)
    assert isinstance(error, EnvironmentMismatch)
    assert isinstance(error.result, LivenessResult)
    assert error.billing == Billing(NO, "the vendor charges nothing for it")
