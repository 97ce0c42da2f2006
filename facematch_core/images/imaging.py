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

from . import containers as _containers
from .containers import Damaged, Header, ImageFormat, refuse

if TYPE_CHECKING:
    import PIL.Image

#: Maximum size of a file in bytes (32 MiB). Photos from phones have 2 to 12 MB.
MAX_FILE_BYTES = 32 * 1024 * 1024

#: Maximum number of pixels of a picture, checked before decoding.
MAX_PIXELS = 64_000_000

_READERS = {
    ImageFormat.JPEG: _containers.read_jpeg,
    ImageFormat.PNG: _containers.read_png,
    ImageFormat.WEBP: _containers.read_webp,
}


def read(data: bytes) -> Header:
    """Return a picture's header; raise `InvalidImage` if the picture cannot be used."""
    check_size(len(data))
    form = _recognise(data)
    if form is None:
        refuse(_describe_unknown(data))
    reader = _READERS.get(form)
    try:
        header = reader(data) if reader else _read_by_pillow(data, form)
    except _containers.CutOff:
        refuse(
            f"is {form.noun} that is truncated (its end is missing after {len(data)} bytes); "
            "transfer it again, completely"
        )
    except Damaged as damage:
        refuse(f"is {form.noun} that cannot be used ({damage}); save it again as JPEG or PNG")
    check_pixels(header.width, header.height)
    return header


def check_size(size: int) -> None:
    if size == 0:
        refuse("is empty (0 bytes); check its source")
    if size > MAX_FILE_BYTES:
        refuse(f"has more than the {MAX_FILE_BYTES} bytes that facematch reads; shrink it first")


def check_pixels(width: int, height: int) -> None:
    if width < 1 or height < 1:
        refuse(f"has no pixels ({width} x {height}); save it again as JPEG or PNG")
    if width * height > MAX_PIXELS:
        refuse(
            f"claims {width} x {height} pixels, more than the {MAX_PIXELS} that facematch decodes; "
            "shrink it first"
        )


def _as_formats(value: Iterable[ImageFormat]) -> frozenset[ImageFormat]:
    formats = frozenset(value)
    if not formats or not all(isinstance(form, ImageFormat) for form in formats):
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
        max_pixels: Maximum width times height, at least 1; None if no limit is known.
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
    max_pixels: int | None = None
    max_side_px: int | None = None
    min_bytes: int = 1
    min_side_px: int = 1

    def __attrs_post_init__(self) -> None:
        for name in ("max_bytes", "max_pixels", "max_side_px", "min_bytes", "min_side_px"):
            value, is_optional = getattr(self, name), name.startswith("max_")
            if (type(value) is not int or value < 1) and not (is_optional and value is None):
                raise InvalidRequest(f"{name} must be a whole number, at least 1, not {value!r}.")
        for few, many, name in (
            (self.min_side_px, self.max_side_px, "max_side_px"),
            (self.min_side_px**2, self.max_pixels, "max_pixels"),
            (self.min_bytes, self.max_bytes, "max_bytes"),
        ):
            if many is not None and few > many:
                raise InvalidRequest(f"{name} is {many}, which is below the minimum of {few}.")


