"""A whole comparison over HTTP, of vendors whose error rates are known."""

import functools
import math
from importlib.metadata import entry_points

import pytest
from plugins import Site

from facematch_core import (
    ConfigurationError,
    Environment,
    FaceVerifier,
    Image,
    ThresholdRule,
    open_verifier,
)
from facematch_core.comparison import (
    RunDatabase,
    draw_pairs,
    evaluate,
    photographs,
    read_answers,
    run_study,
)
from facematch_core.testing import noise
from facematch_mock_server import MockServer, make_card
from facematch_mock_server.recognition.recognizer import PictureRecognizer
from facematch_mock_server.simulation import SimulatedBackend

#: Rates of the vendors, coarse enough that a small study sees them.
GOOD = {"fmr": 0.02, "fnmr": 0.05}
POOR = {"fmr": 0.1, "fnmr": 0.3, "fta": 0.05, "seed": 3}


@pytest.fixture
def study(tmp_path):
    """Thirty people with three pictures each, 90 mated pairs and 110 others."""
    for at in range(90):
        (folder := tmp_path / "faces" / f"p{at % 30}").mkdir(parents=True, exist_ok=True)
        (folder / f"{at}.jpg").write_bytes(noise(at, (80, 80)).data)
    return draw_pairs(photographs(tmp_path / "faces"), non_mated=110, seed=1, name="made up")


@pytest.fixture
def database(tmp_path):
    """Where the run is written down."""
    opened = RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")
    yield opened
    opened.close()


def test_a_study_over_http_finds_the_truth(study, database, tmp_path):
    """Every score is the simulated vendor's, in Didit's form; rates are the true ones."""
    truth = tmp_path / "faces"
    backends = {
        name: SimulatedBackend(truth=truth, **rates)
        for name, rates in {"good": GOOD, "poor": POOR}.items()
    }
    mocks = {
        name: MockServer(
            engine=functools.partial(FaceVerifier, backend), switches={"write_limit": None}
        )
        for name, backend in backends.items()
    }
    with mocks["good"] as good, mocks["poor"] as poor:
        openers = {
            name: functools.partial(
                open_verifier,
                "didit",
                api_key=mock.live_key,
                base_url=mock.url,
                environment=Environment.MOCK,
            )
            for name, mock in (("good", good), ("poor", poor))
        }
        summary = run_study(study, openers, database, workers=2)
        assert summary.is_complete
        charged = [len(mock.control.charges()) for mock in (good, poor)]
    assert charged == [200, 200]
    answers = read_answers(database, summary.study)
    for one in answers:
        direct = FaceVerifier(backends[one.table.name])
        for at in range(0, 200, 20):
            pair = study.pairs[at]
            score = direct.verify(pair.probe, pair.reference).score
            told = one.table.scores[at]
            assert math.isnan(told) if score is None else told == score.value
    evaluation = evaluate(answers, required_fmr=0.05)
    for one in evaluation.systems:
        vendor = backends[one.name].vendor
        assert one.environment is Environment.MOCK
        # Didit's own default is another threshold than the simulated vendor's.
        threshold = one.at_default.threshold
        assert threshold == 30.0
        for rate, true in (
            (one.at_default.fmr, vendor.true_fmr(30)),
            (one.at_default.fnmr, vendor.true_fnmr(30)),
        ):
            error = math.sqrt(true * (1 - true) / rate.trials)
            assert abs(rate.value - true) < 4 * error + 1 / rate.trials
    assert evaluation.systems[0].service.acquisition.errors == 0
    assert evaluation.systems[1].service.acquisition.errors > 0
    assert evaluation.differences[0].better == "good"


def test_cards_are_for_an_engine_that_makes_scores_up():
    """The engine sees them before their own scores do; what a test set still goes first."""
    ada, bob = make_card("ada"), make_card("bob")
    people = {Image.from_bytes(card).digest: who for card, who in ((ada, "x"), (bob, "x"))}
    backend = SimulatedBackend(people=people, fnmr=1e-9)
    deciding = PictureRecognizer(engine=functools.partial(FaceVerifier, backend))
    deciding.load()
    found = deciding.match(ada, bob, rotate=True)
    assert found.by == "simulated"
    assert found.score > 50
    assert len(found.probe.faces) == 1
    deciding.set_outcome("match", score=3)
    assert deciding.match(ada, bob, rotate=False).score == 3
    assert deciding.liveness(ada, rotate=False).by == "card"
    assert deciding.identify(noise(1).data, rotate=False).embedding is None
    with pytest.raises(LookupError):
        deciding.embedding_scores([], [])
    deciding.close()


def test_the_engine_by_its_name(tmp_path, monkeypatch):
    """`facematch mock --engine simulated`: test cards, and scores that are now and then wrong."""
    needed = {
        "facematch.backends": ("simulated", "SimulatedBackend"),
        "facematch.card_readers": ("mock", "read_card"),
    }
    missing = [
        (group, *point)
        for group, point in needed.items()
        if point[0] not in entry_points(group=group).names
    ]
    Site(tmp_path, monkeypatch).add(
        "made",
        missing,
        source=(
            "from facematch_mock_server.simulation import SimulatedBackend\n"
            "from facematch_mock_server.recognition.cards import read_card"
        ),
    )
    with MockServer(engine="simulated") as mock:
        found = [
            mock.world.recognizer.match(make_card(a), make_card(b, luminance=9), rotate=False)
            for a, b in (("ada", "ada"), ("ada", "bob"))
        ]
    assert {one.by for one in found} == {"simulated"}
    assert found[0].score > 50 > found[1].score


def test_an_engine_that_asks_somebody_else_is_none():
    """A mock sends nothing: a backend of a real vendor is refused before the first request."""
    mock = MockServer(engine=functools.partial(open_verifier, "didit", api_key="k" * 20))
    with pytest.raises(ConfigurationError, match="must run on this machine, and didit answers"):
        mock.start()
    mock.stop()


def test_rules_are_the_vendors(study):
    """A simulated engine gives scores; the mock's vendor judges them by its own rule."""
    pair = study.pairs[0]
    backend = SimulatedBackend(rule=ThresholdRule.AT_LEAST)
    with MockServer(engine=functools.partial(FaceVerifier, backend)) as mock:
        settings = {"api_key": mock.live_key, "base_url": mock.url}
        verifier = open_verifier("didit", **settings | {"environment": Environment.MOCK})
        result = verifier.verify(pair.probe, pair.reference)
        edge = verifier.verify(pair.probe, pair.reference, threshold=result.score.value)
        verifier.close()
    assert edge.threshold.rule is ThresholdRule.ABOVE
    assert not edge.is_match
