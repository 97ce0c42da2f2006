"""Measure the error rates of a local backend on degraded pictures, by condition.

    python benchmarks/degraded_faces.py make OUT FOLDER [FOLDER ...]
    python benchmarks/degraded_faces.py score OUT [--threshold T]

Each FOLDER contains one folder per person with at least two pictures. `make` finds the faces with
the backend `local` and writes a copy of every picture for every condition to OUT, so that different
engines get the same pixels. `score` compares every degraded picture with the other clean pictures.
To test another version of facematch, set `PYTHONPATH=CHECKOUT:CHECKOUT/backends`.

A probe without a face counts as a false non-match in every mated pair.
"""

from __future__ import annotations

import argparse
import io
import math
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from facematch_core import FaceVerifier, open_verifier

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}

#: Longest side in pixels of the pictures that are degraded.
SIDE = 1024


class Face(NamedTuple):
    """A picture and the position of its face, in pixels."""

    image: Image.Image
    left: float
    top: float
    width: float
    height: float
    random: np.random.Generator

    @property
    def middle(self) -> tuple[float, float]:
        return self.left + self.width / 2, self.top + self.height / 2


def roll(degrees: float) -> Callable[[Face], Image.Image]:
    """Rotate the picture around the face; reflect its edges to avoid black corners."""

    def degrade(face: Face) -> Image.Image:
        x, y = face.middle
        around = round(1.5 * max(face.width, face.height))
        pixels = np.asarray(face.image)
        padded = Image.fromarray(
            np.pad(pixels, ((around,) * 2, (around,) * 2, (0, 0)), mode="reflect")
            if min(pixels.shape[:2]) > around
            else np.pad(pixels, ((around,) * 2, (around,) * 2, (0, 0)), mode="edge")
        )
        turned = padded.rotate(degrees, Image.Resampling.BICUBIC, center=(x + around, y + around))
        return turned.crop((around, around, around + pixels.shape[1], around + pixels.shape[0]))

    return degrade


def narrow(pixels: float) -> Callable[[Face], Image.Image]:
    """Shrink the picture to a face of the given width in pixels."""

    def degrade(face: Face) -> Image.Image:
        scale = pixels / face.width
        size = [max(1, round(scale * side_px)) for side_px in face.image.size]
        return face.image.resize(size, Image.Resampling.LANCZOS)

    return degrade


def print_on_card(width: float) -> Callable[[Face], Image.Image]:
    """Simulate a photograph of an identity card with the portrait in gray, in pixels of width."""

    def degrade(face: Face) -> Image.Image:
        (x, y), across = face.middle, 0.7 * max(face.width, face.height)
        portrait = face.image.crop(
            tuple(
                round(edge)
                for edge in (x - across, y - 1.25 * across, x + across, y + 1.25 * across)
            )
        )
        portrait = ImageOps.grayscale(portrait).resize((round(width), round(1.25 * width)))
        portrait = ImageOps.autocontrast(portrait, cutoff=1)
        card = Image.new("L", (round(3.4 * width), round(2.1 * width)), 215)
        draw = ImageDraw.Draw(card)
        for line in range(6):
            at = (0.4 + 0.25 * line) * width
            draw.line(
                [(1.5 * width, at), (3.0 * width, at)], fill=90, width=max(1, round(width / 40))
            )
        card.paste(portrait, (round(0.2 * width), round(0.4 * width)))
        blurred = card.filter(ImageFilter.GaussianBlur(0.008 * width))
        return recompress(40)(face._replace(image=blurred.convert("RGB")))

    return degrade


def recompress(quality: int) -> Callable[[Face], Image.Image]:
    """Save as a JPEG of low quality."""

    def degrade(face: Face) -> Image.Image:
        out = io.BytesIO()
        face.image.save(out, "JPEG", quality=quality)
        return Image.open(out).convert("RGB")

    return degrade


def blur(part: float) -> Callable[[Face], Image.Image]:
    """Blur with a Gaussian whose width is a fraction of the face's width."""
    return lambda face: face.image.filter(ImageFilter.GaussianBlur(part * face.width))


def move(part: float) -> Callable[[Face], Image.Image]:
    """Apply motion blur of a fraction of the face's width, in a random direction."""

    def degrade(face: Face) -> Image.Image:
        length, angle = part * face.width, face.random.uniform(0, math.pi)
        steps = max(2, math.ceil(2 * length))
        total = np.zeros((face.image.height, face.image.width, 3))
        for step in np.linspace(-0.5, 0.5, steps):
            shift = (step * length * math.cos(angle), step * length * math.sin(angle))
            total += np.asarray(
                face.image.transform(
                    face.image.size,
                    Image.Transform.AFFINE,
                    (1, 0, shift[0], 0, 1, shift[1]),
                    Image.Resampling.BILINEAR,
                )
            )
        return Image.fromarray((total / steps).astype(np.uint8))

    return degrade


def expose(gain: float, noise: float) -> Callable[[Face], Image.Image]:
    """Multiply the brightness, add noise (standard deviation in gray levels), and clip."""

    def degrade(face: Face) -> Image.Image:
        pixels = gain * np.asarray(face.image).astype(float)
        pixels += face.random.normal(0, noise, pixels.shape)
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    return degrade


