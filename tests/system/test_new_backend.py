"""A plug-in of somebody else: written, built, installed beside the core's wheel, and tried."""

import sys
from pathlib import Path

import pytest

NAME = "orbital-id"


class Lab:
    """A clean environment with the wheels of core and plug-in, and nothing of this repository."""

    def __init__(self, environment, folder, run):
        self.environment, self.run, self.folder = environment, run, folder
        run(environment.bin / "facematch", "new-backend", NAME, "--into", folder)
        self.repository = folder / f"facematch-{NAME}"
        pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps")
        run(*pip, "--wheel-dir", folder / "dist", self.repository)
        package = self.repository.name.replace("-", "_")
        (built,) = (folder / "dist").glob(f"{package}-*.whl")
        environment.install(f"{built}[testing]")
        code = f"import {package} as p; print(p.__path__[0])"
        self.installed = Path(environment.python(code, cwd=folder).strip())


@pytest.fixture(scope="module")
def lab(lasting_environment, wheel, tmp_path_factory, run_command):
    environment, folder = lasting_environment("plug-in"), tmp_path_factory.mktemp("lab")
    environment.install(f"{wheel}[testing]")
    return Lab(environment, folder, run_command)


def test_the_installed_plug_in_is_found_by_its_own_entry_points(lab):
    assert lab.installed.is_relative_to(lab.environment.bin.parent)
    code = "from facematch_core import available_backends as a; print(*a(), sep='\\n')"
    listed = lab.run(lab.environment.bin / "python", "-P", "-c", code)
    (entry,) = (line for line in listed.splitlines() if f"name='{NAME}'" in line)
    assert f"distribution='facematch-{NAME}'" in entry
    assert "version='0.1.0'" in entry
    assert (lab.installed / "py.typed").is_file()


def test_its_own_tests_pass_from_its_repository(lab):
    tests = ("-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider")
    output = lab.run(lab.environment.bin / "python", "-P", *tests, cwd=lab.repository)
    assert " passed" in output
    assert "not tested" not in output
