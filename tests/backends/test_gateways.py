"""What a gateway before a vendor answers: the error, its charge, and whether a failover goes on."""

import itertools

import pytest
from kit.fakes import FakeBackend
from kit.scripted import ScriptedAdapter
from kit.vendors import AWS_KEYS

import facematch_core as fm
from facematch_azure import AzureBackend
from facematch_baidu import BaiduBackend
from facematch_compreface import ComprefaceBackend
from facematch_deepface import DeepfaceBackend
from facematch_deepvue import DeepvueBackend
from facematch_didit import DiditBackend
from facematch_facepp import FaceppBackend
from facematch_mock_server import MockServer, make_card
from facematch_regula import RegulaBackend
from facematch_rekognition import RekognitionBackend
from facematch_tencent import TencentBackend

PAIR = make_card("p1"), make_card("p1", quality=60)
BACKENDS = {
    "azure": (AzureBackend, {"api_key": "k", "base_url": "https://a.cognitiveservices.azure.com"}),
    "compreface": (ComprefaceBackend, {"api_key": "k"}),
    "deepface": (DeepfaceBackend, {"model_name": "SFace"}),
    "deepvue": (DeepvueBackend, {"client_id": "client-1", "client_secret": "secret-1"}),
    "didit": (DiditBackend, {"api_key": "k"}),
    "baidu": (BaiduBackend, {"api_key": "bce-v3/k"}),
    "facepp": (FaceppBackend, {"api_key": "k", "api_secret": "s"}),
    "regula": (RegulaBackend, {}),
    "rekognition": (RekognitionBackend, {"region": "eu-west-1", **AWS_KEYS}),
    "tencent": (
        TencentBackend,
        {"secret_id": "i", "secret_key": "k", "region": "ap-singapore"},
    ),
}


def page(title):
    return f"<html><head><title>{title}</title></head></html>".encode()


def of_azure(status, message):
    """Azure API Management (Microsoft Learn, Error handling in policies, read 2026-11-28)."""
    return status, {"statusCode": status, "message": message}


def of_cloudflare(status, title):
    """Cloudflare, for clients that accept JSON (its changelog of 2026-03-12, read 2026-11-28)."""
    body = {"title": title, "status": status, "detail": f"{title}.", "cloudflare_error": True}
    return status, {**body, "retryable": True, "retry_after": 60}


QUOTAS = tuple(
    of_azure(403, f"Out of {kind} quota. Quota will be replenished in 22.14:18:12.")
    for kind in ("call volume", "bandwidth")
)
ANSWERS = (
    *QUOTAS,
    of_azure(401, "Access denied due to invalid subscription key."),
    of_azure(404, "Resource not found"),
    of_azure(429, "Rate limit is exceeded. Try again in 26 seconds."),
    of_azure(500, "Internal server error"),
    # AWS API Gateway (its types of gateway responses, read 2026-11-28).
    (401, {"message": "Unauthorized"}),
    *((403, {"message": text}) for text in ("Forbidden", "Missing Authentication Token")),
    *((429, {"message": text}) for text in ("Too Many Requests", "Limit Exceeded")),
    (500, {"message": "Internal server error"}),
    (503, {"message": "Service Unavailable"}),
    (504, {"message": "Endpoint request timed out"}),
    # nginx, and Cloudflare for other clients.
    *((status, page(status)) for status in (401, 403, 404, 429, 500, 502, 503, 504, 520)),
    of_cloudflare(403, "Error 1020: Access denied"),
    of_cloudflare(429, "Error 1015: You are being rate limited"),
    of_cloudflare(500, "Error 1101: Worker threw exception"),
    of_cloudflare(503, "Error 1102: Worker exceeded resource limits"),
    of_cloudflare(502, "Error 502: Bad gateway"),
    of_cloudflare(520, "Error 520: Web server is returning an unknown error"),
)
#: One answer of each kind, which each vendor gets in `make test`; azure, and CI, get all.
FEW = (
    QUOTAS[0],
    of_azure(401, "Access denied due to invalid subscription key."),
    of_azure(429, "Rate limit is exceeded. Try again in 26 seconds."),
    (403, {"message": "Forbidden"}),
    (504, {"message": "Endpoint request timed out"}),
    *((status, page(status)) for status in (404, 502, 520)),
    of_cloudflare(403, "Error 1020: Access denied"),
    of_cloudflare(503, "Error 1102: Worker exceeded resource limits"),
)
KINDS = {
    401: fm.AuthenticationFailed,
    403: fm.PermissionDenied,
    404: fm.RequestRejected,
    429: fm.RateLimited,
}


