import asyncio
from collections import Counter

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import fips
from kit.fakes import PROBE, REFERENCE, FakeBackend, found_match

import facematch_core as fm
from facematch_core.backend import ImageFormat, ImageLimits

CANARY = "sk-canary-4c1d"
CALLERS = [f"customer-{number}" for number in range(8000)]
FEW = CALLERS[:1000]


class Records(FakeBackend):
    """A backend whose records have every call."""

    def __init__(self, **options):
        super().__init__(**options)
        self.searched = []

    def reconcile(self, call, *, deadline):
        self.searched.append(call)
        return found_match(call, 90)


def share(percent, *, key=None, digest="blake2b", **backends):
    backends = {name: backends.get(name) or FakeBackend() for name in percent}
    members = {name: fm.FaceVerifier(backend) for name, backend in backends.items()}
    return fm.Share(members, percent, key=key, digest=digest)


def caller_of(verifier, member):
    """A caller who belongs to a member."""
    return next(caller for caller in FEW if verifier.choose(caller) == member)


# Who is chosen


@pytest.mark.parametrize("digest", ["blake2b", "sha256"])
@pytest.mark.parametrize("key", [None, "a secret", b"\xff\x00"])
def test_each_member_gets_its_percentage_of_callers(key, digest):
    counts = Counter(map(share(PERCENT, key=key, digest=digest).choose, CALLERS))
    for name, number in PERCENT.items():
        expected = len(CALLERS) * number / 100
        assert counts[name] == pytest.approx(expected, abs=len(CALLERS) / 50)


@st.composite
def tables(draw):
    """A table of percentages of three members; it may have zeros."""
    weights = draw(st.lists(st.integers(0, 100), min_size=3, max_size=3).filter(any))
    return {name: 100 * weight / sum(weights) for name, weight in zip("abc", weights, strict=True)}


@given(before=tables(), after=tables())
def test_callers_move_only_to_members_that_grow_by_a_greater_factor(before, after):
    verifier = share(before)
    old = {caller: verifier.choose(caller) for caller in FEW[:300]}
    verifier.set_percent(after)
    for caller, was in old.items():
        now = verifier.choose(caller)
        if now != was:
            # Multiplied instead of divided, because a percentage may be 0.
            assert after[now] * before[was] > after[was] * before[now]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": 45, "b": 45, "c": 10}, {"a": 40, "b": 40, "c": 20}),
        ({"a": 90, "b": 10}, {"a": 100, "b": 0}),
    ],
)
def test_only_shrinking_members_lose_callers_and_only_growing_ones_get_them(before, after):
    verifier = share(before)
    old = {caller: verifier.choose(caller) for caller in CALLERS}
    verifier.set_percent(after)
    moves = Counter()
    for caller, was in old.items():
        now = verifier.choose(caller)
        if now != was:
            moves[was, now] += 1
            assert after[was] < before[was]
            assert after[now] > before[now]
    grown_points = sum(max(0, after[name] - before[name]) for name in before)
    expected = len(CALLERS) * grown_points / 100
    assert moves.total() == pytest.approx(expected, abs=len(CALLERS) / 50)


PERCENT = {"didit": 60, "azure": 30, "onfido": 10}


def choices(key, percent=PERCENT, **options):
    return list(map(share(percent, key=key, **options).choose, FEW))


def test_choice_is_the_same_in_all_processes_and_in_any_order():
    for key in (None, "a secret"):
        assert choices(key) == choices(key, dict(reversed(PERCENT.items())))
    # Written down, because a release that chose otherwise would move everybody.
    examples = choices("a secret")[:8]
    assert examples == ["azure", "azure", "azure", "didit", "didit", "onfido", "azure", "didit"]


def test_an_unknown_digest_is_refused():
    with pytest.raises(fm.ConfigurationError, match="'md5'"):
        choices("a secret", digest="md5")


def test_choice_by_sha256_is_the_same_in_fips_mode(monkeypatch):
    chosen = choices("a secret", digest="sha256")
    fips.take_away(monkeypatch.setattr)
    assert choices("a secret", digest="sha256") == chosen
    assert chosen[:8] == ["didit", "azure", *["didit"] * 5, "azure"]


def test_share_in_fips_mode_says_which_digest_to_pass(monkeypatch):
    fips.take_away(monkeypatch.setattr)
    for percent in (PERCENT, {"didit": 100}):
        with pytest.raises(fm.ConfigurationError, match='digest="sha256"'):
            share(percent, key=CANARY)


def test_choice_depends_on_the_key():
    assert choices(b"a secret") == choices("a secret")
    assert choices("another") != choices("a secret")


def test_member_with_zero_percent_gets_no_caller():
    verifier = share({"a": 100, "b": 0})
    assert {verifier.choose(caller) for caller in FEW} == {"a"}
    verifier.set_percent({"b": 100, "a": 0})
    assert {verifier.choose(caller) for caller in FEW} == {"b"}


