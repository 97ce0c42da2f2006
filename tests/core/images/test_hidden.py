"""Nothing that is no picture is sent, wherever in the file it hides."""

import io
import zlib

import PIL.Image
import pytest
from kit.strategies_images import (
    CANARY,
    SMALL_FILES,
    chunk,
    corners,
    encoded,
    icc_profile,
    quartered,
    riff,
    segment,
)

from facematch_core import Image, ImageFormat, InvalidImage

JPEG, PROGRESSIVE = SMALL_FILES["jpeg"], SMALL_FILES["progressive jpeg"]
PNG, PALETTE = SMALL_FILES["png"], SMALL_FILES["palette png"]
WEBP = encoded(quartered(), ImageFormat.WEBP)
LOSSLESS = encoded(quartered(), ImageFormat.WEBP, lossless=True)
RGB = icc_profile(b"RGB ")


def before(data, mark, *new):
    """`data` with something new before the first `mark`."""
    at = data.index(mark)
    return data[:at] + b"".join(new) + data[at:]


def longer(data, marker):
    """A JPEG whose first segment of this marker holds the canary behind what it should hold."""
    at = data.index(b"\xff" + bytes([marker])) + 2
    end = at + int.from_bytes(data[at : at + 2], "big")
    return data[: at - 2] + segment(marker, data[at + 2 : end] + CANARY) + data[end:]


def png_with(name, content):
    """A PNG with one more chunk behind its header."""
    return PNG[:33] + chunk(name, content) + PNG[33:]


def pixels_of(png):
    """The compressed pixels of a PNG that has them in one chunk."""
    at = png.index(b"IDAT")
    return png[at + 4 : at + 4 + int.from_bytes(png[at - 4 : at], "big")]


def webp_of(*chunks):
    """A WebP of these chunks."""
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + len(content).to_bytes(4, "little") + content


def frame_of(webp):
    """The frame of a WebP that has nothing else."""
    assert webp[12:15] == b"VP8"
    assert webp[15:16] in b" L"
    return webp[20 : 20 + int.from_bytes(webp[16:20], "little")]


def extended(flags, more=b""):
    """The header of a WebP with more than a frame, for 48 x 32 pixels."""
    return riff(b"VP8X", bytes([flags, 0, 0, 0, 47, 0, 0, 31, 0, 0]) + more)


def icc(content, number=1, of=1):
    """A segment with a piece of a colour profile, or of what claims to be one."""
    return segment(0xE2, b"ICC_PROFILE\0" + bytes([number, of]) + content)


OPAQUE = b"\0" + b"\xff" * (48 * 32)

