"""Detect the format of pictures, and decode and encode them with Pillow.

`read` detects the format without decoding. `fit` brings a picture within a vendor's limits.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import math
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from facematch_core.base.extras import install_command
from facematch_core.base.masking import muted
from facematch_core.errors import InvalidImage, InvalidRequest

from .containers import (
    CutOff,
    DamagedPicture,
    Header,
    ImageFormat,
    has_no_hidden_data,
    raise_several_pictures,
    read_jpeg,
    read_png,
    read_webp,
    refuse_picture,
)

if TYPE_CHECKING:
    import PIL.Image

#: Maximum size of a file in bytes (32 MiB). Photos from phones have 2 to 12 MB.
MAX_FILE_BYTES = 32 * 1024 * 1024

#: Maximum number of pixels of a picture, checked before decoding.
MAX_PIXELS = 64_000_000

#: The formats that are read without Pillow.
_READERS = {
    ImageFormat.JPEG: read_jpeg,
    ImageFormat.PNG: read_png,
    ImageFormat.WEBP: read_webp,
}


def read(data: bytes) -> Header:
    """Return a picture's header; raise `InvalidImage` if the picture cannot be used."""
    check_size(len(data))
    image_format = _recognise(data)
    if image_format is None:
        refuse_picture(_describe_unknown(data))
    reader = _READERS.get(image_format)
    try:
        header = reader(data) if reader else _read_with_pillow(data, image_format)
    except CutOff:
        refuse_picture(
            f"is {image_format.noun} that is truncated (its end is missing after {len(data)} "
            "bytes); transfer it again, completely"
        )
    except DamagedPicture as damage:
        refuse_picture(
            f"is {image_format.noun} that cannot be used ({damage}); save it again as JPEG or PNG"
        )
    check_pixels(header.width, header.height)
    return header


def check_size(size_bytes: int) -> None:
    """Raise `InvalidImage` if a file is empty or larger than `MAX_FILE_BYTES`."""
    if size_bytes == 0:
        refuse_picture("is empty (0 bytes); check its source")
    if size_bytes > MAX_FILE_BYTES:
        refuse_picture(
            f"has more than the {MAX_FILE_BYTES} bytes that facematch reads; shrink it first"
        )


def check_pixels(width: int, height: int) -> None:
    """Raise `InvalidImage` if a picture has no pixels, or more than `MAX_PIXELS`."""
    if width < 1 or height < 1:
        refuse_picture(f"has no pixels ({width} x {height}); save it again as JPEG or PNG")
    if width * height > MAX_PIXELS:
        refuse_picture(
            f"claims {width} x {height} pixels, more than the {MAX_PIXELS} that facematch decodes; "
            "shrink it first"
        )


def _as_formats(values: Iterable[ImageFormat]) -> frozenset[ImageFormat]:
    formats = frozenset(values)
    if not formats or not all(isinstance(value, ImageFormat) for value in formats):
        raise InvalidRequest("formats must be a set of at least one ImageFormat.")
    return formats


@attrs.frozen(kw_only=True)
class ImageLimits:
    """A vendor's documented limits for pictures.

    Attributes:
        formats: Accepted formats. The default formats are accepted by nearly every vendor.
        max_bytes: Maximum file size, at least 1; None if no limit is known.
        max_bytes_from: The source of `max_bytes`, for error messages, if the vendor does not
            document it (``max_file_bytes, an assumption``); else None.
        max_side_px: Maximum length of the longer side, at least 1; None if no limit is known.
        min_bytes: Minimum file size, at least 1.
        min_side_px: Minimum length of the shorter side, at least 1. Pictures are never enlarged.

    Raises:
        InvalidRequest: a value has the wrong type or range, or no picture can meet the limits.
    """

    formats: frozenset[ImageFormat] = attrs.field(
        default=frozenset({ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP}),
        converter=_as_formats,
    )
    max_bytes: int | None = None
    max_bytes_from: str | None = None
    max_side_px: int | None = None
    min_bytes: int = 1
    min_side_px: int = 1

    def __attrs_post_init__(self) -> None:
        """Raise InvalidRequest unless all limits are whole numbers from 1, in their order."""
        for name in ("min_bytes", "min_side_px"):
            value = getattr(self, name)
            if not _is_positive(value):
                raise InvalidRequest(f"{name} must be a whole number, at least 1, not {value!r}.")
        for name in ("max_bytes", "max_side_px"):
            value = getattr(self, name)
            if value is not None and not _is_positive(value):
                raise InvalidRequest(f"{name} must be a whole number, at least 1, not {value!r}.")
        _check_range("max_side_px", self.min_side_px, self.max_side_px)
        _check_range("max_bytes", self.min_bytes, self.max_bytes)


