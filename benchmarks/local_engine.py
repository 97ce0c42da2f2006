"""How fast the local engine is, beside the same steps written with dlib alone, in one run.

    python benchmarks/local_engine.py [FOLDER] [--rounds N]

Everything is measured on the pictures of FOLDER (default: docs/photographs) that show a face; pairs
are neighbours in the order of their names. Contenders take turns on each picture and each pair, so
that whatever else this machine does strikes all of them. Only ratios carry over to other machines.

- *dlib*: decode, detector, five points, `compute_face_descriptor`, as everybody uses it.
- *steps*: the same, but the embedding by our graph on ONNX Runtime, with nothing around it.
- *engine*: `Engine.look`; against *steps* it shows what our own layers cost.
- *verify*, *verify_many*: `FaceVerifier`, without its memory of known pictures.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from _bench import begin, end, verdict
from PIL import Image, ImageOps

from facematch_local import score_from_distance

PHOTOGRAPHS = Path(__file__).parents[1] / "docs" / "photographs"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}

#: The embedding of the largest face in a file, or None without a face.
Look = Callable[[Path], Any]

#: What we ask of ourselves.
PAIR, PAIR_ON_TWO_THREADS = 3.0, 5.0  # times as fast as dlib on one thread
LAYERS = 1.05  # times the bare steps
PARITY = 1e-5  # difference of one of the 128 numbers


class Bare:
    """The steps of the engine in as few lines as possible; the embedding by dlib or our graph."""

    def __init__(self, *, onnx: bool) -> None:
        from facematch_local.models import LANDMARKS, RECOGNITION, find_model

        self.weights = find_model(RECOGNITION)
        self.predictor = dlib.shape_predictor(str(find_model(LANDMARKS)))
        self.of_thread = threading.local()
        self.session = self.new_session() if onnx else None

    def new_session(self) -> Any:
        from facematch_local.network import build_graph, open_session, read_network

        graph = build_graph(read_network(self.weights.read_bytes()))
        return open_session(graph)

    def detect(self, pixels: Image.Image, upsample: int) -> Any:
        if not hasattr(self.of_thread, "detector"):
            self.of_thread.detector = dlib.get_frontal_face_detector()
        return self.of_thread.detector.run(np.asarray(pixels), upsample, 0.25)[0]

    def faces(self, pixels: Image.Image) -> list[Any]:
        """Boxes in the picture, by the same looks at it as the engine's."""
        small = pixels.copy()
        small.thumbnail((640, 640), Image.Resampling.BOX)
        factor = max(pixels.size) / max(small.size)
        boxes = self.detect(small, 0)
        if factor > 1 and len(boxes) != 1:
            finer = self.detect(pixels, 0)
            if len(finer) > len(boxes):
                boxes, factor = finer, 1.0
        if not boxes:
            boxes, factor = self.detect(pixels, 1), 1.0
        edges = ((box.left(), box.top(), box.right(), box.bottom()) for box in boxes)
        return [dlib.rectangle(*(round(edge * factor) for edge in box)) for box in edges]

    def look(self, path: Path) -> Any:
        with Image.open(path) as image:
            image.draft("RGB", (1024, 1024))
            pixels = ImageOps.exif_transpose(image).convert("RGB")
        pixels.thumbnail((1024, 1024))
        face = max(self.faces(pixels), key=lambda box: box.area(), default=None)
        if face is None:
            return None
        array = np.asarray(pixels)
        points = self.predictor(array, face)
        if self.session:
            chip = dlib.get_face_chip(array, points, 150, 0.25)
            return self.session.run(None, {"chips": chip[None]})[0][0]
        if not hasattr(self.of_thread, "model"):
            self.of_thread.model = dlib.face_recognition_model_v1(str(self.weights))
        return np.array(self.of_thread.model.compute_face_descriptor(array, points))


def engine_look() -> Look:
    """`Engine.look` on a file."""
    from facematch_local.engine import Engine

    engine = Engine()
    return lambda path: engine.look(path.read_bytes()).embedding


def verifier() -> Any:
    """A verifier of the local backend that remembers no picture."""
    from facematch_core import FaceVerifier
    from facematch_local import LocalBackend

    return FaceVerifier(LocalBackend(cached_pictures=0))


def score(look: Look, pair: tuple[Path, Path]) -> float:
    """The score of two files that show a face."""
    return score_from_distance(float(np.linalg.norm(look(pair[0]) - look(pair[1]))))


