import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from facematch_core import BudgetExceeded, Decision, open_verifier
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore
from facematch_mock_server import MockServer, make_card

PHOTOS = Path(__file__).parents[2] / "docs/photographs"
ADA = make_card("ada")
ADA_AGAIN = make_card("ada", quality=70)
BOB = make_card("bob")


def facematch(*words, cwd):
    run = "from facematch_core.cli import main; main()"
    code = f"import sys; sys.argv[1:] = {[*map(str, words)]!r}; {run}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, timeout=300, check=False
    )
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def test_the_mock_answers_and_counts(tmp_path):
    outputs = []
    for _ in range(2):
        store = SqlStore(f"sqlite:///{(tmp_path / 'budget.sqlite3').as_posix()}")
        budget = Budget(2, name="all", store=store)
        with (
            MockServer(vendor="didit") as mock,
            open_verifier(
                "didit", api_key=mock.live_key, base_url=mock.url, policies=[budget], threshold=50
            ) as verifier,
        ):
            for other in (ADA_AGAIN, BOB):
                try:
                    outputs.append(verifier.verify(ADA, other).decision)
                except BudgetExceeded:
                    outputs.append("refused")
        store.close()
    assert outputs == [Decision.MATCH, Decision.NO_MATCH, "refused", "refused"]


@pytest.mark.slow
def test_the_local_engine_matches_a_person_and_finds_no_face_in_a_cat():
    with open_verifier("local") as verifier:
        a = PHOTOS / "grace-hopper.jpg"
        b = PHOTOS / "grace-hopper-card.jpg"
        assert verifier.verify(a, b).is_match
        assert verifier.verify(a, PHOTOS / "no-face-cat.jpg").decision is Decision.INCONCLUSIVE


# Slow is for `make test` alone: on other systems all of this file is run.


@pytest.mark.slow
@pytest.mark.parametrize("words", ["doctor", "doctor --json"])
def test_a_command_works_as_a_process(words, tmp_path):
    code, output = facematch(*words.split(), cwd=tmp_path)
    assert code == 0, output


@pytest.mark.slow
def test_a_report_is_written_and_replaced(tmp_path):
    # The eleven best are not mated: labels that follow the scores exactly are asked about.
    rows = "".join(f"a{n},b{n},{int(10 < n < 40)},{80 - n}\n" for n in range(60))
    (tmp_path / "scores.csv").write_text(f"image1,image2,label,score\n{rows}", encoding="utf-8")
    words = ("compare", "report", "--scores", "scores.csv", "--out", "report.html")
    for _ in range(2):
        code, output = facematch(*words, cwd=tmp_path)
        assert code == 0, output
    assert "<html" in (tmp_path / "report.html").read_text("utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "scores.csv"]


@pytest.mark.slow
def test_the_mock_command_serves_until_stopped(tmp_path):
    code = "import sys; sys.argv[1:] = ['mock']; from facematch_core.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    ) as mock:
        url = mock.stdout.readline().decode().strip()
        with urllib.request.urlopen(f"{url}/system/healthcheck", timeout=30) as answer:
            assert answer.status == 200
        # On Windows this ends it at once; elsewhere it goes in order.
        mock.send_signal(signal.SIGTERM)
        mock.stdout.read()
        assert mock.wait(60) == (0 if os.name == "posix" else 1)