def _is_positive(value: object) -> bool:
    return type(value) is int and value >= 1  # not a bool, which is an int, too


def _check_range(name: str, minimum: int, maximum: int | None) -> None:
    if maximum is not None and minimum > maximum:
        raise InvalidRequest(f"{name} is {maximum}, which is below the minimum of {minimum}.")


#: Sizes of a BMP's second header, to distinguish a BMP from a text that starts with "BM".
_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
# Brands of the ISO base media file format (HEIC and AVIF): an image sequence, or a still picture.
_SEQUENCE_BRANDS = {b"hevc", b"hevx", b"msf1", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
_AVIF_BRANDS = {b"avif", b"avis"}
#: First bytes of files, by format. HEIC, AVIF, WebP and BMP need a closer look.
_SIGNATURES = (
    (b"\xff\xd8\xff", ImageFormat.JPEG),
    (b"\x89PNG\r\n\x1a\n", ImageFormat.PNG),
    (b"GIF87a", ImageFormat.GIF),
    (b"GIF89a", ImageFormat.GIF),
    (b"II*\0", ImageFormat.TIFF),
    (b"MM\0*", ImageFormat.TIFF),
)


def _recognise(data: bytes) -> ImageFormat | None:
    """Return the format that the first bytes show; None if it is unknown."""
    for signature, image_format in _SIGNATURES:
        if data.startswith(signature):
            return image_format
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ImageFormat.WEBP
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return ImageFormat.BMP
    if data[4:8] != b"ftyp":
        return None
    # The first box: size, "ftyp", the main brand, its version, and the compatible brands.
    box_end = min(int.from_bytes(data[:4], "big"), len(data), 256)
    brands = {data[start : start + 4] for start in range(16, box_end, 4)}
    brands.add(data[8:12])
    if brands & _AVIF_BRANDS:
        return ImageFormat.AVIF
    if brands & _HEIC_BRANDS:
        return ImageFormat.HEIC
    return None


#: First bytes of files that are often passed by mistake: lower case, no leading white space.
_WRONG_FILES = (
    ((b"<!doctype html", b"<html"), "an HTML page", "check whether the server sent an error page"),
    ((b"{", b"["), "JSON", "pass only the picture, decoded if it is a base64 field"),
    ((b"http://", b"https://"), "a URL", "download it first, because facematch fetches no URLs"),
    (
        (b"\0\0\0\x0cjp  \r\n\x87\n", b"\xffo\xffq"),
        "a JPEG 2000, as stored in a passport chip",
        'convert it: PIL.Image.open(path).convert("RGB").save("portrait.png")',
    ),
    (
        (b"data:", b"/9j/", b"ivborw0kggo", b"uklgr"),
        "base64 text",
        "decode it first, or use Image.from_base64",
    ),
)


def _describe_unknown(data: bytes) -> str:
    """Guess the type of `data`; return the rest of an error text that starts "The picture"."""
    head = data[:1024]
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for beginnings, noun, advice in _WRONG_FILES:
        if text.startswith(beginnings):
            return f"looks like {noun}; {advice}"
    # An SVG often starts with an XML declaration, and other bytes may precede a PDF's signature.
    if b"<svg" in text:
        return "looks like an SVG drawing; export it as PNG"
    if b"%PDF-" in head:
        return "looks like a PDF document; render its page to a JPEG or PNG"
    if head[4:8] == b"ftyp" or head.startswith(b"\x1a\x45\xdf\xa3"):
        return "looks like a video; take one still picture out of it"
    if text.isascii() and all(byte > 31 or byte in b"\t\r\n" for byte in text):
        return "looks like plain text; check that it is the right file"
    return (
        "has an unknown format, judged by its first bytes; give a JPEG, PNG, WebP, HEIC, AVIF, "
        "TIFF, GIF or BMP"
    )


#: Formats whose decoders apply the orientation themselves.
_TURNED_BY_DECODER = {ImageFormat.TIFF, ImageFormat.HEIC}

# Tags of TIFF and EXIF.
_ORIENTATION = 274
_TIFF_WIDTH = 256
_TIFF_HEIGHT = 257
_TIFF_SUBFILE_TYPE = 254
_DNG_VERSION = 50706

#: Maximum number of TIFF pages to examine, above the number of thumbnails that cameras embed.
_MAX_PAGES = 32

#: Formats for encoding, the best for photos first.
_ENCODED_FORMATS = (
    ImageFormat.JPEG,
    ImageFormat.WEBP,
    ImageFormat.PNG,
    ImageFormat.TIFF,
    ImageFormat.BMP,
)
_LOSSY = {ImageFormat.JPEG, ImageFormat.WEBP}
#: Maximum side in pixels, as limited by the format (WebP) or its encoder (libjpeg).
_MAX_SIDES = {ImageFormat.JPEG: 65_500, ImageFormat.WEBP: 16_383}
#: Qualities to try before the picture is shrunk. Faces stay recognisable at 75. Below that, fewer
#: pixels do less harm than stronger compression.
_QUALITIES = (95, 85, 75)
#: Modes that PNG supports.
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}

