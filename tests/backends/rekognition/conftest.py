import os

import pytest

from facematch_mock_server import MockServer


@pytest.fixture
def mock():
    with MockServer(vendor="rekognition") as server:
        yield server


@pytest.fixture
def aws_folder(monkeypatch, tmp_path):
    """Return the folder of AWS's files, which are missing; no variable of AWS is set."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path
