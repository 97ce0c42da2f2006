import email
import os
import re
import runpy
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from facematch_core import __version__
from facematch_core.cli.pages import read_pages

ROOT = Path(__file__).parents[2]
TOPS = ("facematch_core", "backends", "comparison", "mock_server")
#: The local engine, which is a distribution of its own.
ENGINE = ROOT / "backends" / "facematch_local"
VENDORS = {path.name for path in (ROOT / "backends").iterdir() if path.is_dir()} - {ENGINE.name}
PACKAGES = {"facematch_core", "facematch_comparison", "facematch_mock_server", *VENDORS}
pytestmark = pytest.mark.slow
EXTRAS = "all compare door heif local mock opentelemetry postgres prometheus rekognition"
EXTRAS += " store testing"


def built(kind, out, source=ROOT):
    subprocess.run(
        [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", out, source],
        check=True,
        capture_output=True,
        timeout=300,
    )
    (path,) = out.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory):
    return built("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def wheel(wheel_file):
    with zipfile.ZipFile(wheel_file) as archive:
        yield archive


def test_wheel_contains_exactly_our_packages(wheel):
    names = set(wheel.namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert len(tops) == len(PACKAGES) + 1
    folders = [path for top in TOPS[1:] for path in (ROOT / top).iterdir() if path != ENGINE]
    for folder in (ROOT / "facematch_core", *folders):
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                assert f"{folder.name}/{path.relative_to(folder).as_posix()}" in names
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert not [name for name in names if "/tests/" in name or "__pycache__" in name]
    assert not [name for name in names if name.endswith((".dat", ".sqlite3"))]
    assert not [name for name in names if name.endswith((".woff", ".woff2", ".ttf", ".otf"))]
    pictures_of_pages = {path.name for path in (ROOT / "docs/pictures").iterdir()}
    assert not [name for name in names if Path(name).name in pictures_of_pages]
    for notice in ("LICENSE", "NOTICE"):
        assert any(name.endswith(f".dist-info/licenses/{notice}") for name in names)
    assert not [name for name in names if name.endswith(".onnx")]


def test_wheel_is_a_small_file(wheel_file):
    # With the directory of the archive, unlike the sum of its contents.
    assert wheel_file.stat().st_size <= 2_100_000


def test_engine_is_a_wheel_of_its_own_with_its_models_and_licences(tmp_path):
    with zipfile.ZipFile(built("wheel", tmp_path, ENGINE)) as archive:
        names = set(archive.namelist())
        (metadata,) = (archive.read(n) for n in names if n.endswith("METADATA"))
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"facematch_local"}
    data = [ENGINE / "facts.toml", ENGINE / "py.typed", *ENGINE.glob("weights/*")]
    for path in [*ENGINE.glob("*.py"), *data]:
        assert f"facematch_local/{path.relative_to(ENGINE).as_posix()}" in names
    weights = [f"weights/LICENSE-{x}.txt" for x in ("yunet", "sface")]
    for notice in ("LICENSE", "NOTICE", *weights):
        assert any(name.endswith(f".dist-info/licenses/{notice}") for name in names)
    assert (ENGINE / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    described = email.message_from_bytes(metadata)
    assert described["Version"] == __version__
    # Nobody has registered facematch-core: whoever does must not be installed in our place.
    with (ROOT / "pyproject.toml").open("rb") as file:
        extra = tomllib.load(file)["project"]["optional-dependencies"]["local"]
    required = {Requirement(text) for text in described.get_all("Requires-Dist")}
    assert required == {Requirement(text) for text in extra}


def test_wheel_contains_only_freely_licensed_pictures(wheel):
    pictures = [name for name in wheel.namelist() if name.endswith((".jpg", ".png"))]
    assert pictures
    table = wheel.read("facematch_core/cli/photographs/README.md").decode()
    for name in pictures:
        assert Path(name).name in table
        assert "Family" not in name
        assert wheel.read(name) == (ROOT / "docs/photographs" / Path(name).name).read_bytes()


def test_wheel_metadata_has_this_version_and_no_made_up_url(wheel):
    (name,) = (n for n in wheel.namelist() if n.endswith("METADATA"))
    metadata = email.message_from_bytes(wheel.read(name))
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert sorted(metadata.get_all("Provides-Extra")) == EXTRAS.split()
    links = metadata.get_all("Project-URL", [])
    assert not [link for link in links if "example" in link]
    assert metadata["Version"] == __version__
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_links_of_the_readme_are_absolute_once_the_repository_has_an_address():
    hook = runpy.run_path(str(ROOT / "hatch_build.py"))["LinksHook"]
    for repository in ("", "https://github.com/an-owner/facematch"):
        metadata = {"version": __version__}
        hook(str(ROOT), {"repository": repository}).update(metadata)
        text = metadata["readme"]["text"]
        links = re.findall(r"\]\(([^)]+)\)", text)
        relative = [link for link in links if not link.startswith(("https://", "#"))]
        assert bool(relative) == (repository == "")
        assert bool(metadata["urls"]) == (repository != "")
    tag = f"/v{__version__}/"
    for link in links:
        if link.startswith(repository):
            path = link.partition(tag)[2].partition("#")[0]
            assert (ROOT / path).is_file(), link
    assert f"{repository}/raw{tag}docs/pictures/console.png" in links


def test_unpacked_wheel_imports_lists_backends_and_has_the_command_and_the_pages(wheel, tmp_path):
    wheel.extractall(tmp_path)
    code = """
import sys
import facematch_core, facematch_didit
print(facematch_core.__file__, facematch_didit.__file__, sep="\\n")
infos = facematch_core.available_backends()
print(*[info.name for info in infos if info.distribution == "facematch-core"])
sys.argv[1:] = ["--version"]
from facematch_core.cli import main, pages
print(*sorted(pages.read_pages()))
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    *files, names, names_of_pages, version = done.stdout.splitlines()
    assert all(Path(file).is_relative_to(tmp_path) for file in files)
    assert names.split() == sorted(
        name.removeprefix("facematch_") for name in {*VENDORS, ENGINE.name}
    )
    assert names_of_pages.split() == sorted(read_pages()), "those of docs/"
    assert version == f"facematch {__version__}"


def test_sdist_can_be_built_and_has_no_family_photographs(tmp_path):
    with tarfile.open(built("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "NOTICE", "README.md", "CHANGELOG.md", "pyproject.toml", "Makefile"} <= names
    tops = {name.partition("/")[0] for name in names}
    assert {*TOPS, "tests", "docs"} <= tops
    assert tops.isdisjoint({".ci", ".github", ".venv", "demo", "dist", "site", ".cache", ".git"})
    pictures = {name for name in names if name.endswith(".jpg")}
    free = "facematch_core/cli/photographs/"
    allowed = {Path(name).name for name in pictures if name.startswith(free)}
    assert allowed
    assert {Path(name).name for name in pictures} == allowed
