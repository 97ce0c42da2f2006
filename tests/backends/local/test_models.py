import hashlib
import os
import subprocess
import sys

import pytest

from facematch_core import ConfigurationError
from facematch_local import models


def test_the_files_are_those_of_the_model_zoo():
    files = {path.name for path in models.WEIGHTS.glob("*.onnx")}
    assert files == {*models.DIGESTS} == {models.DETECTION, models.RECOGNITION}
    for name, digest in models.DIGESTS.items():
        assert hashlib.sha256(models.read_model(name)).hexdigest() == digest


def test_both_licences_are_beside_the_files():
    yunet = (models.WEIGHTS / "LICENSE-yunet.txt").read_text("utf-8")
    sface = (models.WEIGHTS / "LICENSE-sface.txt").read_text("utf-8")
    assert "MIT License" in yunet
    assert "Copyright (c) 2020 Shiqi Yu" in yunet
    assert "Apache License" in sface
    assert "Version 2.0" in sface


def test_a_damaged_or_missing_file_is_named(monkeypatch, tmp_path):
    data = bytearray(models.read_model(models.DETECTION))
    data[len(data) // 2] ^= 1
    (tmp_path / models.DETECTION).write_bytes(data)
    monkeypatch.setattr(models, "WEIGHTS", tmp_path)
    for name, problem in ((models.DETECTION, "damaged"), (models.RECOGNITION, "cannot be read")):
        with pytest.raises(ConfigurationError, match=f"{name} .*{problem}"):
            models.read_model(name)


@pytest.mark.slow
def test_a_process_that_looks_at_a_picture_prints_nothing_and_writes_nothing(tmp_path):
    """OpenCV 5.0 warns on stderr of a target that nobody chose."""
    xdg = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    environment = {name: text for name, text in os.environ.items() if name not in xdg}
    environment |= dict.fromkeys(("HOME", "USERPROFILE", "LOCALAPPDATA"), str(tmp_path))
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    code = (
        "import io, PIL.Image; from facematch_local.engine import Engine; out = io.BytesIO();"
        "PIL.Image.new('RGB', (640, 480)).save(out, 'PNG'); Engine().look(out.getvalue())"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=environment, timeout=60, check=True, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert [*tmp_path.rglob("*")] == []
