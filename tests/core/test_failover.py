"""`Failover`: after which answers the next member is asked, and after which never."""

import pytest
from kit.fakes import (
    FakeBackend,
    FakeOptions,
    liveness_result,
    match_result,
    picture,
)

from facematch_core import (
    Billing,
    Charged,
    Decision,
    Environment,
    EnvironmentMismatch,
    FaceMatchError,
    FaceVerifier,
    Failover,
    ImageFormat,
    InvalidImage,
    LivenessDecision,
    Operation,
    Retention,
    Unsupported,
    errors,
)
from facematch_core.backend import ImageLimits

A, B = picture(), picture((10, 20, 30))


def build(error):
    """One error of a class of the tree, as a backend raises it."""
    extra = {
        errors.EnvironmentMismatch: {"environment": Environment.MOCK},
        errors.Unsupported: {"backend": "fake", "what": "x"},
    }
    return error("said so", **extra.get(error, {}))


def tree(cls=FaceMatchError):
    """Every class of the tree of errors; a plug-in's, or a mutant's, are below one of them."""
    ours = [below for below in cls.__subclasses__() if below.__module__ == errors.__name__]
    return [cls, *(inner for below in ours for inner in tree(below))]


#: The whole tree: after which of its errors the next member is asked.
GOES_ON = {
    errors.FaceMatchError: False,
    errors.ConfigurationError: False,
    errors.BackendUnavailable: False,
    errors.EnvironmentMismatch: False,
    errors.InvalidImage: True,
    errors.InvalidRequest: False,
    errors.Unsupported: True,
    errors.BudgetExceeded: False,
    errors.StoreUnavailable: False,
    errors.VendorError: False,
    errors.RequestRejected: False,
    errors.AuthenticationFailed: False,
    errors.PermissionDenied: False,
    errors.InsufficientCredit: True,
    errors.RateLimited: True,
    errors.VendorUnavailable: True,
    errors.BreakerOpen: True,
    errors.OutcomeUnknown: False,
    errors.DeadlineExceeded: False,
    errors.UnexpectedResponse: False,
}

RAISED = [error for error, goes_on in GOES_ON.items() if not goes_on]
PASSED_OVER = [error for error, goes_on in GOES_ON.items() if goes_on]
ASKED_AND_FREE = [error for error in PASSED_OVER if issubclass(error, errors.VendorError)]


def named(error):
    return error.__name__


class Refusing(FakeBackend):
    """Raises before anything is sent, as a gate or the building of a request does."""

    def match(self, call):
        self.calls.append(call)
        raise self.script[0]


def failing(error):
    """A member's backend that ends with `error`: unsent, unless it comes from the vendor."""
    if issubclass(error, errors.VendorError):
        return FakeBackend(script=[build(error)])
    return Refusing(script=[build(error)])


def failover(*backends, **options):
    """Members a, b, c over backends."""
    verifiers = [FaceVerifier(backend) for backend in backends]
    return Failover(dict(zip("abc", verifiers, strict=False)), **options)


def test_the_table_is_the_whole_tree():
    """A class of error that is added must be decided upon."""
    ours = {error for error in tree() if error.__module__.startswith("facematch_core.")}
    assert ours == set(GOES_ON)


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("error", PASSED_OVER, ids=named)
def test_the_next_member_is_asked(error, position):
    """After an outage, throttling, no credit, or if a member cannot take the call."""
    backends = [failing(error) for _ in range(position + 1)] + [FakeBackend()]
    result = failover(*backends).verify(A, B)
    assert result.is_match
    assert result.route.answered_by == "abc"[position + 1]
    assert [s.backend for s in result.route.skipped] == list("abc"[: position + 1])
    assert {s.reason for s in result.route.skipped} == {error.__name__}
    assert len(backends[-1].calls) == 1


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("error", RAISED, ids=named)
def test_nobody_else_is_asked(error, position):
    """After a mistake, and after whatever may have been charged."""
    before = [FakeBackend(script=[errors.RateLimited("x")]) for _ in range(position)]
    after = FakeBackend()
    ends = failing(error)
    whole = [*before, ends, after][:3]
    with pytest.raises(FaceMatchError) as caught:
        failover(*whole).verify(A, B)
    # What is sent and fails without a word on money is unknown to the verifier itself.
    assert isinstance(caught.value, (error, errors.OutcomeUnknown))
    assert after.calls == []
    assert [s.backend for s in caught.value.route.skipped] == list("abc"[: position + 1])
    assert caught.value.route.skipped[-1].reason == type(caught.value).__name__


