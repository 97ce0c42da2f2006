"""AWS's own settings: credentials, and an endpoint, which is honoured on this machine alone."""

import itertools
import logging
import os
import shlex
import sys

import boto3
import pytest
from botocore.config import Config

import facematch_core as fm
from facematch_mock_server import MockServer, card_sheet
from facematch_rekognition import RekognitionBackend

pytestmark = pytest.mark.usefixtures("aws_folder")

P1 = card_sheet()["p1"].data
KEY, SECRET, TOKEN = "AKIACANARY41C7", "canary-secret-b20e95", "canary-session-token-77aa"


@pytest.fixture
def aws_folder(monkeypatch, tmp_path):
    """Return the folder of AWS's files, which are missing; no variable of AWS is set."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


@pytest.fixture
def mock():
    with MockServer(vendor="rekognition") as server:
        server.control.add_key(key=SECRET, client=KEY)
        yield server


def ask(mock, **settings):
    settings = {"region": "eu-west-1", "base_url": mock.url, **settings}
    with fm.FaceVerifier(RekognitionBackend(**settings)) as verifier:
        assert verifier.verify(P1, P1).is_match
    return mock.control.journal()[-1].key


KEYS = {"access_key_id": KEY, "secret_access_key": SECRET, "session_token": TOKEN}


def test_environment_variables_may_include_a_session_token(mock, monkeypatch):
    for name, value in (("ACCESS_KEY_ID", KEY), ("SECRET_ACCESS_KEY", SECRET)):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-southeast-2")
    assert ask(mock, region=None) == "live"


def test_profile_is_named_by_setting_or_variable(mock, tmp_path, monkeypatch):
    (tmp_path / "config").write_text("[profile faces]\nregion = eu-central-1\n")
    (tmp_path / "credentials").write_text(
        f"[faces]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    )
    assert ask(mock, region=None, aws_profile="faces") == "live"
    monkeypatch.setenv("AWS_PROFILE", "faces")
    assert ask(mock, region=None) == "live"


def test_missing_credentials_send_nothing(mock, monkeypatch):
    with pytest.raises(fm.ConfigurationError, match="Set AWS_ACCESS"):
        ask(mock)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    with pytest.raises(fm.ConfigurationError) as caught:
        ask(mock)
    assert KEY not in str(caught.value)
    with pytest.raises(fm.ConfigurationError):
        ask(mock, aws_profile="nobody")
    with pytest.raises(fm.ConfigurationError, match="AWS_REGION"):
        RekognitionBackend(base_url=mock.url)
    assert mock.control.journal() == ()


def test_output_of_a_failed_credential_process_is_hidden(mock, tmp_path):
    program = shlex.join([sys.executable, "-c", f"import sys; sys.exit({SECRET!r})"])
    (tmp_path / "config").write_text(f"[profile faces]\ncredential_process = {program}\n")
    with pytest.raises(fm.AuthenticationFailed, match="CredentialRetrievalError") as caught:
        ask(mock, aws_profile="faces")
    assert caught.value.billing.charged is fm.Charged.NO
    assert SECRET not in f"{caught.value!s}{caught.value!r}"
    assert caught.value.__context__ is caught.value.__cause__ is None


def test_credentials_are_in_no_log_or_error(mock, caplog):
    caplog.set_level(logging.DEBUG)
    assert ask(mock, **KEYS) == "live"
    mock.control.revoke_key(SECRET)
    with pytest.raises(fm.VendorError) as caught:
        ask(mock, **KEYS)
    backend = RekognitionBackend(region="eu-west-1", **KEYS)
    shown = f"{caplog.text}{caught.value!s}{caught.value!r}{backend!r}{backend!s}"
    assert not [text for text in (KEY, SECRET, TOKEN, "Signature=") if text in shown]


def test_missing_botocore_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore", None)
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(fm.ConfigurationError, match=r"pip install .*botocore"):
        RekognitionBackend(region="eu-west-1")


AWS = "https://rekognition.eu-west-1.amazonaws.com"
SERVICE, EVERY = "AWS_ENDPOINT_URL_REKOGNITION", "AWS_ENDPOINT_URL"
IGNORE = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
HERE, OTHER = "http://127.0.0.1:4566", "http://localhost:4567"


def address(**settings):
    return RekognitionBackend(region="eu-west-1", **KEYS, **settings).service_url


PROFILES = f"""
[default]
endpoint_url = {HERE}
[profile services]
endpoint_url = {HERE}
services = faces
[profile ignoring]
endpoint_url = {HERE}
ignore_configured_endpoint_urls = true
[services faces]
rekognition =
  endpoint_url = {OTHER}
