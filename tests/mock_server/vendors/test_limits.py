"""Rate limits: how many calls a vendor takes, and until when it refuses the next one."""

import attrs
import pytest
from kit import mock_sessions
from kit.mock_world import ask, control_of, json_request, new_engine
from kit.of_vendors import of_vendors, rows_of_vendors
from vendors import (
    alibaba,
    azure,
    baidu,
    deepvue,
    didit,
    onfido,
    persona,
    rekognition,
    stripe,
    sumsub,
    tencent,
)

from facematch_mock_server.vendors import vendor_names

#: By vendor, if it limits calls: the calls of a window by its scope; None for those of which no
#: document states a number.
DOCUMENTED = {
    **of_vendors("DOCUMENTED_LIMITS"),
    "alibaba": {"second": None},
    "azure": {"resource": None, "month": None},
    "baidu": {"second": None},
    "deepvue": {"second": None, "minute": None, "day": None},
    "didit": {
        "write": 300,
        "get": 600,
        "session": 600,
        "sandbox_session": 500,
        "pdf": 50,
        "management": None,
    },
    "onfido": {"live": 400, "sandbox": None},
    "persona": {"request": 300, "inquiry": 150},
    "rekognition": {"second": None, "increase": None, "capacity": None},
    "stripe": {"request": 25},
    "sumsub": {"get": 300, "post": 50, "sandbox": 500},
    "tencent": {"second": None},
}


@pytest.mark.parametrize("vendor", vendor_names())
def test_calls_of_a_window_are_the_documented_ones(vendor):
    assert control_of(new_engine(vendor=vendor)).limits() == DOCUMENTED.get(vendor, {})


def compare_at_alibaba(engine):
    return engine.handle(alibaba.compare_request(at=engine.world.clock.now()))


def create_sumsub_applicant(engine, **how):
    return engine.handle(sumsub.create(at=engine.world.clock.now(), **how))


def create_in_sumsubs_sandbox(engine):
    return create_sumsub_applicant(engine, **sumsub.SANDBOX)


def find_sumsub_applicant(engine):
    path = f"/resources/applicants/{'0' * 24}/one"
    return engine.handle(sumsub.signed("GET", path, at=engine.world.clock.now()))


HOUR_S = 3600
DAY_S = 86_400


@attrs.frozen
class Limit:
    """A limit of one call in each window.

    Attributes:
        scope: What it counts.
        window_s: The seconds of a window.
        call: A counted request, or a function that sends one.
        status, text: The status of a refusal, and a part of its body.
        headers: Headers of a refusal; None for one that it must not have.
    """

    vendor: str
    scope: str
    window_s: int
    call: object
    status: int = 429
    text: str = ""
    headers: dict = attrs.Factory(dict)

    def __str__(self):
        return f"{self.vendor} {self.scope}"

    def refuses(self, answer):
        return answer.status == self.status and self.text in answer.body.decode()


DEEPVUE_MATCH = deepvue.with_deepvue_token(deepvue.deepvue_match())
DIDITS = {
    "X-RateLimit-Limit": "1",
    "X-RateLimit-Remaining": "0",
    "X-RateLimit-Reset": "1782983788",
    "Retry-After": "60",
}
DIDITS_SANDBOX = {"X-RateLimit-Limit": None, "Retry-After": str(DAY_S)}
PERSONAS = {"ratelimit-remaining": "0", "ratelimit-reset": "60"}
BALANCE = json_request("/v3/billing/balance/")
SANDBOX_START = didit.start(mock_sessions.SANDBOX)
SANDBOX_LIST = onfido.ask(onfido.APPLICANTS, token=onfido.SANDBOX_TOKEN)
AWS_COMPARE = rekognition.signed_compare()
LIMITS = [
    *(Limit(*row) for row in rows_of_vendors("LIMITS")),
    Limit("azure", "resource", 1, azure.detect_request(), headers={"Retry-After": "1"}),
    Limit("baidu", "second", 1, baidu.match(), 200, '"error_code":18,'),
    Limit("deepvue", "second", 1, DEEPVUE_MATCH, headers={"Retry-After": None}),
    Limit("deepvue", "minute", 60, DEEPVUE_MATCH),
    Limit("deepvue", "day", DAY_S, deepvue.wallet()),
    Limit("didit", "write", 60, didit.match_request(), headers=DIDITS),
    Limit("didit", "get", 60, didit.list_request(), headers=DIDITS),
    Limit("didit", "get", 60, didit.on(1), headers=DIDITS),
    Limit("didit", "session", 60, didit.start(), headers=DIDITS),
    Limit("didit", "sandbox_session", DAY_S, SANDBOX_START, headers=DIDITS_SANDBOX),
    Limit("didit", "management", 60, BALANCE, headers={"Retry-After": "60"}),
    Limit("onfido", "live", 60, onfido.ask(onfido.APPLICANTS)),
    Limit("onfido", "sandbox", 60, SANDBOX_LIST),
    Limit("persona", "request", 60, persona.persona_request(), 429, "Rate limit", PERSONAS),
    Limit("persona", "inquiry", 60, persona.starting(), 429, "Quota exceeded", PERSONAS),
    Limit("rekognition", "second", 1, AWS_COMPARE, 400, "ProvisionedThroughputExceeded"),
    Limit("rekognition", "increase", 1, AWS_COMPARE, 400, "ThrottlingException"),
    Limit("stripe", "request", 1, stripe.stripe_request(), 429, "rate_limit"),
    Limit("sumsub", "post", 5, create_sumsub_applicant),
    Limit("sumsub", "get", 5, find_sumsub_applicant),
    Limit("sumsub", "sandbox", DAY_S, create_in_sumsubs_sandbox),
    Limit("alibaba", "second", 1, compare_at_alibaba, 400, "Throttling.User"),
    Limit("tencent", "second", 1, tencent.compare_request(), 200, "RequestLimitExceeded"),
]


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_call_above_a_limit_is_refused_and_free_until_the_window_is_over(limit):
    engine = new_engine(vendor=limit.vendor)
    control = control_of(engine)
    control.set_limits({**dict.fromkeys(control.limits()), limit.scope: 1})

    assert not limit.refuses(ask(engine, limit.call))
    charges = control.charges()
    refusal = ask(engine, limit.call)
    assert limit.refuses(refusal)
    assert {name: refusal.header(name) for name in limit.headers} == limit.headers
    control.advance(limit.window_s - 0.1)
    assert limit.refuses(ask(engine, limit.call))
    assert control.charges() == charges
    control.advance(0.1)
    assert not limit.refuses(ask(engine, limit.call))