#: Sizes of a BMP's second header, to distinguish a BMP from a text that starts with "BM".
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
_MOVING_BRANDS = {b"hevc", b"hevx", b"msf1", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
_AVIF_BRANDS = {b"avif", b"avis"}
_MAGICS = (
    (b"\xff\xd8\xff", ImageFormat.JPEG),
    (b"\x89PNG\r\n\x1a\n", ImageFormat.PNG),
    (b"GIF87a", ImageFormat.GIF),
    (b"GIF89a", ImageFormat.GIF),
    (b"II*\0", ImageFormat.TIFF),
    (b"MM\0*", ImageFormat.TIFF),
)


def _recognise(data: bytes) -> ImageFormat | None:
    for magic, form in _MAGICS:
        if data.startswith(magic):
            return form
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ImageFormat.WEBP
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        return ImageFormat.BMP
    if data[4:8] != b"ftyp":
        return None
    size = min(int.from_bytes(data[:4], "big"), len(data), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, size, 4))}
    if brands & _AVIF_BRANDS:
        return ImageFormat.AVIF
    return ImageFormat.HEIC if brands & _HEIC_BRANDS else None


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
    for first, what, advice in _WRONG_FILES:
        if text.startswith(first):
            return f"looks like {what}; {advice}"
    # An SVG often starts with an XML declaration, and other bytes may precede a PDF's signature.
    if b"<svg" in text:
        return "looks like an SVG drawing; export it as PNG"
    if b"%PDF-" in head:
        return "looks like a PDF document; render its page to a JPEG or PNG"
    if head[4:8] == b"ftyp" or head.startswith(b"\x1a\x45\xdf\xa3"):
        return "looks like a video; take one still picture out of it"
    if text.isascii() and all(byte > 31 or byte in b"\t\r\n" for byte in text):
        return "looks like plain text; check that it is the right file"
    known = "give a JPEG, PNG, WebP, HEIC, AVIF, TIFF, GIF or BMP"
    return f"has an unknown format, judged by its first bytes; {known}"


#: Formats whose decoders apply the orientation themselves.
_TURNED_BY_DECODER = {ImageFormat.TIFF, ImageFormat.HEIC}
_EXIF_ORIENTATION, _TIFF_WIDTH, _TIFF_HEIGHT = 274, 256, 257
_TIFF_SUBFILE_TYPE, _DNG_VERSION = 254, 50706
#: Maximum number of TIFF pages to examine, above the number of thumbnails that cameras embed.
_MOST_PAGES = 32

#: Formats for encoding, the best for photos first.
_TARGETS = tuple(map(ImageFormat, ("jpeg", "webp", "png", "tiff", "bmp")))
_LOSSY = {ImageFormat.JPEG, ImageFormat.WEBP}
#: Maximum side in pixels, as limited by the format (WebP) or its encoder (libjpeg).
_MAX_SIDES = {ImageFormat.JPEG: 65_500, ImageFormat.WEBP: 16_383}
#: Qualities to try before the picture is shrunk. Faces stay recognisable at 75. Below that, fewer
#: pixels do less harm than stronger compression.
_QUALITIES = (95, 85, 75)
#: Modes that PNG supports.
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}

#: Pillow's loggers that log the contents of files.
_LOGGERS = ("PIL.ImageFile", "PIL.PngImagePlugin", "PIL.TiffImagePlugin")


@contextlib.contextmanager
def _pillow(form: ImageFormat, why: str | None = None) -> Iterator[None]:
    """Convert Pillow's errors to `InvalidImage`, and keep a picture's content out of the logs."""
    try:
        with muted(*_LOGGERS):
            yield
    except (InvalidImage, MemoryError, Damaged):
        raise
    except Exception:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error ...
        # Leave out Pillow's message, which may quote bytes of the picture.
        refuse(
            why
            or f"is {form.noun} whose pixels cannot be decoded, so it is probably damaged or "
            "truncated; transfer it again, or save it again as JPEG or PNG"
        )


def _open_picture(data: bytes, form: ImageFormat) -> Any:
    if form is ImageFormat.HEIC:
        try:
            import pillow_heif
        except ImportError:
            refuse(f"is a HEIC; to read it, {install_command('heif')}")
        # Not register_heif_opener(), which changes Pillow for the whole process.
        return pillow_heif.open_heif(io.BytesIO(data))
    if form is ImageFormat.AVIF:
        import PIL.features

        if not PIL.features.check("avif"):
            refuse("is an AVIF, which the installed Pillow cannot read; install 11.3 or later")
    # Not `PIL.Image.open`, which checks the size against a global limit.
    name = "WebP" if form is ImageFormat.WEBP else form.value.title()
    plugin = importlib.import_module(f"PIL.{name}ImagePlugin")
    return getattr(plugin, f"{name}ImageFile")(io.BytesIO(data))


