"""Every example of the documentation is run, and what it shows is what comes out.

In README.md, docs/ and the skill for coding agents:

- ``python`` blocks of a page are run in order, in one namespace. A ``text`` block right below one
  is what it prints.
- ``console`` blocks hold commands after ``$``, each with what it prints: ``facematch ...``,
  ``python FILE``, ``python -m pytest``, ``python -m pip install ...`` of a folder, ``sed``, ``cp``
  and ``echo $?``. A line ``...`` stands for any lines; ``PATH_TO_THE_CHECKOUT`` is this one.
- ``toml`` blocks with profiles are read as a configuration file.
- A block with a title is written to a file of that name.
- ``<!-- not run: reason -->`` above a block keeps it from being run or read.

``UPDATE_DOCS=1 pytest tests/docs`` writes what came out into the pages.
"""

import contextlib
import functools
import inspect
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from kit.contract import failures
from kit.contract import run as run_contract
from kit.pages import how_to_update

from facematch_core.cli.app import facematch
from facematch_core.config import opening as config
from facematch_core.testing import BackendContract
from facematch_mock_server.vendors import vendor_named, vendor_names

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: What another process imports: the code beside these pages, installed or not.
OURS = [str(ROOT), str(ROOT / "backends"), str(ROOT / "comparison"), str(ROOT / "mock_server")]
SKILL = ROOT / "facematch_core/.agents/skills/facematch/SKILL.md"
PAGES = [ROOT / "README.md", SKILL, *sorted(DOCS.rglob("*.md"))]

BLOCK = re.compile(
    r"(?P<why><!-- not run: \S[^\n]* -->\n)?"
    r'^```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)
#: What differs from run to run, and what stands for it.
VOLATILE = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r'"elapsed_s": [\d.e-]+'), '"elapsed_s": N'),
    # What is left of a minute, rounded: 58 or 57.9.
    (re.compile(r"(?<=call for )\d+(?:\.\d+)? s\b"), "N s"),
    (re.compile(r"\b\d+\.\d+ s\b"), "N s"),
    # Beyond a minute pytest adds the time of the clock.
    (re.compile(r"\bin \d+\.\d+s\b(?: \(\d+:\d\d:\d\d\))?"), "in Ns"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\bbegan \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "began TIME"),
    (re.compile(r"\bPython 3\.\d+\.\d+, \d{4}-\d\d-\d\d"), "Python VERSION, DATE"),
    (re.compile(r"\b\d+(?=  +(?:right|WRONG))"), "MS"),
    (re.compile(r"(?<=  )\d{4}-\d\d-\d\d(?=  )"), "TODAY"),
    (re.compile(r"\b(\d+\.\d{3})\d{3,}"), r"\1"),
    (re.compile(r"(?<=\S)  +"), " "),
)


