"""Face++ as a distribution of its own, built from a copy of the sources, and its environment.

What a vendor of another distribution can do is thus tried with a vendor that is whole.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
CORE = ("backends", "comparison", "docs", "facematch_core", "mock_server")
MOCK = "facematch_mock_server.vendors.facepp"
#: Where the parts of the vendor's package are in the sources.
PARTS = {
    "facematch_facepp": ROOT / "backends/facematch_facepp",
    "facematch_facepp/mock": ROOT / "mock_server/facematch_mock_server/vendors/facepp",
    "facematch_facepp/page.md": ROOT / "docs/vendors/facepp.md",
}
_NO_BYTECODE = shutil.ignore_patterns("__pycache__", "*.pyc")


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=_NO_BYTECODE, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def copy_core(folder):
    """Copy the sources of facematch-core, with Face++ as it would be if it were split off."""
    for name in (*CORE, "CHANGELOG.md", "LICENSE", "NOTICE", "README.md", "SECURITY.md"):
        copy(ROOT / name, folder / name)
    copy(ROOT / "hatch_build.py", folder / "hatch_build.py")
    for part in PARTS.values():
        copied = folder / part.relative_to(ROOT)
        if copied.is_dir():
            shutil.rmtree(copied)
        elif copied.exists():
            copied.unlink()
    project = (ROOT / "pyproject.toml").read_text()
    without = re.sub(r"(?m)^.*facepp.*\n", "", project)
    assert project.count("\n") - without.count("\n") == 4, "two names, two aliases"
    (folder / "pyproject.toml").write_text(without)
    plugins = folder / "facematch_core/config/plugins.py"
    text = plugins.read_text()
    listed = "SEPARATE_PACKAGES: Final = {"
    assert listed in text
    plugins.write_text(text.replace(listed, f'{listed}"facepp": "facematch-facepp", '))


def copy_facepp(folder):
    """Copy backend, mock and page of Face++ into a package with entry points."""
    for place, source in PARTS.items():
        copy(source, folder / place)
    shutil.copy(HERE / "pyproject.toml", folder)
    shutil.copy(ROOT / "LICENSE", folder)


def copy_checks(folder):
    """Copy the tests that run in the environment, and the parts of the kit that they use."""
    copy(HERE / "checks.py", folder / "test_outside.py")
    for name in ("kit", "vendors"):
        copy(ROOT / "tests" / name, folder / name)
    simulators = folder / "vendors/facepp.py"
    text = simulators.read_text()
    assert MOCK in text
    simulators.write_text(text.replace(MOCK, "facematch_facepp.mock"))
    shutil.copy(ROOT / "tests/system/door_programs/with_facepp.py", folder)


def build(source, out):
    """Return the wheel of a folder with sources."""
    out.mkdir()
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (wheel,) = out.iterdir()
    return wheel


class Environment:
    """A virtual environment with our wheels, and this one's packages but for facematch's."""

    def __init__(self, folder):
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=120
        )
        base = {"base": str(folder), "platbase": str(folder)}
        self.python = Path(sysconfig.get_path("scripts", "venv", vars=base), "python")
        self.packages = Path(sysconfig.get_path("purelib", "venv", vars=base))
        # A folder that a .pth file adds is behind the environment's own, and its own .pth files,
        # such as that of an editable installation of facematch, are not read.
        others = sysconfig.get_path("purelib")
        (self.packages / "others.pth").write_text(f"{others}\n")
        # The local engine has no wheel here, because its models are large.
        (self.packages / "facematch_local").symlink_to(ROOT / "backends/facematch_local")

    def install(self, wheel):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.packages)

    def run(self, *words, cwd, code=0, **variables):
        """Run Python with these words; return what it prints."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
        }
        done = subprocess.run(
            [str(self.python), *map(str, words)],
            cwd=cwd,
            env=environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == code, done.stdout
        return done.stdout
