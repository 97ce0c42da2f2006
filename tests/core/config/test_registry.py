import importlib.util
import sys

import pytest
from kit.plugins import BACKEND, Site

import facematch_core as fm
from facematch_core.config.plugins import BACKENDS, SEPARATE_PACKAGES, backend_class

#: A setting may not have the name of an argument.
WITH_DEADLINE = BACKEND.replace("class Made", "import attrs\n\n    @attrs.define\n    class Made")
WITH_DEADLINE += "        deadline_s: float = 5.0\n"

ENTRY_POINTS = [(BACKENDS, "made", "Made")]


@pytest.fixture
def site(tmp_path, monkeypatch):
    return Site(tmp_path, monkeypatch)


def test_conflicting_backend_names_are_reported_and_neither_is_imported(site):
    modules = [site.add("first-made", ENTRY_POINTS), site.add("second-made", ENTRY_POINTS)]
    with pytest.raises(fm.BackendUnavailable, match="first-made and second-made"):
        backend_class("made")
    problems = [info.problem for info in fm.available_backends() if info.name == "made"]
    assert len(problems) == 2
    assert all("uninstall all but one" in problem for problem in problems)
    assert not any(module in sys.modules for module in modules)


def test_engine_that_is_not_installed_is_listed_with_its_command(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "facematch_local" else find_spec(name),
    )
    (local,) = [info for info in fm.available_backends() if info.name == "local"]
    assert SEPARATE_PACKAGES["facematch_local"] in local.problem
    with pytest.raises(fm.BackendUnavailable, match="facematch_local"):
        backend_class("local")


def test_built_in_backend_names_are_reserved(site):
    module = site.add("evil-local", [(BACKENDS, "local", "Made")])
    assert backend_class("local").__module__.startswith("facematch_local")
    assert module not in sys.modules
    listed = {(info.name, info.distribution): info.problem for info in fm.available_backends()}
    assert "reserved" in listed["local", "evil-local"]
    assert listed["local", "facematch-core"] is None


def test_homoglyph_backend_name_is_refused(site):
    module = site.add("facematch-made", [(BACKENDS, "l\u043ecal", "Made")])
    with pytest.raises(fm.BackendUnavailable, match="non-ASCII"):
        backend_class("l\u043ecal")
    assert module not in sys.modules


def test_backend_class_name_must_match_the_entry_point(site):
    site.add("facematch-made", [(BACKENDS, "other", "Made")])
    with pytest.raises(fm.BackendUnavailable, match="has the name made in its class"):
        backend_class("other")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("aws", "use 'rekognition'"),
        ("AWS", "use 'rekognition'"),
        ("face-recognition", "like the backend local"),
        ("insightface", "docs/apps/migrate.md"),
        ("didid", "did you mean didit"),
        ("recognition", "did you mean rekognition"),
        ("deepid", "known: "),
        ("kairos", "known: "),
        ("x" * 500, "known: .*local"),
    ],
)
def test_unknown_backend_name_suggests_the_right_one(name, says):
    with pytest.raises(fm.BackendUnavailable, match=says) as caught:
        fm.open_verifier(name)
    assert "deepvue?" not in str(caught.value)


@pytest.mark.parametrize("source", ["Made = 5", "class Made: pass"])
def test_entry_point_that_is_no_backend_class_is_refused(site, source):
    site.add("facematch-made", ENTRY_POINTS, source)
    with pytest.raises(fm.BackendUnavailable, match="not a subclass"):
        backend_class("made")


@pytest.mark.parametrize("name", ["deadline_s", "backend", "profile", "config"])
def test_setting_with_the_name_of_an_argument_is_refused(site, name):
    site.add("facematch-made", ENTRY_POINTS, WITH_DEADLINE.replace("deadline_s", name))
    with pytest.raises(fm.BackendUnavailable, match=f"setting {name}, which"):
        backend_class("made")