def put_on_sunglasses(face: Face) -> Image.Image:
    """Cover the eyes with dark glasses, at the positions of a frontal face in its box."""
    image = face.image.copy()
    draw = ImageDraw.Draw(image)
    eyes = face.top + 0.41 * face.height
    for across in (0.28, 0.72):
        x = face.left + across * face.width
        lens = 0.22 * face.width, 0.13 * face.height
        draw.ellipse((x - lens[0], eyes - lens[1], x + lens[0], eyes + lens[1]), fill=(18, 18, 20))
    draw.line(
        [
            (face.left, eyes - 0.03 * face.height),
            (face.left + face.width, eyes - 0.03 * face.height),
        ],
        fill=(18, 18, 20),
        width=max(1, round(0.03 * face.height)),
    )
    return image


CONDITIONS: dict[str, Callable[[Face], Image.Image]] = {
    "clean": lambda face: face.image,
    "JPEG 20": recompress(20),
    **{f"roll {degrees}": roll(degrees) for degrees in (10, 20, 30, 45)},
    **{f"face {pixels} px": narrow(pixels) for pixels in (40, 30)},
    "card 120 px": print_on_card(120),
    "blur": blur(0.027),
    "low light": expose(0.15, 2),
    "over-exposed": expose(2.6, 0),
    "motion 5 %": move(0.05),
    "motion 9 %": move(0.09),
    "sunglasses": put_on_sunglasses,
}


def make(out: Path, folders: Sequence[Path]) -> None:
    """Write OUT/CONDITION/PERSON/NUMBER.png."""
    people = [
        (folder, sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES))
        for top in folders
        for folder in sorted(top.iterdir())
        if folder.is_dir()
    ]
    with open_verifier("local") as verifier:
        for number, (_, pictures) in enumerate(people):
            for index, path in enumerate(pictures):
                image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
                image.thumbnail((SIDE, SIDE))
                faces = verifier.verify(image, image).probe_faces
                if not faces:
                    raise SystemExit(f"picture {index} of person {number} has no face")
                box: Any = faces[0].box
                for condition, degrade in CONDITIONS.items():
                    face = Face(
                        image,
                        *(box.left, box.top, box.right - box.left, box.bottom - box.top),
                        np.random.default_rng(zlib.crc32(f"{condition} {number} {index}".encode())),
                    )
                    target = out / condition / f"{number:03}" / f"{index:03}.png"
                    target.parent.mkdir(parents=True, exist_ok=True)
                    degrade(face).save(target, compress_level=1)


class Rates(NamedTuple):
    """The scores of pairs in one or several conditions, and how many pictures have a face."""

    mated: NDArray[np.floating]
    others: NDArray[np.floating]
    found: int
    pictures: int

    def line(self, threshold: float) -> str:
        """Return the rates as percentages; a missing score is below every threshold."""
        false_matches = int((self.others >= threshold).sum())
        false_non_matches = int((self.mated < threshold).sum())
        return (
            f"{100 * false_non_matches / len(self.mated):6.2f} {false_non_matches:5}"
            f"{100 * false_matches / len(self.others):8.3f} {false_matches:5}"
            f"{self.found:7}/{self.pictures}"
        )


def score(out: Path, threshold: float | None) -> None:
    """Print a line per condition, and one for all degraded conditions."""
    with open_verifier("local") as verifier:
        if threshold is None:
            threshold = verifier.backend.capabilities.default_threshold or 0.0
        print(f"{verifier.backend.capabilities.score_scale}, threshold {threshold:g}; percentages")
        print(f"{'':14}  FNMR count     FMR count  found")
        embedded = {name: embed(verifier, out / name) for name in CONDITIONS}
        clean, people = embedded["clean"]
        same_picture = np.eye(len(people), dtype=bool)
        all_of = []
        for condition, (probes, _) in embedded.items():
            scores = np.nan_to_num(verifier.backend.scores(probes, clean), nan=-1.0)
            same_person = people[:, None] == people[None, :]
            faces_found = int((~np.isnan(probes[:, 0])).sum())
            rates = Rates(
                scores[same_person & ~same_picture], scores[~same_person], faces_found, len(probes)
            )
            print(f"{condition:14}{rates.line(threshold)}")
            if condition != "clean":
                all_of.append(rates)
        pooled = Rates(
            np.concatenate([rates.mated for rates in all_of]),
            np.concatenate([rates.others for rates in all_of]),
            sum(rates.found for rates in all_of),
            sum(rates.pictures for rates in all_of),
        )
        print(f"{'all degraded':14}{pooled.line(threshold)}")


def embed(verifier: FaceVerifier, folder: Path) -> tuple[NDArray[np.floating], NDArray[np.str_]]:
    """Return the embeddings in one condition, and the person of each."""
    paths = sorted(folder.glob("*/*.png"))
    people = np.array([path.parent.name for path in paths])
    return verifier.backend.embeddings(paths, max_workers=1), people


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    making = commands.add_parser("make")
    making.add_argument("out", type=Path)
    making.add_argument("folders", type=Path, nargs="+")
    making.set_defaults(run=lambda options: make(options.out, options.folders))
    scoring = commands.add_parser("score")
    scoring.add_argument("out", type=Path)
    scoring.add_argument("--threshold", type=float)
    scoring.set_defaults(run=lambda options: score(options.out, options.threshold))
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
