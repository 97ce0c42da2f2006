"""Requests and settings: every field, and what is refused before anything is sent."""

import base64
import json

import pytest
from kit.fakes import picture

from facematch_core import (
    ConfigurationError,
    Environment,
    EnvironmentMismatch,
    FaceVerifier,
    ImageFormat,
    InvalidImage,
    Operation,
    Retention,
    Unsupported,
    open_verifier,
)
from facematch_core.backend import API_VERSION, RateWindow
from facematch_core.testing import noise
from facematch_deepvue import LIVENESS_SCALE, RATES, SCALES, ApiVersion, DeepvueBackend, Plan

KEYS = {"client_id": "some-client", "client_secret": "some-secret"}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_comparison(version, make_call):
    """Two files and nothing else; the reference first, with names that end as the content does."""
    backend = DeepvueBackend(**KEYS, api_version=version)
    request = backend.build(make_call())
    assert request.url == f"https://production.deepvue.tech/{version}/facematch"
    assert (request.method, request.fields, request.json) == ("POST", {}, None)
    assert [(f.name, f.filename, f.content_type, f.data) for f in request.files] == [
        ("file_a", "file_a.jpg", "image/jpeg", picture((1, 2, 3)).data),
        ("file_b", "file_b.jpg", "image/jpeg", picture().data),
    ]


def test_a_liveness_check(make_call):
    """JSON with the picture as base64, alone or as a data URI; always of version 1."""
    call = make_call(Operation.LIVENESS)
    bare = DeepvueBackend(**KEYS, api_version="v2").build(call)
    assert bare.url == "https://production.deepvue.tech/v1/liveness-check"
    assert set(bare.json) == {"image"}
    assert base64.b64decode(bare.json["image"], validate=True) == call.probe.data
    uri = DeepvueBackend(**KEYS, liveness_image_form="data_uri").build(call)
    assert uri.json["image"] == f"data:image/jpeg;base64,{bare.json['image']}"


def test_what_is_sent_over_http(open_backend, deepvue, make_call):
    """As the docs' sample should have it: real file parts, and the two headers."""
    backend = open_backend()
    backend.match(make_call())
    backend.check_liveness(make_call(Operation.LIVENESS))
    match, live = deepvue.seen[1:]
    assert match.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b'name="file_a"; filename="file_a.jpg"' in match.body
    assert live.headers["Content-Type"] == "application/json"
    assert base64.b64decode(json.loads(live.body)["image"]) == picture().data
    for request in (match, live):
        assert request.headers["Authorization"] == f"Bearer {deepvue.tokens[0]}"
        assert request.headers["x-api-key"] == "deepvue-secret-77f0c2"
        assert "deepvue" not in request.path_url


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_formats(kind, version, open_backend, deepvue):
    """What a version does not list is encoded anew, or refused if it may not be."""
    backend = open_backend(api_version=version)
    FaceVerifier(backend).verify(picture(kind=kind), picture((1, 2, 3), kind=kind))
    assert deepvue.asked(f"/{version}/facematch")[0].body.count(b"Content-Type: image/jpeg") == 2
    strict = FaceVerifier(backend, fit_images=False)
    with pytest.raises(InvalidImage, match="JPEG, PNG"):
        strict.verify(picture(kind=kind), picture((1, 2, 3)))


def test_the_largest_file_is_an_assumption(open_backend, deepvue):
    """It can be set; a refusal says whose number it is; by default a picture is shrunk to it."""
    heavy = noise(1, (400, 300), ImageFormat.PNG)
    assert len(heavy.data) > 100_000
    backend = open_backend(max_file_bytes=100_000)
    with pytest.raises(InvalidImage, match="max_file_bytes, an assumption"):
        FaceVerifier(backend, fit_images=False).verify(heavy, picture())
    assert deepvue.seen == []
    FaceVerifier(backend).verify(heavy, picture())
    assert len(deepvue.asked("/v1/facematch")[0].body) < 105_000
    assert open_backend().capabilities.image_limits.max_bytes == 5 * 1024 * 1024


@pytest.mark.parametrize("option", [{"rotate": True}, {"retention": Retention.KEEP}])
def test_options_that_cannot_be_passed_on(option, open_backend, deepvue):
    """Refused, not dropped; nothing is sent, not even a login."""
    with pytest.raises(Unsupported) as caught:
        FaceVerifier(open_backend()).verify(picture(), picture((1, 2, 3)), **option)
    assert [caught.value.what] == list(option)
    assert deepvue.seen == []


