"""Engines of one's own look at each picture once: embeddings, made anywhere, compared here.

Calls that may be charged are never mapped: Dask runs a task again whenever it is in doubt.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs
import numpy as np

from facematch_core.backend import Backend, decide_by_threshold
from facematch_core.config.opening import Plan
from facematch_core.config.plugins import backend_class
from facematch_core.errors import ConfigurationError, FaceMatchError, InvalidRequest
from facematch_core.http import HttpBackend
from facematch_core.models import Charged, Decision, Environment, Operation, Score

from .pairs import PairOutcome, PairState
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


def why_not_embedded(
    backend: Backend | type[Backend], policies: Sequence[object] = ()
) -> str | None:
    """Why a backend's pictures cannot be embedded, here or elsewhere; of a class: by what it is."""
    if Operation.MATCH in backend.capabilities.billed_operations:
        return "its calls may be charged"
    if issubclass(backend if isinstance(backend, type) else type(backend), HttpBackend):
        return "it asks over HTTP"
    if isinstance(backend, type):
        return None
    if backend.environment is not Environment.LOCAL:
        return "it does not answer on this machine"
    if policies:
        return "its calls pass policies"
    makes_them = all(callable(getattr(backend, name, None)) for name in ("embed", "scores"))
    return None if makes_them else "it makes no embeddings"


