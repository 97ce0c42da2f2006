"""An engine that embeds: each picture once, and the same answers as pair by pair."""

import math
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from core.comparison.running.studies import opener, states, write_study
from fakes import FakeBackend

from facematch_core import (
    ConfigurationError,
    Decision,
    Environment,
    FaceVerifier,
    Image,
    InvalidRequest,
    MatchResult,
    Score,
    ThresholdRule,
    open_verifier,
)
from facematch_core.backend import ImageLimits
from facematch_core.comparison.running import Embedder, StudyRun, _run, read_answers, run_study
from facematch_core.comparison.study import Study, StudyPair
from facematch_core.resilience import RateLimiter, RateWindow

PHOTOGRAPHS = Path(__file__).parents[4] / "docs" / "photographs"


class Engine(FakeBackend):
    """Embeds a picture as its mean colour; blue ones have no face."""

    def __init__(self, **can):
        limits = ImageLimits(min_side_px=20)
        can = {"billed_operations": frozenset(), "image_limits": limits, **can}
        super().__init__(environment=Environment.LOCAL, **can)
        self.embedded = []
        self.shift = 0.0
        self._guard = threading.Lock()

    def embeddings(self, pictures, *, max_workers=None):
        with self._guard:
            self.embedded += [Image.of(picture).digest for picture in pictures]
        return np.array([self.seen(Image.of(picture)) for picture in pictures])

    def seen(self, image):
        """Two numbers."""
        colour = np.asarray(image.to_pil(), dtype=float).mean((0, 1))
        return np.full(2, np.nan) if colour[2] > 200 else colour[:2]

    def scores(self, probes, references):
        """Every one with every one."""
        far = np.abs(probes[:, None] - references[None]).sum(2)
        return np.round(np.maximum(0, 100 - far - self.shift), 2)

    def match(self, call):
        call.on_sent()
        self.calls.append(call)
        a, b = self.seen(call.probe), self.seen(call.reference)
        facts = {"backend": "fake", "model": "m", "environment": Environment.LOCAL}
        if np.isnan(a).any() or np.isnan(b).any():
            return MatchResult(decision=Decision.INCONCLUSIVE, **facts)
        score = float(np.round(max(0.0, 100 - float(np.abs(a - b).sum())), 2))
        passes = call.threshold.passes(score)
        decision = Decision.MATCH if passes else Decision.NO_MATCH
        return MatchResult(decision=decision, score=Score(score, "fake/v1"), **facts)


def painted(folder):
    """Pictures of several colours, a blue one, one too small for the engine, in every pair."""
    from fakes import picture

    folder.mkdir()
    colours = [(0, 0, 0), (10, 20, 0), (2, 3, 0), (40, 40, 0), (200, 0, 0), (7, 7, 255)]
    paths = []
    for number, colour in enumerate(colours):
        paths.append(folder / f"{number}.png")
        paths[-1].write_bytes(picture(colour, kind="PNG").data)
    paths.append(folder / "odd.png")
    paths[-1].write_bytes(picture(size=(8, 8), kind="PNG").data)
    pairs = [
        StudyPair(
            probe=one,
            reference=other,
            mated=False,
            probe_subject=one.name,
            reference_subject=other.name,
        )
        for at, one in enumerate(paths)
        for other in paths[at + 1 :]
    ]
    return Study(name="painted", pairs=tuple(pairs))


def told(answers):
    """What counts of answers."""
    table = answers.table
    scores = [None if math.isnan(score) else score for score in table.scores]
    return (
        *(scores, table.decisions.tolist(), table.acquired.tolist(), answers.not_answered),
        *(table.scale, table.rule, table.threshold, answers.backend, answers.model),
    )


@pytest.mark.parametrize("review", [None, 95.0])
@pytest.mark.parametrize("rule", [ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])
def test_the_answers_are_those_of_pair_by_pair(tmp_path, journal, monkeypatch, rule, review):
    """With each picture embedded once, whatever the rules, faces or not."""
    study = painted(tmp_path / "pictures")
    quick, slow = Engine(threshold_rule=rule), Engine(threshold_rule=rule)
    limits = {"threshold": 70.0, "review_threshold": review}
    run_study(study, {"quick": opener(quick, **limits)}, journal)
    monkeypatch.setattr(_run, "can_embed", lambda _contender: False)
    run_study(study, {"slow": opener(slow, **limits)}, journal)
    one, other = read_answers(journal, journal.study())
    assert told(one) == told(other)
    assert len(set(one.table.decisions.tolist())) > 3
    assert sorted(quick.embedded) == sorted(set(quick.embedded))
    # Those without a face, and the first one, which is asked both ways.
    assert len(quick.calls) == 1 + 5
    assert len(slow.calls) == 15


