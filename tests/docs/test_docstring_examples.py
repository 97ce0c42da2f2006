"""The examples in the docstrings of the public names are run, against a mock of Didit.

An example assumes ``from facematch_core import *`` and the names of `names`. Readers find these in
docs/reference/verifier.md.
"""

import datetime as dt
import doctest
import enum
import inspect
import shutil
from pathlib import Path

import pytest

import facematch_core as fm
from facematch_mock_server import make_card

PHOTOGRAPHS = Path(__file__).parents[2] / "docs" / "photographs"
WORKFLOWS = {
    "payout": "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10",
    "signup": "0c3b8b0e-6f0a-4f4e-9d57-1b2f8f6d7a21",
}
CONFIGURATION = f"""
[profiles.payout]
backend = "didit"
require_environment = "mock"
settings = {{ workflow_id = "{WORKFLOWS["payout"]}", workflow_takes_reference = true }}

[profiles.signup]
backend = "didit"
require_environment = "mock"
settings = {{ workflow_id = "{WORKFLOWS["signup"]}" }}
"""


def read_docstring(name, names=None):
    """Return a public name's docstring as a doctest; its `examples` may be empty."""
    finder = doctest.DocTestFinder(recurse=False, exclude_empty=False)
    (test,) = finder.find(getattr(fm, name), name, globs=names)
    return test


def must_have_an_example(value):
    """Functions and classes, but no enumeration; the base class of errors stands for all errors."""
    if inspect.isclass(value):
        is_other_error = issubclass(value, fm.FaceMatchError) and value is not fm.FaceMatchError
        return not is_other_error and not issubclass(value, enum.Enum)
    return callable(value)


#: Found through `__all__`, so that a new name needs an example, too.
NAMES = [name for name in fm.__all__ if must_have_an_example(getattr(fm, name))]


@pytest.fixture
def names(didit_mock, tmp_path, monkeypatch):
    """What a reader of an example has: pictures, a verifier, finished sessions, a lost response."""
    for photograph, name in (("grace-hopper", "selfie"), ("grace-hopper-card", "id")):
        shutil.copy(PHOTOGRAPHS / f"{photograph}.jpg", tmp_path / f"{name}.jpg")
    (tmp_path / "facematch.toml").write_text(CONFIGURATION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEMATCH_CONFIG", str(tmp_path / "facematch.toml"))
    monkeypatch.setenv("DIDIT_API_KEY", didit_mock.live_key)
    monkeypatch.setenv("DIDIT_WORKFLOW_ID", WORKFLOWS["signup"])
    selfie = make_card("p1")
    document = make_card("p1", quality=70)
    played = didit_mock.control.sessions
    played.workflow(WORKFLOWS["payout"])
    played.workflow(WORKFLOWS["signup"], kind="kyc")
    with (
        fm.open_verifier("didit") as verifier,
        fm.open_sessions(profile="payout") as sessions,
        fm.open_sessions(profile="signup", compared_with="document") as signups,
    ):
        planned = sessions.plan("customer-17", purpose="payout", about="payout 8841")
        record = sessions.start(planned, reference=document).record
        signup = signups.start(signups.plan("customer-18", purpose="signup")).record
        born = dt.date(1980, 1, 1)
        played.document(signup.session_id, full_name="LOVELACE ADA", date_of_birth=born)
        for started in (record, signup):
            played.finish(started.session_id, card="p1")
        with pytest.raises(fm.OutcomeUnknown) as lost:
            verifier.verify(
                make_card("p1", lost="after_charge"), document, retention=fm.Retention.KEEP
            )
        yield {name: getattr(fm, name) for name in fm.__all__} | {
            "selfie": selfie,
            "document": document,
            "no_face": make_card(faces=0),
            "verifier": verifier,
            "sessions": sessions,
            "record": record,
            "signups": signups,
            "signup": signup,
            "error": lost.value,
        }


def test_each_public_function_and_class_has_an_example():
    assert len(NAMES) > 30
    assert not [name for name in NAMES if not read_docstring(name).examples]


@pytest.mark.docs
@pytest.mark.parametrize("name", [name for name in fm.__all__ if read_docstring(name).examples])
def test_an_example_prints_what_it_shows(name, names):
    report = []
    runner = doctest.DocTestRunner()
    runner.run(read_docstring(name, names), out=report.append)
    assert not report, "".join(report)
