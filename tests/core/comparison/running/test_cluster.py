"""A Dask cluster embeds: the answers of one process, and a worker that dies changes nothing."""

import sys
import textwrap
from functools import partial
from pathlib import Path

import attrs
import numpy as np
import pytest
from core.comparison.running.studies import opener, states
from core.comparison.running.test_embedding import Engine, painted, told
from fakes import FakeBackend

from facematch_core import (
    ConfigurationError,
    Environment,
    InvalidRequest,
    Secret,
    open_verifier,
)
from facematch_core.backend import Backend
from facematch_core.comparison import _worker
from facematch_core.comparison._evaluate import Asked, evaluate
from facematch_core.comparison._json import to_document
from facematch_core.comparison.running import (
    Cluster,
    Journal,
    StudyRun,
    _cluster,
    _embedding,
    _sending,
    read_answers,
)
from facematch_core.comparison.study import draw_pairs
from facematch_core.http import HttpBackend
from facematch_core.testing import ManualClock

PHOTOGRAPHS = Path(__file__).parents[4] / "docs" / "photographs"

#: A backend of a distribution of its own, as worker processes find it. Told where, it kills the
#: process that embeds a red picture for the first time.
TINY = """
import os, signal
from pathlib import Path
import attrs, numpy as np
from facematch_core import Decision, Environment, Image, MatchResult, Score, ThresholdRule
from facematch_core.backend import Backend, Capabilities, ImageLimits

@attrs.frozen(kw_only=True)
class Tiny(Backend):
    name = "tiny"
    capabilities = Capabilities(
        threshold_rule=ThresholdRule.AT_LEAST,
        default_threshold=50.0,
        image_limits=ImageLimits(min_side_px=20),
    )
    kill_once: Path | None = None
    kill: bool = False

    @property
    def environment(self):
        return Environment.LOCAL

    def embeddings(self, pictures, *, max_workers=None):
        return np.array([self.seen(Image.of(picture)) for picture in pictures])

    def seen(self, image):
        colour = np.asarray(image.to_pil(), dtype=float).mean((0, 1))
        if colour[0] > 150 and self.is_to_die():
            os.kill(os.getpid(), signal.SIGKILL)
        return np.full(2, np.nan) if colour[2] > 200 else colour[:2]

    def is_to_die(self):
        if self.kill_once is None or self.kill_once.exists():
            return self.kill
        self.kill_once.touch()
        return True

    def scores(self, probes, references):
        far = np.abs(probes[:, None] - references[None]).sum(2)
        return np.round(np.maximum(0, 100 - far), 2)

    def match(self, call):
        call.on_sent()
        seen = np.array([self.seen(call.probe)]), np.array([self.seen(call.reference)])
        facts = {"backend": "tiny", "model": "m", "environment": Environment.LOCAL}
        if np.isnan(seen).any():
            return MatchResult(decision=Decision.INCONCLUSIVE, **facts)
        score = float(self.scores(*seen)[0, 0])
        passes = call.threshold.passes(score)
        decision = Decision.MATCH if passes else Decision.NO_MATCH
        return MatchResult(decision=decision, score=Score(score, "tiny/v1"), **facts)

    def diagnose(self):
        return {"model": "m"}
"""


