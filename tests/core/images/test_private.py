"""Nothing but the picture is sent, wherever in the file it hides; and not one pixel changes."""

import io
import zlib

import PIL.ExifTags
import PIL.Image
import PIL.ImageCms
import PIL.PngImagePlugin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.strategies_images import (
    CANARY,
    PHOTOGRAPHS,
    SMALL_FILES,
    UPRIGHT,
    chunk,
    corners,
    encoded,
    exif,
    icc_profile,
    jpeg_with_secrets,
    pictures,
    quartered,
    riff,
    segment,
)

from facematch_core import Image, InvalidImage
from facematch_core.backend import ImageFormat
from facematch_core.images.image import ImageLimits


def png_with_secrets(picture, orientation=1, **options):
    """A PNG with the canary in texts, EXIF, XMP, private chunks and behind its end."""
    texts = PIL.PngImagePlugin.PngInfo()
    texts.add_text("Comment", CANARY.decode())
    texts.add_itxt("XML:com.adobe.xmp", CANARY.decode())
    texts.add_text("Author", CANARY.decode(), zip=True)
    plain = encoded(
        picture, ImageFormat.PNG, pnginfo=texts, exif=exif(orientation), dpi=(72, 72), **options
    )
    secrets = chunk(b"tIME", b"\x07\xe9\x01\x02\x03\x04\x05") + chunk(b"prIv", CANARY)
    return plain[:33] + secrets + plain[33:] + CANARY


def webp_with_secrets(picture, orientation=1, **options):
    """A WebP with the canary in EXIF, XMP, an unknown chunk and behind its end."""
    plain = encoded(
        picture, ImageFormat.WEBP, exif=exif(orientation), xmp=b"<x:xmpmeta>" + CANARY, **options
    )
    content = plain[8:] + riff(b"priv", CANARY)
    return b"RIFF" + len(content).to_bytes(4, "little") + content + CANARY


WITH_SECRETS = {
    ImageFormat.JPEG: jpeg_with_secrets,
    ImageFormat.PNG: png_with_secrets,
    ImageFormat.WEBP: webp_with_secrets,
}


ANYTHING = ImageLimits(formats=frozenset(ImageFormat))
JPEG, PNG, PALETTE = (SMALL_FILES[name] for name in ("jpeg", "png", "palette png"))
WEBP = encoded(quartered(), ImageFormat.WEBP)
LOSSLESS = encoded(quartered(), ImageFormat.WEBP, lossless=True)
CMYK = encoded(quartered(mode="CMYK"), ImageFormat.JPEG)
RGB = icc_profile(b"RGB ")


def decoded(data):
    """The pixels as Pillow decodes them, with the palette and transparency that belong to them."""
    with PIL.Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture.mode, picture.size, picture.convert("RGBA").tobytes()


def sent(data, limits=ANYTHING):
    return Image.from_bytes(data).prepared(limits)


# --- What files of the usual form hold ---


@pytest.mark.parametrize("form", WITH_SECRETS)
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_metadata_is_removed(form, orientation):
    data = WITH_SECRETS[form](quartered(), orientation)
    upright_corners = UPRIGHT[orientation]
    assert data.count(CANARY) >= 4
    image = Image.from_bytes(data)
    prepared = sent(data)
    assert CANARY not in prepared.data
    assert prepared.format is form
    assert prepared.upright_size == image.upright_size
    # A new file holds it upright; a JPEG is no new one.
    orientation = orientation if form is ImageFormat.JPEG else 1
    assert prepared.orientation == orientation
    assert corners(prepared.to_pil()) == corners(image.to_pil()) == upright_corners
    with PIL.Image.open(io.BytesIO(prepared.data)) as picture:
        assert dict(picture.getexif()) == ({} if orientation == 1 else {0x112: orientation})
        assert not {"xmp", "comment", "photoshop", "mp"} & picture.info.keys()
        assert getattr(picture, "n_frames", 1) == 1


@pytest.mark.parametrize("form", WITH_SECRETS)
@settings(max_examples=25)
@given(data=st.data())
def test_removing_metadata_keeps_every_pixel(form, data):
    modes = {"jpeg": ("RGB", "L", "CMYK"), "webp": ("RGB", "RGBA")}
    picture = data.draw(pictures(modes.get(form, ("RGB", "L", "RGBA", "LA", "P", "1"))))
    options = {"lossless": True} if form is ImageFormat.WEBP else {}
    if form is ImageFormat.JPEG:
        options["quality"] = data.draw(st.integers(1, 100))
        options["progressive"] = data.draw(st.booleans())
    if picture.mode == "CMYK":
        given_file = encoded(picture, form, **options)
    else:
        given_file = WITH_SECRETS[form](picture, **options)
    new = sent(given_file).data
    assert CANARY not in new
    assert decoded(new) == decoded(given_file)
    assert sent(new).data == new


