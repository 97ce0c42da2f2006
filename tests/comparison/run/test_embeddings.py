import hashlib
import itertools
import json
import math
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kit.comparison.studies import opener, pair_states, stored_system, write_study
from kit.fakes import FakeBackend, picture

from facematch_comparison.run import (
    StudyRun,
    embed,
    embeddings,
    read_answers,
    read_embeddings,
    run_study,
)
from facematch_comparison.study import Study, StudyPair
from facematch_core import (
    ConfigurationError,
    Decision,
    Environment,
    Image,
    InvalidImage,
    InvalidRequest,
    MatchResult,
    Score,
    ThresholdRule,
    open_verifier,
)
from facematch_core.backend import ImageLimits
from facematch_core.http import HttpBackend
from facematch_core.resilience import RateLimiter, RateWindow
from facematch_local import LocalBackend

pytestmark = pytest.mark.usefixtures("in_file_order")

PHOTOGRAPHS = Path(__file__).parents[3] / "docs" / "photographs"
LIMITS = ImageLimits(min_side_px=20)


def table_of(rows, engine, size=2):
    """A table of embeddings, as an engine makes one."""
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("path", "sha256", "error", "engine")),
            ("face", pa.bool_()),
            ("elapsed_s", pa.float64()),
            ("embedding", pa.list_(pa.float32(), size)),
        ],
        metadata={"facematch.engine": engine},
    )
    return pa.Table.from_pylist([{"engine": engine, **row} for row in rows], schema=schema)


class Engine(FakeBackend):
    """Embeds a picture as its mean colour; blue ones have no face."""

    def __init__(self, version="1", **can):
        can = {"billed_operations": frozenset(), "image_limits": LIMITS, **can}
        super().__init__(environment=Environment.LOCAL, **can)
        self.embedded = []
        self.shift = 0.0
        self.version = version
        self._guard = threading.Lock()

    def embed(self, paths):
        return table_of([self.row(path) for path in paths], json.dumps({"fake": self.version}))

    def row(self, path):
        with self._guard:
            self.embedded.append(path)
        data = Path(path).read_bytes()
        row = {"path": str(path), "sha256": hashlib.sha256(data).hexdigest(), "face": False}
        try:
            seen = self.seen(Image.from_bytes(data).prepared(LIMITS))
        except InvalidImage as error:
            return row | {"error": type(error).__name__}
        if np.isnan(seen).any():
            return row | {"elapsed_s": 0.25}
        return row | {"face": True, "embedding": seen, "elapsed_s": 0.25}

    def seen(self, image):
        colour = np.asarray(image.to_pil(), dtype=float).mean((0, 1))
        return np.full(2, np.nan) if colour[2] > 200 else colour[:2]

    def scores(self, probes, references):
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
    folder.mkdir()
    colours = [(0, 0, 0), (10, 20, 0), (2, 3, 0), (40, 40, 0), (200, 0, 0), (7, 7, 255)]
    paths = []
    for number, colour in enumerate(colours):
        paths.append(folder / f"{number}.png")
        paths[-1].write_bytes(picture(colour, kind="PNG").data)
    paths.append(folder / "odd.png")
    paths[-1].write_bytes(picture(size=(8, 8), kind="PNG").data)
    return each_with_each(paths)


def each_with_each(paths):
    """A test set of all pairs of these pictures, each of somebody else."""
    pairs = (
        StudyPair(
            probe=probe,
            reference=reference,
            mated=False,
            probe_subject=probe.name,
            reference_subject=reference.name,
        )
        for probe, reference in itertools.combinations(paths, 2)
    )
    return Study(name="painted", pairs=tuple(pairs))


def values_of(answers):
    table = answers.table
    scores = [None if math.isnan(score) else score for score in table.scores]
    return (
        *(scores, table.decisions.tolist(), table.acquired.tolist(), answers.not_answered),
        *(table.scale, table.rule, table.threshold, answers.backend, answers.model),
        answers.environment,
    )


def install(monkeypatch, backend):
    """It is what the name `fake` opens, in this process."""
    kind = type("Installed", (type(backend),), {"capabilities": backend.capabilities})
    monkeypatch.setattr(embeddings, "backend_class", lambda _name: kind)
    monkeypatch.setattr(embeddings, "_engine", lambda _name, _settings: backend)


class PairByPair(Engine):
    """The same without a table."""

    embed = None


