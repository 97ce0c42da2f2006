"""The wheel in clean environments: alone, and with each extra alone."""

from pathlib import Path

import pytest

PHOTOS = Path(__file__).parents[2] / "docs" / "photographs"

EXTRAS = {
    "": "import facematch_core, facematch_local",
    "local": (
        "from pathlib import Path\n"
        "from facematch_core import open_verifier\n"
        f"photos = Path({str(PHOTOS)!r})\n"
        "with open_verifier('local') as verifier:\n"
        "    a, b = photos / 'grace-hopper.jpg', photos / 'grace-hopper-card.jpg'\n"
        "    result = verifier.verify(a, b)\n"
        "assert result.is_match, result"
    ),
    "mock": (
        "import urllib.request\n"
        "from facematch_mock_server import MockServer\n"
        "with MockServer() as mock:\n"
        "    with urllib.request.urlopen(mock.url + '/__mock__/clock') as answer:\n"
        "        assert answer.status == 200"
    ),
    "testing": "from facematch_core.testing import BackendContract, VendorSimulator",
    "store": (
        "from facematch_didit import SqlReplayStore\n"
        "import datetime as dt\n"
        "store = SqlReplayStore('sqlite:///seen.sqlite3')\n"
        "now = dt.datetime.now(dt.UTC)\n"
        "key = ('a', now + dt.timedelta(days=1), now)\n"
        "assert store.first_seen(*key) and not store.first_seen(*key)"
    ),
    "postgres": (
        "import psycopg\n"
        "from facematch_core import ConfigurationError\n"
        "from facematch_core.store import SqlStore\n"
        "try:\n"
        "    SqlStore('postgresql+psycopg:///shop?host=/nowhere')\n"
        "except ConfigurationError as error:\n"
        "    assert 'failed (OperationalError)' in error.message, error"
    ),
    "compare": (
        "import numpy as np\n"
        "from facematch_core import ThresholdRule\n"
        "from facematch_core.comparison import Answers, evaluate, report_html\n"
        "from facematch_core.comparison import ScoreTable\n"
        "people = np.arange(8)\n"
        "mated = people < 4\n"
        "everything = np.ones(8, bool)\n"
        "table = ScoreTable(name='a', rule=ThresholdRule.ABOVE, mated=mated, acquired=everything,\n"
        "    scores=np.where(mated, 80.0, 20.0), answered=everything,\n"
        "    decisions=mated.astype(np.int8), probe_subjects=people,\n"
        "    reference_subjects=np.where(mated, people, people + 10))\n"
        "assert '<html' in report_html(evaluate([Answers.of_scores(table)]))"
    ),
    "cluster": "import dask, distributed, onnxruntime, pyarrow",
    "heif": (
        "import io, PIL.Image, pillow_heif\n"
        "from facematch_core import Image\n"
        "buffer = io.BytesIO()\n"
        "pillow_heif.register_heif_opener()\n"
        "PIL.Image.new('RGB', (64, 48)).save(buffer, 'HEIF')\n"
        "assert Image.from_bytes(buffer.getvalue()).prepared().format == 'jpeg'"
    ),
    "rekognition": (
        "from facematch_rekognition import RekognitionBackend\n"
        "RekognitionBackend(region='eu-west-1')"
    ),
    "all": "import botocore, dlib, onnxruntime, pytest, pillow_heif",
}


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_alone(environment, wheel, extra, tmp_path):
    """It brings what it promises, and the command starts."""
    environment.install(f"{wheel}[{extra}]" if extra else str(wheel))
    environment.python(EXTRAS[extra], cwd=tmp_path)
    listed = environment.python(
        "from facematch_core import available_backends\n"
        "print([info.name for info in available_backends()])",
        cwd=tmp_path,
    )
    names = ["azure", "compreface", "deepvue", "didit", "local", "rekognition", "simulated"]
    assert listed.strip() == str(names)


def test_without_the_extra_one_sentence_tells_what_to_install(environment, wheel, tmp_path):
    """No traceback: what is missing, the line, the size."""
    environment.install(str(wheel))
    said = environment.python(
        "import subprocess, sys\n"
        f"done = subprocess.run([{str(environment.bin / 'facematch')!r}, 'demo'],\n"
        "                      capture_output=True, text=True)\n"
        "print(done.returncode, done.stderr)",
        cwd=tmp_path,
    )
    assert said.startswith("4 ")
    assert 'pip install "facematch-core[local]"' in said
    assert "Traceback" not in said