@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_photographs_keep_pixels_and_profile(path):
    image = Image.read(path)
    new = image.prepared()
    assert decoded(new.data) == decoded(image.data)
    for text in (b"Photoshop", b"ns.adobe.com", b"Exif"):
        assert text not in new.data
    assert (b"ICC_PROFILE" in new.data) == (b"ICC_PROFILE" in image.data)


def test_lossy_webp_without_transparency_is_not_re_encoded():
    assert sent(WEBP).data == WEBP


def test_webp_keeps_its_colour_profile():
    with_profile = webp_with_secrets(quartered(), icc_profile=RGB)
    prepared = sent(with_profile)
    assert decoded(prepared.data) == decoded(with_profile)
    assert sent(prepared.data).data == prepared.data
    assert CANARY not in prepared.data
    assert prepared.to_pil().info["icc_profile"] == RGB


def test_transparent_webp_is_re_encoded_once():
    prepared = sent(TRANSPARENT)
    assert prepared.format == "webp"
    assert prepared.prepared() is prepared
    assert corners(prepared.to_pil()) == UPRIGHT[1]


# --- What stays of a JPEG or PNG ---


START_OF_SCAN = 0xDA


def markers_before_the_scan(jpeg):
    markers = []
    start = 2
    while jpeg[start + 1] != START_OF_SCAN:
        markers.append(jpeg[start + 1])
        start += 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big")
    return markers


def chunk_names_of(png):
    chunk_names = []
    start = 8
    while start < len(png):
        chunk_names.append(png[start + 4 : start + 8])
        start += 12 + int.from_bytes(png[start : start + 4], "big")
    return chunk_names


def png_with(*chunks, data=PNG):
    return data[:33] + b"".join(chunks) + data[33:]


def oriented(orientation):
    return b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0%c\0\0\0\0\0\0" % orientation


def test_jpeg_keeps_colour_profile_and_adobe_segment():
    profile = b"ICC_PROFILE\0\1\1" + RGB
    adobe_start = CMYK.index(b"\xff\xee")
    segments = segment(0xE2, profile) + segment(0xE2, b"FPXR\0")
    segments += segment(0xEE, b"Adobe" + b"\0\x64\0\0\0\0\0" + CANARY)
    segments += segment(0xEE, b"Other" + b"\0" * 20)
    data = CMYK[:adobe_start] + segments + CMYK[adobe_start + 16 :]
    new = sent(data).data
    assert profile in new
    assert CANARY not in new
    assert [marker for marker in markers_before_the_scan(new) if marker >= 0xE0] == [0xE2, 0xEE]
    assert decoded(new) == decoded(data)


def test_png_keeps_profile_palette_and_transparency():
    data = png_with_secrets(quartered(mode="P"), icc_profile=RGB, transparency=1)
    data = png_with(chunk(b"gAMA", b"\0\0\xb1\x8f"), data=data)
    new = sent(data).data
    assert chunk_names_of(new) == [b"IHDR", b"iCCP", b"PLTE", b"tRNS", b"IDAT", b"IEND"]
    assert decoded(new) == decoded(data)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_tiff_orientation_is_applied_once(orientation):
    image = Image.from_bytes(encoded(quartered(), ImageFormat.TIFF, tiffinfo={274: orientation}))
    assert corners(image.prepared().to_pil()) == corners(image.to_pil()) == UPRIGHT[orientation]


def test_png_orientation_after_the_pixels_is_applied():
    image = Image.from_bytes(PNG[:-12] + chunk(b"eXIf", oriented(3)) + PNG[-12:])
    assert image.orientation == 3
    assert corners(image.prepared().to_pil()) == UPRIGHT[3]


# --- Where something hides that the form allows, or does not ---

TABLE = b"\xff\xdb"


def inserted(mark, *new, data=JPEG):
    start = data.index(mark)
    return data[:start] + b"".join(new) + data[start:]


def pixels_of(png):
    start = png.index(b"IDAT")
    return png[start + 4 : start + 4 + int.from_bytes(png[start - 4 : start], "big")]


def idat(content):
    return PNG[:33] + chunk(b"IDAT", content) + PNG[-12:]


def palette_with(*chunks):
    """A PNG with these in place of what is between its header and its pixels."""
    return PALETTE[:33] + b"".join(chunks) + PALETTE[PALETTE.index(b"IDAT") - 4 :]


def frame(webp, content_end=b""):
    assert webp[12:15] == b"VP8"
    assert webp[15:16] in b" L"
    return riff(webp[12:16], webp[20 : 20 + int.from_bytes(webp[16:20], "little")] + content_end)


