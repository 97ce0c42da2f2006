"""Where a photograph becomes too small, blurred, dark or bright for the local engine.

Run it anywhere: ``python benchmarks/quality_limits.py [FOLDER]``. Every photograph of the folder in
which one face is found is degraded step by step and compared with itself. For each step the table
gives the property that the engine measures, the score against the original, and how many faces are
no longer found. The limits of the warnings in ``facematch_local`` are read off it.
"""

import contextlib
import statistics
import sys
from pathlib import Path

from PIL import ImageEnhance, ImageFilter

from facematch_core import Image
from facematch_local._engine import Engine
from facematch_local._score import score_from_distance

STEPS = {
    "face_px": [
        (f"shrunk to {n} %", lambda p, n=n: p.resize((p.width * n // 100, p.height * n // 100)))
        for n in (90, 80, 70, 60, 50, 45, 40, 35, 30, 25, 20)
    ],
    "sharpness": [
        (f"blurred, radius {n} % of the face", lambda _, n=n: ("blur", n))
        for n in (0.5, 1, 1.5, 2, 3, 4, 5, 6, 8)
    ],
    "luminance (dark)": [
        (f"darkened to {n} %", lambda p, n=n: ImageEnhance.Brightness(p).enhance(n / 100))
        for n in (80, 60, 50, 40, 30, 20, 15, 10, 7, 5, 3)
    ],
    "luminance (bright)": [
        (f"brightened to {n} %", lambda p, n=n: ImageEnhance.Brightness(p).enhance(n / 100))
        for n in (120, 140, 160, 180, 200, 230, 260, 300, 400)
    ],
}


def look(engine, picture):
    """What the engine sees in a Pillow picture, or None if it finds no face."""
    faces = engine.look(Image.from_pil(picture).data)
    return faces if faces.boxes else None


def score(a, b):
    """Score of two faces, 0-100."""
    return score_from_distance(float(((a.embedding - b.embedding) ** 2).sum() ** 0.5))


def main(folder):
    """Degrade, compare and print."""
    engine = Engine()
    originals = []
    for path in sorted(folder.rglob("*.jpg")):
        with contextlib.suppress(ValueError):
            picture = Image.read(path).to_pil()
            faces = look(engine, picture)
            if faces and len(faces.boxes) == 1:
                originals.append((picture, faces))
    print(f"{len(originals)} photographs with one face in {folder}")
    for name, steps in STEPS.items():
        attribute = name.split(" ", maxsplit=1)[0]
        values = sorted(getattr(faces, attribute) for _, faces in originals)
        print(f"\n{name}: originals {values[0]:.0f} to {values[-1]:.0f}")
        for label, change in steps:
            seen, scores, missed = [], [], 0
            for picture, faces in originals:
                changed = change(picture)
                if isinstance(changed, tuple):
                    radius = changed[1] / 100 * faces.face_px
                    changed = picture.filter(ImageFilter.GaussianBlur(radius))
                after = look(engine, changed)
                if after is None:
                    missed += 1
                    continue
                seen.append(getattr(after, attribute))
                scores.append(score(faces, after))
            if seen:
                print(
                    f"  {label:36} {attribute} {statistics.median(seen):7.1f}   score median "
                    f"{statistics.median(scores):6.2f} lowest {min(scores):6.2f}   missed {missed}"
                )


if __name__ == "__main__":
    root = Path(__file__).parents[1] / "docs" / "photographs"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else root)
