"""The documentation as a whole: complete, linked, and a site that builds without a word."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import facematch_azure
import facematch_compreface
import facematch_core
import facematch_deepvue
import facematch_didit
import facematch_mock_server
import facematch_rekognition
from facematch_core import backend, config, http, resilience, testing
from facematch_core.cli.app import BUNDLED, COMMANDS
from facematch_core.cli.common import MEANING

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
REFERENCE = ROOT / "docs" / "reference"
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def targets():
    """The targets of the Makefile that are for people."""
    found = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "demo" in found
    return set(found)


def test_readme_knows_every_target():
    """Every target of the Makefile stands in README, and no other one."""
    told = re.findall(r"(?:^|`)make ([a-z-]+)", README.read_text(), re.MULTILINE)
    assert set(told) == targets()


def test_readme_begins_with_the_two_commands():
    """`make demo` and `make test`, and what they need, stand in the first 20 lines."""
    beginning = "\n".join(README.read_text().splitlines()[:20])
    for word in ("make demo", "make test", "Python 3.11", "180 MB"):
        assert word in beginning


@pytest.mark.parametrize(
    "module",
    [
        facematch_core,
        backend,
        resilience,
        http,
        testing,
        facematch_azure,
        facematch_compreface,
        facematch_deepvue,
        facematch_didit,
        facematch_mock_server,
        facematch_rekognition,
    ],
    ids=lambda m: m.__name__,
)
def test_every_public_name_is_in_the_reference(module):
    """What a module exports is named in docs/reference."""
    pages = "\n".join(page.read_text() for page in REFERENCE.glob("*.md"))
    missing = [name for name in module.__all__ if not re.search(rf"\b{name}\b", pages)]
    assert not missing


def test_every_exit_code_is_told():
    """The table of exit codes is the one of the command line."""
    page = (REFERENCE / "exit-codes.md").read_text()
    for code, meaning in MEANING.items():
        assert f"| {code} | {meaning} |" in page


def test_every_key_and_command_is_told():
    """The keys of a profile and all our commands of `facematch` stand in the reference."""
    configuration = (REFERENCE / "configuration.md").read_text()
    assert not [key for key in config.PROFILE_KEYS if f"| `{key}` |" not in configuration]
    assert f"`{config.VARIABLE}`" in configuration
    commands = (REFERENCE / "cli.md").read_text()
    headings = ", ".join(re.findall(r"^## (.+)", commands, re.MULTILINE)).split(", ")
    assert {f"facematch {name}" for name in (*COMMANDS, *BUNDLED)} <= set(headings)


def test_number_of_rules_is_told():
    """Where the documents say how many rules the contract has, they say it right."""
    number = len(testing.rules())
    for page in (README, ROOT / "CHANGELOG.md", ROOT / "docs" / "index.md"):
        assert f"{number} rules" in page.read_text()


def test_changelog_has_this_version():
    """What is released next, or was released last, has its section."""
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in ("Unreleased", facematch_core.__version__)


@pytest.mark.parametrize(
    "page", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs"]
)
def test_links_lead_somewhere(page):
    """Links and pictures of a page name files that exist."""
    path = ROOT / page
    for file in [path] if path.is_file() else path.rglob("*.md"):
        text = file.read_text()
        for link in LINK.findall(text) + re.findall(r'src="([^"]+)"', text):
            if not link.startswith(("https://", "<")):
                assert (file.parent / link).exists(), f"{file}: {link}"


@pytest.mark.long
def test_site_builds_without_a_word(tmp_path):
    """`mkdocs build --strict --quiet` says nothing, and no page asks another host for anything."""
    ran = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    results = (tmp_path / "reference" / "results.html").read_text()
    assert "No pair of faces could be scored." in results, "a comment is no docstring"
    loaded = re.compile(
        r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=\"?((?:https?:)?//[^\">]+)"
    )
    for page in tmp_path.rglob("*.html"):
        assert not loaded.findall(page.read_text()), page.name
    shown = {picture.name for picture in (tmp_path / "photographs").iterdir()}
    assert shown == {
        "eileen-collins.jpg",
        "grace-hopper-card.jpg",
        "grace-hopper.jpg",
        "no-face-cat.jpg",
    }


def test_warnings_end_the_build(tmp_path):
    """`--strict --quiet` fails for a warning, which mkdocs alone would not even count."""
    settings = (ROOT / "mkdocs.yml").read_text()
    head, _, _ = settings.partition("exclude_docs:")
    hooks = ROOT / "docs" / "_hooks.py"
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[nowhere](nowhere.md)\n")
    (tmp_path / "mkdocs.yml").write_text(f"{head}\nhooks: ['{hooks}']\n")
    ran = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "nowhere.md" in ran.stderr