#: Pillow's loggers that log the contents of files.
_PILLOW_LOGGERS = ("PIL.ImageFile", "PIL.PngImagePlugin", "PIL.TiffImagePlugin")


@contextlib.contextmanager
def _pillow_errors(image_format: ImageFormat, problem: str | None = None) -> Iterator[None]:
    """Convert Pillow's errors to `InvalidImage`, and keep a picture's content out of the logs.

    `problem` is the text of the `InvalidImage`; None if the picture cannot be decoded.
    """
    try:
        with muted(*_PILLOW_LOGGERS):
            yield
    except (InvalidImage, MemoryError, DamagedPicture):
        raise
    except Exception:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error ...
        # Leave out Pillow's message, which may quote bytes of the picture.
        refuse_picture(
            problem
            or f"is {image_format.noun} whose pixels cannot be decoded, so it is probably damaged "
            "or truncated; transfer it again, or save it again as JPEG or PNG"
        )


def _open_with_pillow(data: bytes, image_format: ImageFormat) -> Any:
    """Return Pillow's image, or pillow-heif's file, without decoding the pixels."""
    if image_format is ImageFormat.HEIC:
        try:
            import pillow_heif
        except ImportError:
            refuse_picture(f"is a HEIC; to read it, {install_command('heif')}")
        # Not register_heif_opener(), which changes Pillow for the whole process.
        return pillow_heif.open_heif(io.BytesIO(data))
    if image_format is ImageFormat.AVIF:
        import PIL.features

        if not PIL.features.check("avif"):
            refuse_picture(
                "is an AVIF, which the installed Pillow cannot read; install 11.3 or later"
            )
    # Not `PIL.Image.open`, which checks the size against a global limit.
    name = "WebP" if image_format is ImageFormat.WEBP else image_format.value.title()
    pillow_module = importlib.import_module(f"PIL.{name}ImagePlugin")
    return getattr(pillow_module, f"{name}ImageFile")(io.BytesIO(data))


def _read_with_pillow(data: bytes, image_format: ImageFormat) -> Header:
    """Return the header of a TIFF, GIF, BMP, HEIC or AVIF."""
    if data[8:12] in _SEQUENCE_BRANDS and data[4:8] == b"ftyp":
        raise_several_pictures(image_format)
    with _pillow_errors(image_format):
        picture = _open_with_pillow(data, image_format)
        if image_format is ImageFormat.TIFF:
            return _read_tiff(picture)
        width, height = picture.size
        if image_format is ImageFormat.HEIC:
            return Header(image_format, width, height)  # its decoder turns it upright
        if getattr(picture, "is_animated", False):
            raise_several_pictures(image_format)
        orientation = _valid_orientation(picture.getexif().get(_ORIENTATION))
        return Header(image_format, width, height, orientation)


def _read_tiff(picture: Any) -> Header:
    """Return a TIFF's size and orientation; refuse a camera's raw data, and several pictures."""
    # The tags must be read before further pages are looked for: seeking replaces them.
    tags = picture.tag_v2
    if _DNG_VERSION in tags:
        raise DamagedPicture("it is the raw data of a camera")
    header = Header(
        ImageFormat.TIFF,
        # Pillow's `size` may be that of the turned picture.
        tags[_TIFF_WIDTH],
        tags[_TIFF_HEIGHT],
        _valid_orientation(tags.get(_ORIENTATION)),
    )
    if _has_second_picture(picture):
        raise_several_pictures(ImageFormat.TIFF)
    return header