def expected(vendor, status, body):
    """The error's class, the charge, and whether a failover goes on."""
    if vendor == "azure" and (status, body) in QUOTAS:
        return fm.InsufficientCredit, fm.Charged.NO, True
    if status in KINDS:
        return KINDS[status], fm.Charged.NO, status == 429
    if vendor in ("compreface", "deepface"):
        return fm.VendorUnavailable, fm.Charged.NO, True
    return fm.OutcomeUnknown, fm.Charged.UNKNOWN, False


@pytest.fixture
def open_member(at_end):
    """Opens a verifier of a vendor whose gateway answers each call so."""

    def open_one(vendor, answer):
        kind, settings = BACKENDS[vendor]
        backend = kind(**settings)

        def reply(request):
            is_login = request.url.endswith("/authorize")
            token = {"access_token": "token-1", "token_type": "bearer", "expiry": 3600}
            return (200, token) if is_login else answer

        for prefix in ("https://", "http://"):
            backend.client.mount(prefix, ScriptedAdapter(reply))
        return at_end.enter_context(fm.FaceVerifier(backend))

    return open_one


def in_turn(vendor, answer):
    """As parameters; what only CI tries is slow."""
    is_quick = vendor == "azure" or answer in FEW
    return pytest.param(vendor, answer, marks=() if is_quick else pytest.mark.slow)


@pytest.mark.parametrize(
    ("vendor", "answer"),
    [*itertools.starmap(in_turn, itertools.product(BACKENDS, ANSWERS))],
    ids=lambda value: str(value)[:60],
)
def test_a_gateways_answer_has_its_error_charge_and_next_member(vendor, answer, open_member):
    kind, charged, goes_on = expected(vendor, *answer)
    member, spare = open_member(vendor, answer), FakeBackend()
    with pytest.raises(kind) as caught:
        member.verify(*PAIR)
    assert type(caught.value) is kind
    assert caught.value.billing.charged is charged
    assert caught.value.status_code == answer[0]
    failover = fm.Failover({"first": member, "spare": fm.FaceVerifier(spare)})
    if goes_on:
        assert failover.verify(*PAIR).route.answered_by == "spare"
    else:
        with pytest.raises(kind):
            failover.verify(*PAIR)
    assert len(spare.calls) == goes_on


@pytest.mark.parametrize("answered", [0, 1, 2])
def test_azures_used_up_month_goes_on_unless_a_step_was_charged(answered, at_end):
    """The three requests of a call are charged one by one."""
    with MockServer(vendor="azure") as mock, MockServer() as other:
        mock.control.set_limit("month", answered)
        azure = fm.open_verifier("azure", api_key=mock.live_key, base_url=mock.url)
        didit = fm.open_verifier("didit", api_key=other.live_key, base_url=other.url)
        with fm.Failover([azure, didit]) as failover:
            if answered:
                with pytest.raises(fm.InsufficientCredit) as caught:
                    failover.verify(*PAIR)
                assert caught.value.billing.charges == answered
            else:
                result = failover.verify(*PAIR)
                assert result.route.answered_by == "didit"
                (skipped,) = result.route.skipped
                assert (skipped.backend, skipped.reason) == ("azure", "InsufficientCredit")
        assert len(other.control.charges()) == (answered == 0)
