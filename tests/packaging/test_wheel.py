"""The wheel: nothing but our packages, complete, and alive without the repository."""

import email
import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from facematch_core import __version__

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "facematch_core",
    "facematch_azure",
    "facematch_compreface",
    "facematch_deepvue",
    "facematch_didit",
    "facematch_local",
    "facematch_comparison",
    "facematch_mock_server",
    "facematch_rekognition",
}


def built(kind, out):
    """The ``wheel`` or ``sdist`` of this tree, made with what is installed (no network)."""
    subprocess.run(
        [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", out, ROOT],
        check=True,
        capture_output=True,
        timeout=300,
    )
    (path,) = out.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this tree."""
    path = built("wheel", tmp_path_factory.mktemp("wheel"))
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    """The wheel as an installer would lay it down."""
    folder = tmp_path_factory.mktemp("site")
    wheel.extractall(folder)
    return folder


def run(unpacked, code):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=unpacked,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout


def test_it_holds_our_packages_and_nothing_else(wheel):
    """No generic name (`backends`, `tests`) would land in somebody's site-packages."""
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert len(tops) == len(PACKAGES) + 1


def test_every_module_is_in_it(wheel):
    """And the typing markers, and the pictures of `facematch demo`."""
    names = set(wheel.namelist())
    folders = [
        path for top in ("backends", "comparison", "mock_server") for path in (ROOT / top).iterdir()
    ]
    for folder in (ROOT / "facematch_core", *folders):
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                assert f"{folder.name}/{path.relative_to(folder).as_posix()}" in names


def test_only_free_pictures_are_in_it(wheel):
    """Each one is in the table of public-domain and CC0 pictures; no family is among them."""
    pictures = [name for name in wheel.namelist() if name.endswith((".jpg", ".png"))]
    pictures = [
        name for name in pictures if not name.startswith("facematch_mock_server/recognition/")
    ]
    assert pictures
    table = wheel.read("facematch_core/cli/photographs/README.md").decode()
    for name in pictures:
        assert Path(name).name in table
        assert "Family" not in name
        same = ROOT / "docs/photographs" / Path(name).name
        assert wheel.read(name) == same.read_bytes()


def test_licence_and_notices(wheel):
    """Whoever gets the wheel gets the terms."""
    names = wheel.namelist()
    for notice in ("LICENSE", "NOTICE"):
        assert any(name.endswith(f".dist-info/licenses/{notice}") for name in names)


def test_metadata(wheel):
    """Python version, licence and every extra that the documentation names."""
    (name,) = (n for n in wheel.namelist() if n.endswith("METADATA"))
    metadata = email.message_from_bytes(wheel.read(name))
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    extras = {"all", "cluster", "compare", "heif", "local", "mock", "postgres", "store", "testing"}
    extras |= {"rekognition"}
    assert set(metadata.get_all("Provides-Extra")) == extras


def test_it_imports_and_lists_its_entry_points(unpacked):
    """From the wheel's own files, not from the repository."""
    out = run(
        unpacked,
        "import facematch_core, facematch_local\n"
        "from facematch_core import available_backends\n"
        "print(facematch_core.__file__)\n"
        "print(facematch_local.__file__)\n"
        "print([i.name for i in available_backends() if i.distribution == 'facematch-core'])",
    ).splitlines()
    assert all(Path(line).is_relative_to(unpacked) for line in out[:2])
    names = ["azure", "compreface", "deepvue", "didit", "local", "rekognition"]
    assert out[2] == str(names)


def test_the_command_works_from_the_wheel(unpacked):
    """With its own pictures, and the same digests as in the repository."""
    out = run(
        unpacked,
        "import sys; sys.argv[1:] = ['--version']; from facematch_core.cli import main; main()",
    )
    assert __version__ in out
    picture = unpacked / "facematch_core/cli/photographs/grace-hopper.jpg"
    same = ROOT / "docs/photographs/grace-hopper.jpg"
    assert (
        hashlib.sha256(picture.read_bytes()).digest() == hashlib.sha256(same.read_bytes()).digest()
    )


def test_what_is_no_code_is_in_it(wheel):
    """Typing markers, templates, data and the page of the console; no test and no cache."""
    names = set(wheel.namelist())
    for package in PACKAGES:
        assert f"{package}/py.typed" in names
    for ending in (".html.jinja", ".html", ".toml", ".js", ".css"):
        kept = any(name.endswith(ending) for name in names)
        there = any(
            path.suffix == ending
            for top in ("facematch_core", "backends", "comparison", "mock_server")
            for path in (ROOT / top).rglob("*")
        )
        assert kept == there, ending
    assert not [name for name in names if "/tests/" in name or "__pycache__" in name]
    assert not [name for name in names if name.endswith((".dat", ".onnx", ".sqlite3"))]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The names in a source distribution of this tree, below its own folder."""
    path = built("sdist", tmp_path_factory.mktemp("sdist"))
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_the_source_distribution(sdist):
    """Code, tests, documentation and terms; no family's pictures, and nothing that make made."""
    needed = {"LICENSE", "NOTICE", "README.md", "CHANGELOG.md", "pyproject.toml", "Makefile"}
    assert needed <= sdist
    tops = {name.partition("/")[0] for name in sdist}
    assert {"facematch_core", "backends", "comparison", "mock_server", "tests", "docs"} <= tops
    assert tops.isdisjoint({".ci", ".github", ".venv", "demo", "dist", "site", ".cache", ".git"})
    pictures = {name for name in sdist if name.endswith(".jpg")}
    free = "facematch_core/cli/photographs/"
    allowed = {Path(name).name for name in pictures if name.startswith(free)}
    assert allowed
    assert {Path(name).name for name in pictures} == allowed


def test_one_version_everywhere(wheel):
    """In the metadata, the citation and the changelog."""
    (name,) = (n for n in wheel.namelist() if n.endswith("METADATA"))
    assert email.message_from_bytes(wheel.read(name))["Version"] == __version__
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_no_invented_address(wheel):
    """Links of the project are named once there is a place that they lead to."""
    (name,) = (n for n in wheel.namelist() if n.endswith("METADATA"))
    links = email.message_from_bytes(wheel.read(name)).get_all("Project-URL", [])
    assert not [link for link in links if "example" in link]
