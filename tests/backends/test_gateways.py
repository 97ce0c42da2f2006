"""What a gateway before a vendor answers: the error, its charge, and whether a failover goes on.

A gateway without a route must not be read as a vendor without the session.
"""

import attrs
import pytest
from kit.fakes import FakeBackend, json_reply, match_call
from kit.scripted import ScriptedAdapter
from kit.sessions import session_record
from kit.vendors import BUNDLED_VENDORS, PAID, open_backend

import facematch_core as fm
from facematch_core.backend import DeleteRequest, ReadRequest, StartRequest
from facematch_core.http import HttpReply
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


def kong(status, message):
    """Kong (public responses, read 2026-11-29)."""
    return status, {"message": message, "request_id": "3f1c"}


def spring(status, title):
    """Spring Cloud Gateway, whose errors are those of Spring Boot (read 2026-11-29)."""
    return status, {"timestamp": "2026-11-29", "path": "/x", "status": status, "error": title}


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
    kong(404, "no Route matched with those values"),
    (403, {"error": "Forbidden"}),
    spring(503, "Service Unavailable"),
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


@pytest.mark.parametrize("vendor", PAID)
@pytest.mark.parametrize("status", [401, 403, 404, 429])
def test_a_gateways_refusal_is_not_told_as_the_vendors(vendor, status):
    reply = json_reply({"message": "No."}, status)
    error = open_backend(vendor).read_reply(match_call(call_id="a-1"), reply)
    assert type(error) is BY_STATUS[status].error_class
    # Regula, whose answer without a licence is not documented, has no form of its own.
    assert ("gateway" in str(error)) is (vendor != "regula")


@attrs.frozen
class OpenSession:
    """A backend, and the record of a session of its vendor."""

    backend: object
    record: fm.SessionRecord

    def sessions(self):
        return fm.Sessions(
            fm.FaceVerifier(self.backend),
            expects=self.backend.session_capabilities.checks,
            compared_with=self.record.compared_with,
        )


SESSION_IDS = {"persona": "inq_Some", "stripe": "vs_Some", "sumsub": "0123456789abcdef01234567"}
UUID = "5025d9fd-7842-4805-bce1-a7bfd7131b4e"
SESSION_SETTINGS = {
    "didit": {"workflow_id": UUID},
    "onfido": {"document_output": "document"},
    "sumsub": {"level_name": "basic-kyc-level"},
}


def open_session(vendor):
    backend = open_backend(vendor, **SESSION_SETTINGS.get(vendor, {}))
    compared_with = "given" if vendor == "azure" else "document"
    session_id = SESSION_IDS.get(vendor, UUID)
    record = session_record(vendor, session_id=session_id, compared_with=compared_with)
    return OpenSession(backend, record)


def has_sessions(vendor):
    return open_backend(vendor).session_capabilities is not None


OPEN = {name: open_session(name) for name in BUNDLED_VENDORS if has_sessions(name)}
DELETES = [name for name, opened in OPEN.items() if opened.backend.session_capabilities.can_delete]
#: Answers of gateways that have no such route, or no such host.
NO_ROUTE = [
    kong(404, "no Route matched with those values"),
    aws(404, "Not Found"),
    azure(404, "Resource not found"),
    spring(404, "Not Found"),
    # Google's Extensible Service Proxy, and its load balancers.
    (404, {"code": 5, "message": "Method does not exist.", "details": []}),
    (404, {"error": {"code": 404, "message": "Not Found", "status": "NOT_FOUND"}}),
    # WSO2.
    (404, {"code": "404", "type": "Status report", "message": "Not Found", "description": "No."}),
    # Restlet, as its StatusInfo.
    (404, {"code": 404, "description": "No match.", "reasonPhrase": "Not Found"}),
    # Cloudflare's API, and Starlette.
    (404, {"success": False, "errors": [{"code": 7003, "message": "Could not route."}]}),
    (404, {"detail": "Not Found"}),
    (404, {"status": "fail", "data": {"route": "none"}}),
    (410, {"message": "Gone"}),
    (404, {}),
    (404, ["Not Found"]),
    html(404),
]


def as_reply(status, body):
    if isinstance(body, bytes):
        return HttpReply(status=status, body=body)
    return json_reply(body, status)


def test_vendors_with_sessions():
    deleting = {"azure", "didit", "onfido", "persona", "stripe", "veriff"}
    assert {*deleting, "rekognition", "sumsub"} == set(OPEN)
    assert deleting == set(DELETES)


@pytest.mark.parametrize("answer", NO_ROUTE, ids=lambda answer: str(answer[1])[:40])
@pytest.mark.parametrize("vendor", OPEN)
def test_a_gateway_without_a_route_is_no_vendor_without_the_session(vendor, answer):
    opened = OPEN[vendor]
    reply = as_reply(*answer)
    read = opened.backend.read_reply(ReadRequest(record=opened.record), reply)
    assert type(read) is fm.RequestRejected
    unstarted = attrs.evolve(opened.record, session_id=None)
    started = opened.backend.read_reply(StartRequest(record=unstarted), reply)
    assert type(started) is fm.RequestRejected
    if vendor in DELETES:
        deleted = opened.backend.read_reply(DeleteRequest(record=opened.record), reply)
        assert type(deleted) is fm.RequestRejected


@pytest.mark.parametrize("vendor", DELETES)
def test_a_page_of_a_proxy_is_no_deletion(vendor, at_end):
    opened = open_session(vendor)
    opened.backend.client.mount("https://", ScriptedAdapter(lambda _: html(200)))
    sessions = at_end.enter_context(opened.sessions())
    with pytest.raises(fm.UnexpectedResponse):
        sessions.delete(opened.record)


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
