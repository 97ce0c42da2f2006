"""What mocks have in common: charges, ids, the words of faults, and a journal without secrets."""

import base64
from decimal import Decimal

import attrs
import pytest
from kit.mock_world import ask, handle_with_fault, new_engine, scene
from kit.of_vendors import of_vendors, rows_of_vendors
from vendors import (
    alibaba,
    azure,
    baidu,
    compreface,
    deepface,
    deepvue,
    onfido,
    persona,
    regula,
    rekognition,
    stripe,
    sumsub,
    tencent,
)

from facematch_mock_server import Fault
from facematch_mock_server.base.messages import Request
from facematch_mock_server.vendors import vendor_names
from facematch_mock_server.vendors.pairs import PairVendor

#: Of each vendor, a comparison that is answered with a score, or a function that makes one.
COMPARISONS = {
    **of_vendors("COMPARISON"),
    # Each request has a nonce of its own.
    "alibaba": lambda engine: engine.handle(alibaba.compare_request()),
    "baidu": baidu.match(),
    "regula": regula.match_request(),
    "tencent": tencent.compare_request(),
}
LIVENESS_CHECKS = {
    "alibaba": alibaba.liveness_request(),
    "baidu": baidu.faceverify(),
    "tencent": tencent.liveness_request(),
}
#: The status of a refusal for want of credit, and what it says.
NO_CREDIT = {
    **of_vendors("NO_CREDIT"),
    "alibaba": (400, "InvalidApi.ForbiddenInvoke"),
    "baidu": (200, '"error_code":17,'),
    "regula": (403, '"code":200'),
    "tencent": (200, "ResourceUnavailable.InArrears"),
}


@pytest.fixture
def engine(vendor):
    """A mock of the vendor that a test is run for."""
    switches = {"price": "0.01"} if vendor in COMPARISONS else None
    return new_engine(vendor=vendor, switches=switches)


def test_each_vendor_of_one_request_has_a_comparison():
    pair_vendors = set()
    for name in vendor_names():
        if isinstance(new_engine(vendor=name).world.behaviour, PairVendor):
            pair_vendors.add(name)
    # DeepFace's own server charges nobody, and its backend sends three requests.
    assert set(COMPARISONS) == pair_vendors - {"deepface"}


@pytest.mark.parametrize("vendor", COMPARISONS)
def test_each_answer_with_a_score_is_one_charge_until_there_is_no_credit(engine, control, vendor):
    control.set_balance("0.02")
    ask(engine, COMPARISONS[vendor])
    ask(engine, LIVENESS_CHECKS.get(vendor, COMPARISONS[vendor]))
    assert [charge.amount for charge in control.charges()] == [Decimal("0.01")] * 2
    refusal = ask(engine, COMPARISONS[vendor])
    status, text = NO_CREDIT[vendor]
    assert refusal.status == status
    assert text in refusal.body.decode()
    assert len(control.charges()) == 2


@pytest.mark.parametrize(("vendor", "name"), [*rows_of_vendors("ID_NAME"), ("baidu", "log_id")])
def test_each_answer_has_an_id_of_its_own(engine, vendor, name):
    first, second = (engine.handle(COMPARISONS[vendor]).json() for _ in range(2))
    assert first[name] != second[name]


@attrs.frozen
class Words:
    """A request, and what the answer says if a test asks for a status in its place."""

    request: Request
    by_status: dict


#: The vendors whose tests of their own check the words.
WORDS_ELSEWHERE = {"didit", "tencent"}
WORDS = {
    **{name: Words(*row) for name, row in of_vendors("WORDS_OF_FAULTS").items()},
    "alibaba": Words(alibaba.compare_request(), {500: '"Code":"InternalError"'}),
    "azure": Words(
        azure.detect_request(),
        {
            400: "BadArgument",
            401: "Access denied due to invalid subscription key",
            403: "UnsupportedFeature",
            404: "FaceNotFound",
            429: "Rate limit is exceeded.",
            500: "Service unavailable.",
            503: "Service unavailable.",
        },
    ),
    "baidu": Words(baidu.match(), {500: '"error_code":282000'}),
    "compreface": Words(
        compreface.verification_request(),
        {400: '"code":0', 404: '"code":10', 500: '"code":41', 503: '"code":41'},
    ),
    "deepface": Words(
        deepface.verify_request(),
        {
            400: "'img1' not found",
            401: "Invalid or missing authentication token",
            405: "405 Method Not Allowed",
            500: "Traceback",
        },
    ),
    "deepvue": Words(
        deepvue.deepvue_match(),
        {
            400: "Bad Request",
            401: "Could not validate credentials",
            402: "Payment Required",
            403: "Not a valid token",
            404: "Not Found",
            405: "Method Not Allowed",
            429: "Rate limit exceeded. Please retry after some time.",
            500: "Internal Server Error",
            503: "Source Unavailable",
        },
    ),
    "onfido": Words(
        onfido.ask(onfido.APPLICANTS),
        {
            401: "authorization_error",
            403: "authorization_error",
            404: "resource_not_found",
            410: "applicant_deleted",
            422: "validation_error",
            429: "rate_limit",
        },
    ),
    "persona": Words(
        persona.persona_request(),
        {
            401: "Token is invalid",
            403: "Forbidden",
            404: "Record not found",
            409: "Conflict",
            429: "Rate limit exceeded",
        },
    ),
    "regula": Words(
        regula.match_request(), {400: '"code":203', 403: '"code":200', 500: '"code":7'}
    ),
    "rekognition": Words(
        rekognition.signed_compare(),
        {
            400: "InvalidImageFormatException",
            404: "UnknownOperationException",
            500: "InternalServerError",
        },
    ),
    "stripe": Words(
        stripe.starting(),
        {
            400: "invalid_request_error",
            401: "Invalid API key",
            403: "invalid_request_error",
            404: "resource_missing",
            409: "idempotency_key_in_use",
            429: "rate_limit",
            500: "api_error",
        },
    ),
    "sumsub": Words(
        sumsub.create(),
        {
            401: "Request signature mismatch",
            403: "The app token does not have this permission.",
            404: "Applicant not found",
            429: "Too many requests.",
        },
    ),
}


@pytest.mark.parametrize("vendor", sorted(set(vendor_names()) - WORDS_ELSEWHERE))
def test_fault_with_a_status_has_the_vendors_own_words_and_is_free(engine, control, vendor):
    for status, words in WORDS[vendor].by_status.items():
        fault = Fault(stage="answer", kind="status", status=status)
        answer = handle_with_fault(engine, fault, WORDS[vendor].request)
        assert answer.status == status
        assert words in answer.body.decode()
    assert control.charges() == ()


ENCODED = base64.b64encode(scene()).decode()


@pytest.mark.parametrize(
    ("vendor", "request_", "secret"),
    [
        *rows_of_vendors("HIDDEN"),
        ("alibaba", alibaba.compare_request(), alibaba.KEY_SECRET),
        ("baidu", baidu.match(), baidu.API_KEY),
        ("tencent", tencent.compare_request(), tencent.SECRET_KEY),
    ],
)
def test_journal_shows_neither_keys_nor_pictures(engine, control, request_, secret):
    engine.handle(request_)
    (entry,) = control.journal()
    shown = str(entry.to_dict())
    assert secret not in shown
    assert scene().decode() not in shown
    assert ENCODED not in shown
