"""An engine on this machine looks at each picture of a study once, and answers as `verify` does."""

import functools
import math
from hashlib import sha256

import pyarrow as pa
import pytest
from kit.comparison.studies import opener, run_once
from kit.fakes import FakeBackend

from facematch_comparison import PairState, read_answers, read_study, run_study
from facematch_core import Environment, open_verifier
from facematch_core.resilience import Budget
from facematch_core.testing import photograph
from facematch_local import LocalBackend

pytestmark = pytest.mark.usefixtures("local_models")

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


@pytest.mark.parametrize("review", [pytest.param(None, marks=pytest.mark.slow), 90])
def test_each_picture_is_embedded_once_and_answers_equal_verify(study, database, embedded, review):
    opened = functools.partial(open_verifier, "local", threshold=35, review_threshold=review)
    summary = run_study(study, {"local": opened}, database, workers=2)
    assert summary.is_complete
    assert len(embedded) == len({*embedded}) == len(NAMES)
    (answers,) = read_answers(database)
    decisions = [*answers.frame["decision"]]
    with opened() as verifier:
        for row, pair in enumerate(study.pairs):
            result = verifier.verify(pair.probe, pair.reference)
            assert decisions[row] == result.decision
            if result.score is not None:
                assert answers.scores[row] == pytest.approx(result.score.value, abs=1e-4)
    assert [bool(acquired) for acquired in answers.acquired] == [True, True, True, False, False]


class Embedding(FakeBackend):
    """An engine of this machine that reports the digest of every picture but `wrong`."""

    def __init__(self, wrong=None):
        super().__init__(environment=Environment.LOCAL, billed_operations=frozenset())
        self.wrong, self.embedded = wrong, []

    def embed(self, paths):
        (path,) = paths
        self.embedded.append(path)
        digest = "0" * 64 if path.stem == self.wrong else sha256(path.read_bytes()).hexdigest()
        row = {"sha256": digest, "face": True}
        return pa.Table.from_pylist([row | {"embedding": [1.0], "elapsed_s": 0.5, "error": None}])

    def scores(self, probes, references):
        return probes @ references.T


def test_the_first_duration_of_an_engine_is_not_counted(study, database):
    run_once(database, study, opener(Embedding()))
    (answers,) = read_answers(database)
    durations = sorted(answers.elapsed_s.tolist(), key=str)
    assert (durations[:-1], math.isnan(durations[-1])) == ([1.0] * 4, True)


def test_an_engine_with_policies_is_called_per_pair(study, database):
    system = opener(Embedding(), policies=[Budget(2, name="shop")])
    assert run_once(database, study, system).progress.states == {PairState.ANSWERED: 5}
    assert (len(system.backend.calls), system.backend.embedded) == (5, [])


@pytest.mark.usefixtures("in_file_order")
def test_a_changed_picture_is_not_scored_and_earlier_answers_remain(study, database):
    summary = run_once(database, study, opener(Embedding(wrong="no-face-cat")))
    assert "reported another digest" in summary.error.message
    assert summary.progress.states == {PairState.ANSWERED: 3, PairState.FREE: 2}
