"""Engines that embed: each picture once, the answers of pair by pair, from a table of anybody's."""

import contextlib
import hashlib
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
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.studies import opener, states, stored, write_study
from kit.fakes import FakeBackend, picture

from facematch_comparison.run import (
    StudyRun,
    embed,
    embeddings,
    read_answers,
    read_embeddings,
    run_study,
)
from facematch_comparison.study import Study, StudyPair, draw_pairs
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


def said(answers):
    """What counts of answers."""
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


@pytest.mark.parametrize("review", [None, 95.0])
@pytest.mark.parametrize("rule", [ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])
def test_the_answers_are_those_of_pair_by_pair(tmp_path, database, rule, review):
    """With each picture embedded once, whatever the rules, faces or not; from a table likewise."""
    study = painted(tmp_path / "pictures")
    quick, slow, by_table = (kind(threshold_rule=rule) for kind in (Engine, PairByPair, Engine))
    limits = {"threshold": 70.0, "review_threshold": review}
    run_study(study, {"quick": opener(quick, **limits)}, database)
    run_study(study, {"slow": opener(slow, **limits)}, database)
    file = tmp_path / "embeddings.parquet"
    pq.write_table(Engine().embed(study.pictures), file)
    run_study(study, {"table": opener(by_table, **limits)}, database, embeddings=file)
    one, other, third = read_answers(database, database.study())
    assert said(one) == said(other) == said(third)
    assert len(set(one.table.decisions.tolist())) > 3
    assert sorted(quick.embedded) == sorted(study.pictures)
    assert by_table.embedded == []
    # The first one, which is asked both ways.
    assert (len(quick.calls), len(by_table.calls), len(slow.calls)) == (1, 1, 15)


def test_percentiles_are_of_warm_comparisons(tmp_path, database):
    """Each is timed as what its two pictures took; the call that loads the models is not."""
    study = painted(tmp_path / "pictures")
    for kind in (Engine, PairByPair):
        run_study(study, {kind.__name__: opener(kind())}, database, workers=1)
    quick, slow = read_answers(database, database.study())
    for answers in (quick, slow):
        faces = answers.table.decisions >= 0
        assert np.isnan(answers.elapsed_s[faces]).sum() == 1
        assert np.isnan(answers.elapsed_s[0])
    assert set(quick.elapsed_s[1:][quick.table.decisions[1:] >= 0]) == {0.5}


def test_an_engine_that_disagrees_with_itself_is_asked_pair_by_pair(tmp_path, database):
    """Its own answers count; those of somebody else's table do not at all."""
    engine = Engine()
    engine.shift = 0.5
    study = painted(tmp_path / "pictures")
    table = Engine().embed(study.pictures)
    (one,) = run_study(study, {"table": opener(engine)}, database, embeddings=table).systems
    assert type(one.error) is ConfigurationError
    assert "another engine made them" in one.error.message
    assert set(states(database, stored(database))) == {"free"}
    run_study(study, {"table": opener(engine)}, database, workers=1)
    (found,) = read_answers(database, database.study())
    assert found.table.scores[0] == 70.0
    assert len(engine.calls) == 15 + 1


@pytest.mark.parametrize(
    "system",
    [
        opener(Engine(billed_operations=FakeBackend.capabilities.billed_operations)),
        opener(Engine(), policies=[RateLimiter([RateWindow(1000, 1.0)], name="fake")]),
        opener(FakeBackend(environment=Environment.LOCAL, billed_operations=frozenset())),
    ],
    ids=["billed", "gated", "without embeddings"],
)
def test_what_must_be_asked_is_asked(tmp_path, database, system):
    """A call that may be charged, that passes a policy, or of an engine without embeddings."""
    run_study(write_study(tmp_path / "pictures"), {"fake": system}, database)
    assert len(system.backend.calls) == 6
    assert not getattr(system.backend, "embedded", [])


