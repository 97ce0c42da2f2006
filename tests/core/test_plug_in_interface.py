"""What docs/reference/plug-in-interface.md promises to plug-ins, as far as a test can tell.

`plug_in_interface_1.txt` is what version 1 of the interface consists of, line by line. What stands
there stays; UPDATE_DOCS=1 adds what is new.
"""

import ast
import enum
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import attrs
import pytest
from kit.plugins import BACKEND, Site

from facematch_core import (
    BackendUnavailable,
    FaceVerifier,
    Operation,
    Retention,
    Unsupported,
    backend,
    http,
    testing,
)
from facematch_core.plugins import BACKENDS, COMMANDS, backend_class
from facematch_core.testing.conformance import GROUP as SIMULATORS
from facematch_core.testing.conformance import run_rules
from facematch_core.testing.simulator import required
from facematch_mock_server.vendors import GROUP as VENDORS
from facematch_mock_server.vendors.compreface.simulator import ComprefaceSimulator

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "plug-in-interface.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
KEPT = Path(__file__).with_name("plug_in_interface_1.txt")

#: The modules, as the page names them.
MODULES = re.findall(r"^\| \[?`(facematch_core[\w.]*)`", PAGE, re.MULTILINE)

#: Data that a plug-in, its double or its tests make; other data they are only shown.
MADE = (
    *("CallRecord", "Box", "Capabilities", "Demographics", "SimulatorReply"),
    *("ErrorRow", "Face", "FilePart", "HttpReply", "HttpRequest", "ImageLimits"),
    *("LivenessCall", "LivenessResult", "MatchCall", "MatchResult", "RateWindow"),
    *("Reconciliation", "ResultWarning", "Score", "Threshold"),
)

#: What plug-ins derive from.
BASES = (backend.Backend, http.HttpBackend, testing.VendorSimulator, testing.HttpSimulator)


def public():
    """Every public object, by its full name."""
    for name in MODULES:
        module = importlib.import_module(name)
        # `facematch_core.errors` has no `__all__`: its classes are meant.
        own = [of for of, thing in vars(module).items() if inspect.isclass(thing)]
        own = [of for of in own if getattr(module, of).__module__ == name]
        names = getattr(module, "__all__", own)
        yield from ((f"{name}.{of}", getattr(module, of)) for of in names)


def parameters(method):
    """What a method is called with, in order."""
    return list(inspect.signature(method).parameters)[1:]


def interface():
    """What version 1 consists of, as lines of text."""
    seen = set()
    for name, thing in public():
        yield f"name {name}"
        if not isinstance(thing, type) or thing in seen:
            continue
        seen.add(thing)
        if issubclass(thing, enum.Enum):
            yield from (f"member {thing.__name__}.{one.name} = {one.value}" for one in thing)
        elif attrs.has(thing):
            fields = attrs.fields(thing)
            needed = sorted(field.name for field in fields if field.default is attrs.NOTHING)
            if thing.__name__ in MADE:
                yield f"needed {thing.__name__}: {' '.join(needed)}"
            named = (field.name for field in fields if not field.name.startswith("_"))
            yield from (f"attribute {thing.__name__}.{name}" for name in named)
    for base in BASES:
        yield f"to be written {base.__name__}: {' '.join(sorted(base.__abstractmethods__))}"
        for name, method in inspect.getmembers(base, inspect.isfunction):
            if not name.startswith("_"):
                yield f"method {base.__name__}.{name}({', '.join(parameters(method))})"
    yield from (f"rule {rule.number} {rule.name}" for rule in testing.rules())
    everything = backend.Capabilities(operations=Operation, billed_operations=Operation)
    yield f"situations {' '.join(sorted(required(everything)))}"
    yield f"formats {' '.join(sorted(backend.ImageLimits().formats))}"


def test_what_is_promised_is_kept():
    """Names, attributes, members, what must be given or written, numbers of rules: all there."""
    now = set(interface())
    if (
        os.environ.get("UPDATE_DOCS")
        and KEPT.exists()
        and now >= set(KEPT.read_text().splitlines())
    ):
        KEPT.write_text("".join(f"{line}\n" for line in sorted(now)))
    gone = set(KEPT.read_text().splitlines()) - now
    assert not gone, "version 1 promised this; see docs/reference/plug-in-interface.md"


#: Rules that were dropped, or that another one took in.
GONE = {f"R{number:02}" for number in (4, 9, 26, 27, 29, 33, 34, 35, 36, 40, 41, 43, 45, 46)}


def test_no_rule_has_the_number_of_another():
    """Who reads an old report finds no other rule under a number of it."""
    numbers = [rule.number for rule in testing.rules()]
    assert len(set(numbers)) == len(numbers)
    assert not GONE & set(numbers)
    assert f"Of {len(GONE) + len(numbers) - 1} rules {len(numbers)} are left" in PAGE


def test_the_snapshot_would_notice():
    """It holds something of each kind, so that none is promised in vain."""
    kept = KEPT.read_text()
    for line in (
        "name facematch_core.http.HttpBackend",
        "needed MatchResult: backend decision",
        "needed MatchCall: probe reference",
        "needed Capabilities: ",
        "member Decision.INCONCLUSIVE = inconclusive",
        "attribute Call.deadline_s",
        "to be written Backend: match",
        "method HttpBackend.sign(request, call, deadline_s)",
        "rule R32 test_r32_another_call_is_never_found",
    ):
        assert f"{line}\n" in kept