def by_turns(
    contenders: Mapping[str, Callable[[Any], Any]], items: Sequence[Any], rounds: int
) -> dict[str, float]:
    """Seconds that each contender takes for all items: per item the median over the rounds.

    In each round every item is given to every contender; who comes first changes each time.
    """
    names = list(contenders)
    taken: dict[str, list[list[float]]] = {name: [[] for _ in items] for name in names}
    for turn, (at, item) in itertools.product(range(rounds), enumerate(items)):
        first = (turn + at) % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            contenders[name](item)
            taken[name][at].append(time.perf_counter() - start)
    return {name: sum(map(statistics.median, taken[name])) for name in names}


def show(title: str, items: int, seconds: dict[str, float]) -> None:
    """Print a table; the first contender is what the others are compared with."""
    print(f"\n{title}; mean of {items}")
    base = next(iter(seconds.values()))
    for name, whole in seconds.items():
        print(f"  {name:24} {whole / items * 1e3:8.2f} ms   {base / whole:6.2f} times as fast")


def engine_alone(paths: Sequence[Path], pairs: Sequence[Any], rounds: int) -> None:
    """Parity; pictures and pairs on one thread; pairs on two threads."""
    looks = {"dlib": Bare(onnx=False).look, "steps": Bare(onnx=True).look, "engine": engine_look()}
    differences = [np.abs(looks["dlib"](path) - looks["engine"](path)).max() for path in paths]
    print("\nThe engine and dlib")
    verdict("largest difference of one of 128 numbers", max(differences), most=PARITY)

    each = by_turns(looks, paths, rounds)
    show("One picture, one thread", len(paths), each)
    verdict("engine over bare steps", each["engine"] / each["steps"], most=LAYERS)

    scores = {name: functools.partial(score, look) for name, look in looks.items()}
    each = by_turns(scores, pairs, rounds)
    show("One pair, one thread", len(pairs), each)
    verdict("dlib's time over the engine's", each["dlib"] / each["engine"], least=PAIR)

    with ThreadPoolExecutor(2) as pool:
        passes: dict[str, Callable[[Any], Any]] = {
            "dlib": lambda items: list(map(scores["dlib"], items)),
            "dlib, two threads": lambda items: list(pool.map(scores["dlib"], items)),
            "engine": lambda items: list(map(scores["engine"], items)),
            "engine, two threads": lambda items: list(pool.map(scores["engine"], items)),
        }
        for warm in passes.values():
            warm(pairs[:4])
        show("Many pairs", len(pairs), by_turns(passes, [pairs], rounds))


def through_the_verifier(pairs: Sequence[Any], rounds: int) -> None:
    """The same pairs as an application asks for them."""
    from facematch_core import Image as Picture

    bare = {
        "dlib": functools.partial(score, Bare(onnx=False).look),
        "steps": functools.partial(score, Bare(onnx=True).look),
    }
    with verifier() as ours:

        def many(items: Sequence[Any]) -> None:
            read = (tuple(map(Picture.read, pair)) for pair in items)
            for outcome in ours.verify_many(read, max_workers=2):
                if outcome.result is None:
                    raise RuntimeError(f"pair {outcome.index} gave no result: {outcome.error!r}")

        contenders: dict[str, Callable[[Any], Any]] = {
            **bare,
            "verify": lambda pair: ours.verify(*map(Picture.read, pair)),
        }
        for warm in contenders.values():
            warm(pairs[0])
        each = by_turns(contenders, pairs, rounds)
        show("One pair through FaceVerifier.verify, one thread", len(pairs), each)
        verdict("dlib's time over verify's", each["dlib"] / each["verify"], least=PAIR)
        verdict("verify over bare steps", each["verify"] / each["steps"], most=LAYERS)

        passes: dict[str, Callable[[Any], Any]] = {
            "dlib": lambda items: list(map(bare["dlib"], items)),
            "verify_many, 2": many,
        }
        each = by_turns(passes, [pairs], rounds)
        show("Many pairs through FaceVerifier.verify_many, two threads", len(pairs), each)
        ratio = each["dlib"] / each["verify_many, 2"]
        verdict("dlib's time over verify_many's", ratio, least=PAIR_ON_TWO_THREADS)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the local engine beside bare dlib.")
    parser.add_argument("folder", nargs="?", type=Path, default=PHOTOGRAPHS)
    parser.add_argument("--rounds", type=int, default=7, help="more of them: less noise")
    arguments = parser.parse_args()
    paths = sorted(p for p in arguments.folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    begin()
    look = engine_look()
    paths = [path for path in paths if look(path) is not None]
    pairs = list(itertools.pairwise(paths))
    engine_alone(paths, pairs, arguments.rounds)
    through_the_verifier(pairs, arguments.rounds)
    end()


if __name__ == "__main__":
    main()
