"""The example plug-ins, built, installed and used as a stranger would."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import facematch_core

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
CORE = Path(facematch_core.__file__).parents[1]
#: What tools leave behind.
REMAINS = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis", "*.egg-info", "build")
SESSION_RULES = {f"R{number}" for number in range(52, 63)}


class Installed:
    """An example in a folder of its own, and Python as it finds it there.

    Args:
        example: Name of the folder below ``docs/examples``, or the path of another one.
        folder: An empty one.
    """

    def __init__(self, example, folder):
        self.site, self.repository = folder / "site", folder / "repository"
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            # stevedore's cache on disk, and whatever pip keeps.
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONPATH": os.pathsep.join([str(self.site), str(CORE)]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        shutil.copytree(EXAMPLES / example, self.repository, ignore=REMAINS)
        pip = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        self.python(*pip, "--no-build-isolation", "--target", self.site, self.repository)

    def python(self, *arguments, fails=False, **more):
        """What a run prints; in the example's repository, against the installed copy."""
        # Without -P the repository itself would come first on the path.
        done = subprocess.run(
            [sys.executable, "-P", *map(str, arguments)],
            cwd=self.repository,
            env=self._environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def script(self, text, **more):
        """What a script prints as JSON."""
        return json.loads(self.python("-c", text, **more))


OF_TESTS = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.fixture(scope="module")
def install(tmp_path_factory):
    """Builds and installs an example once."""
    copies = {}

    def of(name):
        if name not in copies:
            copies[name] = Installed(f"{name}_backend", tmp_path_factory.mktemp(name))
        return copies[name]

    return of


# Of the contract the first rule: the reports below have all of them, over the same simulators.
@pytest.mark.parametrize("name", ["deepface", "latterly"])
def test_its_own_tests_pass_against_the_installed_copy(install, name):
    installed = install(name)
    text = f"import facematch_{name} as p, json; print(json.dumps(p.__file__))"
    assert installed.script(text).startswith(str(installed.site))
    assert " passed" in installed.python(*OF_TESTS, "-k", "test_r01 or not test_r")


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "passed_over"),
    [
        # It has no hosted sessions.
        ("deepface", {"R10", "R12", "R13", "R14", "R22", "R32", "R48", "R49", *SESSION_RULES}),
        ("latterly", None),
    ],
)
def test_it_conforms_and_no_rule_is_passed_over_without_a_reason(install, name, passed_over):
    command = "from facematch_core.cli import main; main()"
    report = json.loads(install(name).python("-c", command, "conformance", name, "--json"))
    assert report["verdict"] == "conforms", report
    assert (report["counts"]["failed"], report["counts"]["open"]) == (0, 0)
    rules = [rule for rule in report["rules"] if rule["status"] == "does_not_apply"]
    assert all(rule["reasons"] for rule in rules)
    assert passed_over is None or {rule["number"] for rule in rules} == passed_over


SCRIPT = """
import json
from facematch_core import open_verifier
from facematch_core.testing import Situation
from facematch_{name}._simulator import *

results = []
with {simulator}() as simulator:
    settings = {{"base_url": simulator.url}} | {settings}
    with open_verifier("{name}", **settings) as verifier:
        for situation in (Situation.SAME_PERSON, Situation.DIFFERENT_PEOPLE, Situation.NO_FACE):
            simulator.set_situation(situation)
            result = verifier.verify(*simulator.pictures_for(Situation.SAME_PERSON))
            raw = result.score and result.score.raw
            results.append([result.decision, raw, result.billing.charged])
print(json.dumps(results))
"""
OF_ACME = [["match", 93.5, "yes"], ["no_match", 12.25, "yes"], ["inconclusive", None, "yes"]]
OF_DEEPFACE = [["match", 0.11, "no"], ["no_match", 0.71, "no"], ["inconclusive", None, "no"]]


@pytest.mark.parametrize(
    ("name", "settings", "keys", "answers"),
    [
        ("acme", '{"api_key": KEY}', {}, OF_ACME),
        (
            "acme",
            "{}",
            {"ACME_API_KEY": "an-example-of-a-key-4f7e1c2ab9"},
            OF_ACME,
        ),
        (
            "deepface",
            '{"model_name": MODEL}',
            {"DEEPFACE_AUTH_TOKEN": "an-example-of-a-token-93c1f07ad2"},
            OF_DEEPFACE,
        ),
    ],
    ids=["acme", "acme, key of the environment", "deepface"],
)
def test_it_is_opened_by_name_and_asked(install, name, settings, keys, answers):
    text = SCRIPT.format(name=name, simulator=f"{name.title()}Simulator", settings=settings)
    assert install(name).script(text, **keys) == answers


def test_a_stray_address_gets_no_key_and_no_key_is_printed(install):
    report = install("acme").python(
        "-c",
        "from facematch_core import open_verifier\n"
        'open_verifier("acme", api_key="k-123456", base_url="https://evil.test")',
        fails=True,
    )
    assert "ConfigurationError: base_url names the host evil.test" in report
    assert "k-123456" not in report.replace('"k-123456"', "")


BROKEN = """
import pytest
from facematch_acme._simulator import AcmeSimulator
from facematch_core.testing import BackendContract

class Careless(AcmeSimulator):
    @property
    def received(self):
        return {"threshold": 1.5}

class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with Careless() as simulator:
            yield simulator
"""


def test_a_broken_rule_is_named_with_what_was_seen(install):
    installed = install("acme")
    file = installed.repository / "tests" / "test_broken.py"
    file.write_text(BROKEN)
    report = installed.python(*OF_TESTS, "-k", "test_r07 or test_r05", file, fails=True)
    file.unlink()
    assert "1 failed, 1 passed" in report
    assert "test_r07_threshold_edge" in report
    assert "1.5" in report


LOST = """
import json
from facematch_core import OutcomeUnknown, open_verifier
from facematch_core.testing import ManualClock, Situation
from facematch_latterly._simulator import KEY, LatterlySimulator

with LatterlySimulator() as simulator:
    settings = {"api_key": KEY, "base_url": simulator.url, "clock": ManualClock()}
    with open_verifier("latterly", **settings) as verifier:
        simulator.set_situation(Situation.NEVER_DONE)
        try:
            verifier.verify(*simulator.pictures_for(Situation.SAME_PERSON))
        except OutcomeUnknown as error:
            simulator.set_situation(Situation.SAME_PERSON)
            answer = verifier.reconcile(error)
            print(json.dumps([error.ids.vendor, error.billing.charges, answer.result.decision]))
"""


def test_a_lost_job_is_found_from_outside(install):
    assert install("latterly").script(LOST) == ["job_1", 1, "match"]