def _valid_orientation(value: Any) -> int:
    """Return an EXIF orientation; 1 (upright) for a missing or invalid value."""
    return value if value in range(1, 9) else 1


def _has_second_picture(tiff: Any) -> bool:
    """Return whether a TIFF has a second page, not counting thumbnails that cameras add."""
    for page in range(1, _MAX_PAGES):
        try:
            tiff.seek(page)
        except EOFError:
            return False
        is_thumbnail = tiff.tag_v2.get(_TIFF_SUBFILE_TYPE, 0) & 1
        if not is_thumbnail:
            return True
    return True  # more pages than the thumbnails of any camera


def decode(data: bytes, header: Header, most_pixels: int | None = None) -> PIL.Image.Image:
    """Decode a picture, upright, in mode RGB. Its `info` contains at most an RGB ``icc_profile``.

    A JPEG with more than `most_pixels` is decoded at 1/2, 1/4 or 1/8 of its size, but not below
    `most_pixels`. This takes a tenth of the time.
    """
    with _pillow_errors(header.format):
        picture = _load_pixels(data, header, most_pixels)
        profile = picture.info.get("icc_profile") or b""
        is_rgb = picture.mode == "RGB" and "transparency" not in picture.info
        rgb = picture if is_rgb else _to_rgb(picture)
        # Bytes 16 to 19 of a profile name the colours that it is for.
        rgb.info = {"icc_profile": profile} if profile[16:20] == b"RGB " else {}
        return rgb


def remove_metadata(data: bytes, header: Header) -> bytes | None:
    """Return the file without metadata; None if metadata cannot be removed without loss."""
    if header.can_send_clean:
        clean = b"".join(header.clean_pieces)
        if header.format is not ImageFormat.PNG or has_no_hidden_data(clean):
            return clean
    if not header.is_lossless:
        return None
    with _pillow_errors(header.format):
        encoded = _encode_lossless(_load_pixels(data, header), header.format)
    # The file may grow, because another program may have compressed it better than Pillow does.
    return encoded if len(encoded) <= MAX_FILE_BYTES else None


def _load_pixels(data: bytes, header: Header, most_pixels: int | None = None) -> PIL.Image.Image:
    """Decode a picture, upright, in its own mode. For `most_pixels` see `decode`."""
    # Decode the file without metadata, because metadata could make Pillow fail.
    picture = _open_with_pillow(b"".join(header.clean_pieces) or data, header.format)
    # Compare the size with the header before pixels are allocated. A decoder that applies the
    # orientation may swap the sides.
    is_turned_by_decoder = header.format in _TURNED_BY_DECODER
    if not is_turned_by_decoder and picture.size != (header.width, header.height):
        raise ValueError
    width, height = picture.size
    check_pixels(width, height)
    if header.format is ImageFormat.HEIC:
        picture = picture.to_pillow()
    pixels = header.width * header.height
    if header.format is ImageFormat.JPEG and most_pixels is not None and pixels > most_pixels:
        factor = math.sqrt(most_pixels / pixels)
        picture.draft(None, _scale(picture.size, factor))
    picture.load()
    return picture if is_turned_by_decoder else _turn_upright(picture, header.orientation)


def _encode_lossless(picture: PIL.Image.Image, image_format: ImageFormat) -> bytes:
    """Encode as lossless PNG or WebP, with the colour profile but without metadata."""
    plain = picture.copy()
    plain.info = {}
    for key in ("transparency", "icc_profile"):
        if picture.info.get(key) is not None:
            plain.info[key] = picture.info[key]
    if image_format is ImageFormat.WEBP:
        # `exact` preserves the colours of fully transparent pixels.
        return _encode(plain, image_format, lossless=True, exact=True)
    return _encode(plain, image_format)


def encode_png(picture: object) -> bytes:
    """Encode a Pillow image as lossless PNG, upright; unsupported modes become RGB."""
    import PIL.Image

    if not isinstance(picture, PIL.Image.Image):
        refuse_picture(f"must be a PIL.Image.Image, not {type(picture).__name__}")
    check_pixels(*picture.size)
    problem = f"(mode {picture.mode}) cannot be encoded as PNG; convert it to RGB first"
    with _pillow_errors(ImageFormat.PNG, problem):
        # Load before reading EXIF, because some decoders apply the orientation on load.
        picture.load()
        plain = picture
        if picture.mode not in _PNG_MODES:
            plain = _to_rgb(picture)
            plain.info = {}  # profile and transparency belong to the original mode
        upright = _turn_upright(plain, picture.getexif().get(_ORIENTATION, 1))
        return _encode_lossless(upright, ImageFormat.PNG)


