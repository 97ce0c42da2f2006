"""A call that is several requests: faults at each of them, charges that are numbers."""

import itertools
from typing import ClassVar

import attrs
import pytest

from facematch_core import Billing, Charged, MatchResult, RateLimited, ScaleSource, Score
from facematch_core.backend import Capabilities, decide_by_threshold
from facematch_core.http import ApiKeyBackend, HttpRequest
from facematch_core.testing import (
    BackendContract,
    HttpSimulator,
    SimulatorReply,
    Situation,
    Status,
    conformance,
)
from facematch_core.testing.bench import Bench
from facematch_core.testing.running import run

KEY = "an-example-of-a-key-4f7e1c2ab9"
SCALE = "detecting/v1"


@attrs.frozen(kw_only=True)
class Detecting(ApiKeyBackend):
    """Finds a face in each picture, and compares the two: three requests, three charges."""

    name = "detecting"
    base_url: str = "https://api.detecting.example"
    allowed_hosts = frozenset({"api.detecting.example"})
    capabilities = Capabilities(
        default_threshold=50.0,
        score_scale=SCALE,
        billed_operations=Capabilities().operations,
    )

    def asked(self, path, **how):
        return HttpRequest(url=f"{self.address}{path}", headers={"X-Key": self.api_key}, **how)

    def steps(self, call):
        found = []
        for picture in (call.probe, call.reference):
            headers = {"Content-Type": picture.media_type, "X-Key": self.api_key}
            url = f"{self.address}/detect"
            reply = yield HttpRequest(url=url, headers=headers, body=picture.data)
            found.append(reply.json()["face"])
        assert all(isinstance(face, str) for face in found)
        reply = yield self.asked("/verify", json={"one": found[0], "other": found[1]})
        return self.result(call, reply.json())

    def result(self, call, body):
        number = body["confidence"]
        score = None
        if number is not None:
            score = Score.from_fraction(
                number, SCALE, raw_name="confidence", source=ScaleSource.DOCUMENTED
            )
        return MatchResult(
            decision=decide_by_threshold(score, call.threshold),
            score=score,
            threshold=call.threshold,
            backend=self.name,
            raw=body,
        )


REFUSALS = {
    Situation.NO_CREDIT: 402,
    Situation.REJECTED: 422,
    Situation.THROTTLED: 429,
    Situation.OUTAGE: 500,
}
NUMBERS = {
    Situation.DIFFERENT_PEOPLE: 0.11,
    Situation.NULL_SCORE: None,
    Situation.IMPOSSIBLE_SCORE: 250,
}


class DetectingSimulator(HttpSimulator):
    """That vendor."""

    steps = 3
    situations = HttpSimulator.FAULTS | {
        Situation.SAME_PERSON,
        Situation.SCORE,
        Situation.BAD_KEY,
        Situation.UNREADABLE_200,
        *REFUSALS,
        *NUMBERS,
    }
    cannot_happen: ClassVar = dict.fromkeys(
        (
            Situation.NO_FACE,
            Situation.TWO_FACES,
            Situation.UNKNOWN_STATUS,
            Situation.UNKNOWN_WARNING,
            Situation.DEMOGRAPHICS,
        ),
        "It tells no more than a number.",
    )
    secrets = (KEY,)
    backend_class = Detecting

    def __init__(self):
        super().__init__()
        self.faces = itertools.count()
        self.seen = {}

    def backend(self, **settings):
        return self.backend_class(**{"api_key": KEY, "base_url": self.url} | settings)

    def ends(self, request):
        return request.path == "/verify"

    @property
    def received(self):
        return dict(zip(("probe", "reference"), [*self.seen.values()][-2:], strict=False))

    def answer(self, request, situation, score):
        if request.headers["X-Key"] != KEY or situation is Situation.BAD_KEY:
            return SimulatorReply(status=401, body={"error": "no"})
        if situation in REFUSALS:
            return SimulatorReply(status=REFUSALS[situation], body={"error": "no"})
        if situation is Situation.UNREADABLE_200:
            return SimulatorReply(body={"hello": "world"})
        if request.path == "/detect":
            face = f"face-{next(self.faces)}"
            self.seen[face] = request.body
            return SimulatorReply(body={"face": face})
        number = NUMBERS.get(situation, 0.93) if score is None else score / 100
        return SimulatorReply(body={"confidence": number})


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DetectingSimulator() as simulator:
            yield simulator


def why(backend, rule):
    """Why that rule fails on a backend; it has to."""
    found = run({"it": lambda: made(backend)}, aimed={"it": rule})["it"]
    [case] = [case for case in found if case.status is Status.FAILED]
    return case.reason


def made(backend):
    """The vendor's simulator, which opens this backend."""
    simulator = DetectingSimulator()
    simulator.backend_class = backend
    return simulator


@pytest.mark.long
def test_several_requests_conform():
    """With nothing open, whatever step a fault strikes at."""
    report = conformance(Detecting, simulator=DetectingSimulator)
    assert (report.verdict, report.of("open")) == ("conforms", ())


@pytest.mark.parametrize(
    ("step", "charged", "charges"), [(1, Charged.NO, 0), (2, Charged.YES, 1), (3, Charged.YES, 2)]
)
def test_what_an_honest_backend_says_of_a_busy_vendor(step, charged, charges):
    """Throttled after two charges is charged, and nobody is punished for saying so."""
    with DetectingSimulator() as simulator:
        bench = Bench(simulator)
        [operation] = bench.operations
        outcome = bench.ask(operation, Situation.THROTTLED, step=step)
        assert isinstance(outcome.error, RateLimited)
        billing = outcome.error.billing
        assert (billing.charged, billing.charges) == (charged, charges)
        assert (outcome.requests, outcome.charges) == (step, charges)
        assert outcome.error.retryable == (charges == 0)
        bench.close()


def test_a_busy_vendor_that_is_told_as_free_is_caught():
    """After two charges."""

    class Sparing(Detecting):
        def match(self, call):
            try:
                return super().match(call)
            except RateLimited as error:
                error.billing, error.retryable = Billing(Charged.NO, "it was refused"), True
                raise error from None

    assert why(Sparing, "R17").startswith("match, THROTTLED at step 2: the error says no")


def test_one_charge_for_three_is_caught():
    """A budget that counts calls where the vendor counts requests."""

    class OneCharge(Detecting):
        def match(self, call):
            result = super().match(call)
            return attrs.evolve(result, billing=Billing(Charged.YES, "each answer", 1))

    assert "the backend says yes (1 charges), the vendor counted 3" in why(OneCharge, "R16")


def test_a_step_that_is_repeated_is_caught():
    """Of three requests that become four, and of a refused one that is sent again."""

    class Twice(Detecting):
        def steps(self, call):
            yield self.asked("/detect", body=b"warm-up")
            return (yield from super().steps(call))

    assert "4 requests for one call, and not 3" in why(Twice, "R18")


def test_a_simulator_that_does_not_tell_of_its_steps_is_told():
    """Three requests are no repeat, if the author says that each of them is needed."""

    class Silent(DetectingSimulator):
        steps = 1

    report = conformance(Detecting, simulator=Silent)
    [reason] = {r for rule in report.rules if rule.number == "R18" for r in rule.reasons[:1]}
    assert "the simulator says so in `steps`" in reason