HIDING = {
    **{
        f"JPEG segment {marker:X}": before(JPEG, b"\xff\xdb", segment(marker, CANARY))
        for marker in (0x02, 0xC8, 0xCC, 0xDC, 0xDE, 0xDF, 0xF0)
    },
    **{
        f"JPEG {name} that is too long": longer(JPEG, marker)
        for name, marker in {"DQT": 0xDB, "DHT": 0xC4, "SOF": 0xC0, "SOS": 0xDA}.items()
    },
    "JPEG DRI": before(JPEG, b"\xff\xda", segment(0xDD, b"\0\0" + CANARY)),
    "JPEG quantisation table twice": before(
        JPEG, b"\xff\xdb", segment(0xDB, b"\0" + (CANARY * 4)[:64])
    ),
    "JPEG Huffman table twice": before(
        JPEG, b"\xff\xc4", segment(0xC4, b"\0" + bytes([0] * 15 + [len(CANARY)]) + CANARY)
    ),
    "JPEG second scan": JPEG[:-2]
    + segment(0xDA, b"\x01\x01\0\0\x3f\0")
    + CANARY
    + b"\0" * 80
    + b"\xff\xd9",
    "JPEG second Adobe": before(
        encoded(quartered(mode="CMYK"), ImageFormat.JPEG),
        b"\xff\xdb",
        segment(0xEE, b"Adobe" + CANARY[:6] + b"\0"),
        segment(0xEE, b"Adobe" + CANARY[6:12] + b"\0"),
    ),
    "JPEG before its end": JPEG[:-2] + CANARY + b"\xff\xd9",
    "JPEG behind its first scan": before(
        PROGRESSIVE, PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xc4") :], CANARY
    ),
    "JPEG profile that is none": before(JPEG, b"\xff\xdb", icc(CANARY)),
    "JPEG profile, behind it": before(JPEG, b"\xff\xdb", icc(RGB + CANARY)),
    "JPEG profile, behind its tags": before(
        JPEG, b"\xff\xdb", icc((len(RGB) + len(CANARY)).to_bytes(4, "big") + RGB[4:] + CANARY)
    ),
    "JPEG profile with a piece missing": before(JPEG, b"\xff\xdb", icc(CANARY, 1, 2)),
    "JPEG profile with pieces of no order": before(JPEG, b"\xff\xdb", icc(RGB), icc(CANARY, 2, 1)),
    **{
        f"PNG {name.decode()} that is too long": png_with(name, b"\0" * size + CANARY)
        for name, size in (
            *((b"gAMA", 4), (b"cHRM", 32), (b"sRGB", 1), (b"cICP", 4), (b"mDCV", 24)),
            *((b"cLLI", 8), (b"tRNS", 6)),
        )
    },
    "PNG palette without a use": png_with(b"PLTE", CANARY[:18]),
    "PNG palette that is too long": PALETTE[:33]
    + chunk(b"PLTE", b"\0" * 3 * 256 + CANARY[:18])
    + PALETTE[PALETTE.index(b"IDAT") - 4 :],
    "PNG transparency of a palette": before(
        PALETTE,
        PALETTE[PALETTE.index(b"IDAT") - 4 :],
        chunk(b"tRNS", b"\xff" * 256 + CANARY),
    ),
    "PNG IEND": PNG[:-12] + chunk(b"IEND", CANARY),
    "PNG IDAT behind its pixels": PNG[:-12] + chunk(b"IDAT", CANARY) + PNG[-12:],
    "PNG IDAT with more rows": PNG[:33]
    + chunk(b"IDAT", zlib.compress(zlib.decompress(pixels_of(PNG)) + CANARY, 0))
    + PNG[-12:],
    "PNG IDAT behind its stream": PNG[:33] + chunk(b"IDAT", pixels_of(PNG) + CANARY) + PNG[-12:],
    "PNG profile's name": png_with(b"iCCP", CANARY + b"\0\0" + zlib.compress(RGB)),
    "PNG profile's end": png_with(b"iCCP", b"name\0\0" + zlib.compress(RGB) + CANARY),
    "PNG profile that is none": png_with(b"iCCP", b"name\0\0" + zlib.compress(CANARY, 0)),
    "PNG text of a test card": png_with(b"tEXt", b"facematch-card\0" + CANARY),
    "WebP VP8": webp_of(riff(b"VP8 ", frame_of(WEBP) + CANARY)),
    "WebP VP8L": webp_of(riff(b"VP8L", frame_of(LOSSLESS) + CANARY)),
    "WebP header": webp_of(extended(0, CANARY), riff(b"VP8 ", frame_of(WEBP))),
    "WebP profile that is none": webp_of(
        extended(0x20), riff(b"ICCP", CANARY), riff(b"VP8 ", frame_of(WEBP))
    ),
    "WebP transparency without its flag": webp_of(
        extended(0), riff(b"ALPH", OPAQUE[: -len(CANARY)] + CANARY), riff(b"VP8 ", frame_of(WEBP))
    ),
    "WebP transparency twice": webp_of(
        extended(0x10),
        riff(b"ALPH", OPAQUE),
        riff(b"ALPH", b"\1" + CANARY),
        riff(b"VP8 ", frame_of(WEBP)),
    ),
    "WebP transparency beside VP8L": webp_of(
        extended(0x10), riff(b"ALPH", b"\1" + CANARY), riff(b"VP8L", frame_of(LOSSLESS))
    ),
    "WebP transparency that is too long": webp_of(
        extended(0x10),
        riff(b"ALPH", OPAQUE + CANARY + b"\0" * 80),
        riff(b"VP8 ", frame_of(WEBP)),
    ),
    "WebP compressed transparency": webp_of(
        extended(0x10), riff(b"ALPH", b"\1" + CANARY), riff(b"VP8 ", frame_of(WEBP))
    ),
}