def test_what_is_declared_follows_the_settings():
    """Each backend has its own capabilities; those of the class are the default ones."""
    own = DeepvueBackend(**KEYS).capabilities
    assert own == DeepvueBackend.capabilities
    assert (own.score_scale, own.liveness_scale) == (SCALES[ApiVersion.V1], None)
    assert own.default_threshold is None
    every = DeepvueBackend(**KEYS, api_version="v2", liveness_score_scale="percent", plan="growth")
    assert every.capabilities.score_scale == "deepvue/v2"
    assert every.capabilities.liveness_scale == LIVENESS_SCALE
    unknown = DeepvueBackend(**KEYS, confidence_scale="unknown")
    assert unknown.capabilities.score_scale is None


def test_rates():
    """The plan's three windows; the slowest plan unless another is named."""
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


def test_the_version_of_the_interface_is_another_thing():
    """`api_version` is a setting, told as `version`; of a backend it is that of the interface."""
    backend = DeepvueBackend(**KEYS, api_version="v2")
    assert (backend.version, backend.api_version) == (ApiVersion.V2, API_VERSION)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"client_id": ""}, "DEEPVUE_CLIENT_ID"),
        ({"client_secret": ""}, "DEEPVUE_CLIENT_SECRET"),
        ({"base_url": "https://deepvue.example"}, "allow_base_url"),
        ({"base_url": "http://production.deepvue.tech"}, "allow_insecure"),
        ({"allow_base_url": "false"}, "allow_base_url"),
        ({"allow_insecure": 1}, "allow_insecure"),
        ({"environment": "staging"}, "environment"),
        ({"environment": Environment.LOCAL}, "environment"),
        ({"api_version": "v3"}, 'api_version must be one of "v1", "v2"'),
        ({"api_version": None}, "api_version"),
        ({"confidence_scale": "percentage"}, "confidence_scale"),
        ({"confidence_scale": 100}, "confidence_scale"),
        ({"confidence_meaning": None}, "confidence_meaning"),
        ({"liveness_score_scale": None}, "liveness_score_scale"),
        ({"liveness_image_form": "url"}, "liveness_image_form"),
        ({"plan": "free"}, "plan"),
        ({"max_file_bytes": 0}, "max_file_bytes"),
        ({"max_file_bytes": True}, "max_file_bytes"),
        ({"max_file_bytes": 1e6}, "max_file_bytes"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
        ({"connect_timeout_s": float("nan")}, "connect_timeout_s"),
    ],
)
def test_wrong_settings(settings, word):
    """Refused when the backend is made, with the name of what is wrong."""
    with pytest.raises(ConfigurationError, match=word):
        DeepvueBackend(**KEYS | settings)


def test_right_addresses(make_call):
    """Deepvue's two hosts and this machine need no permission, another host needs one."""
    for settings in (
        {"base_url": "https://pre-production.deepvue.tech"},
        {"base_url": "http://127.0.0.1:8080/"},
        {"base_url": "https://deepvue.example", "allow_base_url": True},
    ):
        url = settings["base_url"].rstrip("/")
        assert DeepvueBackend(**KEYS, **settings).build(make_call()).url == f"{url}/v1/facematch"


def test_from_a_configuration_file(tmp_path, monkeypatch):
    """Keys from the environment, words as text."""
    monkeypatch.setenv("DEEPVUE_CLIENT_ID", "id-of-env")
    monkeypatch.setenv("DEEPVUE_CLIENT_SECRET", "secret-of-env")
    file = tmp_path / "facematch.toml"
    file.write_text(
        '[profiles.shop]\nbackend = "deepvue"\nthreshold = 70\n'
        '[profiles.shop.settings]\napi_version = "v2"\nconfidence_scale = "percent"\n'
        'plan = "business"\nmax_file_bytes = 1000000\n'
    )
    with open_verifier(profile="shop", config=file) as verifier:
        backend = verifier.backend
    assert backend.client_id.reveal() == "id-of-env"
    assert (backend.version, backend.confidence_scale, backend.plan) == (
        "v2",
        "percent",
        "business",
    )
    file.write_text(file.read_text().replace('"v2"', '"v3"'))
    with pytest.raises(ConfigurationError, match="api_version"):
        open_verifier(profile="shop", config=file)


def test_set_to_mock_deepvue_itself_is_not_asked():
    """Its own host over the network is no mock."""
    backend = DeepvueBackend(**KEYS, environment="mock")
    with FaceVerifier(backend) as verifier, pytest.raises(EnvironmentMismatch):
        verifier.verify(picture(), picture((1, 2, 3)))
    with pytest.raises(EnvironmentMismatch, match="nothing was sent"):
        backend.wallet_balance()