# Calls


def test_share_key_chooses_in_place_of_caller_ref_and_no_vendor_gets_it():
    backends = {name: FakeBackend() for name in "ab"}
    verifier = share({"a": 50, "b": 50}, **backends)
    person = caller_of(verifier, "b")
    request = caller_of(verifier, "a")
    options = {"caller_ref": request, "share_key": person}
    result = verifier.verify(PROBE, REFERENCE, **options)
    assert (result.route.answered_by, result.ids.caller) == ("b", request)
    verifier.check_liveness(PROBE, **options)
    verifier.verify_live(PROBE, REFERENCE, **options)
    list(verifier.verify_many([(PROBE, REFERENCE)], **options))
    verifier.verify(PROBE, REFERENCE, share_key=person)
    asyncio.run(_verify_async(verifier, **options))
    assert (len(backends["a"].calls), len(backends["b"].calls)) == (0, 9)
    for request in backends["b"].calls:
        assert person not in attrs.asdict(request, recurse=False).values()


def test_invalid_share_key_is_refused_by_every_verifier():
    plain = fm.FaceVerifier(FakeBackend())
    failover = fm.Failover({"a": fm.FaceVerifier(FakeBackend())})
    for verifier in (plain, failover, share({"a": 100})):
        for wrong in ("", 17, "\ud800"):
            with pytest.raises(fm.InvalidRequest, match="share_key"):
                verifier.verify(PROBE, REFERENCE, caller_ref="request-1", share_key=wrong)
        assert verifier.verify(PROBE, REFERENCE, share_key="customer-1").is_match


async def _verify_async(verifier, **options):
    async with fm.AsyncFaceVerifier(verifier) as asynchronous:
        await asynchronous.verify(PROBE, REFERENCE, **options)
        async for outcome in asynchronous.verify_many([(PROBE, REFERENCE)] * 2, **options):
            assert outcome.error is None


@pytest.mark.parametrize("options", [{}, {"caller_ref": ""}, {"caller_ref": 17}], ids=str)
def test_call_without_caller_ref_is_refused_before_sending(options):
    backend = FakeBackend()
    verifier = share({"a": 100}, a=backend)
    for call in (verifier.verify, verifier.verify_live):
        with pytest.raises(fm.InvalidRequest, match="caller_ref"):
            call(PROBE, REFERENCE, **options)
    with pytest.raises(fm.InvalidRequest, match="caller_ref"):
        verifier.check_liveness(PROBE, **options)
    assert backend.calls == []


@pytest.mark.parametrize("error_class", [fm.RateLimited, fm.OutcomeUnknown])
def test_no_error_is_retried_at_another_member(error_class):
    other_backend = FakeBackend()
    failing = FakeBackend(script=[error_class("x")])
    verifier = share({"a": 50, "b": 50}, a=failing, b=other_backend)
    with pytest.raises(error_class) as caught:
        verifier.verify(PROBE, REFERENCE, caller_ref=caller_of(verifier, "a"))
    (tried,) = caught.value.route.skipped
    assert (tried.backend, tried.reason) == ("a", error_class.__name__)
    assert other_backend.calls == []


def test_unusable_picture_is_not_passed_on():
    narrow = FakeBackend(image_limits=ImageLimits(formats={ImageFormat.HEIC}))
    verifier = share({"a": 50, "b": 50}, a=narrow)
    ref = caller_of(verifier, "a")
    with pytest.raises(fm.InvalidImage) as caught:
        verifier.verify_live(PROBE, REFERENCE, caller_ref=ref)
    assert caught.value.route.skipped[-1].backend == "a"
    assert narrow.calls == []


def test_thresholds_are_per_member():
    members = {
        "a": fm.FaceVerifier(FakeBackend(), threshold=90),  # each score is 80
        "b": fm.FaceVerifier(FakeBackend(), threshold=70),
    }
    verifier = fm.Share(members, {"a": 50, "b": 50})
    for name, is_match in (("a", False), ("b", True)):
        result = verifier.verify(PROBE, REFERENCE, caller_ref=caller_of(verifier, name))
        assert result.is_match is is_match
    with pytest.raises(fm.InvalidRequest, match="A share takes no threshold"):
        verifier.verify(PROBE, REFERENCE, threshold=50, caller_ref="x")


