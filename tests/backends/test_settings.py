"""Settings of each backend, what it declares, and a failover that a wrong key ends."""

import contextlib
import enum
import re
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

VERIFF = "https://stationapi.veriff.com"
GOOD = {
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
}
CHINA = "rekognition.cn-north-1.amazonaws.com"
WRONG = {
    DiditBackend: [
        ({"api_key": ""}, "DIDIT_API_KEY"),
        ({"base_url": "https://didit.example"}, "allow_base_url"),
        ({"base_url": "http://mock:8080", "allow_base_url": True}, "allow_insecure"),
        ({"environment": fm.Environment.LOCAL}, "environment"),
        ({"webhook_secrets": "whsec\n"}, "webhook secret"),
        ({"webhook_secrets": ("whsec", "")}, "webhook secret"),
        ({"webhook_secrets": [fm.Secret("a b")]}, "webhook secret"),
        ({"webhook_secrets": 7}, "webhook secret"),
        ({"webhook_secrets": "'whsec'"}, "quotes"),
    ],
    DeepvueBackend: [
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
    RekognitionBackend: [
        ({"region": "eu-west-1.evil.example/"}, "region"),
        ({"region": "Frankfurt"}, "region"),
        ({"region": "cn-north-1", "base_url": f"https://{CHINA}.eu"}, "base_url"),
        ({"base_url": "https://rekognition.example"}, "base_url"),
        ({"access_key_id": None}, "access_key_id"),
        ({"secret_access_key": None}, "secret_access_key"),
        ({"access_key_id": ""}, "access_key_id"),
        ({"fips": "false"}, "fips"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
    ],
    ComprefaceBackend: [
        ({"api_key": ""}, "COMPREFACE_API_KEY"),
        ({"base_url": "http://faces.example:8000"}, "base_url"),
        ({"det_prob_threshold": 1.5}, "det_prob_threshold"),
        ({"plugins": "beard"}, "plugins"),
        ({"plugins": "mask, pose"}, "plugins"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
    ],
    BaiduBackend: [
        ({"api_key": ""}, "BAIDU_API_KEY"),
        ({"secret_key": ""}, "BAIDU_SECRET_KEY"),
        # Only an API key needs no secret.
        ({"secret_key": None}, "BAIDU_SECRET_KEY"),
        ({"base_url": "https://aip.baidubce.example"}, "allow_base_url"),
        ({"reference_type": "PASSPORT"}, "reference_type"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
    ],
    FaceppBackend: [
        ({"api_key": ""}, "FACEPP_API_KEY"),
        ({"api_secret": ""}, "FACEPP_API_SECRET"),
        ({"base_url": "https://api.faceplusplus.example"}, "allow_base_url"),
        ({"error_rate": "1e-6"}, "error_rate"),
        ({"error_rate": 0.001}, "error_rate"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
    ],
    VeriffBackend: [
        ({"api_key": ""}, "VERIFF_API_KEY"),
        ({"shared_secret": ""}, "VERIFF_SHARED_SECRET"),
        ({"webhook_secrets": ["'quoted'"]}, "webhook secret"),
        ({"environment": "local"}, "environment"),
        ({"solution": "document_only"}, "solution"),
        ({"base_url": "https://veriff.example"}, "allow_base_url"),
        ({"base_url": "https://veriff.com.evil.example"}, "allow_base_url"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
    ],
    TencentBackend: [
        ({"secret_id": ""}, "TENCENTCLOUD_SECRET_ID"),
        ({"secret_key": ""}, "TENCENTCLOUD_SECRET_KEY"),
        ({"session_token": ""}, "session_token"),
        ({"region": 1}, "region"),
        ({"base_url": "https://iai.tencentcloudapi.example"}, "allow_base_url"),
        ({"base_url": "https://cvm.tencentcloudapi.com"}, "allow_base_url"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
    ],
    DeepfaceBackend: [
        ({"model_name": ""}, "model_name"),
        ({"token": ""}, "DEEPFACE_AUTH_TOKEN"),
        ({"distance_metric": "manhattan"}, "distance_metric"),
        ({"base_url": "http://10.0.0.5:5005"}, "allow_base_url"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
    ],
    OnfidoBackend: [
        ({"api_token": ""}, "ONFIDO_API_TOKEN"),
        ({"api_token": None}, "ONFIDO_API_TOKEN"),
        ({"api_token": None, "client_id": "some-client"}, "client_secret"),
        ({"workflow_id": "my-workflow"}, "workflow_id"),
        ({"region": "ap"}, "region"),
        ({"base_url": "https://api.onfido.example"}, "allow_base_url"),
        ({"environment": fm.Environment.LOCAL}, "environment"),
        ({"webhook_secrets": "'token'"}, "quotes"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
    ],
    SumsubBackend: [
        ({"app_token": ""}, "SUMSUB_APP_TOKEN"),
        ({"secret_key": ""}, "SUMSUB_SECRET_KEY"),
        ({"base_url": "https://api.sumsub.example"}, "allow_base_url"),
        ({"environment": fm.Environment.LOCAL}, "environment"),
        ({"environment": fm.Environment.SANDBOX}, "app_token"),
        ({"webhook_algorithm": "sha256"}, "webhook_algorithm"),
        ({"webhook_secrets": "'secret'"}, "quotes"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
    ],
    PersonaBackend: [
        ({"api_key": ""}, "PERSONA_API_KEY"),
        ({"base_url": "https://api.withpersona.example"}, "allow_base_url"),
        ({"environment": fm.Environment.LOCAL}, "environment"),
        (
            {"api_key": "persona_sandbox_k", "environment": fm.Environment.PRODUCTION},
            "says sandbox",
        ),
        ({"webhook_secrets": "'wbhsec_k'"}, "quotes"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
    ],
    RegulaBackend: [
        ({"base_url": "https://faceapi.regulaforensics.com"}, "allow_base_url"),
        ({"base_url": "http://10.0.0.5:41101", "allow_base_url": True}, "allow_insecure"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
    ],
}


@pytest.mark.parametrize(
    ("backend", "settings", "word"), [(kind, *row) for kind, rows in WRONG.items() for row in rows]
)
def test_a_wrong_setting_is_refused_by_its_name(backend, settings, word):
    with pytest.raises(fm.ConfigurationError, match=word):
        backend(**GOOD[backend] | settings)


FACE = "https://contoso.cognitiveservices.azure.com"
AWS = "https://rekognition.eu-west-1.amazonaws.com"
DIDIT = "https://verification.didit.me"
BAIDU = "https://aip.baidubce.com"
FACEPP = "https://api-cn.faceplusplus.com"
ONFIDO = "https://api.us.onfido.com"
PERSONA = "https://api.withpersona.com"
TENCENT = "https://iai.intl.tencentcloudapi.com"
SUMSUB = "https://api.sumsub.com"
GATEWAY = "https://gateway.example"
#: What people paste from a portal or a page -> the address that is used.
PASTED = [
    (AzureBackend, f"{FACE}/", FACE),
    (AzureBackend, f"{FACE}/face/v1.0/", FACE),
    (AzureBackend, f"{FACE}/face/v1.2-preview.1/detect", FACE),
    (AzureBackend, "http://127.0.0.1:8080/face/v1.2/", "http://127.0.0.1:8080"),
    (RekognitionBackend, f"{AWS}/", AWS),
    (ComprefaceBackend, "http://127.0.0.1:8000/api/v1/recognition", "http://127.0.0.1:8000"),
    (ComprefaceBackend, "https://faces.example/own/api/v1/", "https://faces.example/own"),
    (DiditBackend, f"{DIDIT}/v3/", DIDIT),
    (DiditBackend, f"{DIDIT}/v3/face-match/", DIDIT),
    (DiditBackend, f" {DIDIT}\n", DIDIT),
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
KEYS = {**GOOD, AzureBackend: {"api_key": "some-key"}}


@pytest.mark.parametrize(("backend", "pasted", "address"), PASTED)
@pytest.mark.parametrize("kind", [str, pydantic.AnyHttpUrl, httpx.URL])
def test_pasted_address_is_used_without_the_paths_of_calls(backend, pasted, address, kind):
    settings = {**KEYS[backend], "base_url": kind(pasted.strip()), "allow_base_url": True}
    opened = backend(**settings)
    assert opened.service_url == address
    assert backend(**{**settings, "base_url": pasted}).service_url == address


@pytest.mark.parametrize(
    ("backend", "pasted", "line"),
    [
        (AzureBackend, f"{FACE}/vision/v3.2", f"write {FACE}"),
        (AzureBackend, f"{FACE}/face", f"write {FACE}"),
        (RekognitionBackend, f"{AWS}/compare", f"write {AWS}"),
        (TencentBackend, f"{TENCENT}/v2", f"write {TENCENT}"),
        (DiditBackend, f"{DIDIT}/docs/", f"write {DIDIT}"),
        (DeepvueBackend, "https://production.deepvue.tech/api", "production.deepvue.tech"),
        (AzureBackend, f'"{FACE}"', "quotes"),
        (AzureBackend, "contoso.cognitiveservices.azure.com", "https://host"),
    ],
)
def test_address_with_another_path_is_refused_with_the_line_to_write(backend, pasted, line):
    with pytest.raises(fm.ConfigurationError, match=re.escape(line)):
        backend(**KEYS[backend], base_url=pasted)


#: Each key, by the backend that has it.
KEY_SETTINGS = [
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
PASTED_KEY = "pasted-key-5b1e"


@pytest.mark.parametrize(("backend", "name"), KEY_SETTINGS)
@pytest.mark.parametrize(
    "value",
    [
        f" {PASTED_KEY}\r\n",
        fm.Secret(f"{PASTED_KEY}\n"),
        pydantic.SecretStr(PASTED_KEY),
        pydantic.SecretStr(f"{PASTED_KEY}\n"),
    ],
    ids=repr,
)
def test_key_is_taken_without_blanks_and_from_pydantic(backend, name, value):
    more = {"base_url": FACE} if backend is AzureBackend else {}
    opened = backend(**KEYS[backend] | more | {name: value})
    assert getattr(opened, name) == fm.Secret(PASTED_KEY)


@pytest.mark.parametrize(
    "wrong", ['"{}"', "'{}'", "`{}`", "Bearer {}", "bearer {}", "{} {}", "{}\n{}"]
)
@pytest.mark.parametrize(("backend", "name"), KEY_SETTINGS)
def test_key_with_more_than_the_key_is_refused_with_the_line_to_write(backend, name, wrong):
    value = wrong.format(PASTED_KEY, PASTED_KEY)
    more = {"base_url": FACE} if backend is AzureBackend else {}
    with pytest.raises(fm.ConfigurationError) as caught:
        backend(**KEYS[backend] | more | {name: value})
    assert f'{name}="KEY"' in str(caught.value)
    assert PASTED_KEY not in str(caught.value)
    if variable := backend.environment_variables.get(name):
        value = fm.Secret(value, origin=f"${variable}")
        with pytest.raises(fm.ConfigurationError, match=f"{variable}=KEY"):
            backend(**KEYS[backend] | more | {name: value})


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
    given = Settings()
    settings = {"api_key": given.didit_api_key, "base_url": given.didit_url}
    secrets = pydantic.SecretStr("whsec-1")
    with fm.open_verifier("didit", **settings, webhook_secrets=secrets) as verifier:
        backend = verifier.backend
    assert backend.service_url == DIDIT
    assert backend.api_key == fm.Secret(PASTED_KEY)
    assert backend.webhook_secrets == (fm.Secret("whsec-1"),)
    assert DiditBackend(api_key="k", webhook_secrets=[secrets, "whsec-2"]).webhook_secrets


DEEPVUE_WORDS = {
    "api_version": ("v1", "v2"),
    "confidence_scale": ("percent", "fraction", "unknown"),
    "confidence_meaning": ("similarity", "decision", "unknown"),
    "liveness_score_scale": ("percent", "fraction", "unknown"),
    "liveness_image_form": ("base64", "data_uri"),
    "plan": ("starter", "business", "growth", "enterprise"),
}


@pytest.mark.parametrize("setting", DEEPVUE_WORDS)
def test_deepvue_settings_accept_their_documented_values(setting):
    attribute = {"api_version": "version"}.get(setting, setting)
    for word in DEEPVUE_WORDS[setting]:
        value = getattr(DeepvueBackend(**GOOD[DeepvueBackend], **{setting: word}), attribute)
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


@pytest.mark.parametrize("backend", VARIABLES)
def test_environment_variables_are_the_documented_ones(backend):
    assert backend.environment_variables == VARIABLES[backend]


# At the mock of all paid vendors

P1, P1_AGAIN = make_card("p1"), make_card("p1", quality=60)


@pytest.fixture
def mock():
    with MockServer(vendor=list(PAID)) as server:
        yield server


@pytest.fixture
def opened(mock):
    def open_one(name):
        more = {"confidence_scale": "percent"} if name == "deepvue" else {}
        return fm.open_verifier(name, **settings_at(mock, name), **more)

    return open_one


@pytest.mark.parametrize("name", PAID)
def test_declared_formats_are_those_the_vendor_accepts(opened, monkeypatch, name):
    with opened(name) as verifier:
        backend = type(verifier.backend)
    can, taken = backend.capabilities, set()
    usual = {ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP}
    for kind in usual:
        alone = attrs.evolve(can.image_limits, formats={kind})
        monkeypatch.setattr(backend, "capabilities", attrs.evolve(can, image_limits=alone))
        with opened(name) as verifier, contextlib.suppress(fm.FaceMatchError):
            if verifier.verify(P1, P1_AGAIN).is_match:
                taken.add(kind)
    assert taken == can.image_limits.formats & usual


@pytest.mark.parametrize("name", [name for name in PAID if name not in KEYLESS])
def test_wrong_key_ends_a_failover_with_a_warning(mock, opened, name, caplog):
    mock.of(name).control.revoke_key(mock.of(name).live_key)
    with (
        fm.Failover([opened(each) for each in dict.fromkeys((name, *PAID))]) as failover,
        pytest.raises(fm.AuthenticationFailed) as caught,
    ):
        failover.verify(P1, P1_AGAIN)
    assert caught.value.backend == name
    (record,) = (each for each in caplog.records if each.name == "facematch")
    assert (record.levelname, name in record.getMessage()) == ("WARNING", True)
    assert caught.value.billing.charged is fm.Charged.NO
    assert not any(mock.of(each).control.charges() for each in PAID)


RATES = {"didit": {60: 300}, "deepvue": {1: 1, 60: 30, 86_400: 1_000}}


@pytest.mark.parametrize("name", PAID)
def test_declared_rates_are_those_the_vendor_publishes(opened, name):
    with opened(name) as verifier:
        windows = verifier.backend.capabilities.rate_windows
    assert {window.seconds: window.limit for window in windows} == RATES.get(name, {})
