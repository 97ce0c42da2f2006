"""What docs/reference/backend.md promises to plug-ins, as far as a test can say.

`plug_in_interface_1.txt` is what version 1 of the interface consists of. What is there stays;
UPDATE=1 adds what is new.
"""

import enum
import importlib
import inspect
import re
from pathlib import Path

import attrs
import pytest
from kit.contract import rules
from kit.goldens import by_place, facts_in, kept
from kit.plugins import BACKEND, Site

import facematch_core as fm
from facematch_core.config.plugins import BACKENDS, backend_class
from facematch_core.testing.simulator import required_situations

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "backend.md").read_text()
KEPT = Path(__file__).with_name("plug_in_interface_1.txt")

#: The modules, as the page names them.
MODULES = re.findall(r"^\| \[?`(facematch_core[\w.]*)`", PAGE, re.MULTILINE)

#: Data that a plug-in, its double or its tests make; other data they are only shown.
PLUG_IN_DATA = (
    "CallRecord",
    "Box",
    "Capabilities",
    "SimulatorReply",
    "Deletion",
    "SessionAnswer",
    "SessionCapabilities",
    "SessionCheck",
    "SessionHint",
    "SessionReading",
    "SessionAccess",
    "ErrorRow",
    "Face",
    "FilePart",
    "HttpReply",
    "HttpRequest",
    "ImageLimits",
    "LivenessRequest",
    "LivenessResult",
    "MatchRequest",
    "MatchResult",
    "RateWindow",
    "Reconciliation",
    "ResultWarning",
    "Score",
    "Threshold",
)

#: What plug-ins derive from.
BASES = (fm.backend.Backend, fm.http.HttpBackend)
BASES += (fm.testing.VendorSimulator, fm.testing.HttpSimulator)


def public():
    for name in MODULES:
        module = importlib.import_module(name)
        # `facematch_core.errors` has no `__all__`: its classes are meant.
        class_names = [
            class_name for class_name, value in vars(module).items() if inspect.isclass(value)
        ]
        class_names = [
            class_name
            for class_name in class_names
            if getattr(module, class_name).__module__ == name
        ]
        names = getattr(module, "__all__", class_names)
        yield from ((name, class_name, getattr(module, class_name)) for class_name in names)


def parameters(method):
    return list(inspect.signature(method).parameters)[1:]


def interface():
    """Yield pairs of a place and a fact."""
    described = set()
    for module, name, value in public():
        yield f"names in {module}", name
        if not isinstance(value, type) or value in described:
            continue
        described.add(value)
        if issubclass(value, enum.Enum):
            place = f"members of {value.__name__}"
            yield from ((place, f"{member.name} = {member.value}") for member in value)
        elif attrs.has(value):
            fields = attrs.fields(value)
            needed = sorted(field.name for field in fields if field.default is attrs.NOTHING)
            if value.__name__ in PLUG_IN_DATA:
                yield f"needed by {value.__name__}", " ".join(needed)
            named = (field.name for field in fields if not field.name.startswith("_"))
            yield from ((f"attributes of {value.__name__}", name) for name in named)
    for base in BASES:
        yield f"to be written in {base.__name__}", " ".join(sorted(base.__abstractmethods__))
        for name, method in inspect.getmembers(base, inspect.isfunction):
            if not name.startswith("_"):
                yield f"methods of {base.__name__}", f"{name}({', '.join(parameters(method))})"
    yield from (("rules", f"{number} {rule.__name__}") for number, rule in rules().items())
    everything = fm.backend.Capabilities(operations=fm.Operation, billed_operations=fm.Operation)
    yield "situations", " ".join(sorted(required_situations(everything)))
    yield "formats", " ".join(sorted(fm.backend.ImageLimits().formats))


def test_nothing_of_plug_in_interface_version_1_is_missing():
    now = by_place(interface())
    missing = facts_in(KEPT.read_text()) - facts_in(now)
    assert not missing, "version 1 promised this; see docs/reference/backend.md"
    kept(KEPT, now)


@pytest.mark.parametrize("version", [0, 2])
def test_backend_for_another_interface_version_is_refused(tmp_path, monkeypatch, version):
    from facematch_core.cli.doctor import inspect_backends

    site = Site(tmp_path, monkeypatch)
    source = f"{BACKEND}        api_version = {version}\n"
    site.add("facematch-acme", [(BACKENDS, "made", "Made")], source)
    says = (
        f"The backend made of facematch-acme uses version {version} of the plug-in interface, "
        f"and facematch uses version {fm.backend.API_VERSION}: update the older of the two."
    )
    with pytest.raises(fm.BackendUnavailable) as caught:
        backend_class("made")
    assert caught.value.message == says
    problems = {entry["name"]: entry["problem"] for entry in inspect_backends()}
    assert problems["made"] == says
    assert problems["local"] is None
