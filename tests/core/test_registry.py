import sys
from importlib import metadata
from pathlib import Path

import pytest
from kit.plugins import BACKEND, Site

import facematch_core as fm
from facematch_core.config.plugins import BACKENDS, backend_class

#: A setting may not have the name of an argument.
WITH_DEADLINE = BACKEND.replace("class Made", "import attrs\n\n    @attrs.define\n    class Made")
WITH_DEADLINE += "        deadline_s: float = 5.0\n"

ENTRY_POINTS = [(BACKENDS, "made", "Made")]


@pytest.fixture
def site(tmp_path, monkeypatch):
    return Site(tmp_path, monkeypatch)


def test_a_plug_in_is_listed_and_opened(site):
    module = site.add("facematch-made", ENTRY_POINTS)
    info = next(info for info in fm.available_backends() if info.name == "made")
    assert (info.distribution, info.version) == ("facematch-made", "1.0")
    assert module not in sys.modules
    assert fm.open_verifier("made").backend.name == "made"
    assert module in sys.modules


def test_a_plug_in_that_is_being_installed_is_there_as_soon_as_it_is_whole(site, tmp_path):
    site.add("facematch-made", ENTRY_POINTS)
    (whole,) = tmp_path.rglob("entry_points.txt")
    half = whole.rename(tmp_path.parent / "half")
    assert "made" not in {info.name for info in fm.available_backends()}
    # As an installer does: the folder that is on the path does not change any more.
    half.rename(whole)
    assert "made" in {info.name for info in fm.available_backends()}


def test_a_failing_import_has_a_reason_and_hurts_no_other(site):
    site.add("facematch-broken", [(BACKENDS, "broken", "X")], "raise RuntimeError('no licence')")
    site.add("facematch-made", ENTRY_POINTS)
    with pytest.raises(fm.BackendUnavailable, match=r"facematch-broken .*RuntimeError: no licence"):
        backend_class("broken")
    assert backend_class("made").name == "made"


def test_of_two_distributions_that_claim_one_name_both_are_named_and_neither_is_imported(site):
    modules = [site.add("first-made", ENTRY_POINTS), site.add("second-made", ENTRY_POINTS)]
    with pytest.raises(fm.BackendUnavailable, match="first-made and second-made"):
        backend_class("made")
    problems = [info.problem for info in fm.available_backends() if info.name == "made"]
    assert len(problems) == 2
    assert all("uninstall all but one" in problem for problem in problems)
    assert not any(module in sys.modules for module in modules)


def test_our_names_are_reserved(site):
    module = site.add("evil-local", [(BACKENDS, "local", "Made")])
    assert backend_class("local").__module__.startswith("facematch_local")
    assert module not in sys.modules
    listed = {(info.name, info.distribution): info.problem for info in fm.available_backends()}
    assert "reserved" in listed["local", "evil-local"]
    assert listed["local", "facematch-core"] is None


def test_a_name_with_letters_that_look_like_others_is_refused(site):
    module = site.add("facematch-made", [(BACKENDS, "l\u043ecal", "Made")])
    with pytest.raises(fm.BackendUnavailable, match="beyond ASCII"):
        backend_class("l\u043ecal")
    assert module not in sys.modules


def test_a_class_must_have_the_name_by_which_it_was_opened(site):
    site.add("facematch-made", [(BACKENDS, "other", "Made")])
    with pytest.raises(fm.BackendUnavailable, match="calls itself made"):
        backend_class("other")


def test_a_distribution_has_one_name_however_its_metadata_write_it(site):
    site.add("Facematch_Made", ENTRY_POINTS)
    (info,) = [info for info in fm.available_backends() if info.name == "made"]
    assert (info.distribution, info.problem) == ("facematch-made", None)


def test_our_names_are_those_of_our_own_metadata():
    entry_points = metadata.distribution("facematch-core").entry_points
    names = {point.name for point in entry_points.select(group=BACKENDS)}
    assert names == {info.name for info in fm.available_backends() if info.problem is None}
    sources = (
        Path(fm.config.plugins.__file__).read_text(),
        Path(fm.config.opening.__file__).read_text(),
    )
    assert not any(f'"{name}"' in source for name in names - {"local"} for source in sources)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        *((name, "write rekognition") for name in ("aws", "amazon", "boto3", "AWS")),
        ("microsoft", "write azure"),
        ("deepface", "docs/examples/deepface_backend"),
        *((name, "as the backend local does") for name in ("face_recognition", "face-recognition")),
        ("insightface", "docs/apps/migrate.md"),
        ("didid", "did you mean didit"),
        ("recognition", "did you mean rekognition"),
        ("deepid", "known: "),
        ("facepp", "known: "),
        ("lokal", "did you mean local"),
        ("x" * 500, "known: .*local"),
    ],
)
def test_a_name_from_elsewhere_leads_on_and_never_to_another_company(name, says):
    with pytest.raises(fm.BackendUnavailable, match=says) as caught:
        fm.open_verifier(name)
    assert "deepvue?" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("Made = 5", "no subclass"),
        ("class Made: pass", "no subclass"),
        (BACKEND + "        api_version = 99\n", "version 99"),
        *(
            (
                WITH_DEADLINE.replace("deadline_s", name),
                f"has a setting {name}, which is an argument",
            )
            for name in ("deadline_s", "backend", "profile", "config")
        ),
    ],
)
def test_what_is_no_backend_of_this_interface_is_refused(site, source, says):
    site.add("facematch-made", ENTRY_POINTS, source)
    with pytest.raises(fm.BackendUnavailable, match=says):
        backend_class("made")


def test_a_constructor_that_fails_is_not_quoted_for_it_may_hold_a_key(site):
    source = BACKEND + "        def __init__(self): raise OSError('key-4711')\n"
    site.add("facematch-made", ENTRY_POINTS, source)
    with pytest.raises(fm.BackendUnavailable, match="OSError") as caught:
        fm.open_verifier("made")
    assert "key-4711" not in str(caught.value)
    assert caught.value.__context__ is None