class Paid(Engine, HttpBackend):
    """An engine of this machine that asks over HTTP: nobody should trust it with a cluster."""

    build = parse = None


@pytest.mark.parametrize(
    ("backend", "why"),
    [
        (
            Engine(billed_operations=FakeBackend.capabilities.billed_operations),
            "its calls may be charged",
        ),
        (Paid(), "it asks over HTTP"),
        (
            FakeBackend(environment=Environment.MOCK, billed_operations=frozenset()),
            "it does not answer on this machine",
        ),
        (
            FakeBackend(environment=Environment.LOCAL, billed_operations=frozenset()),
            "it makes no embeddings",
        ),
    ],
    ids=["billed", "http", "elsewhere", "without embeddings"],
)
def test_paid_calls_are_never_mapped(tmp_path, database, monkeypatch, backend, why):
    """Neither by `embed` nor by a run: refused with the reason before anything is done."""
    study, system = painted(tmp_path / "pictures"), opener(backend)
    install(monkeypatch, backend)
    with pytest.raises(InvalidRequest, match=f"cannot be embedded: {why}"):
        embed(study.pictures, backend="fake", dask="tcp://127.0.0.1:1")
    with StudyRun(study, {"fake": system}, database) as run:
        assert run.why_not_embedded == {"fake": why}
        with pytest.raises(InvalidRequest, match=f"none of these is one .fake: {why}"):
            run.run(embeddings=Engine().embed(study.pictures))
    assert backend.calls == []


@pytest.mark.parametrize("name", ["didit", "deepvue"])
def test_vendors_are_never_mapped(name, tmp_path):
    """Refused before they are opened, which would need their keys."""
    with pytest.raises(InvalidRequest, match="its calls may be charged"):
        embed([tmp_path / "a.jpg"], backend=name, dask="tcp://127.0.0.1:1")


def test_a_table_must_be_of_this_engine_and_these_pictures(tmp_path, database):
    """Nothing is answered from another one."""
    study, system = painted(tmp_path / "pictures"), opener(Engine())
    with StudyRun(study, {"fake": system}, database) as run:
        with pytest.raises(ConfigurationError, match=r'another engine .*"2".*"1"'):
            run.run(embeddings=Engine("2").embed(study.pictures))
        two = [Engine(version).embed(study.pictures[:1]) for version in "12"]
        with pytest.raises(ConfigurationError, match=r'2 engines.*"1".*"2"'):
            run.run(embeddings=pa.concat_tables(two))
        with pytest.raises(InvalidRequest, match="5 of 7 pictures have no embedding"):
            run.run(embeddings=Engine().embed(study.pictures[:2]))
    assert set(states(database, stored(database))) == {"free"}


def test_of_two_engines_a_table_is_of_one(tmp_path, database):
    """The other one looks at the pictures by itself."""
    study, one, two = painted(tmp_path / "pictures"), Engine("1"), Engine("2")
    table = Engine("1").embed(study.pictures)
    run_study(study, {"one": opener(one), "two": opener(two)}, database, embeddings=table)
    assert (len(one.embedded), len(two.embedded)) == (0, 7)
    first, second = read_answers(database, database.study())
    assert said(first) == said(second)


def test_a_picture_that_changed_since_is_refused(tmp_path, database):
    """Between two starts, and in the middle of one."""
    study, engine = painted(tmp_path / "pictures"), Engine()
    table = engine.embed(study.pictures)
    study.pictures[0].write_bytes(picture((1, 2, 3), kind="PNG").data)
    with pytest.raises(InvalidRequest, match=r"1 of 7 pictures have no embedding.*0\.png"):
        run_study(study, {"fake": opener(engine)}, database, embeddings=table)
    with StudyRun(study, {"fake": opener(engine)}, database) as run:
        study.pictures[0].write_bytes(picture((3, 2, 1), kind="PNG").data)
        (one,) = run.run().systems
    assert "is another one than when the run began" in one.error.message


