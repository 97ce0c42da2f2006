"""`Image`: a picture from the caller, which can be prepared for a vendor."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import sys
from typing import IO, TYPE_CHECKING, Any, NoReturn, cast, final

import attrs

from facematch_core.base.frames import methods_clear_frames
from facematch_core.errors import InvalidImage

from . import imaging as _imaging
from .containers import Header, ImageFormat, refuse_picture
from .imaging import MAX_FILE_BYTES, MAX_PIXELS, ImageLimits
from .stored import refuse_s3

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["MAX_FILE_BYTES", "MAX_PIXELS", "Image", "ImageFormat", "ImageLimits"]


_ANY_VENDOR = ImageLimits()


@final
@methods_clear_frames
class Image:
    """A still picture, as the bytes of its file.

    Create it with `read`, `from_bytes`, `from_base64`, `from_file` or `from_pil`. Without decoding,
    they check that the file is a single, complete picture of a known format, with at most
    `MAX_PIXELS` pixels and `MAX_FILE_BYTES` bytes. (Formats other than JPEG, PNG and WebP are
    checked for completeness by `prepared`.) The format is detected from the bytes, not the name.

    An `Image` is immutable and hashable. Two images are equal if their original and sent bytes are
    equal. An `Image` cannot be pickled, so that no face reaches a queue or a cache by accident. Its
    `repr` shows the format, the size and the first digits of the digest, but no bytes.

    Example:
        >>> from pathlib import Path
        >>> image = Image.read(Path("selfie.jpg"))
        >>> print(image.format, image.width, image.height)
        jpeg 512 600
    """

    __slots__ = ("_data", "_digest", "_header", "_is_clean", "_sent_digest", "_source")

    _data: bytes
    _header: Header
    # The original of a prepared picture, until its digest has been computed.
    _source: Image | None
    # The digests; None until they are first read.
    _digest: str | None
    _sent_digest: str | None
    # Whether we know that the file has no metadata.
    _is_clean: bool

    def __init__(self, *args: object, **kwargs: object) -> None:
        raise TypeError(
            "Create an Image with Image.read(path), Image.from_bytes(data), "
            "Image.from_base64(text), Image.from_file(file) or Image.from_pil(picture)."
        )

    @classmethod
    def _make(cls, data: bytes, header: Header | None = None, source: Image | None = None) -> Image:
        """Create an `Image`; `source` is the original of a prepared picture."""
        image = object.__new__(cls)
        set_attribute = object.__setattr__  # ours raises
        set_attribute(image, "_data", data)
        set_attribute(image, "_header", header or _imaging.read(data))
        set_attribute(image, "_source", source)
        set_attribute(image, "_digest", None)
        set_attribute(image, "_sent_digest", None)
        set_attribute(image, "_is_clean", source is not None)
        return image

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Image:
        """Read a picture from a file path. URLs, pipes and devices are rejected.

        Raises:
            InvalidImage: the file does not exist, is a directory, cannot be read, or is not a
                usable picture. The message contains the path as given.
        """
        if not isinstance(path, (str, os.PathLike)):
            refuse_picture(f"must be named by a str or os.PathLike, not {type(path).__name__}")
        name = os.fsdecode(path)
        if _URL.match(name):
            # The message must not contain the URL, which may include a signature or a key.
            refuse_picture(
                "is a URL, which facematch does not fetch; download it and pass its path"
            )
        if _BASE64.match(name) and not os.path.lexists(name):
            # The message must not contain the text, which is the picture itself.
            refuse_picture(
                "looks like base64, not a path; write it to a file, or use Image.from_base64"
            )
        # Imported here, because it needs `pathlib`, which would add 4 ms to every import.
        from facematch_core.base.files import NotRegular, open_regular

        try:
            with open_regular(name) as file:
                data = file.read(MAX_FILE_BYTES + 1)
            return cls._make(data)
        except InvalidImage as error:
            problem = error.message.removeprefix("The picture ").removesuffix(".")
        except NotRegular:
            problem = (
                "is a pipe or a device, not a regular file; open it yourself and use "
                "Image.from_file"
            )
        except FileNotFoundError:
            problem = "does not exist; check the name and the current directory"
        except (OSError, ValueError) as error:
            # The operating system's reason, for example: no permission, or the name is too long.
            reason = getattr(error, "strerror", None) or type(error).__name__
            problem = f"cannot be read ({reason}); check the name and its permissions"
        # Outside the except block, so that the error carries no other.
        raise InvalidImage(f"The picture {name!r} {problem}.")

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Image:
        """Create an `Image` from the bytes of a file.

        Raises:
            InvalidImage: the bytes are not a usable picture.
        """
        if isinstance(data, str):
            refuse_picture(_PLAIN_TEXT)
        if not isinstance(data, (bytes, bytearray, memoryview)):
            refuse_picture(f"must be given as bytes, not {type(data).__name__}")
        # Check before copying.
        _imaging.check_size(memoryview(data).nbytes)
        return cls._make(bytes(data))

    @classmethod
    def from_base64(cls, text: str | bytes) -> Image:
        """Create an `Image` from base64 text or a data URI (``data:image/jpeg;base64,...``).

        The text must use the standard alphabet, with padding. White space and the media type are
        ignored.

        Raises:
            InvalidImage: the text is not valid base64, or not a usable picture.
        """
        if not isinstance(text, (str, bytes)):
            refuse_picture(f"must be given as base64 text, not {type(text).__name__}")
        # A non-ASCII character becomes "?", which is not valid base64 either.
        given = text.encode("ascii", "replace") if isinstance(text, str) else text
        has_spaces = b" " in given.strip()
        encoded = given.translate(None, b" \t\r\n\f\v")
        prefix = _DATA_URI.match(encoded)
        if prefix is not None:
            if not prefix[0].lower().endswith(b";base64,"):
                refuse_picture("is in a data URI without ;base64; encode it as base64")
            encoded = encoded[prefix.end() :]
        # Check before decoding: four characters are three bytes, of which two may be padding.
        _imaging.check_size(len(encoded) // 4 * 3 - 2)
        try:
            return cls._make(base64.b64decode(encoded, validate=True))
        except (binascii.Error, InvalidImage) as error:
            # Without the + signs the text may still be valid base64, but is no picture.
            if has_spaces:
                refuse_picture(
                    "is base64 with spaces, because a web form decodes + as a space; "
                    'give text.replace(" ", "+"), or encode the field with encodeURIComponent'
                )
            if isinstance(error, InvalidImage):
                raise
            for pattern, problem in _BROKEN_BASE64:
                if pattern.search(encoded):
                    refuse_picture(problem)
            refuse_picture(
                f"is not valid base64 ({len(encoded)} characters); check that the text is complete "
                "and in the standard alphabet, and use Image.read for a file name"
            )

    @classmethod
    def from_file(cls, file: IO[bytes]) -> Image:
        """Read a picture from a binary file object, from its current position to its end.

        The file need not be seekable, and is not closed. Reads up to `MAX_FILE_BYTES` + 1 bytes.

        Raises:
            InvalidImage: the file cannot be read, is in text mode, or is not a usable picture.
        """
        data = bytearray()
        while len(data) <= MAX_FILE_BYTES:
            try:
                piece: Any = file.read(MAX_FILE_BYTES + 1 - len(data))
            except Exception as error:  # noqa: BLE001 - an archive raises BadZipFile, LZMAError ...
                refuse_picture(
                    f"cannot be read from its file object ({type(error).__name__}); "
                    "check that it is open for reading, and complete"
                )
            if hasattr(piece, "__await__"):
                piece.close()
                refuse_picture("is asynchronous; pass the bytes of `await file.read()`")
            if not isinstance(piece, bytes):
                refuse_picture(
                    f"comes from a file object that returned {type(piece).__name__}, not bytes; "
                    'open the file with mode "rb"'
                )
            if not piece:
                break
            data += piece
        if not data and _is_past_start(file):
            refuse_picture("is empty: its file object is at its end; call seek(0) first")
        return cls.from_bytes(data)

    @classmethod
    def from_pil(cls, picture: PIL.Image.Image) -> Image:
        """Create an `Image` from a Pillow image by encoding it as lossless PNG.

        Applies the EXIF orientation, removes metadata, and keeps the colour profile. Modes that PNG
        does not support (CMYK, for example) are converted to RGB.

        Raises:
            InvalidImage: the argument is not a Pillow image, or cannot be encoded.
        """
        return cls._make(_imaging.encode_png(picture))

    @classmethod
    def of(cls, value: object) -> Image:
        """Create an `Image` from any supported type.

        Accepts an `Image`, bytes, an `os.PathLike`, an open binary file or a Pillow image. Rejects
        a `str`, so that text from a web form is never used as a file name.

        Raises:
            InvalidImage: the type is not supported, or the value is not a usable picture.
        """
        if isinstance(value, Image):
            return value
        if isinstance(value, (bytes, bytearray, memoryview, str)):
            return cls.from_bytes(cast(bytes, value))  # rejects a str
        if isinstance(value, os.PathLike):
            return cls.read(value)
        refuse_s3(value)
        if hasattr(value, "read"):
            return cls.from_file(cast("IO[bytes]", value))
        # If the value is a Pillow image, Pillow has already been imported.
        pillow_module = sys.modules.get("PIL.Image")
        if pillow_module is not None and isinstance(value, pillow_module.Image):
            return cls.from_pil(value)
        class_name = type(value).__name__
        if hasattr(value, "__array_interface__"):
            refuse_picture(
                f"cannot be read from {class_name}: encode it: "
                'cv2.imencode(".png", frame)[1].tobytes() for a frame of OpenCV, '
                "Image.from_pil(PIL.Image.fromarray(pixels)) for pixels in RGB"
            )
        return refuse_picture(
            f"cannot be read from {class_name}: pass an Image, bytes, a pathlib.Path, an open "
            "binary file or a Pillow image"
        )

    @property
    def data(self) -> bytes:
        """The bytes of the file, as sent."""
        return self._data

    @property
    def format(self) -> ImageFormat:
        """The file format."""
        return self._header.format

    @property
    def media_type(self) -> str:
        """The content type, for example ``image/jpeg``."""
        return self._header.format.media_type

    @property
    def extension(self) -> str:
        """The file extension, without a dot, for vendors that check file names."""
        return self._header.format.extension

    @property
    def width(self) -> int:
        """Width in pixels as stored, before `orientation` is applied."""
        return self._header.width

    @property
    def height(self) -> int:
        """Height in pixels as stored, before `orientation` is applied."""
        return self._header.height

    @property
    def orientation(self) -> int:
        """The EXIF orientation, 1 to 8. 1 means upright. Always 1 for HEIC."""
        return self._header.orientation

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height in pixels after `orientation` is applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)

    @property
    def size_bytes(self) -> int:
        """The size of `data` in bytes."""
        return len(self._data)

    @property
    def digest(self) -> str:
        """SHA-256 of the original bytes, 64 hexadecimal digits. `prepared` does not change it."""
        digest = self._digest
        if digest is None:
            source = self._source
            digest = self.sent_digest if source is None else source.digest
            object.__setattr__(self, "_digest", digest)
            object.__setattr__(self, "_source", None)
        return digest

    @property
    def sent_digest(self) -> str:
        """SHA-256 of `data`. Equals `digest` unless `prepared` changed the file."""
        digest = self._sent_digest
        if digest is None:
            digest = hashlib.sha256(self._data).hexdigest()
            object.__setattr__(self, "_sent_digest", digest)
        return digest

    @property
    def clean_digest(self) -> str:
        """SHA-256 of the file without metadata: alike for one photograph with two EXIF times.

        Decodes nothing. It is `digest` if `prepared` would have to re-encode the file.
        """
        if self._source is not None:
            return self._source.clean_digest
        if not self._header.can_send_clean:
            return self.digest
        return hashlib.sha256(b"".join(self._header.clean_pieces)).hexdigest()

    def to_pil(self) -> PIL.Image.Image:
        """Decode the picture with Pillow to RGB: upright, and on white if it is transparent.

        Colours are not converted. An RGB colour profile is stored in ``info["icc_profile"]``.

        Raises:
            InvalidImage: the picture cannot be decoded.
        """
        return _imaging.decode(self._data, self._header)

    def prepared(self, limits: ImageLimits = _ANY_VENDOR, *, fit: bool = True) -> Image:
        """Return the picture without metadata and within a vendor's limits.

        Removes EXIF data (with GPS position and maker notes), XMP, IPTC, comments, texts,
        thumbnails, and data after the end of the picture. Keeps the colour profile. A JPEG keeps
        its coded pixels and its orientation. A lossy WebP keeps its coded pixels if it is opaque
        and upright. A PNG or lossless WebP keeps its pixels; if it must be rewritten, it becomes
        upright, and 16-bit colours become 8-bit. Other files are re-encoded. Data hidden in the
        coded pixels, the tables or the colour profile is not detected.

        The same picture and limits always return the same bytes. The result is not cached.

        Args:
            limits: The vendor's limits.
            fit: Whether to re-encode a picture whose format, file size or dimensions the vendor
                would reject: upright, as JPEG if the vendor accepts it, first at quality 95 to 75,
                then at a smaller size. If False, raise instead.

        Returns:
            A picture within the limits, with the same `digest`; `self` if nothing had to change.
            It references the original until its `digest` is first read.

        Raises:
            InvalidImage: the picture has too few pixels or bytes, cannot be decoded, cannot be
                brought within the limits, or needs re-encoding although `fit` is False.
        """
        header = self._header
        if min(header.width, header.height) < limits.min_side_px:
            refuse_picture(
                f"has {header.width} x {header.height} pixels, but its shorter side needs at least "
                f"{limits.min_side_px}; use a larger one, because facematch does not enlarge"
            )
        # The bytes to send; None if metadata cannot be removed without loss.
        data: bytes | None = self._data
        if not self._is_clean and header.format in limits.formats:
            # Remove metadata before checking the size, because the file may then be small enough.
            data = _imaging.remove_metadata(self._data, header)
            # Cached, because cleaning takes milliseconds and a picture may go to several vendors.
            object.__setattr__(self, "_is_clean", data is self._data)
        formats = limits.formats
        obstacle = self._obstacle(limits, len(data or self._data))
        if obstacle is None and data is None:
            obstacle = "has metadata that can only be removed by re-encoding"
            # As WebP again, which the vendor takes: a JPEG would lose its transparency.
            if header.format is ImageFormat.WEBP:
                formats = frozenset({ImageFormat.WEBP})
        is_same_header = False
        if obstacle is not None or data is None:
            if not fit:
                refuse_picture(f"{obstacle}; change it first, or let facematch change it")
            data = _imaging.fit(self._data, header, formats, limits)
        else:
            # Removing metadata from a JPEG does not change its header.
            is_same_header = header.format is ImageFormat.JPEG
        if len(data) < limits.min_bytes:
            refuse_picture(
                f"has {len(data)} bytes as it would be sent, but at least {limits.min_bytes} are "
                "needed; use a larger one"
            )
        if data == self._data:
            return self
        new_header = attrs.evolve(header, clean_pieces=(data,)) if is_same_header else None
        return self._make(data, new_header, source=self)

    def _obstacle(self, limits: ImageLimits, size_bytes: int) -> str | None:
        """Return why the picture cannot be sent as a file of `size_bytes`; None if it can."""
        header = self._header
        if header.format not in limits.formats:
            formats = _imaging.list_formats(limits.formats)
            return f"is {header.format.noun}, but only {formats} can be sent"
        if limits.max_bytes is not None and size_bytes > limits.max_bytes:
            source = f" ({limits.max_bytes_from})" if limits.max_bytes_from else ""
            return f"has {size_bytes} bytes, but only {limits.max_bytes} can be sent{source}"
        longer_side = max(header.width, header.height)
        if limits.max_side_px is not None and longer_side > limits.max_side_px:
            return f"is {longer_side} pixels long, but only {limits.max_side_px} can be sent"
        return None

    def __repr__(self) -> str:
        return (
            f"<Image {self.format.value} {self.width}x{self.height}, "
            f"{self.size_bytes} bytes, {self.digest[:8]}>"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image):
            return NotImplemented
        return self is other or (self.digest == other.digest and self._data == other._data)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"An Image is immutable: {name} cannot be set.")

    def __copy__(self, _memo: object = None) -> Image:
        return self

    __deepcopy__ = __copy__

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "An Image cannot be pickled, so that no face reaches a queue or a cache by accident; "
            "pass image.data explicitly and use Image.from_bytes on the other side."
        )


def _is_past_start(file: IO[bytes]) -> bool:
    """Return whether a file object was read or moved before; False if it cannot tell."""
    try:
        return int(file.tell()) > 0
    except Exception:  # noqa: BLE001 - a pipe, or not a file
        return False


#: The message does not contain the text, which may be a picture in base64 or contain a key.
_PLAIN_TEXT = (
    "cannot be a str; write "
    'Image.read("selfie.jpg") for a file or Image.from_base64(field) for a field of a form'
)
#: Also matches a single slash, because pathlib collapses two slashes into one.
_URL = re.compile(r"[a-z][a-z0-9+.-]+://|(https?|ftp|s3|gs):/", re.IGNORECASE)
#: The first characters of a JPEG, PNG or WebP in base64, or a long text in the base64 alphabet.
_BASE64 = re.compile(r"(?i:data:)|/9j/|iVBORw0KGgo|UklGR|[A-Za-z0-9+/=\s]{256}")
_DATA_URI = re.compile(rb"data:[^,]{0,200},", re.IGNORECASE)
#: What makes a text invalid base64, and what to do; the first that is found is named. The whole
#: alphabet, where a file name such as C:\\my-selfie.jpg must not match.
_BROKEN_BASE64 = (
    (
        re.compile(rb"\Ab['\"]"),
        "is the repr of bytes (b'...'); decode the bytes with data.decode() instead of str(data)",
    ),
    (
        re.compile(rb"\A[\"'`]|[\"'`]\Z"),
        "is base64 in quotes; give the text between them, as json.loads returns it",
    ),
    (
        re.compile(rb"\A[A-Za-z0-9+/=\\]*\\[A-Za-z0-9+/=\\]*\Z"),
        "is base64 with JSON's backslashes; parse the JSON with json.loads first",
    ),
    (
        re.compile(rb"%[0-9A-Fa-f]{2}"),
        "is percent-encoded base64; decode it with urllib.parse.unquote",
    ),
    (
        re.compile(rb"\A[^,]{0,200};base64,", re.IGNORECASE),
        "is a data URI without data: at its start; add it, or give only the text after the comma",
    ),
    (
        re.compile(rb"\A[A-Za-z0-9=]*[_-][A-Za-z0-9_=-]*\Z"),
        "is in URL-safe base64; use Image.from_bytes(base64.urlsafe_b64decode(text))",
    ),
)