@pytest.fixture(scope="module")
def _tiny(tmp_path_factory):
    """The backend `tiny` is installed; workers that start from now on find it, too."""
    folder = tmp_path_factory.mktemp("site")
    meta = folder / "tiny-1.0.dist-info"
    meta.mkdir()
    (folder / "tiny_engine.py").write_text(textwrap.dedent(TINY))
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("[facematch.backends]\ntiny = tiny_engine:Tiny\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield
    sys.modules.pop("tiny_engine", None)


@pytest.fixture(scope="module")
def dask(_tiny, tmp_path_factory):
    """A cluster of two worker processes with a thread each, on the loopback."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        local_directory=str(tmp_path_factory.mktemp("workers")),
    ) as cluster:
        yield cluster


@pytest.fixture
def cluster(dask):
    """Connected."""
    with Cluster(dask.scheduler_address) as opened:
        yield opened


@pytest.fixture
def study(tmp_path):
    """Every pair of seven pictures, one of them red, one without a face, one no picture."""
    return painted(tmp_path / "pictures")


def tiny(**settings):
    """What opens the backend `tiny`."""
    return partial(open_verifier, "tiny", **settings)


def answers_of(study, openers, journal, **more):
    """What contenders answer, after a run that ended well."""
    with StudyRun(study, openers, journal) as run:
        summary = run.run(**more)
    assert [one.error for one in summary.contenders] == [None] * len(openers)
    assert summary.is_complete
    return read_answers(journal, summary.study)


def family():
    """Pairs of photographs of people, which are known by the beginning of their names."""
    pictures = {}
    for path in sorted([*PHOTOGRAPHS.glob("Family1-[DM]*.jpg"), *PHOTOGRAPHS.glob("Family2*.jpg")]):
        pictures.setdefault(path.stem[:-1], []).append(path)
    return draw_pairs(pictures, name="family")


def test_the_report_is_that_of_one_process(cluster, tmp_path):
    """Of real photographs: every embedding to its last bit, every number of the report."""
    study, reports, rows = family(), [], []

    def watched(kind):
        embed = kind.__call__

        def seen(one, pictures):
            rows.append(embed(one, pictures))
            return rows[-1]

        return kind, "__call__", seen

    for place, embedders in enumerate([None, {"local": cluster}]):
        journal = Journal(f"sqlite:///{tmp_path}/{place}.sqlite3")
        openers = {"local": partial(open_verifier, "local")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(*watched(_sending.There if embedders else _embedding._Here))
            found = answers_of(study, openers, journal, workers=2, embedders=embedders)
        journal.close()
        # A clock differs, and who is asked of what: nothing else may.
        timed = [attrs.evolve(one, elapsed_s=np.zeros(len(one.table))) for one in found]
        asked = Asked(required_fmr=0.1, split=False)
        reports.append(to_document(evaluate(timed, asked, made_at=ManualClock().now())))
    assert reports[0] == reports[1]
    assert reports[0]["contenders"][0]["privacy"] == "Nothing left this machine."
    here, there = rows
    assert there.shape == (len(study.pictures), 128)
    assert there.tobytes() == here.tobytes()
    assert not np.isnan(there).any()


def test_a_worker_that_is_killed_changes_nothing(cluster, study, journal, tmp_path, monkeypatch):
    """In the middle of a picture: another one embeds it, and the answers are the same."""
    monkeypatch.setattr(_sending, "PICTURES", 1)
    fallen = tmp_path / "fallen"
    openers = {"tiny": tiny(kill_once=fallen)}
    before = set(cluster.workers)
    (there,) = answers_of(study, openers, journal, embedders={"tiny": cluster})
    assert fallen.exists()
    assert before - set(cluster.workers)
    (here,) = answers_of(study, {"here": tiny()}, journal)[1:]
    assert told(there) == told(here)
    assert len(set(here.table.decisions.tolist())) == 4


@pytest.mark.long
def test_pictures_that_kill_every_worker_end_the_run(cluster, study, journal, monkeypatch):
    """It says so, and what was not answered is free."""
    monkeypatch.setattr(_sending, "PICTURES", 1)
    with StudyRun(study, {"tiny": tiny(kill=True)}, journal) as run:
        (one,) = run.run(embedders={"tiny": cluster}).contenders
    assert type(one.error) is ConfigurationError
    assert "Several workers at tcp://127.0.0.1" in one.error.message
    assert "died of the same pictures" in one.error.message
    assert set(states(journal, journal.contenders(run.stored.digest)[0])) == {"free"}


@pytest.mark.usefixtures("_tiny")
def test_a_scheduler_that_goes_ends_the_run(study, journal, monkeypatch):
    """It says so, and the same start without it goes on."""
    from distributed import LocalCluster

    monkeypatch.setattr(_sending, "PICTURES", 1)
    with LocalCluster(
        n_workers=1, processes=False, host="127.0.0.1", protocol="tcp", dashboard_address=None
    ) as dask:
        cluster = Cluster(dask.scheduler_address)
        send = cluster.send

        def send_and_go(parcel):
            future = send(parcel)
            dask.close()
            return future

        monkeypatch.setattr(cluster, "send", send_and_go)
        with StudyRun(study, {"tiny": tiny()}, journal) as run:
            (one,) = run.run(embedders={"tiny": cluster}).contenders
            assert type(one.error) is ConfigurationError
            assert f"The Dask scheduler at {cluster.address} is gone" in one.error.message
            cluster.close()
            assert run.run().is_complete


@pytest.mark.usefixtures("_tiny")
def test_without_workers_nobody_waits_for_ever(study, journal, monkeypatch):
    """After a while it says that there is none."""
    from distributed import LocalCluster

    monkeypatch.setattr(_sending, "PATIENCE_S", 1.0)
    with (
        LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=None) as dask,
        Cluster(dask.scheduler_address) as cluster,
        StudyRun(study, {"tiny": tiny()}, journal) as run,
    ):
        (one,) = run.run(embedders={"tiny": cluster}).contenders
    assert "has no worker for 1 seconds" in one.error.message


def test_a_large_picture_is_no_warning(cluster):
    """Dask would warn of a task of so many bytes."""
    with open_verifier("tiny") as verifier:
        recipe = _sending.recipe_of(verifier.backend, "large")
    parcel = _worker.Parcel(recipe=recipe, pictures=(b"x" * (12 << 20),), key=bytes(32))
    cluster._tokens.add("large")
    future = cluster.send(parcel)
    while not cluster.ended([future]):
        pass
    assert cluster.reply(future).shape == (1, 1)


def test_a_stop_leaves_the_rest_free(cluster, study, journal):
    """Nothing is waited for that nobody wants any more."""
    with StudyRun(study, {"tiny": tiny()}, journal) as run:
        summary = run.run(embedders={"tiny": cluster}, stop=lambda: True)
        assert summary.was_stopped
        (contender,) = journal.contenders(run.stored.digest)
        assert set(states(journal, contender)) == {"free"}


@pytest.mark.parametrize("is_encrypted", [True, False])
def test_faces_that_leave_the_machine_are_told(cluster, study, journal, monkeypatch, is_encrypted):
    """The report does not say then that nothing left it."""
    monkeypatch.setattr(_cluster, "_is_loopback", lambda _address: False)
    monkeypatch.setattr(Cluster, "is_encrypted", is_encrypted)
    (answers,) = answers_of(study, {"tiny": tiny()}, journal, embedders={"tiny": cluster})
    how = "encrypted" if is_encrypted else "not encrypted"
    assert answers.privacy == (
        f"Each picture was sent to workers of a Dask cluster, {how}, and held there in memory "
        "only; nobody else was asked."
    )
    # A later start that sends nothing does not take it back.
    (again,) = answers_of(study, {"tiny": tiny()}, journal)
    assert again.privacy == answers.privacy


def test_workers_forget(cluster, dask, study, journal):
    """While a run goes on a worker process holds one engine; after its end none."""
    answers_of(study, {"tiny": tiny()}, journal, embedders={"tiny": cluster})

    def engines():
        from facematch_core.comparison._worker import _ENGINES

        return len(_ENGINES._open)

    with Cluster(dask.scheduler_address) as other:
        assert max(other._client.run(engines).values()) == 1
        cluster.close()
        assert set(other._client.run(engines).values()) == {0}


class Paid(Engine, HttpBackend):
    """An engine of this machine that asks over HTTP: nobody should trust it with a cluster."""

    build = parse = None


@pytest.mark.parametrize(
    ("contender", "why"),
    [
        (
            opener(Engine(billed_operations=FakeBackend.capabilities.billed_operations)),
            "its calls may be charged",
        ),
        (opener(Paid()), "it asks over HTTP"),
        (
            opener(FakeBackend(environment=Environment.LOCAL, billed_operations=frozenset())),
            "it makes no embeddings",
        ),
        (
            opener(FakeBackend(environment=Environment.MOCK, billed_operations=frozenset())),
            "it does not answer on this machine",
        ),
    ],
    ids=["billed", "http", "without embeddings", "elsewhere"],
)
def test_paid_calls_never_go_through_it(study, journal, contender, why):
    """Who may be charged is refused, with the reason, before anything is done."""
    with StudyRun(study, {"fake": contender}, journal) as run:
        assert run.why_not_embedded == {"fake": why}
        with pytest.raises(InvalidRequest, match=f"pictures are embedded: {why}"):
            run.run(embedders={"fake": object()})
    assert contender.backend.calls == []


def test_an_engine_that_workers_cannot_open_is_refused(cluster, study, journal):
    """One that is not installed under its name."""
    with StudyRun(study, {"fake": opener(Engine())}, journal) as run:
        (one,) = run.run(embedders={"fake": cluster}).contenders
    assert "No backend is called 'fake'" in one.error.message


def test_a_secret_is_not_sent():
    """Whatever engine needs one."""

    @attrs.frozen(kw_only=True)
    class Keyed(Backend):
        name = "keyed"
        capabilities = FakeBackend.capabilities
        match = None
        licence: Secret

    with pytest.raises(ConfigurationError, match="has a secret, licence, which is not sent"):
        _sending.recipe_of(Keyed(licence=Secret("abc")), "t")


def test_without_dask_it_says_what_to_install(monkeypatch):
    """One line."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigurationError) as told:
        Cluster("tcp://127.0.0.1:1")
    assert told.value.message == (
        "A Dask cluster needs distributed, which is not installed: "
        'pip install "facematch-core[cluster]".'
    )


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x:1", "a b", ""])
def test_a_wrong_address_is_told(monkeypatch, address):
    """Nobody there, or no address at all."""
    monkeypatch.setattr(_cluster, "CONNECT_S", 0.5)
    with pytest.raises(ConfigurationError, match="No Dask scheduler can be used at"):
        Cluster(address)


def test_without_certificates_nobody_waits():
    """One sentence that says what to set; Dask would try for half a minute."""
    with pytest.raises(ConfigurationError, match=r"tls\.ca-file") as caught:
        Cluster("tls://127.0.0.1:9")
    assert "tls://127.0.0.1:9 needs certificates" in str(caught.value)


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("tcp://127.0.0.1:8786", True),
        ("127.0.0.1:8786", True),
        ("tls://[::1]:8786", True),
        ("localhost:8786", True),
        ("inproc://192.168.1.5/1/1", True),
        ("tls://10.0.0.1:8786", False),
        ("example.org:8786", False),
        ("tcp://localhost.example.org:8786", False),
        ("tcp://127.0.0.1.example.org:8786", False),
    ],
)
def test_what_is_here(address, is_here):
    """The loopback, by whatever name, and no host that begins like it."""
    assert _cluster._is_loopback(address) is is_here