def _read_by_pillow(data: bytes, form: ImageFormat) -> Header:
    if data[8:12] in _MOVING_BRANDS and data[4:8] == b"ftyp":
        _containers.refuse_several(form)
    with _pillow(form):
        picture = _open_picture(data, form)
        size, orientation = picture.size, 1
        if form is ImageFormat.TIFF:
            tags = picture.tag_v2
            if _DNG_VERSION in tags:
                raise Damaged("it is the raw data of a camera")
            size = tags[_TIFF_WIDTH], tags[_TIFF_HEIGHT]
            orientation = tags.get(_EXIF_ORIENTATION)
            if _has_several_pages(picture):
                _containers.refuse_several(form)
        elif form is not ImageFormat.HEIC:
            if getattr(picture, "is_animated", False):
                _containers.refuse_several(form)
            orientation = picture.getexif().get(_EXIF_ORIENTATION)
        width, height = size
        return Header(form, width, height, orientation if orientation in range(1, 9) else 1)


def _has_several_pages(tiff: Any) -> bool:
    """Return whether a TIFF has a second page, not counting thumbnails that cameras add."""
    with contextlib.suppress(EOFError):
        for page in range(1, _MOST_PAGES):
            tiff.seek(page)
            if not tiff.tag_v2.get(_TIFF_SUBFILE_TYPE, 0) & 1:
                break
        return True
    return False


def decode(data: bytes, header: Header, most_pixels: int | None = None) -> PIL.Image.Image:
    """Decode a picture, upright, in mode RGB. Its `info` contains at most an RGB ``icc_profile``.

    A JPEG with more than `most_pixels` is decoded at 1/2, 1/4 or 1/8 of its size, but not below
    `most_pixels`. This takes a tenth of the time.
    """
    with _pillow(header.format):
        picture = _load_pixels(data, header, most_pixels)
        profile = picture.info.get("icc_profile") or b""
        is_rgb = picture.mode == "RGB" and "transparency" not in picture.info
        rgb = picture if is_rgb else _to_rgb(picture)
        rgb.info = {"icc_profile": profile} if profile[16:20] == b"RGB " else {}
        return rgb


def remove_metadata(data: bytes, header: Header) -> bytes | None:
    """Return the file without metadata; None if metadata cannot be removed without loss."""
    plain, is_png = b"".join(header.kept), header.format is ImageFormat.PNG
    if header.is_sent and (not is_png or _containers.is_only_pixels(plain)):
        return plain
    if not header.is_lossless:
        return None
    with _pillow(header.format):
        new = _encode_lossless(_load_pixels(data, header), header.format)
    # The file may grow, because another program may have compressed it better than Pillow does.
    return new if len(new) <= MAX_FILE_BYTES else None


def _load_pixels(data: bytes, header: Header, most_pixels: int | None = None) -> PIL.Image.Image:
    # Decode the file without metadata, because metadata could make Pillow fail.
    picture = _open_picture(b"".join(header.kept) or data, header.format)
    # Compare the size with the header before pixels are allocated. A decoder that applies the
    # orientation may swap the sides.
    if header.format not in _TURNED_BY_DECODER and picture.size != (header.width, header.height):
        raise ValueError
    check_pixels(*picture.size)
    if header.format is ImageFormat.HEIC:
        picture = picture.to_pillow()
    pixels = header.width * header.height
    if header.format is ImageFormat.JPEG and most_pixels is not None and pixels > most_pixels:
        factor = math.sqrt(most_pixels / pixels)
        picture.draft(None, _scale(picture.size, factor))
    picture.load()
    orientation = 1 if header.format in _TURNED_BY_DECODER else header.orientation
    return _turn_upright(picture, orientation)


def _encode_lossless(picture: PIL.Image.Image, form: ImageFormat) -> bytes:
    """Encode as lossless PNG or WebP, with the colour profile but without metadata."""
    plain = picture.copy()
    colours = ("transparency", "icc_profile")
    plain.info = {key: picture.info[key] for key in colours if picture.info.get(key) is not None}
    # `exact` preserves the colours of fully transparent pixels.
    options = {"lossless": True, "exact": True} if form is ImageFormat.WEBP else {}
    return _encode(plain, form, **options)


