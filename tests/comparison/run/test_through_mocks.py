"""A whole comparison over HTTP, of two mock vendors and what is drawn on the pictures."""

import functools

import numpy as np
import pytest

from facematch_comparison import draw_pairs, evaluate, photographs, read_answers, run_study
from facematch_core import Environment, open_verifier
from facematch_mock_server import MockServer, make_card

PEOPLE, MATED, OTHERS = 10, 10, 20
#: The exact scores of the cards of two people, and one person whose second card has no face.
SCORES = {"p3": 12.5, "p4": 41.25}
FACELESS = "p5"


@pytest.fixture
def study(tmp_path):
    for number in range(3 * PEOPLE):
        person = f"p{number % PEOPLE}"
        (folder := tmp_path / "cards" / person).mkdir(parents=True, exist_ok=True)
        faces = 0 if person == FACELESS and number >= 2 * PEOPLE else 1
        score = SCORES.get(person) if number < PEOPLE else None
        card = make_card(person, luminance=number, faces=faces, score=score, size=(150, 200))
        (folder / f"{number}.png").write_bytes(card)
    return draw_pairs(photographs(tmp_path / "cards"), mated=MATED, non_mated=OTHERS, seed=2)


def test_a_study_over_http_measures_the_rates_on_the_test_cards(study, database):
    with MockServer(vendor=["didit", "deepvue"], switches={"write_limit": None}) as mock:
        didit, deepvue = mock.of("didit"), mock.of("deepvue")
        at_mock = {"base_url": mock.url, "environment": Environment.MOCK}
        settings = {
            "didit": {"api_key": didit.live_key},
            "deepvue": {
                "client_id": deepvue.client_id,
                "client_secret": deepvue.live_key,
                "confidence_meaning": "similarity",
                "confidence_scale": "percent",
            },
        }
        openers = {
            name: functools.partial(open_verifier, name, **at_mock, **options)
            for name, options in settings.items()
        }
        summary = run_study(study, openers, database, workers=2)
        assert summary.is_complete
        charged = [len(vendor.control.charges()) for vendor in (didit, deepvue)]
        match = mock.world.recognizer.match
        both = [(pair.probe.read_bytes(), pair.reference.read_bytes()) for pair in study.pairs]
        scores = np.array([match(*two, rotate=False).score for two in both], np.float64)
    first, second = read_answers(database)
    faceless = np.isnan(scores)
    assert 0 < faceless.sum() < 20
    assert charged[0] == MATED + OTHERS
    assert charged[1] == MATED + OTHERS - faceless.sum()
    assert (second.billed == ~faceless).all()
    assert (first.elapsed_s > 0).all()
    assert np.allclose(first.scores, scores, atol=0.005, equal_nan=True)
    assert np.nanmax(np.abs(second.scores - scores)) <= 0.5
    for table in (first, second):
        assert np.array_equal(~table.acquired, faceless)
    evaluation = evaluate(read_answers(database), required_fmr=0.05)
    for system in evaluation.systems:
        assert system.environment is Environment.MOCK
        assert system.service.acquisition.errors == faceless.sum()
    didit_at_default = evaluation.systems[0].at_default
    assert didit_at_default.threshold == 30.0
    assert didit_at_default.fmr.errors == (scores[~study.mated] > 30).sum() > 0
    assert didit_at_default.fnmr.errors == (scores[study.mated] <= 30).sum() > 0