s3 =
  endpoint_url = https://s3.example
"""


@pytest.mark.parametrize(
    ("environment", "profile", "expected"),
    [
        ({}, None, HERE),
        ({}, "services", OTHER),
        ({}, "ignoring", AWS),
        ({EVERY: OTHER}, None, OTHER),
        ({EVERY: HERE}, "services", HERE),
        ({SERVICE: OTHER, EVERY: HERE}, None, OTHER),
        ({SERVICE: OTHER, EVERY: "https://elsewhere.example"}, None, OTHER),
        ({EVERY: OTHER, IGNORE: "true"}, None, AWS),
        ({EVERY: OTHER, IGNORE: "false"}, None, OTHER),
        ({EVERY: ""}, None, HERE),
        ({"AWS_ENDPOINT_URL_S3": OTHER}, None, HERE),
    ],
)
def test_endpoint_equals_botocores(aws_folder, monkeypatch, environment, profile, expected):
    (aws_folder / "config").write_text(PROFILES)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert address(aws_profile=profile) == expected
    session = boto3.Session("key", "secret", region_name="eu-west-1", profile_name=profile)
    assert session.client("rekognition").meta.endpoint_url == expected


@pytest.mark.parametrize("variable", [SERVICE, EVERY])
@pytest.mark.parametrize(
    "url",
    ["https://elsewhere.example", "http://10.0.0.7:4566", "localhost:4566", "http://[oops", AWS],
)
def test_endpoint_on_another_machine_is_refused(monkeypatch, variable, url):
    monkeypatch.setenv(variable, url)
    with pytest.raises(fm.ConfigurationError) as caught:
        address()
    assert variable in caught.value.message
    assert "base_url" in caught.value.message
    monkeypatch.setenv(IGNORE, "true")
    assert address() == AWS


def test_rejected_endpoint_of_a_profile_is_named_without_its_login(aws_folder):
    text = "[default]\nendpoint_url = https://user:secret@elsewhere.example\n"
    (aws_folder / "config").write_text(text)
    with pytest.raises(fm.ConfigurationError, match="profile names elsewhere") as caught:
        address()
    assert "secret" not in caught.value.message


def test_call_goes_to_the_configured_endpoint(monkeypatch, mock):
    monkeypatch.setenv(EVERY, mock.url)
    with fm.open_verifier("rekognition", region="eu-west-1", **KEYS) as verifier:
        monkeypatch.delenv(EVERY)  # read once, when the backend is made
        assert verifier.verify(P1, P1).is_match
    assert len(mock.control.charges()) == 1


REGIONS = (
    "us-east-1",
    "eu-west-1",
    "ap-southeast-5",
    "us-gov-west-1",
    "il-central-1",
    "cn-north-1",
    "cn-northwest-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "us-isof-south-1",
    "eu-isoe-west-1",
    "eusc-de-east-1",
)


def test_endpoint_equals_botocores_in_every_partition():
    session = boto3.Session("key", "secret")
    for region, fips in itertools.product(REGIONS, (False, True)):
        how = Config(use_fips_endpoint=fips)
        client = session.client("rekognition", region_name=region, config=how)
        backend = RekognitionBackend(region=region, fips=fips, **KEYS)
        assert backend.service_url == client.meta.endpoint_url
        assert RekognitionBackend(region=region, base_url=backend.service_url, **KEYS).service_url


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"])
def test_dual_stack_endpoint_of_a_partition_may_be_set(region):
    how = Config(use_dualstack_endpoint=True)
    client = boto3.Session("key", "secret").client("rekognition", region_name=region, config=how)
    address = client.meta.endpoint_url
    assert RekognitionBackend(region=region, base_url=address, **KEYS).service_url == address
