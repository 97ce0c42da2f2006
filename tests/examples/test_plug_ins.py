"""Plug-ins, built, installed and used as a stranger would: the example, and a new one."""

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kit.fakes import invoke_facematch

import facematch_core

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
CORE = Path(facematch_core.__file__).parents[1]
#: What tools leave behind.
REMAINS = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis", "*.egg-info", "build")


#: Plug-ins that the command writes, with its options.
WRITTEN = {
    "acme": (),
    "acme_pair": ("--kind", "pair"),
    "acme_session": ("--kind", "session"),
}


class Installed:
    """A plug-in and its site in an empty folder, written by ``facematch new-backend`` if it is one
    of `WRITTEN`."""

    def __init__(self, name, folder):
        self.site, self.repository = folder / "site", folder / "repository"
        self._environment = {
            "PATH": os.environ["PATH"],
            # stevedore's cache on disk, and whatever pip keeps.
            **{name: str(folder) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")},
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONPATH": os.pathsep.join([str(self.site), str(CORE)]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if name in WRITTEN:
            with contextlib.chdir(folder):
                assert invoke_facematch("new-backend", name, *WRITTEN[name]).exit_code == 0
            (folder / f"facematch-{name.replace('_', '-')}").rename(self.repository)
        else:
            shutil.copytree(EXAMPLES / f"{name}_backend", self.repository, ignore=REMAINS)
        pip = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        self.python(*pip, "--no-build-isolation", "--target", self.site, self.repository)

    def python(self, *arguments, fails=False, **more):
        # Without -P the repository itself would come first on the path.
        done = subprocess.run(
            [sys.executable, "-P", *map(str, arguments)],
            cwd=self.repository,
            env=self._environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1000,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def script(self, text, **more):
        return json.loads(self.python("-c", text, **more))


OF_TESTS = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.fixture(scope="module")
def install(tmp_path_factory):
    return functools.cache(lambda name: Installed(name, tmp_path_factory.mktemp(name)))


@pytest.mark.parametrize("name", WRITTEN)
def test_example_tests_pass_against_the_installed_plug_in(install, name):
    installed = install(name)
    text = f"import facematch_{name} as p, json; print(json.dumps(p.__file__))"
    assert Path(installed.script(text)).is_relative_to(installed.site)
    printed = installed.python(*OF_TESTS, "-ra")
    assert " passed" in printed
    assert "not tested" not in printed


def test_a_new_plug_in_is_typed(install):
    assert (install("acme").site / "facematch_acme" / "py.typed").is_file()


SCRIPT = """
import json
from facematch_core import open_verifier
from facematch_core.testing import Situation
from facematch_acme._simulator import *

results = []
with AcmeSimulator() as simulator:
    with open_verifier("acme", base_url=simulator.url, SETTINGS) as verifier:
        for situation in (Situation.SAME_PERSON, Situation.DIFFERENT_PEOPLE, Situation.NO_FACE):
            simulator.set_situation(situation)
            result = verifier.verify(*simulator.pictures_for(Situation.SAME_PERSON))
            raw = result.score and result.score.raw
            results.append([result.decision, raw, result.billing.charged])
print(json.dumps(results))
"""
OF_ACME = [["match", 0.935, "yes"], ["no_match", 0.1225, "yes"], ["inconclusive", None, "no"]]


@pytest.mark.parametrize(
    ("settings", "keys"),
    [("api_key=KEY", {}), ("", {"ACME_API_KEY": "an-example-of-a-key-4f7e1c2ab9"})],
)
def test_example_plug_in_opens_by_name_and_verifies(install, settings, keys):
    assert install("acme").script(SCRIPT.replace("SETTINGS", settings), **keys) == OF_ACME


def test_no_key_is_sent_to_another_host_or_printed(install):
    ask = 'open_verifier("acme", api_key="k-123456", base_url="https://evil.test")'
    code = f"from facematch_core import open_verifier\n{ask}"
    report = install("acme").python("-c", code, fails=True)
    assert "ConfigurationError: base_url names the host evil.test" in report
    assert "k-123456" not in report.replace('"k-123456"', "")


BROKEN = """
import pytest
from facematch_acme._simulator import AcmeSimulator
from facematch_core.testing import BackendContract

class Careless(AcmeSimulator):
    is_fraction = False

class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with Careless() as simulator:
            yield simulator
"""


def test_a_broken_rule_is_named_with_its_cause(install):
    installed = install("acme")
    file = installed.repository / "tests" / "test_broken.py"
    file.write_text(BROKEN)
    report = installed.python(*OF_TESTS, "-k", "test_r02 or test_r51", file, fails=True)
    file.unlink()
    assert "1 failed, 1 passed" in report
    assert "test_r02_score_lies_on_its_scale" in report
    assert "the score is 87.0" in report


START = """
import json
import requests
from facematch_core.testing import Situation
from facematch_acme_session._simulator import KEY, AcmeSessionSimulator

statuses = []
with AcmeSessionSimulator() as simulator:
    simulator.set_situation(Situation.SAME_PERSON)
    for content_type in ("application/json", "text/plain"):
        headers = {"X-Api-Key": KEY, "Content-Type": content_type}
        url = f"{simulator.url}/sessions"
        statuses.append(requests.post(url, data="{}", headers=headers, timeout=9).status_code)
print(json.dumps(statuses))
"""


def test_a_start_without_its_constant_is_refused(install):
    assert install("acme_session").script(START) == [201, 400]
