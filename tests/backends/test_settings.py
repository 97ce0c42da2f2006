"""Settings of each backend, what it declares, and a failover that a wrong key ends."""

import contextlib
import enum
import traceback

import attrs
import httpx
import pydantic
import pydantic_settings
import pytest
from kit.of_vendors import of_vendors, rows_of_vendors
from kit.vendors import (
    BUNDLED_VENDORS,
    KEYLESS,
    NEEDED,
    PAID,
    WITH_WEBHOOKS,
    open_backend,
    settings_at,
)

import facematch_core as fm
from facematch_core.backend import ImageFormat
from facematch_core.config.plugins import backend_class
from facematch_mock_server import MockServer, make_card

AZURE = "https://contoso.cognitiveservices.azure.com"
AWS = "https://rekognition.eu-west-1.amazonaws.com"
DIDIT = "https://verification.didit.me"
BAIDU = "https://aip.baidubce.com"
ONFIDO = "https://api.us.onfido.com"
PERSONA = "https://api.withpersona.com"
TENCENT = "https://iai.intl.tencentcloudapi.com"
SUMSUB = "https://api.sumsub.com"
STRIPE = "https://api.stripe.com"
#: The vendors with sessions.
WITH_SESSIONS = [name for name in BUNDLED_VENDORS if backend_class(name).session_capabilities]
GATEWAY = "https://gateway.example"


def message_of_refusal(vendor, **changes):
    with pytest.raises(fm.ConfigurationError) as caught:
        open_backend(vendor, **changes)
    return str(caught.value)


# Each setting of a vendor


def test_each_bundled_vendor_has_its_settings_and_keys_here():
    assert set(NEEDED) == set(BUNDLED_VENDORS)
    assert {vendor for vendor, _ in KEYS} == set(BUNDLED_VENDORS) - set(KEYLESS)
    matching = set()
    for vendor in BUNDLED_VENDORS:
        if fm.Operation.MATCH in open_backend(vendor).capabilities.operations:
            matching.add(vendor)
    assert set(PAID) == matching


@pytest.mark.parametrize("vendor", NEEDED)
def test_keys_and_faces_go_to_no_other_host(vendor):
    message = message_of_refusal(vendor, base_url="https://faces.example")
    assert "set allow_base_url" in message


@pytest.mark.parametrize(
    "vendor",
    ["deepvue", *WITH_SESSIONS],
)
def test_environment_of_an_engine_on_this_machine_is_refused(vendor):
    assert "not local" in message_of_refusal(vendor, environment=fm.Environment.LOCAL)