def test_an_engine_that_disagrees_with_itself_is_asked_pair_by_pair(tmp_path, journal):
    """Its own answers count."""
    engine = Engine()
    engine.shift = 0.5
    study = painted(tmp_path / "pictures")
    run_study(study, {"fake": opener(engine)}, journal, workers=1)
    (found,) = read_answers(journal, journal.study())
    assert found.table.scores[0] == 70.0
    assert len(engine.calls) == 15


@pytest.mark.parametrize(
    "contender",
    [
        opener(Engine(billed_operations=FakeBackend.capabilities.billed_operations)),
        opener(Engine(), policies=[RateLimiter([RateWindow(1000, 1.0)], name="fake")]),
        opener(FakeBackend(environment=Environment.LOCAL, billed_operations=frozenset())),
    ],
    ids=["billed", "gated", "without embeddings"],
)
def test_what_must_be_asked_is_asked(tmp_path, journal, contender):
    """A call that may be charged, that passes a gate, or of an engine without embeddings."""
    run_study(write_study(tmp_path / "pictures"), {"fake": contender}, journal)
    assert len(contender.backend.calls) == 6
    assert not getattr(contender.backend, "embedded", [])


def test_embeddings_may_come_from_elsewhere(tmp_path, journal):
    """Each picture is asked for once, some pairs at a time; the answers are the same."""
    study, engine, asked = painted(tmp_path / "pictures"), Engine(), []

    def embed(paths):
        asked.extend(paths)
        rows = np.full((len(paths), 2), np.nan)
        for row, path in zip(rows, paths, strict=True):
            if path.name != "odd.png":
                row[:] = engine.seen(Image.read(path))
        return rows

    with StudyRun(study, {"fake": opener(engine)}, journal) as run:
        embedders = {"fake": Embedder(embed=embed, batch=4)}
        summary = run.run(embedders=embedders)
    assert summary.is_complete
    assert sorted(asked) == sorted(study.pictures)
    assert engine.embedded == []


def test_wrong_embedders_are_refused(tmp_path, journal):
    """By name before anything is done, by shape when it is seen; the pairs stay free."""
    study = painted(tmp_path / "pictures")
    with StudyRun(study, {"fake": opener(Engine())}, journal) as run:
        with pytest.raises(InvalidRequest, match="'other' is no contender whose pictures"):
            run.run(embedders={"other": Embedder(embed=len)})
        short = Embedder(embed=lambda paths: np.zeros((1, 2)))
        (one,) = run.run(embedders={"fake": short}).contenders
    assert type(one.error) is ConfigurationError
    assert "one row for each" in one.error.message
    (contender,) = journal.contenders(journal.study().digest)
    assert states(journal, contender) == ["free"] * len(study.pairs)


def test_a_stop_leaves_the_rest_free(tmp_path, journal):
    """Between two pictures."""
    study, engine = painted(tmp_path / "pictures"), Engine()
    with StudyRun(study, {"fake": opener(engine)}, journal) as run:
        run.run(stop=lambda: len(engine.embedded) > 1, workers=1)
        (contender,) = journal.contenders(run.stored.digest)
        assert set(states(journal, contender)) == {"free"}
        assert run.run().is_complete


def test_the_local_engine(journal, monkeypatch):
    """Real photographs: not a digit differs, and every picture was looked at once."""
    names = ["Family1-Dad1", "Family1-Dad2", "Family2-Man1", "no-face-cat", "four-people"]
    paths = [PHOTOGRAPHS / f"{name}.jpg" for name in names]
    pairs = [
        StudyPair(
            probe=one,
            reference=other,
            mated=False,
            probe_subject=one.name,
            reference_subject=other.name,
        )
        for at, one in enumerate(paths)
        for other in paths[at + 1 :]
    ]
    study = Study(name="photographs", pairs=tuple(pairs))
    opened = []

    def local(**more):
        opened.append(open_verifier("local", **more))
        return opened[-1]

    run_study(study, {"quick": local}, journal, workers=2)
    monkeypatch.setattr(_run, "can_embed", lambda _contender: False)
    run_study(study, {"slow": partial(open_verifier, "local")}, journal, workers=2)
    one, other = read_answers(journal, journal.study())
    assert told(one) == told(other)
    assert one.table.scale == "local/dlib-resnet-v1"
    assert one.not_answered == {}
    assert isinstance(opened[0], FaceVerifier)
    assert one.environment is Environment.LOCAL
    assert np.isnan(one.elapsed_s).sum() == np.count_nonzero(one.table.acquired) - 1
