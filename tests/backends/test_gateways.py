"""What a gateway before a vendor answers: the error, its charge, and whether a failover goes on."""

import attrs
import pytest
from kit.fakes import FakeBackend
from kit.scripted import ScriptedAdapter
from kit.vendors import PAID, open_backend

import facematch_core as fm
from facematch_mock_server import MockServer, make_card

P1 = make_card("p1")
P1_AGAIN = make_card("p1", quality=60)


def html(status):
    """Return an answer of nginx, and of Cloudflare for other clients."""
    return status, f"<html><head><title>{status}</title></head></html>".encode()


def azure(status, message):
    """Azure API Management (Microsoft Learn, Error handling in policies, read 2026-11-28)."""
    return status, {"statusCode": status, "message": message}


def aws(status, message):
    """AWS API Gateway (its types of gateway responses, read 2026-11-28)."""
    return status, {"message": message}


def cloudflare(status, title):
    """Cloudflare, for clients that accept JSON (its changelog of 2026-03-12, read 2026-11-28)."""
    body = {"title": title, "status": status, "detail": f"{title}.", "cloudflare_error": True}
    return status, {**body, "retryable": True, "retry_after": 60}


QUOTAS = [
    azure(403, "Out of call volume quota. Quota will be replenished in 22.14:18:12."),
    azure(403, "Out of bandwidth quota. Quota will be replenished in 22.14:18:12."),
]
#: One answer of each kind, which each vendor gets in `make test`.
FEW = [
    QUOTAS[0],
    azure(401, "Access denied due to invalid subscription key."),
    azure(429, "Rate limit is exceeded. Try again in 26 seconds."),
    aws(403, "Forbidden"),
    aws(504, "Endpoint request timed out"),
    html(404),
    html(502),
    html(520),
    cloudflare(403, "Error 1020: Access denied"),
    cloudflare(503, "Error 1102: Worker exceeded resource limits"),
]
#: What only azure, and CI, get as well.
MORE = [
    QUOTAS[1],
    azure(404, "Resource not found"),
    azure(500, "Internal server error"),
    aws(401, "Unauthorized"),
    aws(429, "Too Many Requests"),
    aws(503, "Service Unavailable"),
    *map(html, (401, 403, 429, 500, 503, 504)),
    cloudflare(429, "Error 1015: You are being rate limited"),
    cloudflare(500, "Error 1101: Worker threw exception"),
    cloudflare(502, "Error 502: Bad gateway"),
    cloudflare(520, "Error 520: Web server is returning an unknown error"),
]


def cases():
    parameters = []
    for vendor in PAID:
        for status, body in FEW:
            parameters.append(pytest.param(vendor, status, body))
        marks = () if vendor == "azure" else pytest.mark.slow
        for status, body in MORE:
            parameters.append(pytest.param(vendor, status, body, marks=marks))
    return parameters


@attrs.frozen
class Expected:
    """What an answer of a gateway causes; `goes_on` is whether a failover asks the next member."""

    error_class: type
    charged: fm.Charged = fm.Charged.NO
    goes_on: bool = False


BY_STATUS = {
    401: Expected(fm.AuthenticationFailed),
    403: Expected(fm.PermissionDenied),
    404: Expected(fm.RequestRejected),
    429: Expected(fm.RateLimited, goes_on=True),
}


def expect(vendor, status, body):
    if vendor == "azure" and (status, body) in QUOTAS:
        return Expected(fm.InsufficientCredit, goes_on=True)
    if status in BY_STATUS:
        return BY_STATUS[status]
    if vendor in ("compreface", "deepface"):
        return Expected(fm.VendorUnavailable, goes_on=True)
    return Expected(fm.OutcomeUnknown, charged=fm.Charged.UNKNOWN)


@pytest.fixture
def open_member(at_end):
    """Opens a verifier of a vendor whose gateway answers each call so."""

    def open_member(vendor, status, body):
        backend = open_backend(vendor)

        def answer(request):
            if request.url.endswith("/authorize"):
                return 200, {"access_token": "token-1", "token_type": "bearer", "expiry": 3600}
            return status, body

        backend.client.mount("https://", ScriptedAdapter(answer))
        backend.client.mount("http://", ScriptedAdapter(answer))
        return at_end.enter_context(fm.FaceVerifier(backend))

    return open_member


@pytest.mark.parametrize(("vendor", "status", "body"), cases(), ids=lambda value: str(value)[:60])
def test_a_gateways_answer_has_its_error_charge_and_next_member(vendor, status, body, open_member):
    expected = expect(vendor, status, body)
    member = open_member(vendor, status, body)
    with pytest.raises(fm.VendorError) as caught:
        member.verify(P1, P1_AGAIN)
    assert type(caught.value) is expected.error_class
    assert caught.value.billing.charged is expected.charged
    assert caught.value.status_code == status
    spare = FakeBackend()
    failover = fm.Failover({"first": member, "spare": fm.FaceVerifier(spare)})
    if expected.goes_on:
        assert failover.verify(P1, P1_AGAIN).route.answered_by == "spare"
    else:
        with pytest.raises(expected.error_class):
            failover.verify(P1, P1_AGAIN)
        assert spare.calls == []


@pytest.fixture
def azure_and_spare(at_end):
    """The mocks of Azure and of Didit, which is asked where Azure cannot answer."""
    azure_mock = at_end.enter_context(MockServer(vendor="azure"))
    didit_mock = at_end.enter_context(MockServer())
    return azure_mock, didit_mock


@pytest.fixture
def failover(azure_and_spare, at_end):
    azure_mock, didit_mock = azure_and_spare
    members = [
        fm.open_verifier("azure", api_key=azure_mock.live_key, base_url=azure_mock.url),
        fm.open_verifier("didit", api_key=didit_mock.live_key, base_url=didit_mock.url),
    ]
    return at_end.enter_context(fm.Failover(members))


def test_azures_used_up_month_goes_on_to_the_next_member(azure_and_spare, failover):
    azure_mock, didit_mock = azure_and_spare
    azure_mock.control.set_limit("month", 0)
    route = failover.verify(P1, P1_AGAIN).route
    assert route.answered_by == "didit"
    (skipped,) = route.skipped
    assert (skipped.backend, skipped.reason) == ("azure", "InsufficientCredit")
    assert len(didit_mock.control.charges()) == 1


@pytest.mark.parametrize("charged_requests", [1, 2])
def test_azures_month_that_ends_within_a_call_does_not_go_on(
    azure_and_spare, failover, charged_requests
):
    """The three requests of a call are charged one by one."""
    azure_mock, didit_mock = azure_and_spare
    azure_mock.control.set_limit("month", charged_requests)
    with pytest.raises(fm.InsufficientCredit) as caught:
        failover.verify(P1, P1_AGAIN)
    assert caught.value.billing.charges == charged_requests
    assert didit_mock.control.charges() == ()
