"""Settings of each backend, what it declares, and a failover that a wrong key ends."""

import contextlib
import enum
import traceback

import attrs
import httpx
import pydantic
import pydantic_settings
import pytest
from kit.vendors import AWS_KEYS, KEYLESS, PAID, settings_at

import facematch_core as fm
from facematch_azure import AzureBackend
from facematch_baidu import BaiduBackend
from facematch_compreface import ComprefaceBackend
from facematch_core.backend import ImageFormat
from facematch_deepface import DeepfaceBackend
from facematch_deepvue import DeepvueBackend
from facematch_didit import DiditBackend
from facematch_facepp import FaceppBackend
from facematch_mock_server import MockServer, make_card
from facematch_onfido import OnfidoBackend
from facematch_persona import PersonaBackend
from facematch_regula import RegulaBackend
from facematch_rekognition import RekognitionBackend
from facematch_sumsub import SumsubBackend
from facematch_tencent import TencentBackend
from facematch_veriff import VeriffBackend

AZURE = "https://contoso.cognitiveservices.azure.com"
AWS = "https://rekognition.eu-west-1.amazonaws.com"
DIDIT = "https://verification.didit.me"
BAIDU = "https://aip.baidubce.com"
FACEPP = "https://api-cn.faceplusplus.com"
ONFIDO = "https://api.us.onfido.com"
PERSONA = "https://api.withpersona.com"
TENCENT = "https://iai.intl.tencentcloudapi.com"
SUMSUB = "https://api.sumsub.com"
VERIFF = "https://stationapi.veriff.com"
GATEWAY = "https://gateway.example"
#: The settings that each backend needs.
NEEDED = {
    DiditBackend: {"api_key": "some-key"},
    DeepvueBackend: {"client_id": "some-client", "client_secret": "some-secret"},
    RekognitionBackend: {"region": "eu-west-1", **AWS_KEYS},
    ComprefaceBackend: {"api_key": "some-key"},
    FaceppBackend: {"api_key": "some-key", "api_secret": "some-secret"},
    BaiduBackend: {"api_key": "some-app", "secret_key": "some-secret"},
    TencentBackend: {"secret_id": "some-id", "secret_key": "some-key", "region": "ap-singapore"},
    VeriffBackend: {
        "api_key": "some-key",
        "shared_secret": "some-secret",
        "base_url": VERIFF,
        "solution": "document_selfie",
    },
    OnfidoBackend: {
        "api_token": "some-token",
        "workflow_id": "5025d9fd-7842-4805-bce1-a7bfd7131b4e",
        "face_output": "selfie",
    },
    SumsubBackend: {"app_token": "prd:some-token", "secret_key": "some-key"},
    PersonaBackend: {"api_key": "some-key", "template_id": "itmpl_Some"},
    RegulaBackend: {},
    DeepfaceBackend: {"model_name": "SFace"},
    AzureBackend: {"api_key": "some-key", "base_url": AZURE},
}


def open_backend(backend_class, **changes):
    return backend_class(**{**NEEDED[backend_class], **changes})


def message_of_refusal(backend_class, **changes):
    with pytest.raises(fm.ConfigurationError) as caught:
        open_backend(backend_class, **changes)
    return str(caught.value)


# Each setting of a vendor


@pytest.mark.parametrize("backend_class", NEEDED)
def test_keys_and_faces_go_to_no_other_host(backend_class):
    message = message_of_refusal(backend_class, base_url="https://faces.example")
    assert "set allow_base_url" in message


@pytest.mark.parametrize(
    "backend_class",
    [
        AzureBackend,
        DeepvueBackend,
        DiditBackend,
        OnfidoBackend,
        PersonaBackend,
        RekognitionBackend,
        SumsubBackend,
        VeriffBackend,
    ],
)
def test_environment_of_an_engine_on_this_machine_is_refused(backend_class):
    assert "not local" in message_of_refusal(backend_class, environment=fm.Environment.LOCAL)


