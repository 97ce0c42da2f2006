"""Many pictures, each looked at once: embeddings as a table, made anywhere, compared here.

An engine of one's own that offers ``embed(paths) -> pyarrow.Table``, a pure function, and
``scores(probes, references)`` is compared by its embeddings. `embed` maps the former on the
processes of this machine or on a Dask cluster; the run reads its table, or a Parquet file of it,
whoever made it. Columns, one row for each picture:

- ``path`` (text), ``sha256`` (hex, of the bytes of the file),
- ``face`` (bool): whether one was found; ``error`` (text): class name of the error, else null,
- ``embedding`` (fixed-size list of float32), null without a face,
- ``elapsed_s`` (float64): what the picture took on a warm engine; may be null,
- ``engine`` (text): which engine and versions made it. Those of two engines are never mixed.

Calls that may be charged are never mapped to a cluster: Dask runs a task again whenever it is in
doubt.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from facematch_core.backend import Backend, Capabilities, decide_by_threshold
from facematch_core.config import Plan
from facematch_core.errors import ConfigurationError, FaceMatchError, InvalidRequest
from facematch_core.http import HttpBackend
from facematch_core.models import Charged, Decision, Environment, Operation, Score
from facematch_core.plugins import backend_class

from .schema import Outcome, PairState
from .worker import Worker

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

#: Pictures of one task: seconds of work.
PICTURES: Final = 16
#: Pairs that are written down at a time.
PAIRS: Final = 64
#: How long, in seconds, a Dask scheduler may take to answer.
CONNECT_S: Final = 15.0

_SUFFIXES: Final = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def why_not_embedded(backend: Backend, policies: Sequence[object] = ()) -> str | None:
    """Why pictures cannot be embedded one by one for a backend, here or elsewhere; None if so.

    Not where a call may be charged, leaves this machine, or passes a policy.
    """
    leaves = _why_it_leaves(type(backend), backend.capabilities)
    if leaves is not None:
        return leaves
    if backend.environment is not Environment.LOCAL:
        return "it does not answer on this machine"
    if policies:
        return "its calls pass policies"
    if not all(callable(getattr(backend, name, None)) for name in ("embed", "scores")):
        return "it makes no embeddings"
    return None


def _why_it_leaves(kind: type[Backend], can: Capabilities) -> str | None:
    if Operation.MATCH in can.billed_operations:
        return "its calls may be charged"
    return "it asks over HTTP" if issubclass(kind, HttpBackend) else None


# --- Making them ----------------------------------------------------------------------------------


def embed(
    pictures: Path | Iterable[Path],
    *,
    backend: str = "local",
    settings: Mapping[str, Any] | None = None,
    dask: Any = None,
    workers: int | None = None,
) -> pa.Table:
    """Embed many pictures, each once; the columns are those of this module.

    Embeddings are biometric data: you are responsible for what you keep.

    Args:
        pictures: Files, or a folder of them.
        backend: Name of an engine that makes embeddings.
        settings: Of the engine, as `open_verifier` takes them; a file that one names must be there
            on each worker.
        dask: Address of a Dask scheduler (``tls://10.0.0.1:8786``), or a `distributed.Client`. Its
            workers read the files under the same paths, must have the same versions, and send
            embeddings back; Dask retries, and replaces workers that die, and may write results to
            the disks of workers when memory is scarce.
        workers: Processes of this machine, at least 1; None for one per core; no more than 61. A
            script that calls this with several needs ``if __name__ == "__main__":``, since each
            process imports it.

    Raises:
        InvalidRequest: there is no picture, or the backend is none whose pictures are embedded:
            one whose calls may be charged never is.
        ConfigurationError: the backend or the cluster cannot be used, or two engines answered.
    """
    paths = _files(pictures)
    if workers is not None and (type(workers) is not int or workers < 1):
        raise InvalidRequest("workers must be a whole number, 1 or more.")
    kind, given = backend_class(backend), tuple(sorted((settings or {}).items()))
    # Before it is opened: a vendor's backend would ask for its key.
    why = _why_it_leaves(kind, kind.capabilities) or why_not_embedded(_engine(backend, given))
    if why is not None:
        raise InvalidRequest(f"The pictures of {backend[:60]!r} cannot be embedded: {why}.")
    parts = [paths[start : start + PICTURES] for start in range(0, len(paths), PICTURES)]
    task = functools.partial(_embed_here, backend, given)
    # Windows waits for 63 things at most, and Python for 61 processes.
    count = min(workers or os.cpu_count() or 1, len(parts), 61)
    if dask is not None:
        tables, privacy = _by_dask(task, parts, dask)
    else:
        privacy = None
        if count == 1:
            tables = list(map(task, parts))
        else:
            with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
                try:
                    tables = list(pool.map(task, parts))
                except BrokenProcessPool:
                    tables = [
                        (
                            "a process died: has this machine enough memory? A script must call "
                            'this under `if __name__ == "__main__":`, because each process '
                            "imports it."
                        )
                    ]
    for table in tables:
        if isinstance(table, str):
            raise ConfigurationError(f"Pictures cannot be embedded: {table}")
    return _joined(tables, privacy)


def _files(pictures: Path | Iterable[Path]) -> list[Path]:
    if isinstance(pictures, (str, os.PathLike)):
        found = sorted(Path(pictures).rglob("*"))
        paths = [path for path in found if path.suffix.lower() in _SUFFIXES]
    else:
        paths = list(dict.fromkeys(map(Path, pictures)))
    if not paths:
        raise InvalidRequest("There is no picture to embed: name a folder of pictures, or files.")
    return paths


@functools.cache
def _engine(name: str, settings: tuple[tuple[str, Any], ...]) -> Any:
    """The engine of this process. It keeps its models, and nothing of a picture."""
    return Plan.of(name, dict(settings)).open_backend()


def _embed_here(
    backend: str, settings: tuple[tuple[str, Any], ...], paths: Sequence[Path]
) -> pa.Table | str:
    """One task: a table, or why there is none. What it raised would be written to a log."""
    try:
        return _engine(backend, settings).embed(paths)
    except FaceMatchError as error:
        return error.message
    except Exception as error:  # noqa: BLE001 - a plug-in's bug may hold a picture
        return f"the backend {backend} failed with {type(error).__name__}."


def _by_dask(task: Any, parts: Sequence[Sequence[Path]], dask: Any) -> tuple[list[Any], str]:
    """A table, or a reason, for each part; and what to say of privacy."""
    try:
        from distributed import Client, KilledWorker
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"A Dask cluster needs {error.name}, which is not installed: pip install "
            '"facematch-core[cluster]".'
        ) from None
    client, is_ours = dask, isinstance(dask, str)
    try:
        if is_ours:
            client = Client(  # type: ignore[no-untyped-call]  # Dask's own
                dask, timeout=CONNECT_S, set_as_default=False, name="facematch"
            )
        futures = client.map(task, parts, pure=False, retries=2, batch_size=1000)
        tables = client.gather(futures)
        spoken = (client.scheduler.address, *client.nthreads())
    except KilledWorker:
        reason = "several workers died of the same pictures: have they enough memory?"
    except Exception as error:  # noqa: BLE001 - Dask raises many kinds
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    else:
        how = "encrypted" if all(one.startswith("tls://") for one in spoken) else "not encrypted"
        return tables, (
            "Pictures were read by the workers of a Dask cluster, which sent embeddings back, "
            f"{how}; nobody else was asked."
        )
    finally:
        if is_ours and client is not dask:
            client.close()
    raise ConfigurationError(f"The Dask cluster cannot be used ({reason}).")


def _joined(tables: Sequence[pa.Table], privacy: str | None) -> pa.Table:
    import pyarrow as pa

    joined = pa.concat_tables(tables)
    _one_engine(joined)
    known = dict(tables[0].schema.metadata or {})
    if privacy is not None:
        known[b"facematch.privacy"] = privacy.encode()
    return joined.replace_schema_metadata(known)


def _one_engine(table: pa.Table) -> str:
    found = table.column("engine").unique().to_pylist()
    if len(found) == 1:
        return str(found[0])
    raise ConfigurationError(
        f"These embeddings come from {len(found)} engines, whose scores could differ"
        f"{_differing(*found[:2]) if len(found) > 1 else ''}: install the same versions everywhere."
    )


def _differing(first: str, second: str) -> str:
    """In what two engines differ, if they say so as JSON."""
    try:
        one, other = json.loads(first), json.loads(second)
        names = [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
        return "".join(
            f"; {name} is {str(one.get(name))[:60]!r} and {str(other.get(name))[:60]!r}"
            for name in names
        )
    except (ValueError, TypeError, AttributeError):
        return ""


# --- Reading them ---------------------------------------------------------------------------------


@attrs.frozen(kw_only=True, eq=False)
class Embeddings:
    """Embeddings of pictures, by the SHA-256 of their bytes.

    Attributes:
        engine: Which made them, and versions.
        privacy: What became of the pictures, in a sentence; None if they never left this machine.
        vectors: float32, (N, D); NaN without a face.
        place: Of each picture in it, by the digest.
        face, error, elapsed_s: Of each picture, as the columns.
    """

    engine: str
    privacy: str | None
    vectors: NDArray[np.float32]
    place: dict[str, int]
    face: list[bool]
    error: list[str | None]
    elapsed_s: list[float | None]


def read_embeddings(source: Path | pa.Table) -> Embeddings:
    """Embeddings of a Parquet file or a table, whoever made it.

    Raises:
        InvalidRequest: it cannot be read, or is no table of embeddings.
        ConfigurationError: two engines made it.
    """
    is_file = isinstance(source, (str, os.PathLike))
    try:
        table: Any = _parquet(Path(source)) if is_file else source
        embedding = table.column("embedding").combine_chunks()
        face = [bool(one) for one in table.column("face").to_pylist()]
        filled = embedding.is_valid().to_numpy(zero_copy_only=False)
        numbers = embedding.drop_null().flatten().to_numpy()
        # Lists of any length, too, for Spark writes no others.
        width = len(numbers) // max(1, int(filled.sum()))
        vectors = np.full((len(table), width), np.nan, np.float32)
        vectors[filled] = numbers.reshape(int(filled.sum()), width)
        _one_length(embedding)
        # A face without an embedding is none.
        face = (filled & np.array(face, np.bool_) & np.isfinite(vectors).all(1)).tolist()
        digests = [str(digest) for digest in table.column("sha256").to_pylist()]
        metadata = table.schema.metadata or {}
        unsaid = "Embeddings were read from a file that does not say where they were made."
        privacy = metadata.get(b"facematch.privacy", b"" if not is_file else unsaid.encode())
        return Embeddings(
            engine=_one_engine(table),
            privacy=privacy.decode() or None,
            vectors=vectors,
            place={digest: at for at, digest in enumerate(digests)},
            face=face,
            error=table.column("error").to_pylist(),
            elapsed_s=table.column("elapsed_s").to_pylist(),
        )
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - pyarrow raises many kinds for a damaged file
        reason = type(error).__name__
    raise InvalidRequest(
        f"{str(source)[:200] if is_file else 'The table'} is no table of embeddings ({reason}): "
        "`embed` makes one."
    )


def _one_length(embedding: pa.Array) -> None:
    import pyarrow.compute

    lengths = pyarrow.compute.list_value_length(embedding.drop_null())
    if len(lengths.unique()) > 1:
        raise ValueError("embeddings of several lengths")


def _parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(path)


def engine_of(worker: Worker) -> str:
    """Which engine a system is, and versions, as its tables say."""
    backend: Any = worker.system.verifier.backend
    metadata = backend.embed([]).schema.metadata or {}
    return str(metadata.get(b"facematch.engine", b"").decode())


def check_embeddings(given: Embeddings, worker: Worker) -> None:
    """Refuse embeddings of another engine, or without a picture of the test set.

    Raises:
        ConfigurationError: another engine, or other versions of it, made them.
        InvalidRequest: a picture is not among them.
    """
    here = engine_of(worker)
    if given.engine != here:
        raise ConfigurationError(
            f"The embeddings are of another engine than {worker.stored.name}, and scores could "
            f"differ{_differing(given.engine, here)}. Install the same versions, or embed again."
        )
    missing = [path for path, digest in worker.digests.items() if digest not in given.place]
    if missing:
        raise InvalidRequest(
            f"{len(missing)} of {len(worker.digests)} pictures have no embedding, for example "
            f"{str(missing[0])[:200]!r}: it was not embedded, or has changed since. Embed again."
        )


# --- Comparing them -------------------------------------------------------------------------------


def ask_by_embeddings(worker: Worker, threads: int, given: Embeddings | None) -> None:
    """Ask about every free pair as `Worker.ask_all` does, with the same answers.

    The first pair is also asked as a whole. Should the two scores differ, every pair is, or, of
    embeddings that somebody else made, none: they are not this engine's.

    Args:
        worker: Whose.
        threads: Pictures at a time.
        given: Embeddings; None to look at pictures here, each once.
    """
    known = _Known(worker, threads, given)
    worker.line_up()
    while known.agrees and (pairs := worker.take(PAIRS)):
        ended: list[tuple[int, Outcome]] = []
        try:
            known.embed(pairs)
            for pair in pairs:
                if worker.is_over or not known.agrees:
                    break
                outcome = known.outcome(pair)
                if outcome is not None:
                    ended.append((pair, outcome))
        finally:
            worker.finish(ended)
    if not known.agrees and given is not None:
        raise ConfigurationError(
            f"The embeddings give another score than {worker.stored.name} does for the same two "
            "pictures: another engine made them. Embed again."
        )
    if not known.agrees:
        worker.ask_all(threads)


@attrs.frozen
class _One:
    """What is known of one picture."""

    vector: NDArray[np.float32] | None
    error: str | None
    elapsed_s: float | None


class _Known:
    """From embeddings to answers, by the rules that every answer goes through."""

    def __init__(self, worker: Worker, threads: int, given: Embeddings | None) -> None:
        self._worker, self._given = worker, given
        self._threads = min(threads, os.cpu_count() or 1)
        self._backend: Any = worker.system.verifier.backend
        self._limits = worker.system.verifier.thresholds(Operation.MATCH)
        self._seen: dict[str, _One] = {}
        #: What the first pair was answered when it was asked as a whole.
        self._pattern: Outcome | None = None
        self.agrees = True

    def embed(self, numbers: Sequence[int]) -> None:
        """Look at what is not known yet; of many pictures, that is about 1 kB of memory for each.

        Raises:
            ConfigurationError: a picture is another one by now.
        """
        worker = self._worker
        pairs = [worker.study.pairs[number] for number in numbers]
        both = dict.fromkeys(path for pair in pairs for path in (pair.probe, pair.reference))
        missing = {worker.digests[path]: path for path in both}
        missing = {digest: path for digest, path in missing.items() if digest not in self._seen}
        if self._given is not None:
            for digest in missing:
                self._seen[digest] = _row(self._given, self._given.place[digest])
            return
        with ThreadPoolExecutor(self._threads, thread_name_prefix="facematch-embed") as pool:
            for digest, one in zip(missing, pool.map(self._look, missing.values()), strict=True):
                if one is not None:
                    self._seen[digest] = one

    def _look(self, path: Path) -> _One | None:
        if self._worker.is_over:
            return None
        found = read_embeddings(self._backend.embed([path]))
        if self._worker.digests[path] not in found.place:
            self._worker.picture(path)
            raise ConfigurationError(f"The engine names {path} by another digest: report this.")
        return _row(found, 0)

    def outcome(self, number: int) -> Outcome | None:
        """What a pair ends in; None if it is to be asked another time."""
        worker = self._worker
        pair = worker.study.pairs[number]
        found = [self._seen.get(worker.digests[path]) for path in (pair.probe, pair.reference)]
        if found[0] is None or found[1] is None:
            return None
        score, seconds = self._score(found[0], found[1]), [one.elapsed_s for one in found if one]
        elapsed_s = None if None in seconds else sum(one for one in seconds if one is not None)
        if self._pattern is None:
            asked = worker.ask(number)
            if asked is not None and asked.score is not None:
                self._pattern = asked
                judged = self._judged(score, asked, None)
                self.agrees = (judged.score, judged.decision) == (asked.score, asked.decision)
                if not self.agrees and self._given is not None:
                    return None
            return asked
        error = next((one.error for one in found if one is not None and one.error), None)
        if error is not None:
            return Outcome(state=PairState.ANSWERED, billed=Charged.NO, error=error)
        return self._judged(score, self._pattern, elapsed_s)

    def _score(self, probe: _One, reference: _One) -> float | None:
        if probe.vector is None or reference.vector is None:
            return None
        return float(self._backend.scores(probe.vector[None], reference.vector[None])[0, 0])

    def _judged(self, score: float | None, pattern: Outcome, elapsed_s: float | None) -> Outcome:
        threshold, review = self._limits
        scale = str(pattern.scale)
        decision = decide_by_threshold(None if score is None else Score(score, scale), threshold)
        if decision is Decision.MATCH and review is not None and not review.passes(score):
            decision = Decision.REVIEW
        return attrs.evolve(
            pattern,
            score=score,
            scale=None if score is None else scale,
            decision=decision,
            elapsed_s=elapsed_s,
            call_id=None,
        )


def _row(table: Embeddings, at: int) -> _One:
    vector = table.vectors[at] if table.face[at] else None
    return _One(vector, table.error[at], table.elapsed_s[at])
