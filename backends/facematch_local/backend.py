"""`LocalBackend`: compare faces on this machine with OpenCV."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NoReturn

import attrs

from facematch_core import (
    BackendUnavailable,
    ConfigurationError,
    Image,
    InvalidImage,
    InvalidRequest,
    Operation,
    __version__,
)
from facematch_core.backend import Capabilities, ImageFormat, ImageLimits, MatchRequest
from facematch_core.backend.engine import Compared, EngineBackend
from facematch_core.base.extras import install_command
from facematch_core.models import ThresholdRule

from .engine import Engine
from .faces import FaceCache, PictureFaces
from .models import DIGESTS, read_model
from .scores import MODEL, SCALE, compare_faces, scores_from_embeddings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

#: The modules that the extra ``local`` requires, and their distributions.
NEEDED = {"cv2": "opencv-python-headless", "numpy": "numpy"}

INSTALL = "The backend local needs {missing}: {command} (about 80 MB)."

LIMITS = ImageLimits(formats=frozenset(ImageFormat) - {ImageFormat.HEIC})

#: Between OpenCV's 36.3 and 43, the lowest threshold without a false match in our measurements.
DEFAULT_THRESHOLD = 40.0


@attrs.define(kw_only=True, eq=False, slots=False)
class LocalBackend(EngineBackend):
    """Compares faces on this machine. OpenCV runs YuNet to find faces and SFace to compare them.

    The score is 100 times the cosine similarity of two embeddings, or 0 if that is negative. It is
    rounded to two decimals before the comparison with the threshold, and is not a probability. By
    default, a score of at least 40 is a match; a threshold of 50 is strict.

    Pictures stay on this machine, and nothing is written to disk. A picture that occurs in many
    pairs is embedded once. Liveness checks raise `Unsupported`.

    Args:
        rotate: Whether to also try each picture rotated by 90, 180 and 270 degrees.
        cached_pictures: Maximum number of pictures in the cache, 0-1,000,000; about 2 kB each.
            Embeddings are biometric data: they stay in memory until the backend is closed.

    Raises:
        ConfigurationError: `cached_pictures` is out of range.
        BackendUnavailable: the extra ``local`` is not installed.
    """

    rotate: bool = False
    cached_pictures: int = 1000
    _engine: Engine = attrs.field(init=False, repr=False, factory=Engine)
    _cache: FaceCache = attrs.field(init=False, repr=False)

    name = "local"
    capabilities = Capabilities(
        operations=frozenset({Operation.MATCH}),
        threshold_rule=ThresholdRule.AT_LEAST,
        default_threshold=DEFAULT_THRESHOLD,
        score_scale=SCALE,
        image_limits=LIMITS,
        reports_faces=True,
    )

    def __attrs_post_init__(self) -> None:
        """Raise ConfigurationError for a wrong setting, BackendUnavailable if a library is missing.

        No model is loaded before the first call.
        """
        super().__attrs_post_init__()
        if not 0 <= self.cached_pictures <= 1_000_000:
            raise ConfigurationError("cached_pictures must be a whole number from 0 to 1,000,000.")
        missing = [dist for module, dist in NEEDED.items() if not importlib.util.find_spec(module)]
        if missing:
            raise BackendUnavailable(
                INSTALL.format(missing=", ".join(missing), command=install_command("local"))
            )
        self._cache = FaceCache(self.cached_pictures)

    def load(self) -> None:
        """Load the models now instead of on first use. Takes about half a second.

        Raises:
            ConfigurationError: a model file is missing or damaged, or OpenCV is older than 4.11.
        """
        self._engine.load()

    @property
    def pictures_computed(self) -> int:
        """Number of pictures processed, excluding cache hits."""
        return self._cache.memory.computed

    def compare(self, request: MatchRequest) -> Compared:
        """Compare the largest face of each picture.

        Raises:
            InvalidImage: a picture cannot be decoded.
        """
        probe = self._find_faces(request.probe, "probe")
        reference = self._find_faces(request.reference, "reference")
        return compare_faces(probe, reference)

    def score_matrix(
        self,
        probes: Iterable[Any],
        references: Iterable[Any],
        *,
        max_workers: int | None = None,
    ) -> NDArray[np.float64]:
        """Return the score of every probe against every reference. Embeds each picture only once.

        Args:
            probes, references: Pictures, in any form that `FaceVerifier.verify` accepts.
            max_workers: Number of threads, at least 1; None for the number of cores.

        Returns:
            Scores 0-100, float64, shape (M, N), with two decimals; NaN if a picture has no face.

        Raises:
            InvalidImage: a picture cannot be used.
            InvalidRequest: `max_workers` is out of range.
        """
        return scores_from_embeddings(
            self.embeddings(probes, max_workers=max_workers),
            self.embeddings(references, max_workers=max_workers),
        )

    def embeddings(
        self, pictures: Iterable[Any], *, max_workers: int | None = None
    ) -> NDArray[np.float64]:
        """Return the embedding of the largest face of each picture, for `scores_from_embeddings`.

        Embeddings are biometric data: you are responsible for those that you store.

        Args:
            pictures: Pictures, in any form that `FaceVerifier.verify` accepts.
            max_workers: Number of threads, at least 1; None for the number of cores.

        Returns:
            float64, shape (N, 128), rows of length 1; NaN for a picture without a face.

        Raises:
            InvalidImage: a picture cannot be used.
            InvalidRequest: `max_workers` is out of range.
        """
        import numpy as np

        if max_workers is not None and (type(max_workers) is not int or max_workers < 1):
            raise InvalidRequest("max_workers must be a whole number, 1 or more, or None.")
        # Checks headers and limits. A damaged picture raises only when its pixels are read.
        images = [Image.of(picture).prepared(LIMITS) for picture in pictures]

        def embed(image: Image) -> NDArray[np.float64]:
            embedding = self._find_faces(image, "picture").embedding
            return np.full(128, np.nan) if embedding is None else embedding.astype(np.float64)

        with ThreadPoolExecutor(max_workers or os.cpu_count() or 1) as pool:
            return np.array(list(pool.map(embed, images))).reshape(len(images), 128)

    def embed(self, paths: Iterable[os.PathLike[str]]) -> pa.Table:
        """Return the embeddings of files as an Arrow table.

        The table depends only on the files: nothing is cached or written. This method uses one
        thread; run one process per core. Embeddings are biometric data: you are responsible for
        those that you store.

        Args:
            paths: The paths of the files.

        Returns:
            One row per file: ``path``; ``sha256`` of the bytes in hex; ``face``, whether a face was
            found; ``error``, the class name of the error if the file is unusable, else null;
            ``embedding`` of the largest face, 128 float32, null without a face; ``elapsed_s``, the
            processing time in seconds without loading the models; ``engine``, models and versions
            as JSON, repeated in the table's metadata (``facematch.engine``).

        Raises:
            ConfigurationError: pyarrow is not installed (extra ``compare``), or see `load`.
        """
        try:
            import pyarrow as pa
        except ImportError:
            raise ConfigurationError(
                f"Tables of embeddings need pyarrow: {install_command('compare')}"
            ) from None
        versions = {"facematch": __version__, "backend": self.name}
        for name, value in self.diagnose().items():
            versions[name] = str(value)
        engine = json.dumps(versions, sort_keys=True)
        columns = {
            "path": pa.string(),
            "sha256": pa.string(),
            "face": pa.bool_(),
            "error": pa.string(),
            "embedding": pa.list_(pa.float32(), 128),
            "elapsed_s": pa.float64(),
            "engine": pa.string(),
        }
        schema = pa.schema(columns, metadata={"facematch.engine": engine})
        rows = [{**self._embed_file(path), "engine": engine} for path in paths]
        return pa.Table.from_pylist(rows, schema=schema)

    def _embed_file(self, path: os.PathLike[str]) -> dict[str, Any]:
        """Return a file's row. A file that is missing, or no picture, has an error.

        The time is that of finding and embedding the face alone.
        """
        row: dict[str, Any] = {"path": os.fspath(path), "face": False}
        self._engine.load()
        try:
            image = Image.read(path)
            row["sha256"] = hashlib.sha256(image.data).hexdigest()
            started = time.perf_counter()
            faces = self._engine.look(image.prepared(LIMITS).data, rotate=self.rotate)
        except InvalidImage as error:
            return row | {"error": type(error).__name__}
        row["elapsed_s"] = time.perf_counter() - started
        return row | {"face": faces.embedding is not None, "embedding": faces.embedding}

    #: Alias of `scores_from_embeddings`, for code that opens this backend by name.
    scores = staticmethod(scores_from_embeddings)

    def close(self) -> None:
        """Clear the cache, and free the models unless another backend uses them."""
        self._cache.clear()
        self._engine.close()

    def diagnose(self) -> Mapping[str, Any]:
        """Return the model, the score scale, the state of the model files, and package versions."""
        from importlib.metadata import packages_distributions, version

        facts: dict[str, Any] = {"model": MODEL, "scale": SCALE}
        try:
            for name in DIGESTS:
                read_model(name)
            facts["model files"] = "verified (SHA-256)"
        except ConfigurationError as error:
            facts["model files"] = str(error)
        packages_of_module = packages_distributions()
        packages_with_cv2 = sorted(set(packages_of_module["cv2"]))
        if len(packages_with_cv2) > 1:
            names = ", ".join(packages_with_cv2)
            facts["warning"] = f"{names} overwrite each other's cv2: keep only one."
        for module in NEEDED:
            for name in packages_of_module[module]:
                facts[name] = version(name)
        return facts

    def __reduce__(self) -> NoReturn:
        raise TypeError("A LocalBackend has biometric data and cannot be pickled; open another.")

    def _find_faces(self, image: Image, picture: str) -> PictureFaces:
        try:
            return self._cache.get(
                image.digest, lambda: self._engine.look(image.data, rotate=self.rotate)
            )
        except InvalidImage as error:
            refusal = error.of(picture)
        # Raised outside the except block, because the first error's frames hold the picture.
        raise refusal