@pytest.mark.parametrize(
    ("rule", "review"), [(ThresholdRule.ABOVE, None), (ThresholdRule.AT_LEAST, 95.0)]
)
def test_the_answers_are_those_of_pair_by_pair(tmp_path, database, rule, review):
    study = painted(tmp_path / "pictures")
    quick, slow, by_table = (kind(threshold_rule=rule) for kind in (Engine, PairByPair, Engine))
    limits = {"threshold": 70.0, "review_threshold": review}
    run_study(study, {"quick": opener(quick, **limits)}, database)
    run_study(study, {"slow": opener(slow, **limits)}, database)
    file = tmp_path / "embeddings.parquet"
    pq.write_table(Engine().embed(study.pictures), file)
    run_study(study, {"table": opener(by_table, **limits)}, database, embeddings=file)
    first, second, third = read_answers(database, database.study())
    assert values_of(first) == values_of(second) == values_of(third)
    assert len(set(first.table.decisions.tolist())) > 3
    assert sorted(quick.embedded) == sorted(study.pictures)
    assert by_table.embedded == []
    # The first one, which is asked both ways.
    assert (len(quick.calls), len(by_table.calls), len(slow.calls)) == (1, 1, 15)


@pytest.mark.parametrize("embeddings", ["its own", "a table"])
def test_an_engine_whose_embeddings_give_other_scores_ends(tmp_path, database, embeddings):
    """Thresholds are for calls, which would be judged by other scores than the study had."""
    engine = Engine()
    engine.shift = 0.5
    study = painted(tmp_path / "pictures")
    table = Engine().embed(study.pictures) if embeddings == "a table" else None
    (summary,) = run_study(study, {"table": opener(engine)}, database, embeddings=table).systems
    assert type(summary.error) is ConfigurationError
    assert "give another score than table does" in summary.error.message
    assert set(pair_states(database, stored_system(database))) == {"free"}


MAY_BE_CHARGED = {"billed_operations": FakeBackend.capabilities.billed_operations}
FREE = {"billed_operations": frozenset()}


@pytest.mark.parametrize(
    "system",
    [
        opener(Engine(**MAY_BE_CHARGED)),
        opener(Engine(), policies=[RateLimiter(RateWindow(1000, 1.0))]),
        opener(FakeBackend(environment=Environment.LOCAL, **FREE)),
    ],
    ids=["billed", "gated", "without embeddings"],
)
def test_what_must_be_asked_is_asked(tmp_path, database, system):
    run_study(write_study(tmp_path / "pictures"), {"fake": system}, database)
    assert len(system.backend.calls) == 6
    assert not getattr(system.backend, "embedded", [])


class Paid(Engine, HttpBackend):
    """An engine of this machine that asks over HTTP: nobody should trust it with a cluster."""

    build = parse = None


@pytest.mark.parametrize(
    ("backend", "why"),
    [
        (Engine(**MAY_BE_CHARGED), "its calls may be charged"),
        (Paid(), "it asks over HTTP"),
        (FakeBackend(environment=Environment.MOCK, **FREE), "it does not answer on this machine"),
        (FakeBackend(environment=Environment.LOCAL, **FREE), "it makes no embeddings"),
    ],
    ids=["billed", "http", "elsewhere", "without embeddings"],
)
def test_paid_calls_are_never_mapped(tmp_path, database, monkeypatch, backend, why):
    """Neither by `embed` nor by a run: refused with the reason before anything is done."""
    # Vendors are refused before they are opened, which would need their keys.
    for name in ("didit", "deepvue"):
        with pytest.raises(InvalidRequest, match="its calls may be charged"):
            embed([tmp_path / "a.jpg"], backend=name, dask="tcp://127.0.0.1:1")
    study, system = painted(tmp_path / "pictures"), opener(backend)
    install(monkeypatch, backend)
    with pytest.raises(InvalidRequest, match=why):
        embed(study.pictures, backend="fake", dask="tcp://127.0.0.1:1")
    with StudyRun(study, {"fake": system}, database) as run:
        assert run.why_not_embedded == {"fake": why}
        with pytest.raises(InvalidRequest, match=why):
            run.run(embeddings=Engine().embed(study.pictures))
    assert backend.calls == []


def test_a_table_must_be_of_this_engine_and_these_pictures(tmp_path, database, monkeypatch):
    study, system = painted(tmp_path / "pictures"), opener(Engine())
    two = [Engine(version).embed(study.pictures[:1]) for version in "12"]
    with StudyRun(study, {"fake": system}, database) as run:
        with pytest.raises(ConfigurationError, match=r'another engine .*"2".*"1"'):
            run.run(embeddings=Engine("2").embed(study.pictures))
        with pytest.raises(ConfigurationError, match=r'2 engines.*"1".*"2"'):
            run.run(embeddings=pa.concat_tables(two))
        with pytest.raises(InvalidRequest, match="5 of 7 pictures have no embedding"):
            run.run(embeddings=Engine().embed(study.pictures[:2]))
    assert set(pair_states(database, stored_system(database))) == {"free"}
    # Of workers of a cluster one was not updated.
    install(monkeypatch, Engine())
    with pytest.raises(ConfigurationError, match="2 engines"):
        embed(study.pictures, backend="fake", dask=FakeClient([], two))
    # Of two systems the table is of one; the other looks at the pictures by itself.
    older, newer = Engine("1"), Engine("2")
    table = Engine("1").embed(study.pictures)
    run_study(study, {"one": opener(older), "two": opener(newer)}, database, embeddings=table)
    assert (len(older.embedded), len(newer.embedded)) == (0, 7)
    _, first, second = read_answers(database, database.study())
    assert values_of(first) == values_of(second)


