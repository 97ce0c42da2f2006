"""Which model files are used, and that they are checked."""

from __future__ import annotations

import hashlib

import pytest

from facematch_core.errors import ConfigurationError
from facematch_local import _models


@pytest.mark.parametrize("name", [_models.RECOGNITION, _models.LANDMARKS])
def test_installed_file_is_the_measured_one(name):
    """The installed files are those whose error rates are documented."""
    path = _models.checked(name)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == _models.DIGESTS[name]


def test_only_two_files_are_known():
    """The 68-point predictor, which may not be used commercially, has no way in."""
    assert set(_models.DIGESTS) == {_models.RECOGNITION, _models.LANDMARKS}
    assert not any("68" in name for name in _models.DIGESTS)


def test_a_changed_file_is_refused(monkeypatch, tmp_path):
    """One other byte is enough, and the message names the file."""
    data = bytearray(_models.checked(_models.LANDMARKS).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / _models.LANDMARKS).write_bytes(data)
    monkeypatch.setattr(_models, "folder", lambda: tmp_path)
    with pytest.raises(ConfigurationError, match=_models.LANDMARKS):
        _models.checked.__wrapped__(_models.LANDMARKS)


def test_a_missing_file_is_named(monkeypatch, tmp_path):
    """A half-removed package is a configuration error that says how to repair it."""
    monkeypatch.setattr(_models, "folder", lambda: tmp_path)
    with pytest.raises(ConfigurationError, match=r"reinstall face_recognition_models==0\.3\.0"):
        _models.checked.__wrapped__(_models.RECOGNITION)


def test_a_missing_package_is_named(monkeypatch):
    """Without the package the message says which extra brings it."""
    monkeypatch.setattr(_models, "PACKAGE", "no_such_package_of_models")
    with pytest.raises(ConfigurationError, match=r"facematch-core\[local\]"):
        _models.folder()


def test_hashed_once(monkeypatch):
    """After the first check the file is not read again in this process."""
    first = _models.checked(_models.RECOGNITION)
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert _models.checked(_models.RECOGNITION) is first