@pytest.mark.parametrize(
    ("backend_class", "changes", "words"),
    [
        (DiditBackend, {"base_url": "http://mock:8080", "allow_base_url": True}, "allow_insecure"),
        (DiditBackend, {"webhook_secrets": "whsec\n"}, "webhook secret"),
        (DiditBackend, {"webhook_secrets": ("whsec", "")}, "webhook secret"),
        (DiditBackend, {"webhook_secrets": [fm.Secret("a b")]}, "webhook secret"),
        (DiditBackend, {"webhook_secrets": 7}, "webhook secret"),
        (DiditBackend, {"webhook_secrets": "'whsec'"}, "quotes"),
        (DeepvueBackend, {"api_version": "v3"}, "api_version"),
        (DeepvueBackend, {"confidence_scale": "percentage"}, "confidence_scale"),
        (DeepvueBackend, {"liveness_score_scale": None}, "liveness_score_scale"),
        (DeepvueBackend, {"plan": "free"}, "plan"),
        (DeepvueBackend, {"max_file_bytes": 0}, "max_file_bytes"),
        (RekognitionBackend, {"region": "eu-west-1.evil.example/"}, "region"),
        (RekognitionBackend, {"region": "Frankfurt"}, "region"),
        (
            RekognitionBackend,
            {
                "region": "cn-north-1",
                "base_url": "https://rekognition.cn-north-1.amazonaws.com.cn.eu",
            },
            "base_url",
        ),
        (RekognitionBackend, {"access_key_id": None}, "access_key_id"),
        (RekognitionBackend, {"secret_access_key": None}, "secret_access_key"),
        (RekognitionBackend, {"fips": "false"}, "fips"),
        (ComprefaceBackend, {"base_url": "http://faces.example:8000"}, "base_url"),
        (ComprefaceBackend, {"det_prob_threshold": 1.5}, "det_prob_threshold"),
        (ComprefaceBackend, {"plugins": "beard"}, "plugins"),
        (ComprefaceBackend, {"plugins": "mask, pose"}, "plugins"),
        # Only an API key needs no secret.
        (BaiduBackend, {"secret_key": None}, "BAIDU_SECRET_KEY"),
        (BaiduBackend, {"reference_type": "PASSPORT"}, "reference_type"),
        (FaceppBackend, {"error_rate": "1e-6"}, "error_rate"),
        (FaceppBackend, {"error_rate": 0.001}, "error_rate"),
        (VeriffBackend, {"webhook_secrets": ["'quoted'"]}, "webhook secret"),
        (VeriffBackend, {"solution": "document_only"}, "solution"),
        (VeriffBackend, {"base_url": "https://veriff.com.evil.example"}, "allow_base_url"),
        (TencentBackend, {"region": 1}, "region"),
        (TencentBackend, {"base_url": "https://cvm.tencentcloudapi.com"}, "allow_base_url"),
        (DeepfaceBackend, {"model_name": ""}, "model_name"),
        (DeepfaceBackend, {"distance_metric": "manhattan"}, "distance_metric"),
        (OnfidoBackend, {"api_token": None}, "ONFIDO_API_TOKEN"),
        (OnfidoBackend, {"api_token": None, "client_id": "some-client"}, "client_secret"),
        (OnfidoBackend, {"workflow_id": "my-workflow"}, "workflow_id"),
        (OnfidoBackend, {"region": "ap"}, "region"),
        (OnfidoBackend, {"webhook_secrets": "'token'"}, "quotes"),
        (SumsubBackend, {"webhook_algorithm": "sha256"}, "webhook_algorithm"),
        (SumsubBackend, {"webhook_secrets": "'secret'"}, "quotes"),
        (PersonaBackend, {"webhook_secrets": "'wbhsec_k'"}, "quotes"),
        (
            RegulaBackend,
            {"base_url": "http://10.0.0.5:41101", "allow_base_url": True},
            "allow_insecure",
        ),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(backend_class, changes, words):
    assert words in message_of_refusal(backend_class, **changes)


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
        value = getattr(open_backend(DeepvueBackend, **{setting: word}), attribute)
        assert isinstance(value, enum.StrEnum)
        assert value == word


VARIABLES = {
    DiditBackend: {
        "api_key": "DIDIT_API_KEY",
        "workflow_id": "DIDIT_WORKFLOW_ID",
        "webhook_secrets": "DIDIT_WEBHOOK_SECRET",
    },
    DeepvueBackend: {"client_id": "DEEPVUE_CLIENT_ID", "client_secret": "DEEPVUE_CLIENT_SECRET"},
    AzureBackend: {"api_key": "FACE_APIKEY", "base_url": "FACE_ENDPOINT"},
    RekognitionBackend: {"region": "AWS_REGION"},
    ComprefaceBackend: {"api_key": "COMPREFACE_API_KEY"},
    FaceppBackend: {"api_key": "FACEPP_API_KEY", "api_secret": "FACEPP_API_SECRET"},
    BaiduBackend: {"api_key": "BAIDU_API_KEY", "secret_key": "BAIDU_SECRET_KEY"},
    VeriffBackend: {
        "api_key": "VERIFF_API_KEY",
        "shared_secret": "VERIFF_SHARED_SECRET",
        "base_url": "VERIFF_BASE_URL",
    },
    TencentBackend: {
        "secret_id": "TENCENTCLOUD_SECRET_ID",
        "secret_key": "TENCENTCLOUD_SECRET_KEY",
        "region": "TENCENTCLOUD_REGION",
    },
    OnfidoBackend: {
        "api_token": "ONFIDO_API_TOKEN",
        "client_id": "ONFIDO_OAUTH_CLIENT_ID",
        "client_secret": "ONFIDO_OAUTH_CLIENT_SECRET",
        "workflow_id": "ONFIDO_WORKFLOW_ID",
        "webhook_secrets": "ONFIDO_WEBHOOK_TOKEN",
    },
    SumsubBackend: {
        "app_token": "SUMSUB_APP_TOKEN",
        "secret_key": "SUMSUB_SECRET_KEY",
        "level_name": "SUMSUB_LEVEL_NAME",
        "webhook_secrets": "SUMSUB_WEBHOOK_SECRET",
    },
    PersonaBackend: {
        "api_key": "PERSONA_API_KEY",
        "template_id": "PERSONA_TEMPLATE_ID",
        "webhook_secrets": "PERSONA_WEBHOOK_SECRET",
    },
    RegulaBackend: {},
    DeepfaceBackend: {"token": "DEEPFACE_AUTH_TOKEN"},
}


@pytest.mark.parametrize("backend_class", VARIABLES)
def test_environment_variables_are_the_documented_ones(backend_class):
    assert backend_class.environment_variables == VARIABLES[backend_class]


# Addresses

#: What people paste from a portal or a page -> the address that is used.
PASTED = [
    (AzureBackend, f"{AZURE}/", AZURE),
    (AzureBackend, f"{AZURE}/face/v1.0/", AZURE),
    (AzureBackend, f"{AZURE}/face/v1.2-preview.1/detect", AZURE),
    (AzureBackend, "http://127.0.0.1:8080/face/v1.2/", "http://127.0.0.1:8080"),
    (RekognitionBackend, f"{AWS}/", AWS),
    (ComprefaceBackend, "http://127.0.0.1:8000/api/v1/recognition", "http://127.0.0.1:8000"),
    (ComprefaceBackend, "https://faces.example/own/api/v1/", "https://faces.example/own"),
    (DiditBackend, f"{DIDIT}/v3/", DIDIT),
    (DiditBackend, f"{DIDIT}/v3/face-match/", DIDIT),
    (FaceppBackend, f"{FACEPP}/facepp/v3/compare", FACEPP),
    (BaiduBackend, f"{BAIDU}/rest/2.0/face/v3/match", BAIDU),
    (BaiduBackend, f"{BAIDU}/oauth/2.0/token", BAIDU),
    (TencentBackend, f"{TENCENT}/", TENCENT),
    (VeriffBackend, f"{VERIFF}/v1/sessions", VERIFF),
    (VeriffBackend, "https://api.veriff.me/v1", "https://api.veriff.me"),
    (DeepfaceBackend, "http://127.0.0.1:5005/verify", "http://127.0.0.1:5005"),
    (OnfidoBackend, f"{ONFIDO}/v3.6/workflow_runs", ONFIDO),
    (SumsubBackend, f"{SUMSUB}/resources/applicants", SUMSUB),
    (PersonaBackend, f"{PERSONA}/api/v1", PERSONA),
    (PersonaBackend, f"{PERSONA}/api/v1/inquiries", PERSONA),
    (RegulaBackend, "http://127.0.0.1:41101/api/match", "http://127.0.0.1:41101"),
    (DeepvueBackend, "https://production.deepvue.tech/v1", "https://production.deepvue.tech"),
    # The paths of a gateway are its own.
    (DiditBackend, f"{GATEWAY}/v3/didit/", f"{GATEWAY}/v3/didit"),
    (AzureBackend, f"{GATEWAY}/face/v1.2", f"{GATEWAY}/face/v1.2"),
]


@pytest.mark.parametrize(("backend_class", "pasted", "address"), PASTED)
@pytest.mark.parametrize("url_class", [str, pydantic.AnyHttpUrl, httpx.URL])
def test_pasted_address_is_used_without_the_paths_of_calls(
    backend_class, pasted, address, url_class
):
    opened = open_backend(backend_class, base_url=url_class(pasted), allow_base_url=True)
    assert opened.service_url == address


def test_address_is_taken_without_blanks():
    assert open_backend(DiditBackend, base_url=f" {DIDIT}\n").service_url == DIDIT


@pytest.mark.parametrize(
    ("backend_class", "pasted", "line"),
    [
        (AzureBackend, f"{AZURE}/vision/v3.2", f"write {AZURE}"),
        (AzureBackend, f"{AZURE}/face", f"write {AZURE}"),
        (RekognitionBackend, f"{AWS}/compare", f"write {AWS}"),
        (TencentBackend, f"{TENCENT}/v2", f"write {TENCENT}"),
        (DiditBackend, f"{DIDIT}/docs/", f"write {DIDIT}"),
        (DeepvueBackend, "https://production.deepvue.tech/api", "production.deepvue.tech"),
        (AzureBackend, f'"{AZURE}"', "quotes"),
        (AzureBackend, "contoso.cognitiveservices.azure.com", "https://host"),
    ],
)
def test_address_with_another_path_is_refused_with_the_line_to_write(backend_class, pasted, line):
    assert line in message_of_refusal(backend_class, base_url=pasted)


# Keys

#: Each key, by the backend that has it.
KEYS = [
    (DiditBackend, "api_key"),
    (DeepvueBackend, "client_id"),
    (DeepvueBackend, "client_secret"),
    (RekognitionBackend, "access_key_id"),
    (RekognitionBackend, "secret_access_key"),
    (RekognitionBackend, "session_token"),
    (ComprefaceBackend, "api_key"),
    (AzureBackend, "api_key"),
    (FaceppBackend, "api_key"),
    (FaceppBackend, "api_secret"),
    (BaiduBackend, "api_key"),
    (BaiduBackend, "secret_key"),
    (TencentBackend, "secret_id"),
    (TencentBackend, "secret_key"),
    (TencentBackend, "session_token"),
    (VeriffBackend, "api_key"),
    (VeriffBackend, "shared_secret"),
    (DeepfaceBackend, "token"),
    (OnfidoBackend, "api_token"),
    (OnfidoBackend, "client_secret"),
    (SumsubBackend, "app_token"),
    (SumsubBackend, "secret_key"),
    (PersonaBackend, "api_key"),
]
EACH_KEY = pytest.mark.parametrize(("backend_class", "name"), KEYS)
PASTED_KEY = "pasted-key-5b1e"


@EACH_KEY
def test_empty_key_is_refused_by_its_name(backend_class, name):
    message = message_of_refusal(backend_class, **{name: ""})
    assert f"{name} is empty" in message
    assert backend_class.environment_variables.get(name, "leave it out") in message


@EACH_KEY
@pytest.mark.parametrize(
    "value", [f" {PASTED_KEY}\r\n", pydantic.SecretStr(f"{PASTED_KEY}\n")], ids=repr
)
def test_key_is_taken_without_blanks_and_from_pydantic(backend_class, name, value):
    opened = open_backend(backend_class, **{name: value})
    assert getattr(opened, name) == fm.Secret(PASTED_KEY)


def test_secret_is_taken_without_blanks():
    opened = open_backend(DiditBackend, api_key=fm.Secret(f"{PASTED_KEY}\n"))
    assert opened.api_key == fm.Secret(PASTED_KEY)


@EACH_KEY
def test_key_with_more_than_the_key_is_refused_with_the_line_to_write(backend_class, name):
    pasted = f"Bearer {PASTED_KEY}"
    message = message_of_refusal(backend_class, **{name: pasted})
    assert f'{name}="KEY"' in message
    assert PASTED_KEY not in message
    if variable := backend_class.environment_variables.get(name):
        from_variable = fm.Secret(pasted, origin=f"${variable}")
        assert f"{variable}=KEY" in message_of_refusal(backend_class, **{name: from_variable})


@pytest.mark.parametrize(
    "form", ['"{}"', "'{}'", "`{}`", "Bearer {}", "bearer {}", "{0} {0}", "{0}\n{0}"]
)
def test_each_form_around_a_key_is_refused(form):
    message = message_of_refusal(DiditBackend, api_key=form.format(PASTED_KEY))
    assert 'api_key="KEY"' in message
    assert PASTED_KEY not in message


def test_refused_key_is_in_no_variable_of_the_check():
    with pytest.raises(fm.ConfigurationError) as caught:
        DiditBackend(api_key=f"Bearer {PASTED_KEY}")
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
    alone = open_backend(DiditBackend, webhook_secrets=secret)
    assert alone.webhook_secrets == (fm.Secret("whsec-1"),)
    listed = open_backend(DiditBackend, webhook_secrets=[secret, "whsec-2"])
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


@pytest.mark.parametrize("name", [name for name in PAID if name not in KEYLESS])
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


RATES = {"didit": {60: 300}, "deepvue": {1: 1, 60: 30, 86_400: 1_000}}


@pytest.mark.parametrize("name", PAID)
def test_declared_rates_are_those_the_vendor_publishes(open_at_mock, name):
    with open_at_mock(name) as verifier:
        windows = verifier.backend.capabilities.rate_windows
    assert {window.seconds: window.limit for window in windows} == RATES.get(name, {})
