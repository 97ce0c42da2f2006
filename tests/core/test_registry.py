"""Plug-ins: found by metadata, loaded when opened, and none can hurt another."""

import builtins
import subprocess
import sys
import textwrap
from importlib import metadata
from pathlib import Path

import pytest
from kit.plugins import BACKEND, Site

from facematch_core import (
    BackendUnavailable,
    ConfigurationError,
    available_backends,
    config,
    open_verifier,
    plugins,
)
from facematch_core.plugins import BACKENDS, backend_class

MADE = [(BACKENDS, "made", "Made")]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of plug-ins."""
    return Site(tmp_path, monkeypatch)


def test_our_own_backend_is_listed():
    """With the distribution that brings it."""
    local = next(info for info in available_backends() if info.name == "local")
    assert (local.distribution, local.problem) == ("facematch-core", None)


def test_a_plug_in_is_listed_and_opened(site):
    """Listing reads metadata only; opening imports."""
    module = site.add("facematch-made", MADE)
    info = next(info for info in available_backends() if info.name == "made")
    assert (info.distribution, info.version) == ("facematch-made", "1.0")
    assert module not in sys.modules
    assert open_verifier("made").backend.name == "made"
    assert module in sys.modules


def test_a_failing_import_has_a_reason_and_hurts_no_other(site):
    """Whatever it raises, also what is no ImportError."""
    site.add("facematch-broken", [(BACKENDS, "broken", "X")], "raise RuntimeError('no licence')")
    site.add("facematch-made", MADE)
    with pytest.raises(BackendUnavailable, match=r"facematch-broken .*RuntimeError: no licence"):
        backend_class("broken")
    assert backend_class("made").name == "made"


def test_two_distributions_that_claim_one_name(site):
    """The error names both; listing tells it, too; neither is imported."""
    modules = [site.add("first-made", MADE), site.add("second-made", MADE)]
    with pytest.raises(BackendUnavailable, match="first-made and second-made"):
        backend_class("made")
    problems = [info.problem for info in available_backends() if info.name == "made"]
    assert len(problems) == 2
    assert all("uninstall all but one" in problem for problem in problems)
    assert not any(module in sys.modules for module in modules)


def test_one_distribution_seen_twice_is_one(site, tmp_path, monkeypatch):
    """An editable install and a leftover folder of the same are no conflict."""
    module = site.add("facematch-made", MADE)
    other = tmp_path / "again"
    other.mkdir()
    for name in (f"{module}.py", "facematch_made-1.0.dist-info"):
        (other / name).symlink_to(tmp_path / name)
    monkeypatch.syspath_prepend(str(other))
    assert len([info for info in available_backends() if info.name == "made"]) == 1
    assert backend_class("made").name == "made"


def test_our_names_are_reserved(site):
    """A stranger's package gets neither the name nor the faces; ours still opens."""
    module = site.add("evil-local", [(BACKENDS, "local", "Made")])
    assert backend_class("local").__module__.startswith("facematch_local")
    assert module not in sys.modules
    listed = {(info.name, info.distribution): info.problem for info in available_backends()}
    assert "reserved" in listed["local", "evil-local"]
    assert listed["local", "facematch-core"] is None


def test_our_names_are_those_of_our_own_metadata():
    """No list of them stands in the core: what is protected is what is declared."""
    own = metadata.distribution("facematch-core").entry_points
    names = {point.name for point in own.select(group=BACKENDS)}
    assert names == {info.name for info in available_backends() if info.problem is None}
    sources = (Path(plugins.__file__).read_text(), Path(config.__file__).read_text())
    assert not any(f'"{name}"' in source for name in names - {"local"} for source in sources)


def test_a_plug_in_is_imported_once(site):
    """By whatever way it is found, and no other of its group with it."""
    counting = (
        BACKEND
        + "    import builtins; builtins.made_count = getattr(builtins, 'made_count', 0) + 1\n"
    )
    site.add("facematch-made", MADE, counting)
    other = site.add("facematch-other", [(BACKENDS, "other", "Made")])
    assert backend_class("made") is backend_class("made")
    assert builtins.made_count == 1
    assert other not in sys.modules


@pytest.mark.parametrize("name", ["threshold", "clock", "profile", "config"])
def test_a_setting_may_not_be_an_argument_of_open_verifier(site, name):
    """Else nobody could say which of the two a keyword is; the author is told."""
    source = f"""
        import attrs
        from facematch_core.backend import Backend

        @attrs.frozen(kw_only=True)
        class Made(Backend):
            {name}: int = 1
            name = "made"
            def match(self, call): raise NotImplementedError
    """
    site.add("facematch-made", MADE, source)
    with pytest.raises(ConfigurationError, match=rf"made has a setting {name}, .* its author"):
        open_verifier("made")


def test_an_unknown_name_gets_a_hint():
    """The nearest name, or all of them."""
    with pytest.raises(BackendUnavailable, match="did you mean local"):
        backend_class("lokal")
    with pytest.raises(BackendUnavailable, match=r"known: .*local"):
        backend_class("x" * 500)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("Made = 5", "no subclass"),
        ("class Made: pass", "no subclass"),
        (BACKEND + "        api_version = 99\n", "version 99"),
    ],
)
def test_what_is_no_backend(site, source, says):
    """Not a class, not ours, or of another interface version."""
    site.add("facematch-made", MADE, source)
    with pytest.raises(BackendUnavailable, match=says):
        backend_class("made")


def test_a_constructor_that_fails(site):
    """One sentence without the exception's text, which may hold a key."""
    source = BACKEND + "        def __init__(self): raise OSError('key-4711')\n"
    site.add("facematch-made", MADE, source)
    with pytest.raises(BackendUnavailable, match="OSError") as caught:
        open_verifier("made")
    assert "key-4711" not in str(caught.value)
    assert caught.value.__context__ is None


def test_installed_a_moment_ago(tmp_path):
    """A plug-in that stevedore's cache on disk has not seen yet is opened all the same."""
    code = f"""
import sys, pathlib
sys.path.insert(0, {str(tmp_path)!r})
from facematch_core.plugins import backend_class
try:
    backend_class("made")
except Exception as error:
    print(type(error).__name__)
import stevedore.driver
info = pathlib.Path({str(tmp_path)!r}, "made-1.dist-info")
info.mkdir()
(info / "METADATA").write_text("Metadata-Version: 2.1\\nName: made\\nVersion: 1\\n")
(info / "entry_points.txt").write_text("[{BACKENDS}]\\nmade = made_now:Made\\n")
pathlib.Path({str(tmp_path)!r}, "made_now.py").write_text({textwrap.dedent(BACKEND)!r})
import importlib; importlib.invalidate_caches()
print(backend_class("made").name)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.split() == ["BackendUnavailable", "made"], done.stderr