def embed(
    pictures: Path | Iterable[Path],
    *,
    backend: str = "local",
    settings: Mapping[str, Any] | None = None,
    dask: Any = None,
    workers: int | None = None,
) -> pa.Table:
    """Embed many pictures, each once: a table with a row for each.

    Embeddings are biometric data: you are responsible for what you keep.

    Args:
        pictures: Files, or a folder of them.
        backend: An engine that makes embeddings.
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
    import pyarrow as pa

    if isinstance(pictures, (str, os.PathLike)):
        files = sorted(Path(pictures).rglob("*"))
        paths = [path for path in files if path.suffix.lower() in _SUFFIXES]
    else:
        paths = list(dict.fromkeys(map(Path, pictures)))
    if not paths:
        raise InvalidRequest("There is no picture to embed: name a folder of pictures, or files.")
    if workers is not None and (type(workers) is not int or workers < 1):
        raise InvalidRequest("workers must be a whole number, 1 or more.")
    kind, fixed = backend_class(backend), tuple(sorted((settings or {}).items()))
    # Before it is opened: a vendor's backend would ask for its key.
    why = why_not_embedded(kind) or why_not_embedded(_engine(backend, fixed))
    if why is not None:
        raise InvalidRequest(f"The pictures of {backend[:60]!r} cannot be embedded: {why}.")
    parts = [paths[start : start + PICTURES] for start in range(0, len(paths), PICTURES)]
    task = functools.partial(_embed_here, backend, fixed)
    # Windows waits for 63 things at most, and Python for 61 processes.
    count = min(workers or os.cpu_count() or 1, len(parts), 61)
    privacy = {}
    if dask is not None:
        tables, text = _by_dask(task, parts, dask)
        privacy = {b"facematch.privacy": text.encode()}
    elif count == 1:
        tables = list(map(task, parts))
    else:
        with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
            try:
                tables = list(pool.map(task, parts))
            except BrokenProcessPool:
                why = "a process died: has this machine enough memory? A script must call this "
                why += 'under `if __name__ == "__main__":`, because each process imports it.'
                tables = [why]
    for table in tables:
        if isinstance(table, str):
            raise ConfigurationError(f"Pictures cannot be embedded: {table}")
    joined = pa.concat_tables(tables)
    _one_engine(joined)
    return joined.replace_schema_metadata({**(tables[0].schema.metadata or {}), **privacy})


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
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"A Dask cluster needs {error.name}, which is not installed: pip install "
            '-e ".[cluster]" in the checkout.'
        ) from None
    client = dask
    try:
        if isinstance(dask, str):
            client = Client(  # type: ignore[no-untyped-call]  # Dask's own
                dask, timeout=CONNECT_S, set_as_default=False, name="facematch"
            )
        futures = client.map(task, parts, pure=False, retries=2, batch_size=1000)
        tables = client.gather(futures)
        spoken = (client.scheduler.address, *client.nthreads())
    except Exception as error:  # noqa: BLE001 - Dask raises many kinds
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    else:
        is_encrypted = all(address.startswith("tls://") for address in spoken)
        how = "encrypted" if is_encrypted else "not encrypted"
        return tables, (
            "Pictures were read by the workers of a Dask cluster, which sent embeddings back, "
            f"{how}; nobody else was asked."
        )
    finally:
        if client is not dask:
            client.close()
    raise ConfigurationError(f"The Dask cluster cannot be used ({reason}).")


def _one_engine(table: pa.Table) -> str:
    engines = [str(engine) for engine in table.column("engine").unique().to_pylist()]
    if len(engines) == 1:
        return engines[0]
    raise ConfigurationError(
        f"These embeddings come from {len(engines)} engines, whose scores could differ: install "
        "the same versions everywhere. They are "
        f"{' and '.join(engine[:200] for engine in engines[:2])}."
    )


class PictureEmbedding(NamedTuple):
    """What an engine saw in one picture; no vector without a face."""

    vector: NDArray[np.float32] | None
    error: str | None
    elapsed_s: float | None


class Embeddings(NamedTuple):
    """Pictures by the SHA-256 of their bytes; what became of them, None if they never left."""

    engine: str
    privacy: str | None
    pictures: dict[str, PictureEmbedding]


def read_embeddings(source: Path | pa.Table) -> Embeddings:
    is_file = isinstance(source, (str, os.PathLike))
    try:
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        table: Any = pq.read_table(source) if is_file else source
        embedding = table.column("embedding").combine_chunks()
        filled = embedding.is_valid().to_numpy(zero_copy_only=False)
        # Lists of any length, too, for Spark writes no others.
        (width,) = pc.list_value_length(embedding.drop_null()).unique().to_pylist() or [0]
        vectors = np.full((len(table), width), np.nan, np.float32)
        vectors[filled] = embedding.drop_null().flatten().to_numpy().reshape(-1, width or 1)
        face = [bool(value) for value in table.column("face").to_pylist()]
        is_face = (filled & face & np.isfinite(vectors).all(1)).tolist()
        unsaid = "Embeddings were read from a file that does not say where they were made."
        privacy = (table.schema.metadata or {}).get(b"facematch.privacy", b"").decode()
        columns = [table.column(name).to_pylist() for name in ("sha256", "error", "elapsed_s")]
        pictures = {
            str(digest): PictureEmbedding(vector if seen else None, error, elapsed_s)
            for digest, error, elapsed_s, vector, seen in zip(
                *columns, vectors, is_face, strict=True
            )
        }
        return Embeddings(_one_engine(table), privacy or (unsaid if is_file else None), pictures)
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - pyarrow raises many kinds for a damaged file
        reason = type(error).__name__
    raise InvalidRequest(
        f"{str(source)[:200] if is_file else 'The table'} is no table of embeddings ({reason}): "
        "`embed` makes one."
    )


def embeddings_of(
    source: Path | pa.Table, team: Sequence[Worker], reasons: Mapping[str, str | None]
) -> dict[str, Embeddings]:
    """Name of each system to its embeddings; of several engines they are those of one, at least."""
    engines = {}
    for worker in team:
        if reasons[worker.name] is None:
            backend: Any = worker.system.verifier.backend
            metadata = backend.embed([]).schema.metadata or {}
            engines[worker] = str(metadata.get(b"facematch.engine", b"").decode())
    if not engines:
        why = "; ".join(f"{name[:60]}: {reason}" for name, reason in reasons.items())
        raise InvalidRequest(
            f"Embeddings are for engines of your own, and none of these is one ({why})."
        )
    embeddings = read_embeddings(source)
    same = [worker for worker, engine in engines.items() if engine == embeddings.engine]
    if not same:
        worker, engine = next(iter(engines.items()))
        raise ConfigurationError(
            f"The embeddings are of another engine than {worker.name}, and scores could "
            "differ. Install the same versions, or embed again. They are of "
            f"{embeddings.engine[:200]}; here is {engine[:200]}."
        )
    digests = same[0].digests
    missing = [path for path, digest in digests.items() if digest not in embeddings.pictures]
    if missing:
        raise InvalidRequest(
            f"{len(missing)} of {len(digests)} pictures have no embedding, for example "
            f"{str(missing[0])[:200]!r}: it was not embedded, or has changed since. Embed again."
        )
    return {worker.name: embeddings for worker in same}


def ask_by_embeddings(  # noqa: C901 - closures that are read from top to bottom
    worker: Worker, threads: int, table: Embeddings | None
) -> None:
    """Ask about every free pair as `Worker.ask_all` does, with the same answers."""
    if table is not None and table.privacy is not None:
        worker.database.note_privacy(worker.stored.number, table.privacy)
    verifier, digests = worker.system.verifier, worker.digests
    engine: Any = verifier.backend
    threshold, review = verifier.thresholds(Operation.MATCH)
    pictures = {} if table is None else dict(table.pictures)
    # The first pair that has a score is also asked as a whole: thresholds are for such calls, so an
    # engine whose embeddings give another score ends here. Others have its scale and names.
    pattern: PairOutcome | None = None

    def look(path: Path) -> None:
        if worker.is_over:
            return
        rows = read_embeddings(engine.embed([path])).pictures
        if digests[path] not in rows:
            worker.picture(path)
            raise ConfigurationError(f"The engine names {path} by another digest: report this.")
        pictures.update(rows)

    def embed_pairs(numbers: Sequence[int]) -> None:
        """Look at what is not known yet, and remember it: about 1 kB for each picture."""
        pairs = [worker.study.pairs[number] for number in numbers]
        paths = {digests[path]: path for pair in pairs for path in (pair.probe, pair.reference)}
        missing = [path for digest, path in paths.items() if digest not in pictures]
        count = min(threads, os.cpu_count() or 1)
        with ThreadPoolExecutor(count, thread_name_prefix="facematch-embed") as pool:
            list(pool.map(look, missing))

    def judge(score: float | None, first: PairOutcome) -> PairOutcome:
        scale = None if score is None else first.scale
        decision = decide_by_threshold(
            None if score is None else Score(score, str(scale)), threshold
        )
        if decision is Decision.MATCH and review is not None and not review.passes(score):
            decision = Decision.REVIEW
        return attrs.evolve(first, score=score, scale=scale, decision=decision, call_id=None)

    def outcome(number: int) -> PairOutcome | None:
        """What a pair ends in; None if it is to be asked another time."""
        nonlocal pattern
        pair = worker.study.pairs[number]
        seen = [pictures.get(digests[path]) for path in (pair.probe, pair.reference)]
        both = [picture for picture in seen if picture is not None]
        if len(both) < 2:
            return None
        vectors = [picture.vector[None] for picture in both if picture.vector is not None]
        score = None if len(vectors) < 2 else float(engine.scores(*vectors)[0, 0])
        if pattern is None:
            asked_whole = worker.ask(number)
            if asked_whole is None or asked_whole.score is None:
                return asked_whole
            pattern, judged = asked_whole, judge(score, asked_whole)
            if (judged.score, judged.decision) == (asked_whole.score, asked_whole.decision):
                return asked_whole
            worker.end_with(
                ConfigurationError(
                    f"The embeddings give another score than {worker.name} does for the "
                    "same two pictures, which thresholds are for: another engine made them. Embed "
                    "again."
                )
            )
            return None
        error = both[0].error or both[1].error
        if error is not None:
            return PairOutcome(state=PairState.ANSWERED, billed=Charged.NO, error=error)
        times_s = [picture.elapsed_s for picture in both]
        elapsed_s = None if None in times_s else sum(filter(None, times_s))
        return attrs.evolve(judge(score, pattern), elapsed_s=elapsed_s)

    worker.line_up()
    worker.ask_some(PAIRS, outcome, embed_pairs)