@pytest.mark.parametrize("billed", [Charged.YES, Charged.UNKNOWN])
@pytest.mark.parametrize("error", ASKED_AND_FREE, ids=named)
def test_what_may_be_charged_ends_the_call(error, billed):
    """Whatever the class of the error: a plug-in may say that its vendor charges for a refusal."""
    spare = FakeBackend()
    with pytest.raises(error) as caught:
        failover(FakeBackend(script=[error("x", billing=Billing(billed))]), spare).verify(A, B)
    assert caught.value.billing.charged is billed
    assert spare.calls == []


ANSWERS = [
    *((Operation.MATCH, match_result(decision)) for decision in Decision),
    *((Operation.LIVENESS, liveness_result(decision)) for decision in LivenessDecision),
]


def ask(verifier, operation, **options):
    """One call of an operation."""
    if operation is Operation.MATCH:
        return verifier.verify(A, B, **options)
    return verifier.check_liveness(A, **options)


@pytest.mark.parametrize(("operation", "answer"), ANSWERS, ids=str)
def test_a_decision_is_final(operation, answer):
    """Whatever it is, it is never asked elsewhere."""
    spare = FakeBackend()
    result = ask(failover(FakeBackend(script=[answer]), spare), operation)
    assert result.route.answered_by == "a"
    assert result.route.skipped == ()
    assert spare.calls == []


@pytest.mark.parametrize("operation", [Operation.MATCH, Operation.LIVENESS])
def test_every_call_goes_on(operation):
    """Not comparisons alone."""
    first = FakeBackend(script=[errors.VendorUnavailable("down")])
    result = ask(failover(first, FakeBackend()), operation)
    assert result.route.answered_by == "b"
    assert result.route.skipped[0].message == "down"


@pytest.mark.parametrize(
    ("options", "can"),
    [
        ({"rotate": True}, {"rotate": False}),
        ({"retention": Retention.KEEP}, {"retention": frozenset({Retention.MINIMAL})}),
        ({"options": FakeOptions()}, {"options": None}),
    ],
    ids=str,
)
def test_a_member_that_cannot_pass_an_option_on_is_passed_over(options, can):
    """With its reason, before anything is sent to it; it is an error only if nobody can."""
    unable, able = FakeBackend(**can), FakeBackend()
    result = failover(unable, able).verify(A, B, **options)
    assert (unable.calls, result.route.answered_by) == ([], "b")
    assert result.route.skipped[0].reason == "Unsupported"
    with pytest.raises(Unsupported) as caught:
        failover(FakeBackend(**can), FakeBackend(**can)).verify(A, B, **options)
    assert [s.backend for s in caught.value.route.skipped] == ["a", "b"]


@pytest.mark.parametrize(
    "limits",
    [ImageLimits(min_side_px=500), ImageLimits(formats={ImageFormat.HEIC})],
    ids=["too small", "another format"],
)
def test_a_member_that_does_not_take_the_picture_is_passed_over(limits):
    """Size and format are checked before anything is sent to it."""
    unable, able = FakeBackend(image_limits=limits), FakeBackend()
    result = failover(unable, able).verify(A, B)
    assert (unable.calls, result.route.answered_by) == ([], "b")
    assert result.route.skipped[0].reason == "InvalidImage"
    with pytest.raises(InvalidImage, match=r"^The probe") as caught:
        failover(FakeBackend(image_limits=limits), FakeBackend(image_limits=limits)).verify(A, B)
    assert len(caught.value.route.skipped) == 2


def test_a_mistake_in_the_last_member_shows_at_once():
    """Not on the day on which it is needed; nobody is asked, nothing is paid."""
    first = FakeBackend()
    second = FaceVerifier(
        FakeBackend(environment=Environment.LOCAL), require_environment="production"
    )
    with pytest.raises(EnvironmentMismatch):
        Failover({"a": FaceVerifier(first), "b": second}).verify(A, B)
    assert first.calls == []


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        ((errors.RateLimited, errors.InsufficientCredit), errors.RateLimited),
        ((errors.InsufficientCredit, errors.RateLimited), errors.RateLimited),
        ((errors.RateLimited, errors.VendorUnavailable), errors.VendorUnavailable),
        ((errors.VendorUnavailable, errors.Unsupported), errors.VendorUnavailable),
        ((errors.InsufficientCredit, errors.InsufficientCredit), errors.InsufficientCredit),
        ((errors.InvalidImage, errors.Unsupported), errors.InvalidImage),
    ],
    ids=str,
)
def test_what_is_raised_if_nobody_answers(said, raised):
    """What may help if it is repeated, else what the last one said; never that one cannot."""
    with pytest.raises(raised) as caught:
        failover(*map(failing, said)).verify(A, B)
    assert type(caught.value) is raised
    assert getattr(caught.value, "billed", Charged.NO) is Charged.NO
    assert [s.reason for s in caught.value.route.skipped] == [error.__name__ for error in said]