def webp_of(flags, *chunks, header_end=b""):
    """A WebP of these chunks and, unless `flags` is None, a header for 48 x 32 pixels."""
    header = riff(b"VP8X", bytes([flags or 0, 0, 0, 0, 47, 0, 0, 31, 0, 0]) + header_end)
    content = b"WEBP" + (b"" if flags is None else header) + b"".join(chunks)
    return b"RIFF" + len(content).to_bytes(4, "little") + content


OPAQUE = b"\0" + b"\xff" * (48 * 32)
ALPHA = riff(b"ALPH", OPAQUE)
ODD_ALPHA = riff(b"ALPH", b"\1" + CANARY)
TRANSPARENT = webp_of(0x10, ALPHA, frame(WEBP))
TOO_LONG = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"mDCV": 24, b"cLLI": 8, b"tRNS": 6}

SECOND_JFIF = segment(0xE0, b"JFIF\0" + CANARY[:7] + b"\0\0")

HIDING = {
    "JPEG second JFIF segment": JPEG[:20] + SECOND_JFIF * 3 + JPEG[20:],
    **{
        f"JPEG segment {marker:X}": inserted(TABLE, segment(marker, CANARY))
        for marker in (0x02, 0xC8, 0xCC, 0xDC, 0xDE, 0xDF, 0xF0)
    },
    **{
        f"PNG {name.decode()} that is too long": png_with(chunk(name, b"\0" * size + CANARY))
        for name, size in TOO_LONG.items()
    },
    "PNG palette without a use": png_with(chunk(b"PLTE", CANARY[:18])),
    "PNG palette that is too long": palette_with(chunk(b"PLTE", b"\0" * 768 + CANARY[:18])),
    "PNG transparency of a palette": inserted(
        PALETTE[PALETTE.index(b"IDAT") - 4 :], chunk(b"tRNS", b"\xff" * 256 + CANARY), data=PALETTE
    ),
    "PNG IEND": PNG[:-12] + chunk(b"IEND", CANARY),
    "PNG IDAT behind its pixels": PNG[:-12] + chunk(b"IDAT", CANARY) + PNG[-12:],
    "PNG IDAT with more rows": idat(zlib.compress(zlib.decompress(pixels_of(PNG)) + CANARY, 0)),
    "PNG IDAT that is no stream": idat(CANARY),
    "PNG IDAT behind its stream": idat(pixels_of(PNG) + CANARY),
    "PNG profile's name": png_with(chunk(b"iCCP", CANARY + b"\0\0" + zlib.compress(RGB))),
    "PNG profile's end": png_with(chunk(b"iCCP", b"name\0\0" + zlib.compress(RGB) + CANARY)),
    "PNG text of a test card": png_with(chunk(b"tEXt", b"facematch-card\0" + CANARY)),
    "WebP VP8L": webp_of(None, frame(LOSSLESS, CANARY)),
    "WebP header": webp_of(0, frame(WEBP), header_end=CANARY),
    "WebP transparency without its flag": webp_of(
        0, riff(b"ALPH", OPAQUE[: -len(CANARY)] + CANARY), frame(WEBP)
    ),
    "WebP transparency twice": webp_of(0x10, ALPHA, ODD_ALPHA, frame(WEBP)),
    "WebP transparency beside VP8L": webp_of(0x10, ODD_ALPHA, frame(LOSSLESS)),
    "WebP transparency that is too long": webp_of(
        0x10, riff(b"ALPH", OPAQUE + CANARY + b"\0" * 80), frame(WEBP)
    ),
    "WebP compressed transparency": webp_of(0x10, ODD_ALPHA, frame(WEBP)),
}


@pytest.mark.parametrize("hiding_place", HIDING)
def test_hidden_data_is_not_sent(hiding_place):
    data = HIDING[hiding_place]
    assert CANARY[:6] in data
    image = Image.from_bytes(data)
    try:
        new = image.prepared()
    except InvalidImage:
        with pytest.raises(InvalidImage, match="cannot be decoded"):
            image.to_pil()
        return
    assert CANARY[:6] not in new.data
    assert CANARY[6:12] not in new.data
    assert new.data.count(b"JFIF\0") == data[:20].count(b"JFIF\0")  # the first stays
    assert new.prepared() is new
    if not hiding_place.startswith("WebP transparency"):
        assert corners(new.to_pil()) == "RGBY"


def test_webp_that_needs_re_encoding_is_refused_without_fit():
    with pytest.raises(InvalidImage, match="can only be removed by re-encoding"):
        Image.from_bytes(TRANSPARENT).prepared(fit=False)