#: Photos with more pixels are decoded at a reduced size if they must be re-encoded.
_PIXELS_TO_DECODE = 12_000_000


def fit(
    data: bytes, header: Header, formats: Collection[ImageFormat], limits: ImageLimits
) -> bytes:
    """Re-encode a picture, upright and within limits: reduce the quality first, then the size."""
    from PIL.Image import Resampling

    target = next((candidate for candidate in _ENCODED_FORMATS if candidate in formats), None)
    if target is None:
        refuse_picture(f"needs re-encoding, but none of {list_formats(formats)} can be written")
    max_bytes = min(limits.max_bytes or MAX_FILE_BYTES, MAX_FILE_BYTES)
    picture = decode(data, header, _PIXELS_TO_DECODE)
    # Drop a large colour profile (usually a printer's) to leave more bytes for the face.
    is_small_profile = len(picture.info.get("icc_profile", b"")) <= max_bytes // 4
    info = picture.info if is_small_profile else {}
    options_to_try: list[dict[str, int]] = [{}]
    if target in _LOSSY:
        options_to_try = [{"quality": quality} for quality in _QUALITIES]
    size = _largest_size(picture.size, target, limits.max_side_px)
    while min(size) >= limits.min_side_px:
        scaled = picture
        if size != picture.size:
            scaled = picture.resize(size, Resampling.LANCZOS, reducing_gap=3)
        scaled.info = info
        for options in options_to_try:
            encoded = _encode(scaled, target, **options)
            if len(encoded) <= max_bytes:
                return encoded
        # `encoded` is the smallest file of this size, with the lowest quality.
        # The file shrinks slightly less than the pixel count, so aim below the limit.
        factor = min(0.9, 0.98 * math.sqrt(max_bytes / len(encoded)))
        smaller_size = _scale(size, factor)
        if smaller_size == size:
            break
        size = smaller_size
    return refuse_picture(
        f"cannot be brought within {max_bytes} bytes without its shorter side falling below "
        f"{limits.min_side_px} pixels; take another picture"
    )


def _largest_size(
    size: tuple[int, int], target: ImageFormat, max_side_px: int | None
) -> tuple[int, int]:
    """Return the largest size, at most `size`, within the limits of the vendor and `target`."""
    longer_side = max(size)
    max_side_px = min(max_side_px or longer_side, _MAX_SIDES.get(target, longer_side))
    return _scale(size, min(1.0, max_side_px / longer_side))


def list_formats(formats: Collection[ImageFormat]) -> str:
    """Return the names of formats for a sentence, in the order of `ImageFormat`."""
    return ", ".join(member.label for member in ImageFormat if member in formats)


def _encode(picture: PIL.Image.Image, image_format: ImageFormat, **options: Any) -> bytes:
    """Encode a picture with the profile and transparency in its `info`, and Pillow's options."""
    if image_format is ImageFormat.TIFF:
        options["compression"] = "tiff_adobe_deflate"
    # Pass `info` as options, because Pillow reads it only for some formats and versions.
    for key, value in picture.info.items():
        options[str(key)] = value
    file = io.BytesIO()
    picture.save(file, format=image_format.value.upper(), **options)
    return file.getvalue()


def _scale(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Return width and height times `factor`, rounded down, at least 1."""
    width, height = size
    return max(1, int(width * factor)), max(1, int(height * factor))


#: The `PIL.Image.Transpose` values that turn a picture upright, by EXIF orientation.
_TRANSPOSE = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}


def _turn_upright(picture: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    from PIL.Image import Transpose

    method = _TRANSPOSE.get(orientation)
    return picture if method is None else picture.transpose(Transpose(method))


def _to_rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Return a picture in RGB: 16 bits are scaled, what is transparent is white.

    Refuse floating-point pixels, whose range is not known.
    """
    import PIL.Image

    if picture.mode == "F":
        refuse_picture(
            "has floating-point pixels of unknown range; scale them and convert it to RGB"
        )
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        # Scale first, because `convert` would clip all values above 255.
        grey = picture.convert("I").point(lambda value: value * (1 / 257)).convert("L")
        return grey.convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", layer.size, "white")
        white.alpha_composite(layer)
        return white.convert("RGB")
    return picture.convert("RGB")
