import importlib.util
import re
import shutil
from pathlib import Path

import pytest

from facematch_core.cli.demo import PACKAGED

pytestmark = pytest.mark.usefixtures("local_models")

DOCS = Path(__file__).parents[3] / "docs" / "photographs"


def test_all_packaged_pairs_are_right_and_next_steps_are_printed(run, tmp_path, monkeypatch):
    """The last lines are what a newcomer wants next, typed so that the shell finds them."""
    monkeypatch.setattr("shutil.which", lambda _name: "/bin/facematch")
    answer = run("demo", "--out", tmp_path / "deep" / "report.html")
    assert answer.exit_code == 0, answer.output
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["report.html"]
    assert "4 pairs that come with facematch" in answer.stdout
    assert "WRONG" not in answer.stdout
    last = answer.stdout.splitlines()[-7:]
    assert last[0].startswith("The pairs as pictures, in your browser: ")
    assert last[1:3] == ["", "Next:"]
    assert all(line.startswith("  facematch ") for line in last[3:])


@pytest.mark.slow
def test_known_limits_are_marked_as_wrong(run):
    answer = run("demo", "--photographs", DOCS, "--out", "r.html")
    assert answer.exit_code == 0
    rows = [line for line in answer.stdout.splitlines() if re.match(r"\d+ {2,}", line)]
    assert len(rows) == 13
    assert sum("right" in row for row in rows) == 11
    for row in (row for row in rows if "sister and brother again" in row or "the same two" in row):
        assert "different" in row
        assert "  MATCH" in row
        assert row.endswith("WRONG (known limit)")
    assert "Known limits: 2." in answer.stdout
    page = Path("r.html").read_text(encoding="utf-8")
    assert page.count('<li class="is-wrong">') == 2
    words = " ".join(re.sub("<[^>]*>", " ", page).split())
    assert "11 are right, 2 are wrong and marked" in words


@pytest.fixture
def folder_of(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("grace-hopper", "eileen-collins"):
        shutil.copy(PACKAGED / f"{name}.jpg", folder)

    def manifest(expected, note="<b>two & two</b>"):
        (folder / "pairs.csv").write_text(
            f"probe,reference,expected,note\ngrace-hopper.jpg,eileen-collins.jpg,{expected},{note}\n"
        )
        return folder

    return manifest


@pytest.mark.parametrize(
    ("expected", "code", "wrong"),
    [("same", 3, True), pytest.param("limit", 3, False, marks=pytest.mark.slow)],
)
def test_unexpected_result_is_reported(run, folder_of, expected, code, wrong):
    """Also a known limit that the engine gets right; no text of the manifest is markup."""
    answer = run("demo", "--photographs", folder_of(expected), "--out", "r.html")
    assert answer.exit_code == code
    assert ("WRONG (unexpected)" in answer.stdout) is wrong
    assert ("Unexpected results: 1. They differ from pairs.csv." in answer.stdout) is (code == 3)
    assert "\n1 pair of " in answer.stdout
    text = Path("r.html").read_text()
    assert "<b>two" not in text
    assert "&lt;b&gt;two &amp; two" in text
    assert ("WRONG: the same person</span><br>unexpected: &lt;b&gt;two" in text) is wrong
    assert (">1 is wrong</b>" in text) is wrong


#: Words after `facematch demo`, each refused before anything is compared.
WRONG = """
--photographs nowhere
--photographs own
--out own
--out own/pairs.csv
"""


def test_photographs_are_copied_into_a_new_folder_only(run, tmp_path):
    folder = tmp_path / "photos"
    assert run(f"demo --copy {folder}").exit_code == 0
    assert run(f"demo --photographs {folder}").exit_code == 0
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert run(f"demo --copy {folder}").exit_code == 2
    assert run("demo", "--copy", tmp_path / "new", "--out", tmp_path / "page.html").exit_code == 2
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert not (tmp_path / "new").exists()


def test_wrong_usage_overwrites_nothing(screens, folder_of):
    folder_of("unclear")
    with screens("demo-wrong-usage") as show:
        for words in WRONG.strip().splitlines():
            show("", f"demo {words}", code=2)
    assert not Path("own/grace-hopper-card.jpg").exists()


@pytest.fixture
def without_extra(monkeypatch):
    """What the local engine needs is not installed."""
    find = importlib.util.find_spec
    missing = {"cv2", "numpy"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n in missing else find(n))


@pytest.mark.usefixtures("without_extra")
def test_missing_extra_prints_the_pip_command(run):
    answer = run("demo")
    assert answer.exit_code == 4
    assert 'pip install "' in answer.stderr


@pytest.mark.usefixtures("without_extra")
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("verify --live selfie.jpg id.jpg", "does not support liveness"),
        ("budget reconcile", "No budget store configured"),
    ],
)
def test_pip_install_is_not_advised_if_no_package_helps(run, photos, command, reason):
    answer = run(command)
    assert answer.exit_code == 4
    assert "pip install" not in answer.stderr
    assert reason in " ".join(answer.stderr.split())