def test_failover_as_a_member_tries_its_own_members():
    down = FakeBackend(script=[fm.RateLimited("x"), fm.RateLimited("x")])
    spare = Records(score=60)
    other_backend = FakeBackend()
    spare_verifier = fm.FaceVerifier(spare, threshold=70)
    failover = fm.Failover({"shop": fm.FaceVerifier(down), "spare": spare_verifier})
    verifier = fm.Share(
        {"ha": failover, "other": fm.FaceVerifier(other_backend)}, {"ha": 100, "other": 0}
    )
    result = verifier.verify(PROBE, REFERENCE, caller_ref="x")
    assert (result.is_match, result.route.answered_by) == (False, "ha")
    assert [member.backend for member in result.route.skipped] == ["shop"]
    spare.script = [fm.OutcomeUnknown("lost", reconcilable=True)]
    with pytest.raises(fm.OutcomeUnknown) as caught:
        verifier.verify(PROBE, REFERENCE, caller_ref="x", retention="keep")
    assert [member.backend for member in caught.value.route.skipped] == ["shop", "spare", "ha"]
    assert other_backend.calls == []
    assert verifier.reconcile(caught.value).result.route.answered_by == "ha"


def test_members_keep_their_own_deadlines():
    backend = FakeBackend()
    verifier = fm.Share({"a": fm.FaceVerifier(backend, deadline_s=7)}, {"a": 100})
    verifier.verify(PROBE, REFERENCE, caller_ref="x")
    verifier.verify(PROBE, REFERENCE, caller_ref="x", deadline_s=3)
    members_s, calls_s = (left_s for left_s, _ in backend.times)
    assert 3 < members_s <= 7
    assert calls_s <= 3


# Unknown outcomes


def test_reconcile_asks_the_member_that_made_the_call_also_at_zero():
    """Both members are accounts of one vendor, so the error's backend does not tell them apart."""
    idle = Records()
    asked_backend = Records(script=[fm.OutcomeUnknown("lost", reconcilable=True)])
    verifier = share({"a": 50, "b": 50}, a=idle, b=asked_backend)
    with pytest.raises(fm.OutcomeUnknown) as caught:
        verifier.verify(PROBE, REFERENCE, caller_ref=caller_of(verifier, "b"), retention="keep")
    assert [member.backend for member in caught.value.route.skipped] == ["b"]
    verifier.set_percent({"a": 100, "b": 0})
    reconciliation = verifier.reconcile(caught.value)
    assert reconciliation.outcome is fm.Reconciled.FOUND
    assert reconciliation.result.route.answered_by == "b"
    assert (len(idle.searched), len(asked_backend.searched)) == (0, 1)
    # A stored record does not name the member: every account of the vendor is searched.
    assert verifier.reconcile(caught.value.call).result.route.answered_by == "a"


# Settings


def test_share_is_a_verifier_with_read_only_members_and_percentages():
    verifier = share({"a": 90, "b": 10}, key=CANARY)
    assert isinstance(verifier, fm.Verifier)
    assert list(verifier.members) == ["a", "b"]
    verifier.percent["a"] = 0
    assert verifier.percent == {"a": 90, "b": 10}
    for text in (repr(verifier), repr(verifier.runner), str(vars(verifier))):
        assert CANARY not in text
    assert repr(verifier) == "Share(a, b)"


WRONG_PERCENT = [
    {},
    {"a": 100},
    {"a": 50, "b": 40},
    {"a": 90, "b": 10, "c": 0},
    {"a": 90, "c": 10},
    {"a": 110, "b": -10},
    {"a": True, "b": 99},
    {"a": float("nan"), "b": 100},
    [90, 10],
]


@pytest.mark.parametrize("percent", WRONG_PERCENT, ids=str)
def test_invalid_percentages_are_refused_and_the_old_ones_stay(percent):
    verifier = share({"a": 90, "b": 10})
    with pytest.raises(fm.ConfigurationError, match="percent"):
        verifier.set_percent(percent)
    assert verifier.percent == {"a": 90, "b": 10}
    with pytest.raises(fm.ConfigurationError, match="percent"):
        fm.Share(verifier.members, percent)


def test_thirds_are_a_hundred_in_spite_of_rounding():
    third = 100 / 3
    assert share({"a": third, "b": third, "c": third}).percent["a"] == third


@pytest.mark.parametrize(
    "members",
    [
        lambda verifier: [verifier],
        lambda verifier: {"a": fm.Share({"b": verifier}, {"b": 100})},
        lambda verifier: {1: verifier},
    ],
    ids=["list", "share", "number"],
)
def test_invalid_members_are_refused_at_construction(members):
    invalid = members(fm.FaceVerifier(FakeBackend()))
    with pytest.raises(fm.ConfigurationError):
        fm.Share(invalid, dict.fromkeys(invalid, 100))


@pytest.mark.parametrize("key", ["", b"", 17])
def test_invalid_key_is_refused(key):
    with pytest.raises(fm.ConfigurationError, match="key"):
        share({"a": 100}, key=key)


def test_choose_refuses_what_is_no_text():
    with pytest.raises(fm.InvalidRequest):
        share({"a": 100}).choose(None)