@pytest.mark.parametrize("where", HIDING)
def test_what_hides_is_not_sent(where):
    """The picture is sent without it, or encoded anew, or refused if no decoder reads it."""
    data = HIDING[where]
    assert CANARY[:6] in data
    image = Image.from_bytes(data)
    try:
        sent = image.prepared()
    except InvalidImage:
        with pytest.raises(InvalidImage, match="cannot be decoded"):
            image.to_pil()
        return
    assert CANARY[:6] not in sent.data
    assert CANARY[6:12] not in sent.data
    assert sent.prepared() is sent
    if not where.startswith(("JPEG SOF", "JPEG second Adobe", "WebP transparency")):
        assert corners(sent.to_pil()) == "RGBY"
    with PIL.Image.open(io.BytesIO(sent.data)) as picture:
        assert picture.info.get("icc_profile") == (
            RGB if where.startswith("PNG profile's") else None
        )


@pytest.mark.parametrize("where", ["JPEG DQT that is too long", "WebP VP8"])
def test_without_fit_it_is_refused(where):
    """Whoever wants these very pixels to be sent learns why they are not."""
    with pytest.raises(InvalidImage, match="can only be removed by encoding it again"):
        Image.from_bytes(HIDING[where]).prepared(fit=False)


def interlaced(data, bits, palette):
    """The same as `data`, all of whose pixels are 0, in seven passes; Pillow writes no such PNG."""
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    rows = b""
    for x, y, right, down in (
        *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
        *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
    ):
        wide, high = len(range(x, width, right)), len(range(y, height, down))
        rows += b"\0" * (1 + (wide * bits + 7) // 8) * high if wide else b""
    header = chunk(b"IHDR", data[16:28] + b"\1")
    return data[:8] + header + palette + chunk(b"IDAT", zlib.compress(rows)) + data[-12:]


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (48, 32), (200, 1)])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_a_png_with_nothing_but_pixels_is_sent_as_it_is(mode, size):
    """The amount of its pixels is counted right, so that it is not written anew."""
    data = encoded(PIL.Image.new(mode, size, 1), ImageFormat.PNG, compress_level=1)
    image = Image.from_bytes(data)
    assert image.prepared(fit=False) is image


@pytest.mark.parametrize(
    ("mode", "bits"), [("1", 1), ("L", 8), ("LA", 16), ("P", 1), ("RGB", 24), ("I;16", 16)]
)
def test_an_interlaced_png_is_written_anew_without_loss(mode, bits):
    """In rows from top to bottom, whose amount is known."""
    plain = encoded(PIL.Image.new(mode, (3, 5)), ImageFormat.PNG)
    data = interlaced(plain, bits, chunk(b"PLTE", b"\0" * 6) if mode == "P" else b"")
    sent = Image.from_bytes(data).prepared(fit=False)
    with PIL.Image.open(io.BytesIO(data)) as given, PIL.Image.open(io.BytesIO(sent.data)) as new:
        assert given.convert("RGBA").tobytes() == new.convert("RGBA").tobytes()
        assert (given.mode, not given.info.get("interlace")) == (new.mode, False)
    assert sent.data[28] == 0


@pytest.mark.parametrize("pieces", [255, 256, 300])
def test_a_profile_in_more_pieces_than_can_be_numbered(pieces):
    """A number has one byte: so many pieces are no profile, and the picture is one all the same."""
    of_each = [
        segment(0xE2, b"ICC_PROFILE\0" + bytes([at % 256, pieces % 256])) for at in range(pieces)
    ]
    image = Image.from_bytes(JPEG[:2] + b"".join(of_each) + JPEG[2:])
    assert image.prepared().data == Image.from_bytes(JPEG).prepared().data
