"""Fixtures of the command line: over a scripted backend, or plug-ins that exist for one test."""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from kit.fakes import FakeBackend, as_words, invoke_facematch, open_always, picture
from kit.goldens import kept
from kit.plugins import Site

from facematch_core import __version__
from facematch_core.cli import text

#: What a conftest takes over for its folder.
__all__ = [
    "_here",
    "configured",
    "photos",
    "plugin",
    "run",
    "run_json",
    "screens",
    "scripted",
    "started",
    "terminal",
]

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def configured(tmp_path, monkeypatch):
    def write(text):
        (tmp_path / "facematch.toml").write_text(text)
        monkeypatch.setenv("FACEMATCH_CONFIG", "facematch.toml")

    return write


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "selfie.jpg").write_bytes(picture((200, 150, 120)).data)
    (tmp_path / "id.jpg").write_bytes(picture((90, 120, 160)).data)
    return "selfie.jpg", "id.jpg"


@pytest.fixture
def scripted(monkeypatch):
    return open_always(monkeypatch, FakeBackend())


@pytest.fixture
def run():
    return invoke_facematch


@pytest.fixture
def run_json(run):
    def invoke(*words):
        answer = run(*as_words(*words), "--json")
        return answer.exit_code, json.loads(answer.stdout)

    return invoke


#: What another run prints in another way, and what stands for it.
CHANGING = (
    (re.escape(sys.executable), "PYTHON"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b", "CALL"),
    (rf"\b{re.escape(__version__)}\b", "VERSION"),
    (r", Python 3\.\d+\..*", ", on this machine"),
    (r"\b\d+(\.\d+)? s\b", "N s"),
    (r"\b20\d\d-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?)?", "DAY"),
    (r"(?<!==) +(?=\n)", ""),
    (r"! Usage: .*\n! More: .*\n", ""),
    (r"== \n", ""),
)


@pytest.fixture
def screens(request, run, tmp_path):
    """Compares what people read: `with screens("verify") as show: show("a title", "verify a b")`.

    All of it is `golden/verify.txt` beside the test; stderr has "! " before it. `UPDATE=1` writes
    the file anew. `show` asserts the exit code, and answers what `run` answers.
    """

    @contextlib.contextmanager
    def golden(name):
        shown = []

        def show(title, *words, code=0, **options):
            answer = run(*words, **options)
            assert answer.exit_code == code, answer.output
            errors = answer.stderr.splitlines()
            command = shlex.join(["facematch", *as_words(*words)])
            lines = [f"$ {command}", *answer.stdout.splitlines(), *(f"! {line}" for line in errors)]
            shown.append("\n".join([f"== {title}", *lines, ""]))
            return answer

        yield show
        text = "\n".join(shown).replace(str(tmp_path), "FOLDER")
        for pattern, stands in CHANGING:
            text = re.sub(pattern, stands, text)
        file = request.path.parent / "golden" / f"{name}.txt"
        assert text == kept(file, text), f"make goldens writes {file}"

    return golden


@pytest.fixture
def terminal(monkeypatch):
    class Attended:
        stdin = SimpleNamespace(isatty=lambda: True)

        def __getattr__(self, name):
            return getattr(sys, name)

    monkeypatch.setattr(text, "sys", Attended())


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    def install(code, groups, name="stranger"):
        site = Site(tmp_path / f"site-{name}", monkeypatch)
        points = [(group, *entry) for group, all_ in groups.items() for entry in all_.items()]
        site.add(name, points, code, "2.5")
        return site.folder

    return install


@pytest.fixture
def started(tmp_path):
    code = "from facematch_core.cli import main; main()"

    def start(*words, path=(), run=subprocess.run, env=None, **options):
        places = [*path, ROOT, ROOT / "backends", ROOT / "comparison"]
        places = os.pathsep.join(map(str, places))
        environment = {**os.environ, "PYTHONPATH": places, **(env or {})}
        if run is subprocess.run:
            options = {"capture_output": True, "text": True, "timeout": 240, **options}
        command = [sys.executable, "-W", "error", "-c", code, *map(str, words)]
        return run(command, env=environment, **options)

    return start