@given(st.binary(max_size=200), st.integers(0, 2000))
def test_a_damaged_file_is_one_sentence(tmp_path_factory, junk, at):
    """Never what pyarrow raises."""
    file = tmp_path_factory.mktemp("damaged") / "e.parquet"
    table = table_of(
        [{"path": "a", "sha256": "b", "face": True, "embedding": [1.0, 2.0]}], "engine"
    )
    pq.write_table(table, file)
    whole = file.read_bytes()
    file.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
    with contextlib.suppress(InvalidRequest, ConfigurationError):
        assert len(read_embeddings(file).pictures) == 1


@pytest.mark.parametrize("column", ["sha256", "face", "embedding", "engine", "error", "elapsed_s"])
def test_a_table_without_a_column_is_refused(column):
    """And a picture with half an embedding has none."""
    rows = [{"face": True, "embedding": [1.0, math.nan], "sha256": "a"}]
    table = table_of(rows, "engine")
    assert read_embeddings(table).pictures["a"].vector is None
    with pytest.raises(InvalidRequest, match="is no table of embeddings"):
        read_embeddings(table.drop_columns([column]))


def test_lists_of_any_length_are_read(tmp_path):
    """As Spark writes them, in a folder of files; lists of two lengths are no embeddings."""
    rows = [
        {"face": True, "embedding": [1.0, 2.0], "sha256": "a"},
        {"face": False, "embedding": None, "sha256": "b"},
        {"face": True, "embedding": [3.0, 4.0], "sha256": "c"},
    ]
    table = table_of(rows, "engine").replace_schema_metadata({})
    at = table.schema.get_field_index("embedding")
    listed = table.column("embedding").cast(pa.list_(pa.float64()))
    folder = tmp_path / "embeddings"
    pq.write_to_dataset(table.set_column(at, "embedding", listed), folder)
    found = read_embeddings(folder).pictures
    assert [found[name].vector.tolist() for name in "ac"] == [[1, 2], [3, 4]]
    assert found["b"].vector is None
    uneven = pa.array([[1.0], None, [1.0, 2.0, 3.0]])
    with pytest.raises(InvalidRequest, match="is no table of embeddings"):
        read_embeddings(table.set_column(at, "embedding", uneven))


def test_a_stop_leaves_the_rest_free(tmp_path, database):
    """Between two pictures."""
    study, engine = painted(tmp_path / "pictures"), Engine()
    with StudyRun(study, {"fake": opener(engine)}, database) as run:
        run.run(stop=lambda: len(engine.embedded) > 1, workers=1)
        assert set(states(database, stored(database))) == {"free"}
        assert run.run().is_complete


def test_the_local_engine(database):
    """Real photographs: not a digit differs, and every picture was looked at once."""
    names = ["Family1-Dad1", "Family1-Dad2", "Family2-Man1", "no-face-cat", "four-people"]
    study = each_with_each([PHOTOGRAPHS / f"{name}.jpg" for name in names])
    slow = partial(open_verifier, "local")
    run_study(study, {"quick": partial(open_verifier, "local")}, database, workers=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalBackend, "embed", None)
        run_study(study, {"slow": slow}, database, workers=2)
    one, other = read_answers(database, database.study())
    assert said(one) == said(other)
    assert one.table.scale == "local/dlib-resnet-v1"
    assert one.not_answered == {}
    assert one.privacy == "Nothing left this machine."
    timed = one.elapsed_s[~np.isnan(one.elapsed_s)]
    assert len(timed) == 9
    # Two pictures on a warm engine; less than a memory of them would say, more than loading.
    assert (timed > 0.002).all()