def test_the_modules_are_those_of_the_page():
    """The ones that our own backends are held to, and the kit."""
    assert MODULES == [
        "facematch_core",
        "facematch_core.backend",
        "facematch_core.http",
        "facematch_core.errors",
        "facematch_core.files",
        "facematch_core.testing",
    ]


@pytest.mark.parametrize("version", [0, 2])
def test_another_version_is_refused_in_one_sentence(tmp_path, monkeypatch, version):
    """The older and the newer, when it is opened and where backends are listed."""
    from facematch_core.cli.backends import inspected

    site = Site(tmp_path, monkeypatch)
    source = f"{BACKEND}        api_version = {version}\n"
    site.add("facematch-acme", [(BACKENDS, "made", "Made")], source)
    says = (
        f"The backend made of facematch-acme speaks version {version} of the plug-in interface, "
        f"this release version {backend.API_VERSION}: update the older of the two."
    )
    with pytest.raises(BackendUnavailable) as caught:
        backend_class("made")
    assert caught.value.message == says
    found = {entry["name"]: entry["problem"] for entry in inspected()}
    assert found["made"] == says
    assert found["local"] is None
    quoted = " ".join(PAGE.replace("\n> ", " ").split())
    assert says.replace("made", "acme").replace(f"version {version} of", "version 2 of") in quoted


def test_the_version_is_inherited():
    """A plug-in says nothing of it."""
    assert f"`Backend.api_version` is {backend.API_VERSION}." in PAGE
    assert backend.Backend.api_version == backend.API_VERSION == 1


def test_what_is_not_declared_is_off_and_refused(verifier):
    """An old plug-in declares nothing new, and is not asked for it."""
    can = backend.Capabilities()
    assert can.operations == {Operation.MATCH}
    assert can.retention == {Retention.MINIMAL}
    off = ("rotate", "sends_caller_ref", "sends_metadata", "reports_faces", "options")
    assert not any(getattr(can, name) for name in off)
    assert not can.rate_windows

    class Old(backend.Backend):
        name = "old"

        def match(self, call):
            raise AssertionError("asked for what it does not declare")

    images = testing.noise(1), testing.noise(2)
    for wish in ({"rotate": True}, {"retention": Retention.KEEP}, {"options": object()}):
        with pytest.raises(Unsupported):
            FaceVerifier(Old()).verify(*images, **wish)


@pytest.mark.parametrize("kind", [backend.MatchCall, backend.Capabilities, testing.SimulatorReply])
def test_data_is_made_by_keywords(kind):
    """So that no new attribute shifts another."""
    with pytest.raises(TypeError, match="positional"):
        kind(None)


def test_entry_points_are_those_of_the_page():
    """The groups that the core reads are those of the page, and ours are in each."""
    told = re.findall(r"^\| `(facematch\.\w+)` \|", PAGE, re.MULTILINE)
    assert told == [BACKENDS, SIMULATORS, VENDORS, COMMANDS]
    assert {*told} - {VENDORS} == {group for group in PROJECT["entry-points"] if "." in group}
    assert {*PROJECT["entry-points"][BACKENDS]} == {*PROJECT["entry-points"][SIMULATORS]}
    assert all(f"`{name}`" in PAGE for name in PROJECT["entry-points"][BACKENDS])


def test_nothing_is_deprecated():
    """The page says so: whoever deprecates something writes it there."""
    assert "Nothing is deprecated in this release." in PAGE
    for path in (ROOT / "facematch_core").rglob("*.py"):
        names = [
            node.id for node in ast.walk(ast.parse(path.read_text())) if type(node) is ast.Name
        ]
        assert "DeprecationWarning" not in names, path


def test_new_rules_leave_room():
    """A rule that fails can be expected to, and one that is not known is a test of the plug-in."""
    code = re.search(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
    namespace = {}
    exec(compile(code, "page", "exec"), namespace)
    later = type(
        "Later", (namespace["TestContract"],), {"test_r98_from_another_kit": lambda self: None}
    )
    assert later.test_r98_from_another_kit


def test_versions_of_python():
    """Those that are tested, as the metadata tell."""
    classifiers = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if "Python :: 3." in c]
    assert PROJECT["requires-python"] == f">={classifiers[0]}"
    *first, last = classifiers
    assert f"{', '.join(first)} and {last} are tested" in PAGE
    example = ROOT / "docs" / "examples" / "acme_backend" / "pyproject.toml"
    written = tomllib.loads(example.read_text())
    assert written["project"]["requires-python"] == PROJECT["requires-python"]
    assert written["tool"]["pytest"]["ini_options"]["filterwarnings"] == ["error"]


def test_a_card_counts_no_warnings():
    """A deprecation turns the tests of a plug-in red, and not its card."""

    class Deprecated(ComprefaceSimulator):
        def backend(self, **settings):
            warnings.warn("deprecated", DeprecationWarning, stacklevel=2)
            return super().backend(**settings)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (case,) = run_rules(Deprecated, rules=["R01"])
    assert case.status is testing.Status.PASSED


def test_the_modules_import_without_each_other():
    """What a plug-in needs to be imported costs neither pytest nor click."""
    code = (
        "import json, sys\n"
        "import facematch_core.backend, facematch_core.http, facematch_core.errors\n"
        "print(json.dumps(sorted({'pytest', 'click', 'hypothesis'} & set(sys.modules))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == []
