"""Requests, settings and the balance."""

import base64
from decimal import Decimal

import pytest
from kit.fakes import picture

import facematch_core as fm
from facematch_core.backend import ImageFormat, RateWindow
from facematch_core.testing import noise
from facematch_deepvue import RATES, DeepvueBackend, Plan

KEYS = {"client_id": "some-client", "client_secret": "some-secret"}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_match_is_two_files_with_the_reference_first(version, make_call):
    backend = DeepvueBackend(**KEYS, api_version=version)
    request = backend.build(make_call())
    assert request.url == f"https://production.deepvue.tech/{version}/facematch"
    assert (request.method, request.fields, request.json) == ("POST", {}, None)
    assert [(f.name, f.filename, f.content_type, f.data) for f in request.files] == [
        ("file_a", "file_a.jpg", "image/jpeg", picture((1, 2, 3)).data),
        ("file_b", "file_b.jpg", "image/jpeg", picture().data),
    ]


def test_liveness_check_is_json_of_v1(make_call):
    call = make_call(fm.Operation.LIVENESS)
    bare = DeepvueBackend(**KEYS, api_version="v2").build(call)
    assert bare.url == "https://production.deepvue.tech/v1/liveness-check"
    assert set(bare.json) == {"image"}
    assert base64.b64decode(bare.json["image"], validate=True) == call.probe.data
    uri = DeepvueBackend(**KEYS, liveness_image_form="data_uri").build(call)
    assert uri.json["image"] == f"data:image/jpeg;base64,{bare.json['image']}"


@pytest.mark.parametrize(("kind", "version"), [("WEBP", "v1"), ("TIFF", "v2")])
def test_other_formats_are_converted_or_refused(kind, version, open_backend, deepvue):
    backend = open_backend(api_version=version)
    fm.FaceVerifier(backend).verify(picture(kind=kind), picture((1, 2, 3), kind=kind))
    assert (
        deepvue.requests_to(f"/{version}/facematch")[0].body.count(b"Content-Type: image/jpeg") == 2
    )
    strict = fm.FaceVerifier(backend, fit_images=False)
    with pytest.raises(fm.InvalidImage):
        strict.verify(picture(kind=kind), picture((1, 2, 3)))


def test_max_file_bytes_limits_the_pictures(open_backend, deepvue):
    heavy = noise(1, (400, 300), ImageFormat.PNG)
    assert len(heavy.data) > 100_000
    backend = open_backend(max_file_bytes=100_000)
    with pytest.raises(fm.InvalidImage, match="max_file_bytes"):
        fm.FaceVerifier(backend, fit_images=False).verify(heavy, picture())
    assert deepvue.seen == []
    fm.FaceVerifier(backend).verify(heavy, picture())
    assert len(deepvue.requests_to("/v1/facematch")[0].body) < 105_000
    assert open_backend().capabilities.image_limits.max_bytes == 5 * 1024 * 1024


def test_unsupported_option_is_refused(open_backend, deepvue):
    with pytest.raises(fm.Unsupported) as caught:
        fm.FaceVerifier(open_backend()).verify(
            picture(), picture((1, 2, 3)), retention=fm.Retention.KEEP
        )
    assert caught.value.what == "retention"
    assert deepvue.seen == []


def test_rates_are_those_of_the_plan():
    published = {
        "starter": (1, 30, 1_000),
        "business": (2, 100, 10_000),
        "growth": (5, 500, 20_000),
        "enterprise": (17, 1_000, 50_000),
    }
    for plan, (second, minute, day) in published.items():
        assert DeepvueBackend(**KEYS, plan=plan).capabilities.rate_windows == (
            RateWindow(second, 1.0),
            RateWindow(minute, 60.0),
            RateWindow(day, 86_400.0),
        )
    assert set(RATES) == set(published)
    assert DeepvueBackend(**KEYS).capabilities.rate_windows == RATES[Plan.STARTER]


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"client_id": ""}, "DEEPVUE_CLIENT_ID"),
        ({"client_secret": ""}, "DEEPVUE_CLIENT_SECRET"),
        ({"base_url": "https://deepvue.example"}, "allow_base_url"),
        ({"environment": fm.Environment.LOCAL}, "environment"),
        ({"api_version": "v3"}, "api_version"),
        ({"confidence_scale": "percentage"}, "confidence_scale"),
        ({"liveness_score_scale": None}, "liveness_score_scale"),
        ({"plan": "free"}, "plan"),
        ({"max_file_bytes": 0}, "max_file_bytes"),
    ],
)
def test_invalid_setting_is_named(settings, word):
    with pytest.raises(fm.ConfigurationError, match=word):
        DeepvueBackend(**KEYS | settings)


WALLET = "/v1/internal/wallet-balance"


@pytest.mark.parametrize(
    ("value", "amount"), [(6448, "6448"), (0, "0"), (-3, "-3"), (12.5, "12.5"), ("99.90", "99.90")]
)
def test_balance_is_exact_and_needs_no_login(open_backend, deepvue, value, amount):
    deepvue.answers(WALLET, (200, {"current_balance": value, "success": True}))
    balance = open_backend().wallet_balance()
    assert balance.amount == Decimal(amount)
    assert balance.environment is None
    (request,) = deepvue.seen
    assert request.method == "GET"
    assert request.headers["x-api-key"] == "deepvue-secret-77f0c2"
    assert request.headers["client-id"] == deepvue.client_id
    assert "Authorization" not in request.headers
    declared = open_backend(environment="sandbox").wallet_balance()
    assert declared.environment is fm.Environment.SANDBOX


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"detail": "Invalid client_id"}, fm.AuthenticationFailed),
        (500, {"detail": "Internal Server Error"}, fm.VendorUnavailable),
        (502, b"<html>", fm.VendorUnavailable),
        (200, b"no json", fm.UnexpectedResponse),
        (200, {"success": True}, fm.UnexpectedResponse),
        (200, {"current_balance": True}, fm.UnexpectedResponse),
        (200, {"current_balance": "much"}, fm.UnexpectedResponse),
        (200, {"current_balance": 5, "success": False}, fm.UnexpectedResponse),
    ],
)
def test_failed_balance_is_free(open_backend, deepvue, status, body, kind):
    deepvue.answers(WALLET, (status, body))
    with pytest.raises(fm.VendorError) as caught:
        open_backend().wallet_balance()
    assert (type(caught.value), caught.value.billing.charged) == (kind, fm.Charged.NO)
    assert len(deepvue.seen) == 1


def test_mock_environment_does_not_ask_deepvue_for_a_balance():
    with pytest.raises(fm.EnvironmentMismatch):
        DeepvueBackend(**KEYS, environment="mock").wallet_balance()