def test_the_table_of_the_local_engine(tmp_path):
    """One row for each file, and nothing remembered: a pure function."""
    odd = tmp_path / "odd.jpg"
    odd.write_bytes(b"no picture")
    paths = [PHOTOGRAPHS / "Family1-Dad1.jpg", PHOTOGRAPHS / "no-face-cat.jpg", odd]
    backend = LocalBackend()
    table = backend.embed(paths)
    assert table.column("path").to_pylist() == [str(path) for path in paths]
    assert table.column("face").to_pylist() == [True, False, False]
    assert table.column("error").to_pylist() == [None, None, "InvalidImage"]
    digest = hashlib.sha256(paths[0].read_bytes()).hexdigest()
    assert table.column("sha256").to_pylist()[0] == digest
    vector = np.array(table.column("embedding")[0].as_py(), np.float32)
    assert vector.tobytes() == backend.embeddings(paths[:1])[0].astype(np.float32).tobytes()
    assert table.column("embedding").to_pylist()[1:] == [None, None]
    engine = json.loads(table.column("engine")[0].as_py())
    assert {"facematch", "backend", "model", "scale"} <= set(engine)
    assert backend.embed([]).schema == table.schema
    assert backend.embed(paths).drop_columns(["elapsed_s"]) == table.drop_columns(["elapsed_s"])
    assert backend.pictures_computed == 1


def test_embedding_a_folder(tmp_path, database):
    """In this process; the run reads the file and looks at no picture but the first two."""
    pictures = {}
    for path in sorted([*PHOTOGRAPHS.glob("Family1-[DM]*.jpg"), *PHOTOGRAPHS.glob("Family2*.jpg")]):
        pictures.setdefault(path.stem[:-1], []).append(path)
    study = draw_pairs(pictures, name="family")
    table = embed(study.pictures, workers=1)
    assert len(table) == len(study.pictures)
    with StudyRun(study, {"local": partial(open_verifier, "local")}, database) as run:
        (one,) = run.systems
        assert run.run(embeddings=table).is_complete
        assert one.verifier.backend.pictures_computed == 2
    (folder,) = {path.parent for path in study.pictures}
    assert len(embeddings._files(folder)) >= len(study.pictures)


@pytest.mark.parametrize(
    ("more", "words"),
    [({"workers": 0}, "workers must be"), ({"workers": True}, "workers must be"), ({}, "There is")],
)
def test_wrong_arguments_are_refused(tmp_path, more, words):
    """Nothing is opened."""
    with pytest.raises(InvalidRequest, match=words):
        embed(["a"] if more else tmp_path, **more)


def test_an_engine_has_the_settings_that_are_given():
    """As when it is opened to be asked."""
    with pytest.raises(ConfigurationError, match="cached_pictures must be"):
        embed([PHOTOGRAPHS / "no-face-cat.jpg"], settings={"cached_pictures": -1})


def test_an_engine_that_fails_is_one_sentence(monkeypatch, tmp_path):
    """Nothing of a picture is in it."""

    def failing(_paths):
        raise RuntimeError("secret")

    engine = Engine()
    engine.embed = failing
    install(monkeypatch, engine)
    with pytest.raises(ConfigurationError, match="the backend fake failed with RuntimeError"):
        embed([tmp_path / "a.jpg"], backend="fake", workers=1)


def test_without_dask_it_says_what_to_install(monkeypatch):
    """One line."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigurationError) as caught:
        embed([PHOTOGRAPHS / "Family1-Dad1.jpg"], dask="tcp://127.0.0.1:1")
    assert caught.value.message == (
        "A Dask cluster needs distributed, which is not installed: "
        'pip install "facematch-core[cluster]".'
    )


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
    """The answers do not say then that nothing left it; a later start does not take that back."""
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


def test_workers_of_two_versions_are_not_mixed(tmp_path, monkeypatch):
    """One of them was not updated."""
    study = painted(tmp_path / "pictures")
    install(monkeypatch, Engine())
    tables = [Engine(version).embed(study.pictures[:1]) for version in "12"]
    with pytest.raises(ConfigurationError, match="2 engines, whose scores could differ"):
        embed(study.pictures, backend="fake", dask=FakeClient([], tables))
