"""What the system tests share: a wheel, fresh environments, and programs that may be missing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from system.browser import Browser
from system.postgres import find, running_server

ROOT = Path(__file__).parents[2]
AXE = "axe-playwright-python==0.1.8"


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
        **options,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    return build_wheel(ROOT, out)


@pytest.fixture(scope="session")
def engine_wheel(tmp_path_factory):
    return build_wheel(ROOT / "backends" / "facematch_local", tmp_path_factory.mktemp("engine"))


def build_wheel(source, out):
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source)
    (path,) = out.glob("*.whl")
    return path


class Environment:
    """A virtual environment of its own, with nothing in it but what a test installs."""

    def __init__(self, folder):
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        self.bin = folder / "bin"

    def install(self, *what):
        """Install from the package registries, in the versions that the other tests have."""
        pins = self.bin / "pins.txt"
        # Without the hashes, which would be asked of the wheel as well.
        lock = (ROOT / "requirements/dev.txt").read_text("utf-8")
        locked = re.findall(r"(?m)^\S+==[^\\\n]+", lock)
        pins.write_text("".join(f"{pin}\n" for pin in locked))
        installer = ROOT / "requirements/install.py"
        # What is beside this tree is not in a fresh environment.
        kept = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        run(sys.executable, installer, self.bin / "python", "--constraint", pins, *what, env=kept)

    def python(self, code, **options):
        return run(self.bin / "python", "-W", "error", "-c", code, **options)


@pytest.fixture(autouse=True)
def _own_home():
    """Overrides the one of the other tests: pip and pyright keep their caches at home."""


@pytest.fixture
def environment(tmp_path):
    return Environment(tmp_path / "venv")


@pytest.fixture(scope="session")
def lasting_environment(tmp_path_factory):
    return lambda name: Environment(tmp_path_factory.mktemp(name) / "venv")


def missing(what):
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing in CI")
    pytest.skip(f"{what} is not installed: NOT TESTED")


@pytest.fixture(scope="session")
def find_program():
    return lambda name: shutil.which(name) or missing(name)


@pytest.fixture(scope="session")
def missing_program():
    return missing


@pytest.fixture(scope="session")
def check_page(tmp_path_factory):
    """Check a page: quiet, no wider than the window, nothing from elsewhere, no finding of axe."""
    folder = tmp_path_factory.mktemp("axe")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, AXE)
    rules = (folder / "axe_playwright_python" / "axe.min.js").read_text()

    def check(browser, *origins):
        browser.check_log_requests_and_width(*origins)
        browser.value(rules)
        one = "[one.impact, one.id, one.nodes.slice(0, 3).map(n => n.html.slice(0, 200))]"
        found = "axe.run({resultTypes: ['violations']}).then(all => all.violations"
        assert browser.result(f"{found}.map(one => {one}))") == []

    return check


@pytest.fixture(scope="module")
def browser(find_program, tmp_path_factory):
    opened = Browser(find_program("chromium"), tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def run_command():
    return run


@pytest.fixture(scope="session")
def install_from_npm(find_program):
    """Install npm's packages in a folder."""

    def install(folder, *packages):
        # A registry may fail now and then; nor is it asked what is not needed.
        options = ("--silent", "--no-save", "--fetch-retries=5", "--no-audit", "--no-fund")
        run(find_program("npm"), "install", *options, *packages, cwd=folder)

    return install


@pytest.fixture(scope="session")
def postgres(missing_program):
    if find("initdb") is None:
        missing_program("the server of PostgreSQL")
    with running_server() as server:
        yield server
