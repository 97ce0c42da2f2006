"""The calls before `SessionStore.of` work as the new ones, and show the line to write instead."""

import datetime as dt
import inspect
import math
import warnings

import pytest
from core.sessions.vendor import ManySessions
from kit.fakes import picture

import facematch_core as fm
from facematch_core.testing import ManualClock

PAYOUT = {"purpose": "payout", "about": "payout 8841: 250 EUR"}
ADA = fm.Person(name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 1))
LOGIN = {"purpose": "login", "about": None}
#: Words of the caller, which a warning must not have.
PERSONAL = ("ada@example.com", "payout 8841", "250", "Lovelace", "shop.example")


@pytest.fixture
def vendor():
    return ManySessions()


@pytest.fixture
def store(address, vendor):
    with fm.SessionStore(address, fm.Sessions(fm.FaceVerifier(vendor, clock=ManualClock()))) as it:
        yield it


def warned(call):
    """Return what a call returns, and its one warning, which names the line of the lambda."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        returned = call()
    (warning,) = caught
    assert warning.category is DeprecationWarning
    assert (warning.filename, warning.lineno) == (__file__, inspect.getsourcelines(call)[1])
    text = str(warning.message)
    assert not any(word in text for word in PERSONAL)
    return returned, text


def test_old_calls_are_the_calls_of_the_case(store, vendor):
    case = store.of("ada@example.com", **PAYOUT)
    options = {"reference": picture(), "return_url": "https://shop.example", "any_document": True}
    begun, text = warned(lambda: store.begin("ada@example.com", **PAYOUT, **options))
    assert text.endswith(
        "write store.of(customer, purpose=purpose, about=about)"
        ".begin(reference=reference, return_url=return_url, any_document=True)"
    )
    assert begun == case.begin(reference=picture())
    vendor.finish()
    assert warned(lambda: store.find("ada@example.com", **PAYOUT))[0] == case.find()
    use = {"max_age_s": math.inf, "document": ADA, "any_settings": False}
    used, text = warned(lambda: store.use("ada@example.com", **PAYOUT, **use))
    assert used is True
    assert ".use(max_age_s=math.inf, document=document, any_settings=False)" in text
    session = case.find()
    reasons, text = warned(lambda: session.why_not("ada@example.com", **PAYOUT, max_age_s=3600))
    assert reasons == case.why_not(max_age_s=3600) == ("the session was used already",)
    assert "about=about).why_not(max_age_s=3600, any_settings=None)" in text
    other = warned(lambda: session.why_not("grace", **LOGIN, max_age_s=3600))[0]
    assert len(other) == 4


def test_about_that_was_left_out_is_written_as_none(store):
    begun, text = warned(lambda: store.begin("ada", purpose="login", reference=picture()))
    assert "about=None)" in text
    assert begun.record == store.of("ada", **LOGIN).find().record
    found, text = warned(lambda: store.find("ada", purpose="login"))
    assert (found.record, "about=None).find()" in text) == (begun.record, True)


def test_function_passed_to_look_compares_instead_of_the_stores(address, vendor):
    sessions = fm.Sessions(fm.FaceVerifier(vendor), compared_with="document")
    grace = fm.Person(name="Grace Hopper")
    with fm.SessionStore(address, sessions, person=lambda _: grace) as store:
        for subject in ("ada", "grace"):
            store.of(subject, **LOGIN).begin()
            vendor.finish()
        store.set_due("ada")
        (session,), text = warned(lambda: store.look(person=lambda _: ADA, at_most=1))
        assert session.result.name_agreement == "agrees"
        assert "SessionStore(where, sessions, person=person)" in text
        store.set_due("grace")
        (session,) = store.look()
        assert session.result.name_agreement == "disagrees"


@pytest.mark.anyio
async def test_old_async_calls_warn_at_their_line_and_return_the_same(store, vendor):
    shared = fm.AsyncSessionStore(store)
    case = shared.of("ada", **PAYOUT)
    begin, text = warned(lambda: shared.begin("ada", **PAYOUT, reference=picture()))
    assert text.startswith("AsyncSessionStore.begin")
    assert await begin == await case.begin()
    vendor.finish()
    look, text = warned(lambda: shared.look(person=lambda _: ADA))
    await look
    find, _ = warned(lambda: shared.find("ada", **PAYOUT))
    assert await find == await case.find()
    use, _ = warned(lambda: shared.use("ada", **PAYOUT, max_age_s=600))
    assert (await use, await case.use(max_age_s=600)) == (True, False)


@pytest.mark.anyio
async def test_line_of_an_await_is_named(store):
    shared = fm.AsyncSessionStore(store)
    with pytest.warns(DeprecationWarning, match=r"about=None\)\.find") as caught:
        assert await shared.find("ada", purpose="login") is None
    (warning,) = caught
    source, first = inspect.getsourcelines(test_line_of_an_await_is_named)
    assert warning.filename == __file__
    assert "await shared.find" in source[warning.lineno - first]


def test_about_must_be_written(store):
    with pytest.raises(TypeError, match="about"):
        store.of("ada", purpose="login")
