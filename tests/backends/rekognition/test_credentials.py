"""Where credentials come from, and that they go nowhere but into a signature."""

import json
import logging
import os
import sys
import threading

import pytest
from kit import mock_rekognition

from facematch_core import (
    AuthenticationFailed,
    Charged,
    ConfigurationError,
    FaceVerifier,
    Image,
    VendorError,
)
from facematch_core.backend import MatchCall
from facematch_mock_server import MockServer, card_sheet
from facematch_rekognition import RekognitionBackend

P1 = card_sheet()["p1"].data
KEY, SECRET, TOKEN = "AKIACANARY41C7", "canary-secret-b20e95", "canary-session-token-77aa"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No credentials but those of the test, and nobody who could be asked for others."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def mock():
    with MockServer(vendor="rekognition") as server:
        server.control.add_key(key=SECRET, client=KEY)
        yield server


def ask(mock, **settings):
    """A comparison; what the server noted of the key is its answer."""
    settings = {"region": "eu-west-1", "base_url": mock.url, **settings}
    with FaceVerifier(RekognitionBackend(**settings)) as verifier:
        assert verifier.verify(P1, P1).is_match
    return mock.control.journal()[-1].key


def test_those_that_are_set(mock, monkeypatch):
    """They go before the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    own = {"access_key_id": KEY, "secret_access_key": SECRET, "session_token": TOKEN}
    assert ask(mock, **own) == "live"


def test_the_environment(mock, monkeypatch):
    """With a session token, as a role has it."""
    for name, value in (("ACCESS_KEY_ID", KEY), ("SECRET_ACCESS_KEY", SECRET)):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-southeast-2")
    assert ask(mock, region=None) == "live"


def test_a_profile_with_its_region(mock, tmp_path, monkeypatch):
    """By the setting, and by ``AWS_PROFILE``."""
    (tmp_path / "config").write_text("[profile faces]\nregion = eu-central-1\n")
    (tmp_path / "credentials").write_text(
        f"[faces]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    )
    assert ask(mock, region=None, aws_profile="faces") == "live"
    monkeypatch.setenv("AWS_PROFILE", "faces")
    assert ask(mock, region=None) == "live"


def program(tmp_path, text):
    """A profile whose credentials a program prints."""
    script = tmp_path / "print.py"
    script.write_text(text)
    line = f"credential_process = {sys.executable} {script}"
    (tmp_path / "config").write_text(f"[profile faces]\nregion = eu-west-1\n{line}\n")


def test_a_program_is_asked_with_the_first_call(mock, tmp_path):
    """Not when it is opened; and once for all that follow."""
    count = tmp_path / "count"
    told = {"Version": 1, "AccessKeyId": KEY, "SecretAccessKey": SECRET}
    lines = [f"open({str(count)!r}, 'a').write('x')", f"print({json.dumps(told)!r})"]
    program(tmp_path, "\n".join(lines))
    backend = RekognitionBackend(aws_profile="faces", base_url=mock.url)
    assert not count.exists()
    with FaceVerifier(backend) as verifier:
        threads = [threading.Thread(target=verifier.verify, args=(P1, P1)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert count.read_text() == "x"
    assert len(mock.control.charges()) == 4


def test_there_are_none(mock):
    """One sentence, nothing sent, and nothing that was charged."""
    with pytest.raises(ConfigurationError, match="finds no AWS credentials: set AWS_ACCESS"):
        ask(mock)
    assert mock.control.journal() == ()


def test_half_of_them(mock, monkeypatch):
    """A key without its secret."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    with pytest.raises(ConfigurationError, match="PartialCredentialsError") as caught:
        ask(mock)
    assert KEY not in str(caught.value)


def test_a_profile_that_is_not_there(mock):
    """The mistake is named."""
    with pytest.raises(ConfigurationError, match="ProfileNotFound"):
        ask(mock, aws_profile="nobody")


def test_no_region(mock):
    """It is asked for when the backend is opened, with a server of one's own, too."""
    with pytest.raises(ConfigurationError, match="set region or AWS_REGION"):
        RekognitionBackend(base_url=mock.url)


def test_a_program_that_fails_is_not_quoted(mock, tmp_path):
    """It may print a secret; what is told is who failed, and that nothing was sent."""
    program(tmp_path, f"import sys; sys.exit({SECRET!r})")
    with pytest.raises(AuthenticationFailed, match="CredentialRetrievalError") as caught:
        ask(mock, aws_profile="faces")
    assert caught.value.billing.charged is Charged.NO
    assert SECRET not in f"{caught.value!s}{caught.value!r}"
    assert caught.value.__context__ is caught.value.__cause__ is None


def test_they_reach_no_log_and_no_error(mock, caplog):
    """At level DEBUG of every logger, for a call that goes well and one that does not."""
    caplog.set_level(logging.DEBUG)
    own = {"access_key_id": KEY, "secret_access_key": SECRET, "session_token": TOKEN}
    assert ask(mock, **own) == "live"
    mock.control.revoke_key(SECRET)
    with pytest.raises(VendorError) as caught:
        ask(mock, **own)
    backend = RekognitionBackend(region="eu-west-1", **own)
    told = f"{caplog.text}{caught.value!s}{caught.value!r}{backend!r}{backend!s}"
    assert not [one for one in (KEY, SECRET, TOKEN, "Signature=") if one in told]


def test_a_role_is_assumed_in_silence(mock, tmp_path, monkeypatch, caplog):
    """AWS STS, played by moto, gives new credentials; botocore would log them at level DEBUG."""
    role = "role_arn = arn:aws:iam::123456789012:role/faces\nsource_profile = base\n"
    (tmp_path / "config").write_text(f"[profile faces]\nregion = eu-west-1\n{role}")
    (tmp_path / "credentials").write_text(
        f"[base]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    )
    caplog.set_level(logging.DEBUG)
    with mock_rekognition.moto() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        # Nobody told the mock of the role's credentials.
        with pytest.raises(AuthenticationFailed, match="security token"):
            ask(mock, aws_profile="faces")
    assert mock.control.journal()[-1].key == "wrong"
    assert "SecretAccessKey" not in caplog.text
    assert "botocore.credentials" not in {record.name for record in caplog.records}


def test_everything_is_signed_over_the_bytes_that_are_sent():
    """The session token, too; and nothing of it shows."""
    own = {"access_key_id": KEY, "secret_access_key": SECRET, "session_token": TOKEN}
    backend = RekognitionBackend(region="eu-west-1", **own)
    picture = Image.from_bytes(P1)
    call = MatchCall(probe=picture, reference=picture)
    request = backend.sign(next(backend.steps(call)), call)
    assert set(json.loads(request.body)) >= {"SourceImage", "TargetImage"}
    words = request.headers["Authorization"].reveal()
    names = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
    assert f"SignedHeaders={names}," in words
    assert f"Credential={KEY}/" in words
    assert "/eu-west-1/rekognition/aws4_request," in words
    assert {KEY, SECRET, TOKEN} <= {one.reveal() for one in request.secrets}
    assert not [one for one in (KEY, SECRET, TOKEN, words) if one in repr(request)]


def test_without_botocore(monkeypatch):
    """It says what installs it."""
    monkeypatch.setitem(sys.modules, "botocore", None)
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(ConfigurationError, match=r"facematch-core\[rekognition\]"):
        RekognitionBackend(region="eu-west-1")
