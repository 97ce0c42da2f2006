"""An engine on this machine looks at each picture of a study once, and answers as `verify` does."""

import functools

import pytest

from facematch_comparison import read_answers, read_study, run_study
from facematch_core import open_verifier
from facematch_core.testing import photograph
from facematch_local import LocalBackend

NAMES = ("grace-hopper", "grace-hopper-card", "eileen-collins", "no-face-cat")
PAIRS = ((0, 1), (0, 2), (1, 2), (3, 0), (2, 3))


@pytest.fixture
def study(tmp_path):
    lines = ["probe,reference,same,probe_subject,reference_subject"]
    for name in NAMES:
        (tmp_path / f"{name}.jpg").write_bytes(photograph(name).data)
    for probe, reference in PAIRS:
        people = [NAMES[at].removesuffix("-card") for at in (probe, reference)]
        same = int(people[0] == people[1])
        lines.append(f"{NAMES[probe]}.jpg,{NAMES[reference]}.jpg,{same},{people[0]},{people[1]}")
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    return read_study(tmp_path / "pairs.csv")


@pytest.fixture
def embedded(monkeypatch):
    """The pictures that were embedded."""
    seen, embed = [], LocalBackend.embed

    def note(self, pictures, **how):
        seen.extend(pictures)
        return embed(self, pictures, **how)

    monkeypatch.setattr(LocalBackend, "embed", note)
    return seen


@pytest.mark.parametrize("review", [None, 90])
def test_each_picture_is_looked_at_once_and_each_pair_answered_as_verify_does(
    study, database, embedded, review
):
    opener = functools.partial(open_verifier, "local", threshold=35, review_threshold=review)
    summary = run_study(study, {"local": opener}, database, workers=2)
    assert summary.is_complete
    assert len(embedded) == len({*embedded}) == len(NAMES)
    (answers,) = read_answers(database)
    decisions = [*answers.frame["decision"]]
    with opener() as verifier:
        for row, pair in enumerate(study.pairs):
            result = verifier.verify(pair.probe, pair.reference)
            assert decisions[row] == result.decision
            if result.score is not None:
                assert answers.scores[row] == pytest.approx(result.score.value, abs=1e-4)
    assert [bool(acquired) for acquired in answers.acquired] == [True, True, True, False, False]