def steady(text):
    for volatile, stands in VOLATILE:
        text = volatile.sub(stands, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def same(shown, printed):
    parts = re.split(r"^\.\.\.$", steady(shown), flags=re.MULTILINE)
    return re.fullmatch(".*".join(map(re.escape, parts)), steady(printed), re.DOTALL) is not None


def process(*words):
    inherited = {name: value for name, value in os.environ.items() if name[:7] != "PYTEST_"}
    env = inherited | {"COLUMNS": "100"}
    ran = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr, ran.returncode


def command_line(*words):
    ran = CliRunner().invoke(facematch, words, env={"COLUMNS": "100"})
    return ran.output, ran.exit_code


def pip_install(_editable, place):
    """Install a repository so that it can be edited, without a network and away from ours."""
    folder = Path(place.removesuffix("[dev]")).resolve()
    site = Path(".site").resolve()
    quiet = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
    pip = (sys.executable, "-m", "pip", "install", *quiet, "--no-build-isolation")
    ended = process(*pip, "--target", str(site), str(folder))
    sys.path[:0] = [str(folder / "src"), str(site)]
    os.environ["PYTHONPATH"] = os.pathsep.join([*sys.path[:2], *OURS])
    return ended


pytest_run = functools.partial(process, sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
#: How the commands of a console block begin, and what runs the rest of them.
COMMANDS = {
    ("facematch",): command_line,
    ("python", "-m", "pytest"): pytest_run,
    ("python", "-m", "pip", "install"): pip_install,
    ("python",): functools.partial(process, sys.executable),
    ("sed",): functools.partial(process, "sed"),
    ("cp",): functools.partial(process, "cp"),
}


def console(text):
    written = []
    code = 0
    for step in filter(None, re.split(r"^(?=\$ )", text, flags=re.MULTILINE)):
        command, _, shown = step.partition("\n")
        words = shlex.split(command.removeprefix("$ ").replace("PATH_TO_THE_CHECKOUT", str(ROOT)))
        begins = [start for start in COMMANDS if tuple(words[: len(start)]) == start]
        if begins:
            printed, code = COMMANDS[begins[0]](*words[len(begins[0]) :])
        else:
            assert words == ["echo", "$?"], f"not run here, so not a console block: {command}"
            printed = f"{code}\n"
        written += [command, shown if same(shown, printed) else printed.rstrip("\n")]
    return "\n".join(part.rstrip("\n") for part in written if part) + "\n"


def run(page, source):
    namespace = {"__name__": page.stem}
    printed = None

    def block(match):
        nonlocal printed
        kind = match["kind"]
        title = match["title"]
        text = match["text"]
        before = printed
        printed = None
        if title:
            Path(title).parent.mkdir(parents=True, exist_ok=True)
            Path(title).write_text(text)
        if match["why"] or (title and kind == "python"):
            return match[0]
        if kind == "python":
            line = source.count("\n", 0, match.start("text"))
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile("\n" * line + text, str(page), "exec"), namespace)
            printed = out.getvalue()
        elif kind == "text" and before is not None and not same(text, before):
            text = before
        elif kind == "console":
            text = console(text)
        elif kind == "toml" and "[profiles" in text:
            Path("read.toml").write_text(text)
            config.read_config(Path("read.toml"))
        begin, end = (place - match.start() for place in match.span("text"))
        return match[0][:begin] + text + match[0][end:]

    whole = BLOCK.sub(block, source)
    # The contracts that a page defines with a simulator are run as well.
    of_nothing = BackendContract.simulator.__wrapped__
    for cls in filter(inspect.isclass, namespace.values()):
        if issubclass(cls, BackendContract) and cls.simulator.__wrapped__ is not of_nothing:
            make = contextlib.contextmanager(cls.simulator.__wrapped__)
            assert not failures(run_contract(functools.partial(make, cls())))
    return whole


@pytest.fixture
def _folder(tmp_path, monkeypatch):
    """An empty folder with the sample pictures; plug-ins written there can be imported."""
    for name in ("grace-hopper", "grace-hopper-card", "eileen-collins", "no-face-cat"):
        shutil.copy(DOCS / f"photographs/{name}.jpg", tmp_path)
    for name, copy in (("grace-hopper", "selfie"), ("grace-hopper-card", "id")):
        shutil.copy(DOCS / f"photographs/{name}.jpg", tmp_path / f"{copy}.jpg")
    shutil.copy(DOCS.parent / "facematch_core/result.schema.json", tmp_path)
    # As in the shell of somebody who has installed it: `facematch` is found by its name.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(OURS))
    monkeypatch.chdir(tmp_path)
    for folder in ("src", "tests"):
        monkeypatch.syspath_prepend(tmp_path / folder)
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    for cached in (vendor_named, vendor_names):
        cached.cache_clear()


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_shows_current_output(page):
    whole = run(page, page.read_text())
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(whole)
    stale = f"{page.name} shows what no longer happens: {how_to_update()}"
    assert whole == page.read_text(), stale
