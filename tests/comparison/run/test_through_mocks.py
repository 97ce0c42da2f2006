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
        is_faceless = person == FACELESS and number >= 2 * PEOPLE
        card = make_card(
            person,
            luminance=number,
            faces=0 if is_faceless else 1,
            score=SCORES.get(person) if number < PEOPLE else None,
            size=(150, 200),
        )
        folder = tmp_path / "cards" / person
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(card)
    return draw_pairs(photographs(tmp_path / "cards"), mated=MATED, non_mated=OTHERS, seed=2)


def true_scores(mock, study):
    """What is drawn on the pictures; NaN where no two faces can be compared."""
    scores = []
    for pair in study.pairs:
        pictures = (pair.probe.read_bytes(), pair.reference.read_bytes())
        scores.append(mock.world.recognizer.match(*pictures, rotate=False).score)
    return np.array(scores, np.float64)


def test_a_study_over_http_measures_the_rates_on_the_test_cards(study, database):
    with MockServer(vendor=["didit", "deepvue"], switches={"write_limit": None}) as mock:
        didit = mock.of("didit")
        deepvue = mock.of("deepvue")
        open_at_mock = functools.partial(
            open_verifier, base_url=mock.url, environment=Environment.MOCK
        )
        openers = {
            "didit": functools.partial(open_at_mock, "didit", api_key=didit.live_key),
            "deepvue": functools.partial(
                open_at_mock,
                "deepvue",
                client_id=deepvue.client_id,
                client_secret=deepvue.live_key,
                confidence_meaning="similarity",
                confidence_scale="percent",
            ),
        }
        assert run_study(study, openers, database, workers=2).is_complete
        charged = [len(vendor.control.charges()) for vendor in (didit, deepvue)]
        scores = true_scores(mock, study)
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
