"""The wheel: nothing but our packages, complete, and alive without the repository."""

import email
import hashlib
import os
import subprocess
import sys
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
    "facematch_mock_server",
    "facematch_rekognition",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from this tree, with what is installed (no network)."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT],
        check=True,
        capture_output=True,
        timeout=300,
    )
    (path,) = out.glob("*.whl")
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
    folders = [path for top in ("backends", "mock_server") for path in (ROOT / top).iterdir()]
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
    names = ["azure", "compreface", "deepvue", "didit", "local", "rekognition", "simulated"]
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