def test_a_picture_that_changed_since_is_refused(tmp_path, database):
    study, engine = painted(tmp_path / "pictures"), Engine()
    table = engine.embed(study.pictures)
    study.pictures[0].write_bytes(picture((1, 2, 3), kind="PNG").data)
    with pytest.raises(InvalidRequest, match=r"1 of 7 pictures have no embedding.*0\.png"):
        run_study(study, {"fake": opener(engine)}, database, embeddings=table)
    with StudyRun(study, {"fake": opener(engine)}, database) as run:
        study.pictures[0].write_bytes(picture((3, 2, 1), kind="PNG").data)
        (summary,) = run.run().systems
    assert "is another one than when the run began" in summary.error.message


def test_half_an_embedding_is_none_and_a_table_without_a_column_is_refused():
    rows = [
        {"face": True, "embedding": [1.0, 2.0], "sha256": "a"},
        {"face": False, "embedding": None, "sha256": "b"},
        {"face": True, "embedding": [3.0, math.nan], "sha256": "c"},
    ]
    table = table_of(rows, "engine")
    for column in ("sha256", "face", "embedding", "engine", "error", "elapsed_s"):
        with pytest.raises(InvalidRequest):
            read_embeddings(table.drop_columns([column]))
    # Half an embedding is none.
    pictures = read_embeddings(table).pictures
    assert (pictures["a"].vector.tolist(), pictures["b"].vector, pictures["c"].vector) == (
        [1, 2],
        None,
        None,
    )


@pytest.mark.slow
def test_real_photographs_differ_in_no_digit_from_pair_by_pair(database):
    names = ["Family1-Dad1", "Family1-Dad2", "Family2-Man1", "no-face-cat"]
    study = each_with_each([PHOTOGRAPHS / f"{name}.jpg" for name in names])
    local = partial(open_verifier, "local")
    run_study(study, {"quick": local}, database, workers=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalBackend, "embed", None)
        run_study(study, {"slow": local}, database, workers=2)
    by_embeddings, by_pairs = read_answers(database, database.study())
    assert values_of(by_embeddings) == values_of(by_pairs)
    assert (by_embeddings.table.scale, by_embeddings.not_answered) == ("local/dlib-resnet-v1", {})
    assert by_embeddings.privacy == "Nothing left this machine."
    # A file is read, and no picture looked at but the first two.
    table = embed(study.pictures, workers=1)
    with StudyRun(study, {"third": local}, database) as run:
        assert run.run(embeddings=table).is_complete
        assert run.systems[0].verifier.backend.pictures_computed == 2


def test_what_cannot_be_embedded_is_refused_and_no_exception_is_quoted(monkeypatch, tmp_path):
    for pictures, more in ((["a"], {"workers": 0}), (tmp_path, {})):
        with pytest.raises(InvalidRequest):
            embed(pictures, **more)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "distributed", None)
        with pytest.raises(ConfigurationError, match=r"\[cluster\]"):
            embed(["a.jpg"], dask="tcp://127.0.0.1:1")

    def failing(_paths):
        raise RuntimeError("secret")

    engine = Engine()
    engine.embed = failing
    install(monkeypatch, engine)
    with pytest.raises(ConfigurationError) as caught:
        embed([tmp_path / "a.jpg"], backend="fake", workers=1)
    assert "secret" not in str(caught.value)


class FakeClient:
    """Dask's client, played by this process."""

    class scheduler:  # noqa: N801 - as Dask calls it
        address = "tls://10.0.0.1:8786"

    def __init__(self, workers, tables=None):
        self.workers, self.tables, self.mapped = workers, tables, []

    def nthreads(self):
        return dict.fromkeys(self.workers, 1)

    def map(self, task, parts, **_options):
        self.mapped += parts
        return [(task, part) for part in parts]

    def gather(self, futures):
        return self.tables or [task(part) for task, part in futures]


@pytest.mark.parametrize("spoken", ["tls", "tcp"])
def test_faces_that_leave_the_machine_are_reported(tmp_path, database, monkeypatch, spoken):
    study, engine = painted(tmp_path / "pictures"), Engine()
    install(monkeypatch, engine)
    client = FakeClient([f"{spoken}://10.0.0.2:1"])
    table = embed(study.pictures, backend="fake", dask=client)
    file = tmp_path / "embeddings.parquet"
    pq.write_table(table, file)
    run_study(study, {"fake": opener(engine)}, database, embeddings=file)
    run_study(study, {"fake": opener(engine)}, database)
    (answers,) = read_answers(database, database.study())
    how = "encrypted" if spoken == "tls" else "not encrypted"
    assert answers.privacy == (
        "Pictures were read by the workers of a Dask cluster, which sent embeddings back, "
        f"{how}; nobody else was asked."
    )