@pytest.mark.parametrize(
    ("vendor", "changes", "words"),
    [
        *rows_of_vendors("WRONG_SETTINGS"),
        ("didit", {"base_url": "http://mock:8080", "allow_base_url": True}, "allow_insecure"),
        ("deepvue", {"api_version": "v3"}, "api_version"),
        ("deepvue", {"confidence_scale": "percentage"}, "confidence_scale"),
        ("deepvue", {"liveness_score_scale": None}, "liveness_score_scale"),
        ("deepvue", {"plan": "free"}, "plan"),
        ("deepvue", {"max_file_bytes": 0}, "max_file_bytes"),
        ("rekognition", {"region": "eu-west-1.evil.example/"}, "region"),
        ("rekognition", {"region": "Frankfurt"}, "region"),
        (
            "rekognition",
            {
                "region": "cn-north-1",
                "base_url": "https://rekognition.cn-north-1.amazonaws.com.cn.eu",
            },
            "base_url",
        ),
        ("rekognition", {"access_key_id": None}, "access_key_id"),
        ("rekognition", {"secret_access_key": None}, "secret_access_key"),
        ("rekognition", {"fips": "false"}, "fips"),
        ("compreface", {"base_url": "http://faces.example:8000"}, "base_url"),
        ("compreface", {"det_prob_threshold": 1.5}, "det_prob_threshold"),
        ("compreface", {"plugins": "beard"}, "plugins"),
        ("compreface", {"plugins": "mask, pose"}, "plugins"),
        # Only an API key of IAM needs no secret.
        ("baidu", {"api_key": "some-app", "secret_key": None}, "BAIDU_SECRET_KEY"),
        ("baidu", {"reference_type": "PASSPORT"}, "reference_type"),
        ("alibaba", {"error_rate": "1e-6"}, "error_rate"),
        ("alibaba", {"quality_threshold": 101}, "quality_threshold"),
        ("alibaba", {"quality_threshold": -1}, "quality_threshold"),
        ("alibaba", {"base_url": "https://ocr.cn-shanghai.aliyuncs.com"}, "allow_base_url"),
        ("tencent", {"region": 1}, "region"),
        ("tencent", {"base_url": "https://cvm.tencentcloudapi.com"}, "allow_base_url"),
        ("deepface", {"model_name": ""}, "model_name"),
        ("deepface", {"distance_metric": "manhattan"}, "distance_metric"),
        ("onfido", {"api_token": None}, "ONFIDO_API_TOKEN"),
        ("onfido", {"api_token": None, "client_id": "some-client"}, "client_secret"),
        ("onfido", {"workflow_id": "my-workflow"}, "workflow_id"),
        ("onfido", {"region": "ap"}, "region"),
        ("sumsub", {"webhook_algorithm": "sha256"}, "webhook_algorithm"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(vendor, changes, words):
    assert words in message_of_refusal(vendor, **changes)


@pytest.mark.parametrize("vendor", WITH_WEBHOOKS)
@pytest.mark.parametrize(
    "secrets",
    [
        "'whsec'",
        "whsec\n",
        ("whsec", ""),
        [fm.Secret("a b")],
        "new,old",
        b"whsec",
        {"new": "whsec"},
        7,
    ],
    ids=repr,
)
def test_wrong_webhook_secret_is_refused(vendor, secrets):
    assert "webhook secret" in message_of_refusal(vendor, webhook_secrets=secrets)


@pytest.mark.parametrize("vendor", ["didit", "onfido", "persona", "stripe", "sumsub"])
def test_webhook_without_a_secret_names_the_variable_to_set(vendor):
    backend = open_backend(vendor)
    variable = backend.environment_variables["webhook_secrets"]
    checks = backend.session_capabilities.checks
    sessions = fm.Sessions(fm.FaceVerifier(backend), expects=checks, compared_with="document")
    with sessions, pytest.raises(fm.ConfigurationError, match=variable):
        sessions.receive(b"{}", {})


DEEPVUE_WORDS = [
    ("api_version", "version", ["v1", "v2"]),
    ("confidence_scale", "confidence_scale", ["percent", "fraction", "unknown"]),
    ("confidence_meaning", "confidence_meaning", ["similarity", "decision", "unknown"]),
    ("liveness_score_scale", "liveness_score_scale", ["percent", "fraction", "unknown"]),
    ("liveness_image_form", "liveness_image_form", ["base64", "data_uri"]),
    ("plan", "plan", ["starter", "business", "growth", "enterprise"]),
]


@pytest.mark.parametrize(("setting", "attribute", "words"), DEEPVUE_WORDS)
def test_deepvue_settings_accept_their_documented_values(setting, attribute, words):
    for word in words:
        value = getattr(open_backend("deepvue", **{setting: word}), attribute)
        assert isinstance(value, enum.StrEnum)
        assert value == word


VARIABLES = {
    **of_vendors("VARIABLES"),
    "alibaba": [
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "ALIBABA_CLOUD_SECURITY_TOKEN",
    ],
    "azure": ["FACE_APIKEY", "FACE_ENDPOINT"],
    "baidu": ["BAIDU_API_KEY", "BAIDU_SECRET_KEY"],
    "compreface": ["COMPREFACE_API_KEY"],
    "deepface": ["DEEPFACE_AUTH_TOKEN"],
    "deepvue": ["DEEPVUE_CLIENT_ID", "DEEPVUE_CLIENT_SECRET"],
    "didit": ["DIDIT_API_KEY", "DIDIT_WORKFLOW_ID", "DIDIT_WEBHOOK_SECRET"],
    "onfido": [
        "ONFIDO_API_TOKEN",
        "ONFIDO_OAUTH_CLIENT_ID",
        "ONFIDO_OAUTH_CLIENT_SECRET",
        "ONFIDO_WORKFLOW_ID",
        "ONFIDO_WEBHOOK_TOKEN",
    ],
    "persona": ["PERSONA_API_KEY", "PERSONA_TEMPLATE_ID", "PERSONA_WEBHOOK_SECRET"],
    "regula": [],
    "rekognition": ["AWS_REGION"],
    "stripe": ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"],
    "sumsub": [
        "SUMSUB_APP_TOKEN",
        "SUMSUB_SECRET_KEY",
        "SUMSUB_LEVEL_NAME",
        "SUMSUB_WEBHOOK_SECRET",
    ],
    "tencent": ["TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_REGION"],
}


@pytest.mark.parametrize("vendor", BUNDLED_VENDORS)
def test_environment_variables_are_the_documented_ones(vendor):
    assert list(open_backend(vendor).environment_variables.values()) == VARIABLES[vendor]


# Addresses

#: What people paste from a portal or a page -> the address that is used.
PASTED = [
    *rows_of_vendors("PASTED"),
    ("azure", f"{AZURE}/", AZURE),
    ("azure", f"{AZURE}/face/v1.2-preview.1/detect", AZURE),
    ("azure", f"{AZURE}/face", AZURE),
    ("azure", f"{AZURE}/face/", AZURE),
    ("azure", "http://127.0.0.1:8080/face/v1.2/", "http://127.0.0.1:8080"),
    ("compreface", "http://127.0.0.1:8000/api/v1/recognition", "http://127.0.0.1:8000"),
    ("compreface", "https://faces.example/own/api/v1/", "https://faces.example/own"),
    ("didit", f"{DIDIT}/v3/face-match/", DIDIT),
    ("baidu", f"{BAIDU}/rest/2.0/face/v3/match", BAIDU),
    ("deepface", "http://127.0.0.1:5005/verify", "http://127.0.0.1:5005"),
    ("onfido", f"{ONFIDO}/v3.6/workflow_runs", ONFIDO),
    ("sumsub", f"{SUMSUB}/resources/applicants", SUMSUB),
    ("persona", f"{PERSONA}/api/v1/inquiries", PERSONA),
    ("stripe", f"{STRIPE}/v1/identity", STRIPE),
    ("regula", "http://127.0.0.1:41101/api/match", "http://127.0.0.1:41101"),
    ("deepvue", "https://production.deepvue.tech/v1", "https://production.deepvue.tech"),
    # The paths of a gateway are its own.
    ("didit", f"{GATEWAY}/v3/didit/", f"{GATEWAY}/v3/didit"),
    ("azure", f"{GATEWAY}/face/v1.2", f"{GATEWAY}/face/v1.2"),
]


@pytest.mark.parametrize(("vendor", "pasted", "address"), PASTED)
@pytest.mark.parametrize("url_class", [str, pydantic.AnyHttpUrl, httpx.URL])
def test_pasted_address_is_used_without_the_paths_of_calls(vendor, pasted, address, url_class):
    opened = open_backend(vendor, base_url=url_class(pasted), allow_base_url=True)
    assert opened.service_url == address


def test_address_is_taken_without_blanks():
    assert open_backend("didit", base_url=f" {DIDIT}\n").service_url == DIDIT


@pytest.mark.parametrize(
    ("vendor", "pasted", "line"),
    [
        ("azure", f"{AZURE}/vision/v3.2", f"write {AZURE}"),
        ("rekognition", f"{AWS}/compare", f"write {AWS}"),
        ("didit", f"{DIDIT}/docs/", f"write {DIDIT}"),
        ("deepvue", "https://production.deepvue.tech/api", "production.deepvue.tech"),
        ("azure", f'"{AZURE}"', "quotes"),
        ("azure", "contoso.cognitiveservices.azure.com", "https://host"),
    ],
)
def test_address_with_another_path_is_refused_with_the_line_to_write(vendor, pasted, line):
    assert line in message_of_refusal(vendor, base_url=pasted)


# Keys

#: Each key, by the backend that has it.
KEYS = [
    *rows_of_vendors("SECRET_SETTINGS"),
    ("didit", "api_key"),
    ("deepvue", "client_id"),
    ("deepvue", "client_secret"),
    ("rekognition", "access_key_id"),
    ("rekognition", "secret_access_key"),
    ("rekognition", "session_token"),
    ("compreface", "api_key"),
    ("azure", "api_key"),
    ("alibaba", "access_key_id"),
    ("alibaba", "access_key_secret"),
    ("alibaba", "security_token"),
    ("baidu", "api_key"),
    ("baidu", "secret_key"),
    ("tencent", "secret_id"),
    ("tencent", "secret_key"),
    ("tencent", "session_token"),
    ("deepface", "token"),
    ("onfido", "api_token"),
    ("onfido", "client_secret"),
    ("sumsub", "app_token"),
    ("sumsub", "secret_key"),
    ("stripe", "api_key"),
    ("persona", "api_key"),
]
EACH_KEY = pytest.mark.parametrize(("vendor", "name"), KEYS)
PASTED_KEY = "pasted-key-5b1e"


@EACH_KEY
def test_empty_key_is_refused_by_its_name(vendor, name):
    message = message_of_refusal(vendor, **{name: ""})
    assert f"{name} is empty" in message
    assert open_backend(vendor).environment_variables.get(name, "leave it out") in message


@EACH_KEY
@pytest.mark.parametrize(
    "value", [f" {PASTED_KEY}\r\n", pydantic.SecretStr(f"{PASTED_KEY}\n")], ids=repr
)
def test_key_is_taken_without_blanks_and_from_pydantic(vendor, name, value):
    opened = open_backend(vendor, **{name: value})
    assert getattr(opened, name) == fm.Secret(PASTED_KEY)


def test_secret_is_taken_without_blanks():
    opened = open_backend("didit", api_key=fm.Secret(f"{PASTED_KEY}\n"))
    assert opened.api_key == fm.Secret(PASTED_KEY)


@EACH_KEY
def test_key_with_more_than_the_key_is_refused_with_the_line_to_write(vendor, name):
    pasted = f"Bearer {PASTED_KEY}"
    message = message_of_refusal(vendor, **{name: pasted})
    assert f'{name}="KEY"' in message
    assert PASTED_KEY not in message
    variable = open_backend(vendor).environment_variables.get(name)
    if variable is not None:
        from_variable = fm.Secret(pasted, origin=f"${variable}")
        assert f"{variable}=KEY" in message_of_refusal(vendor, **{name: from_variable})


@pytest.mark.parametrize(
    "form", ['"{}"', "'{}'", "`{}`", "Bearer {}", "bearer {}", "{0} {0}", "{0}\n{0}"]
)
def test_each_form_around_a_key_is_refused(form):
    message = message_of_refusal("didit", api_key=form.format(PASTED_KEY))
    assert 'api_key="KEY"' in message
    assert PASTED_KEY not in message


def test_refused_key_is_in_no_variable_of_the_check():
    with pytest.raises(fm.ConfigurationError) as caught:
        open_backend("didit", api_key=f"Bearer {PASTED_KEY}")
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    checks = [frame for frame in frames if frame.f_code.co_filename.endswith("backend/base.py")]
    assert checks
    assert not any(PASTED_KEY in repr(frame.f_locals) for frame in checks)


def test_settings_of_pydantic_open_a_verifier(monkeypatch):
    class Settings(pydantic_settings.BaseSettings):
        didit_api_key: pydantic.SecretStr
        didit_url: pydantic.AnyHttpUrl

    monkeypatch.setenv("DIDIT_API_KEY", PASTED_KEY)
    monkeypatch.setenv("DIDIT_URL", DIDIT)
    settings = Settings()
    with fm.open_verifier(
        "didit", api_key=settings.didit_api_key, base_url=settings.didit_url
    ) as verifier:
        assert verifier.backend.service_url == DIDIT
        assert verifier.backend.api_key == fm.Secret(PASTED_KEY)


def test_webhook_secret_may_be_one_of_pydantic():
    secret = pydantic.SecretStr("whsec-1")
    alone = open_backend("didit", webhook_secrets=secret)
    assert alone.webhook_secrets == (fm.Secret("whsec-1"),)
    listed = open_backend("didit", webhook_secrets=[secret, "whsec-2"])
    assert listed.webhook_secrets == (fm.Secret("whsec-1"), fm.Secret("whsec-2"))


# At the mock of all paid vendors

P1 = make_card("p1")
P1_AGAIN = make_card("p1", quality=60)


@pytest.fixture
def mock():
    with MockServer(vendor=list(PAID)) as server:
        yield server


@pytest.fixture
def open_at_mock(mock):
    def open_at_mock(name):
        settings = settings_at(mock, name)
        if name == "deepvue":
            settings["confidence_scale"] = "percent"
        return fm.open_verifier(name, **settings)

    return open_at_mock


@pytest.mark.parametrize("name", PAID)
def test_declared_formats_are_those_the_vendor_accepts(open_at_mock, monkeypatch, name):
    with open_at_mock(name) as verifier:
        backend_class = type(verifier.backend)
    declared = backend_class.capabilities
    tried = {ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP}
    accepted = set()
    for image_format in tried:
        limits = attrs.evolve(declared.image_limits, formats={image_format})
        one_format = attrs.evolve(declared, image_limits=limits)
        monkeypatch.setattr(backend_class, "capabilities", one_format)
        with open_at_mock(name) as verifier, contextlib.suppress(fm.FaceMatchError):
            if verifier.verify(P1, P1_AGAIN).is_match:
                accepted.add(image_format)
    assert accepted == declared.image_limits.formats & tried


# A server of DeepFace has no token unless its owner sets one.
@pytest.mark.parametrize("name", sorted({*PAID} - {*KEYLESS, "deepface"}))
def test_wrong_key_ends_a_failover_with_a_warning(mock, open_at_mock, name, caplog):
    mock.of(name).control.revoke_key(mock.of(name).live_key)
    others = [other for other in PAID if other != name]
    members = [open_at_mock(member) for member in [name, *others]]
    with fm.Failover(members) as failover, pytest.raises(fm.AuthenticationFailed) as caught:
        failover.verify(P1, P1_AGAIN)
    assert caught.value.backend == name
    assert caught.value.billing.charged is fm.Charged.NO
    (record,) = (record for record in caplog.records if record.name == "facematch")
    assert record.levelname == "WARNING"
    assert name in record.getMessage()
    for vendor in PAID:
        assert not mock.of(vendor).control.charges()


#: Calls by the seconds in which they may be made; Deepvue's are of its lowest plan.
RATES = {
    "deepvue": {1: 1, 60: 30, 86_400: 1_000},
    "didit": {60: 300},
    "onfido": {60: 200},
    "persona": {60: 150},
    "stripe": {1: 25},
    # A start sends three requests, and Sumsub takes 50 in 5 seconds.
    "sumsub": {5: 16},
}


@pytest.mark.parametrize("vendor", NEEDED)
def test_declared_rates_are_those_the_vendor_publishes(vendor):
    windows = open_backend(vendor).capabilities.rate_windows
    assert {window.seconds: window.limit for window in windows} == RATES.get(vendor, {})
