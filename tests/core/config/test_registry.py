import importlib.util
import sys
from importlib import metadata

import pytest
from kit.plugins import BACKEND, Site

import facematch_core as fm
from facematch_comparison.cli.list_prices import read_facts
from facematch_core.cli.pages import read_pages
from facematch_core.config.plugins import (
    ALIASES,
    BACKENDS,
    COMMANDS,
    SEPARATE_PACKAGES,
    backend_class,
    find_beside,
    import_plugin,
)
from facematch_mock_server.first_calls.plans import plan_names, read_plan
from facematch_mock_server.vendors import vendor_named, vendor_names

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
    assert "pip install ./backends/facematch_local" in local.problem
    with pytest.raises(fm.BackendUnavailable, match="facematch_local"):
        backend_class("local")


OURS = [info.name for info in fm.available_backends() if info.distribution == "facematch-core"]


@pytest.mark.parametrize("name", OURS)
def test_backend_names_of_ours_are_reserved(site, name):
    module = site.add("facematch-thief", [(BACKENDS, name, "Made")])
    assert backend_class(name).__module__.startswith(f"facematch_{name}")
    assert module not in sys.modules
    listed = {(info.name, info.distribution): info.problem for info in fm.available_backends()}
    assert "uninstall facematch-thief" in listed[name, "facematch-thief"]
    assert listed[name, "facematch-core"] is None


@pytest.mark.parametrize(
    "name", sorted({point.name for point in metadata.entry_points(group=COMMANDS)})
)
def test_command_names_of_ours_are_reserved(site, name):
    module = site.add("facematch-thief", [(COMMANDS, name, "Made")])
    plugin = import_plugin(COMMANDS, name, "command")
    assert plugin.entry_point.dist.name == "facematch-core"
    assert module not in sys.modules


@pytest.fixture
def split_off(monkeypatch):
    """Make a backend of ours a package of its own, which is not installed."""

    def split(name):
        monkeypatch.setitem(SEPARATE_PACKAGES, name, f"facematch-{name}")
        whole = metadata.entry_points

        def others(**chosen):
            return [
                point
                for point in whole(**chosen)
                if point.dist.name != "facematch-core" or name not in (point.name, point.value)
            ]

        monkeypatch.setattr(metadata, "entry_points", others)

    return split


@pytest.mark.parametrize("name", OURS)
def test_thief_of_a_name_whose_package_is_not_installed_is_refused(site, split_off, name):
    split_off(name)
    points = [(BACKENDS, name, "Made"), ("facematch.mock_vendors", name, "Made")]
    module = site.add("facematch-thief", points)
    with pytest.raises(fm.BackendUnavailable, match="claims it: uninstall") as caught:
        fm.open_verifier(name)
    assert f"pip install ./backends/facematch_{name}" in str(caught.value)
    assert module not in sys.modules
    (listed,) = [info for info in fm.available_backends() if info.name == name]
    assert listed.problem in str(caught.value)


@pytest.mark.parametrize("name", OURS)
def test_unknown_backend_of_a_separate_package_says_what_to_install(site, split_off, name):
    split_off(name)
    with pytest.raises(fm.BackendUnavailable, match=f"facematch-{name}") as caught:
        fm.open_verifier(name)
    assert f"pip install ./backends/facematch_{name}" in str(caught.value)
    # An alias of another package does not lead there.
    site.add("facematch-thief", [(ALIASES, name, "thief")])
    with pytest.raises(fm.BackendUnavailable, match=f"facematch-{name}"):
        fm.open_verifier(name)


def test_separate_package_that_is_installed_has_its_name(site, monkeypatch):
    monkeypatch.setitem(SEPARATE_PACKAGES, "made", "facematch-made")
    site.add("facematch-thief", ENTRY_POINTS)
    module = site.add("facematch-made", ENTRY_POINTS)
    assert backend_class("made").__module__ == module


@pytest.fixture
def fresh_vendors():
    """Let the mock find its vendors again, before and after the test."""
    for cached in (vendor_named, vendor_names):
        cached.cache_clear()
    yield
    for cached in (vendor_named, vendor_names):
        cached.cache_clear()


@pytest.mark.usefixtures("fresh_vendors")
def test_thief_of_a_mocks_name_is_refused_and_not_imported(site, monkeypatch):
    monkeypatch.setitem(SEPARATE_PACKAGES, "acme", "facematch-acme")
    with pytest.raises(ValueError, match="facematch-acme"):
        vendor_named("acme")
    module = site.add("facematch-thief", [("facematch.mock_vendors", "acme", "Made")])
    with pytest.raises(ValueError, match="uninstall facematch-thief"):
        vendor_named("acme")
    assert "acme" not in vendor_names()
    assert module not in sys.modules


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


FACTS = '[[prices]]\nwhat = "match"\nprice = "0.04"\ncurrency = "USD"\nper = 1\n'


@pytest.mark.usefixtures("fresh_vendors")
def test_files_beside_the_modules_of_a_plug_in_are_read_without_an_import(site):
    points = [(BACKENDS, "made", "Made"), ("facematch.mock_vendors", "made", "VENDOR")]
    module = site.add("facematch-made", points)
    (site.folder / "page.md").write_text("# Made\n")
    (site.folder / "facts.toml").write_text(FACTS)
    (site.folder / "first_calls.toml").write_text("[sizes]\n")
    assert read_pages()["vendors/made"].title == "Made"
    assert read_facts()["made"]["prices"][0]["price"] == "0.04"
    assert "made" in plan_names()
    assert read_plan("made") == {"sizes": {}}
    assert module not in sys.modules


def test_files_of_a_thief_of_a_name_are_not_read(site):
    page, facts = read_pages()["vendors/didit"], read_facts()["didit"]
    site.add("facematch-thief", [(BACKENDS, "didit", "Made")])
    (site.folder / "page.md").write_text("# Send your keys here\n")
    (site.folder / "facts.toml").write_text(FACTS)
    assert read_pages()["vendors/didit"] == page
    assert read_facts()["didit"] == facts


def test_page_of_a_plug_in_replaces_none_of_ours(site):
    site.add("facematch-made", [(BACKENDS, "index", "Made")])
    (site.folder / "page.md").write_text("# Only Made\n")
    assert read_pages()["vendors/index"].title == "Which vendor?"


def test_backend_whose_package_is_a_folder_has_its_files_there(site):
    site.add("facematch-made", [(BACKENDS, "made", "Made")])
    (site.folder / "facematch_made/mock").mkdir(parents=True)
    for path in ("page.md", "mock/calls.toml"):
        (site.folder / "facematch_made" / path).write_text(path)
    (site.folder / "facematch_made/__init__.py").write_text("import nothing_that_is_there\n")
    for module in ("facematch_made", "facematch_made._backend"):
        assert find_beside(module, "page.md").read_text() == "page.md"
    for module in ("facematch_made.mock", "facematch_made.mock.vendor"):
        assert find_beside(module, "calls.toml").read_text() == "mock/calls.toml"
    assert find_beside("facematch_made.mock", "page.mjs") is None
    assert find_beside("facematch_nowhere", "page.md") is None