def encode_png(picture: object) -> bytes:
    """Encode a Pillow image as lossless PNG, upright; unsupported modes become RGB."""
    import PIL.Image

    if not isinstance(picture, PIL.Image.Image):
        refuse(f"must be a PIL.Image.Image, not {type(picture).__name__}")
    check_pixels(*picture.size)
    why = f"(mode {picture.mode}) cannot be encoded as PNG; convert it to RGB first"
    with _pillow(ImageFormat.PNG, why):
        # Load before reading EXIF, because some decoders apply the orientation on load.
        picture.load()
        plain = picture
        if picture.mode not in _PNG_MODES:
            plain = _to_rgb(picture)
            plain.info = {}  # profile and transparency belong to the original mode
        upright = _turn_upright(plain, picture.getexif().get(_EXIF_ORIENTATION, 1))
        return _encode_lossless(upright, ImageFormat.PNG)


#: Photos with more pixels are decoded at a reduced size if they must be re-encoded.
_ENOUGH_PIXELS = 12_000_000


def fit(
    data: bytes, header: Header, formats: Collection[ImageFormat], limits: ImageLimits
) -> bytes:
    """Re-encode a picture, upright and within limits: reduce the quality first, then the size."""
    from PIL.Image import Resampling

    target = next((form for form in _TARGETS if form in formats), None)
    if target is None:
        refuse(f"needs re-encoding, but none of {list_formats(formats)} can be written")
    max_bytes = min(limits.max_bytes or MAX_FILE_BYTES, MAX_FILE_BYTES)
    max_pixels = limits.max_pixels or MAX_PIXELS
    picture = decode(data, header, min(_ENOUGH_PIXELS, max_pixels))
    # Drop a large colour profile (usually a printer's) to leave more bytes for the face.
    info = picture.info if len(picture.info.get("icc_profile", b"")) <= max_bytes // 4 else {}
    options = [{"quality": quality} for quality in _QUALITIES] if target in _LOSSY else [{}]
    longest = max(picture.size)
    side = min(limits.max_side_px or longest, _MAX_SIDES.get(target, longest))
    factor = min(1.0, side / longest, math.sqrt(max_pixels / math.prod(picture.size)))
    size = _scale(picture.size, factor)
    # After scaling, the longer side can be too long only if the shorter side is one pixel.
    most = max(1, max_pixels // min(size))
    size = min(size[0], most), min(size[1], most)
    while min(size) >= limits.min_side_px:
        smaller = picture
        if size != picture.size:
            smaller = picture.resize(size, Resampling.LANCZOS, reducing_gap=3)
        smaller.info = info
        for option in options:
            data = _encode(smaller, target, **option)
            if len(data) <= max_bytes:
                return data
        # The file shrinks slightly less than the pixel count, so aim below the limit.
        factor = min(0.9, 0.98 * math.sqrt(max_bytes / len(data)))
        if _scale(size, factor) == size:
            break
        size = _scale(size, factor)
    pixels = f" and {max_pixels} pixels" if limits.max_pixels is not None else ""
    return refuse(
        f"cannot be brought within {max_bytes} bytes{pixels} without its shorter side falling "
        f"below {limits.min_side_px} pixels; take another picture"
    )


def list_formats(formats: Collection[ImageFormat]) -> str:
    """Return the names of formats for a sentence, in the order of `ImageFormat`."""
    return ", ".join(form.label for form in ImageFormat if form in formats)


def _encode(picture: PIL.Image.Image, form: ImageFormat, **options: Any) -> bytes:
    if form is ImageFormat.TIFF:
        options["compression"] = "tiff_adobe_deflate"
    # Pass `info` as options, because Pillow reads it only for some formats and versions.
    options |= {str(key): value for key, value in picture.info.items()}
    file = io.BytesIO()
    picture.save(file, format=form.value.upper(), **options)
    return file.getvalue()


def _scale(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, int(size[0] * factor)), max(1, int(size[1] * factor))


#: The `PIL.Image.Transpose` values that turn a picture upright, by EXIF orientation.
_TRANSPOSE = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}


def _turn_upright(picture: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    from PIL.Image import Transpose

    method = _TRANSPOSE.get(orientation)
    return picture if method is None else picture.transpose(Transpose(method))


def _to_rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    import PIL.Image

    if picture.mode == "F":
        refuse("has floating-point pixels of unknown range; scale them and convert it to RGB")
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
