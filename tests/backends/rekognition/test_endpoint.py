"""AWS's own settings of the endpoint: honoured on this machine, refused elsewhere."""

import boto3
import pytest

import facematch_core as fm
from facematch_mock_server import card_sheet
from facematch_rekognition import RekognitionBackend

pytestmark = pytest.mark.usefixtures("aws_folder")

P1 = card_sheet()["p1"].data
KEYS = {"access_key_id": "mock-access-key", "secret_access_key": "mock-live-key"}
AWS = "https://rekognition.eu-west-1.amazonaws.com"
SERVICE, EVERY = "AWS_ENDPOINT_URL_REKOGNITION", "AWS_ENDPOINT_URL"
IGNORE = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
HERE, OTHER = "http://127.0.0.1:4566", "http://localhost:4567"


def address(**settings):
    return RekognitionBackend(region="eu-west-1", **KEYS, **settings).address


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


def test_refused_endpoint_of_a_profile_is_named_without_its_login(aws_folder):
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
