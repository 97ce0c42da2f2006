"""ONNX Runtime reports nothing to its maker."""

import importlib
import os
import subprocess
import sys

ENVIRONMENT = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")


def test_nothing_is_noted(tmp_path):
    """A fresh process that loads the models and looks at no picture leaves nothing at home."""
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


def test_it_is_told_twice(tmp_path, monkeypatch):
    """By the variable before it is imported, and by a call, since it may have been imported."""
    (tmp_path / "onnxruntime.py").write_text(
        "import os\n"
        "told = [os.environ.get('ORT_DISABLE_TELEMETRY')]\n"
        "def disable_telemetry_events():\n"
        "    told.append('by a call')\n"
    )
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("onnxruntime", "facematch_local._runtime"):
        monkeypatch.delitem(sys.modules, name)
    fresh = importlib.import_module("facematch_local._runtime")
    assert fresh.onnxruntime.told == ["1", "by a call"]
