"""Pictures for tests: built in code, with whatever must not be sent planted in them."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import PIL.ExifTags
import PIL.Image
import PIL.PngImagePlugin
from hypothesis import strategies as st

from facematch_core.backend import ImageFormat, ImageLimits

PHOTOGRAPHS = sorted((Path(__file__).parents[2] / "docs" / "photographs").glob("*.jpg"))

#: Stands for all that is private. Found in no prepared picture.
CANARY = b"52.5200-N-13.4050-E"

#: Colours of the quarters of `quartered`: top left, top right, bottom left, bottom right.
QUARTERS = {"R": (220, 20, 20), "G": (20, 200, 20), "B": (20, 20, 220), "Y": (230, 220, 20)}

#: What `corners` finds once a picture with this EXIF orientation is upright.
UPRIGHT = dict(enumerate(["RGBY", "GRYB", "YBGR", "BYRG", "RBGY", "BRYG", "YGBR", "GYRB"], start=1))


def quartered(size=(48, 32), mode="RGB"):
    """A picture of four colours: no two turns or mirrors of it look alike."""
    (width, height) = size
    picture = PIL.Image.new("RGB", size)
    for index, colour in enumerate(QUARTERS.values()):
        down, right = divmod(index, 2)
        place = right * (width // 2), down * (height // 2)
        end = width if right else width // 2, height if down else height // 2
        picture.paste(colour, (*place, *end))
    return picture.convert(mode)


def corners(picture):
    width, height = picture.size
    points = [(x, y) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]

    def nearest(colour):
        def distance(name):
            return sum(abs(a - b) for a, b in zip(QUARTERS[name], colour, strict=True))

        return min(QUARTERS, key=distance)

    return "".join(nearest(picture.convert("RGB").getpixel(point)) for point in points)


def encoded(picture, form, **options):
    file = io.BytesIO()
    if form is ImageFormat.HEIC:
        import pillow_heif

        orientation = options.pop("orientation", 1)
        holder = pillow_heif.from_bytes("RGB", picture.size, picture.convert("RGB").tobytes())
        # Not by Pillow: pillow_heif then turns the pixels and writes the orientation as well.
        holder.info["exif"] = exif(orientation)
        holder.save(file, quality=90)
    else:
        if "orientation" in options:
            options["exif"] = exif(options.pop("orientation"))
        picture.save(file, format=form.value.upper(), **options)
    return file.getvalue()


def exif(orientation):
    block = PIL.Image.Exif()
    block[PIL.ExifTags.Base.Orientation] = orientation
    block[PIL.ExifTags.Base.Make] = CANARY.decode()
    block.get_ifd(PIL.ExifTags.IFD.Exif)[PIL.ExifTags.Base.UserComment] = CANARY
    block.get_ifd(PIL.ExifTags.IFD.Exif)[PIL.ExifTags.Base.MakerNote] = CANARY
    block.get_ifd(PIL.ExifTags.IFD.GPSInfo)[PIL.ExifTags.GPS.GPSMapDatum] = CANARY.decode()
    block.get_ifd(PIL.ExifTags.IFD.GPSInfo)[PIL.ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    return block.tobytes()


def icc_profile(space, numbers=b""):
    """A colour profile that is valid in form, for this colour space (`b"RGB "`, say).

    It has a white and, if there are `numbers`, a table for colours of these.
    """
    tags = {b"wtpt": b"XYZ \0\0\0\0" + bytes.fromhex("0000f6d6000100000000d32d")}
    if numbers:
        tags[b"A2B0"] = b"mAB \0\0\0\0" + numbers
    at = 128 + 4 + 12 * len(tags)
    table = len(tags).to_bytes(4, "big")
    for name, content in tags.items():
        table += name + at.to_bytes(4, "big") + len(content).to_bytes(4, "big")
        at += len(content)
    header = at.to_bytes(4, "big").ljust(12, b"\0") + b"mntr" + space + b"XYZ "
    header = (header.ljust(36, b"\0") + b"acsp").ljust(68, b"\0") + tags[b"wtpt"][8:]
    return header.ljust(128, b"\0") + table + b"".join(tags.values())


def segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def chunk(name, content):
    checksum = zlib.crc32(name + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + name + content + checksum


def riff(name, content):
    return name + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


def jpeg_with_secrets(picture, orientation=1, **options):
    """A JPEG with the canary wherever JPEG can hide something, a second picture included."""
    small = picture.resize((8, 8)).convert("RGB")
    thumbnail = encoded(small, ImageFormat.JPEG, comment=CANARY)
    file = io.BytesIO()
    picture.save(file, "MPO", save_all=True, append_images=[small], comment=CANARY, **options)
    plain = file.getvalue()
    jfif = plain[2:20]
    rest = plain[20:]
    assert jfif[4:8] == b"JFIF"
    pixels = (CANARY * 3)[:48]
    secrets = (
        segment(0xE0, jfif[4:16] + b"\x04\x04" + pixels),
        segment(0xE0, b"JFXX\0\x10" + thumbnail),
        segment(0xE1, b"Exif\0\0" + exif(orientation).removeprefix(b"Exif\0\0") + thumbnail),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + CANARY),
        segment(0xE2, b"FPXR\0" + CANARY),
        segment(0xE4, CANARY),
        segment(0xEB, b"JP" + CANARY),
        segment(0xED, b"Photoshop 3.0\0" + CANARY),
        segment(0xFE, CANARY),
        # Decoders skip what stands between two segments.
        CANARY,
    )
    return plain[:2] + b"".join(secrets) + rest + CANARY + thumbnail


#: A small complete file of every kind that Pillow alone can write.
SMALL_FILES = {
    "jpeg": encoded(quartered(), ImageFormat.JPEG, quality=50),
    "progressive jpeg": encoded(quartered(), ImageFormat.JPEG, progressive=True),
    "png": encoded(quartered(), ImageFormat.PNG),
    "palette png": encoded(quartered(mode="P"), ImageFormat.PNG),
    "webp": encoded(quartered(), ImageFormat.WEBP, orientation=6),
    "lossless webp": encoded(quartered(mode="RGBA"), ImageFormat.WEBP, lossless=True),
    "tiff": encoded(quartered(), ImageFormat.TIFF),
    "gif": encoded(quartered(), ImageFormat.GIF),
    "bmp": encoded(quartered(), ImageFormat.BMP),
}


@st.composite
def pictures(draw, modes=("RGB", "L", "RGBA", "LA", "P", "1", "CMYK")):
    mode = draw(st.sampled_from(modes))
    size = draw(st.integers(1, 64)), draw(st.integers(1, 64))
    # Not effect_noise: it cannot be repeated.
    noise = draw(st.randoms(use_true_random=False)).randbytes(size[0] * size[1] * 3)
    picture = PIL.Image.frombytes("RGB", size, noise)
    return picture.convert("L").convert(mode) if mode == "LA" else picture.convert(mode)


def limits():
    return st.builds(
        ImageLimits,
        formats=st.sets(st.sampled_from(ImageFormat), min_size=1),
        max_bytes=st.none() | st.integers(400, 20_000),
        max_side_px=st.none() | st.integers(20, 60),
        min_bytes=st.integers(1, 400),
        min_side_px=st.integers(1, 20),
    )
