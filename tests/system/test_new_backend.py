"""A plug-in of somebody else: written, built, installed beside the core's wheel, and tried.

The kit passes on it. With one line of it broken the kit fails, and names the rule that is broken.
"""

import json
import subprocess
from pathlib import Path

import pytest

NAME = "orbital-id"
PACKAGE = "facematch_orbital_id"
FILE = "_backend.py"


class Lab:
    """A clean environment with the wheels of core and plug-in, and nothing of this repository."""

    def __init__(self, environment, wheel, folder, run):
        self.environment, self.run, self.folder = environment, run, folder
        environment.install(f"{wheel}[testing]")
        run(environment.bin / "facematch", "new-backend", NAME, "--into", folder)
        self.repository = folder / f"facematch-{NAME}"
        pip = (environment.bin / "python", "-m", "pip", "wheel", "--quiet", "--no-deps")
        run(*pip, "--wheel-dir", folder / "dist", self.repository)
        (built,) = (folder / "dist").glob("*.whl")
        environment.install(f"{built}[testing]")
        code = f"import {PACKAGE} as p; print(p.__path__[0])"
        self.installed = Path(environment.python(code, cwd=folder).strip())

    def card(self):
        """Exit code and card of `facematch conformance`."""
        done = subprocess.run(
            [self.environment.bin / "facematch", "conformance", NAME, "--json"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def lab(lasting_environment, wheel, tmp_path_factory, run_command):
    """Made once: each test puts back what it breaks."""
    folder = tmp_path_factory.mktemp("lab")
    return Lab(lasting_environment("plug-in"), wheel, folder, run_command)


def test_it_is_a_stranger(lab):
    """What runs is the installed copy, by the entry points of its own distribution."""
    assert lab.installed.is_relative_to(lab.environment.bin.parent)
    listed = json.loads(lab.run(lab.environment.bin / "facematch", "backends", "--json"))
    (found,) = (one for one in listed["backends"] if one["name"] == NAME)
    assert (found["distribution"], found["version"]) == (f"facematch-{NAME}", "0.1.0")
    assert (lab.installed / "py.typed").is_file()


def test_the_kit_passes_on_it(lab):
    """Every rule that applies is kept, and none is left open."""
    code, card = lab.card()
    assert (code, card["verdict"]) == (0, "conforms"), card
    assert card["counts"]["failed"] == card["counts"]["open"] == 0
    assert card["counts"]["passed"] > card["counts"]["does_not_apply"]
    assert card["simulator_distribution"] == f"facematch-{NAME}"


def test_its_own_tests_pass(lab):
    """From its repository, against the installed copy."""
    tests = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    said = lab.run(lab.environment.bin / "python", "-P", *tests, cwd=lab.repository)
    assert " passed" in said
    assert "Not tested" not in said


RETRYING = """\
    def match(self, call: MatchCall) -> MatchResult:
        from facematch_core import OutcomeUnknown

        try:
            return super().match(call)
        except OutcomeUnknown:
            return super().match(call)

    def build(self"""

#: What is broken: in `FILE` the line as it is, as it is wrong, and the rule that is to say so.
BREAKS = {
    "at least becomes above": (
        "threshold_rule=ThresholdRule.AT_LEAST",
        "threshold_rule=ThresholdRule.ABOVE",
        "R07",
    ),
    "verdicts swapped": (
        '"same": Decision.MATCH, "different": Decision.NO_MATCH',
        '"same": Decision.NO_MATCH, "different": Decision.MATCH',
        "R06",
    ),
    "an unknown word is a match": (
        "DECISIONS.get(verdict, Decision.REVIEW)",
        "DECISIONS.get(verdict, Decision.MATCH)",
        "R13",
    ),
    "the warning is dropped": (
        "warnings=(NO_FACE,) if score is None else ()",
        "warnings=()",
        "R11",
    ),
    "no score is 0": (
        "    score = None\n    if similarity is not None:",
        "    similarity = similarity or 0.0\n    if True:",
        "R10",
    ),
    "the score is a fraction": (
        "            similarity, SCALE,",
        "            similarity / 100, SCALE,",
        "R03",
    ),
    "the score is clamped": (
        "            similarity, SCALE,",
        "            min(similarity, 100.0), SCALE,",
        "R15",
    ),
    "true is a number": ("isinstance(value, bool) or ", "", "R39"),
    "said to be free": ("Charged.YES, ", "Charged.NO, ", "R16"),
    "a gateway's page is the vendor's word": (
        "[BodyShape.JSON_OBJECT]",
        "BodyShape",
        "R38",
    ),
    "pictures swapped": (
        '"probe": _in_base64(call.probe)',
        '"probe": _in_base64(call.reference)',
        "R42",
    ),
    "the threshold is ignored": (
        "call.threshold.value",
        "75.0",
        "R07",
    ),
    "asked again after a lost answer": (
        "    def build(self",
        RETRYING,
        "R18",
    ),
    "the key is in the log": (
        "        assert call.threshold is not None  # there is a default",
        '        __import__("logging").getLogger("x").warning("%s", self.api_key.reveal())',
        "R21",
    ),
    "more is declared than is done": (
        "        default_threshold=75.0,",
        "        default_threshold=75.0,\n        rotate=True,",
        "R25",
    ),
    "the limit is too high": ("max_bytes=1_000_000", "max_bytes=9_000_000", "R24"),
    "nothing is checked when it is opened": (
        '    base_url: str = f"https://{HOST}"\n',
        '    base_url: str = f"https://{HOST}"\n\n    def __attrs_post_init__(self) -> None: ...\n',
        "R31",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_one_broken_line_is_named(lab, name):
    """The exit code says that a rule is broken, and the card which."""
    right, wrong, rule = BREAKS[name]
    path = lab.installed / FILE
    whole = path.read_text()
    assert whole.count(right) == 1
    path.write_text(whole.replace(right, wrong))
    try:
        code, card = lab.card()
    finally:
        path.write_text(whole)
    failed = [line["number"] for line in card["rules"] if line["status"] == "failed"]
    assert rule in failed, failed
    assert (code, card["verdict"]) == (7, "fails")


def test_a_rebuilt_wheel_is_judged_as_well(lab):
    """The same through build and installation, as a new release of the plug-in would come."""
    right, wrong, rule = BREAKS["an unknown word is a match"]
    sources = lab.repository / "src" / PACKAGE / FILE
    project = lab.repository / "pyproject.toml"
    sources.write_text(sources.read_text().replace(right, wrong))
    project.write_text(project.read_text().replace('version = "0.1.0"', 'version = "0.2.0"'))
    python = lab.environment.bin / "python"
    wheels = lab.folder / "next"
    lab.run(python, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", wheels, lab.repository)
    (built,) = wheels.glob("*.whl")
    lab.environment.install(str(built))
    code, card = lab.card()
    failed = [line["number"] for line in card["rules"] if line["status"] == "failed"]
    assert (code, card["version"]) == (7, "0.2.0")
    assert rule in failed
