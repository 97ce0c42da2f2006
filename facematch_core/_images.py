"""Pictures that never print: read, checked, and made ready for one vendor."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar, final

from ._pictures import _sources
from ._pictures._formats import MAX_FILE_BYTES, MAX_PIXELS, ImageFormat
from ._pictures._header import Header
from ._pictures._limits import ImageLimits
from ._pictures._prepare import prepare
from ._pictures._refusal import Refusal
from ._pictures._sniff import inspect
from ._pictures._strip import strip
from .errors import InvalidImage

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["MAX_FILE_BYTES", "MAX_PIXELS", "Image", "ImageFormat", "ImageLimits"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_ANY_VENDOR = ImageLimits()


def _tell(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn a refusal into `InvalidImage`, and leave the frames behind that hold the picture."""

    @functools.wraps(function)
    def told(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except Refusal as refusal:
            sentence = refusal.sentence
        # Raised out here the error has no context: a traceback that shows local variables, or a
        # tracker that collects them, would else show bytes of the picture.
        del args, kwargs
        raise InvalidImage(sentence)

    return told


@final
class Image:
    """One still picture, as bytes that never print.

    It is made by `read`, `from_bytes`, `from_base64`, `from_file` or `from_pil`, and checked then:
    the file must be complete, of a known kind, with one picture of at most `MAX_PIXELS` pixels in
    at most `MAX_FILE_BYTES` bytes. Nothing is decoded for that. What it is, its content decides;
    a file's name and ending do not count.

    An `Image` does not change, can be a key of a dict, and equals another one with the same bytes
    as given and as sent. It cannot be pickled: a picture of a face should not reach a queue or a
    cache by accident. Its `repr` shows the kind, the size and the beginning of its digest.
    """

    __slots__ = ("_data", "_digest", "_given", "_header", "_sent_digest")

    _data: bytes
    _header: Header
    # The picture that this one was made from, until its digest is known.
    _given: Image | None
    _digest: str | None
    _sent_digest: str | None

    def __init__(self, *args: object, **kwargs: object) -> None:
        raise TypeError(
            "An Image is made by Image.read(path), Image.from_bytes(data), "
            "Image.from_base64(text), Image.from_file(file) or Image.from_pil(picture)."
        )

    # How one is made

    @classmethod
    @_tell
    def read(cls, path: str | os.PathLike[str]) -> Image:
        """Read a picture from a file.

        Args:
            path: The file's name. A URL is refused: nothing is fetched.

        Raises:
            InvalidImage: no such file, a directory, no permission, or no picture that can be
                used. The message names the file as given.
        """
        return cls._read(path)

    @classmethod
    @_tell
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Image:
        """Take a picture from the bytes of its file.

        Raises:
            InvalidImage: no picture that can be used.
        """
        return cls._checked(_sources.from_bytes(data))

    @classmethod
    @_tell
    def from_base64(cls, text: str | bytes) -> Image:
        """Take a picture from base64 text or a data URI (``data:image/jpeg;base64,...``).

        The standard alphabet, with padding; white space does not count. The media type of a data
        URI does not count either: the content decides.

        Raises:
            InvalidImage: no valid base64, or no picture that can be used.
        """
        return cls._checked(_sources.from_base64(text))

    @classmethod
    @_tell
    def from_file(cls, file: IO[bytes]) -> Image:
        """Read a picture from a binary file object, from where it stands to its end.

        It need not be seekable, is not closed, and is read for at most `MAX_FILE_BYTES` + 1 bytes.

        Raises:
            InvalidImage: it cannot be read, is in text mode, or gives no picture that can be used.
        """
        return cls._checked(_sources.from_file(file))

    @classmethod
    @_tell
    def from_pil(cls, picture: PIL.Image.Image) -> Image:
        """Take a picture of Pillow, encoded as PNG without loss.

        It is turned upright as its EXIF orientation says; metadata stays behind, the colour
        profile comes along. Modes that PNG does not have become RGB (CMYK, for example).

        Raises:
            InvalidImage: no picture of Pillow, or one that cannot be encoded.
        """
        from ._pictures import _encode

        data = _encode.png_of(picture)
        return cls._checked(strip(data, inspect(data)))

    @classmethod
    @_tell
    def of(cls, value: object) -> Image:
        """Take what a caller gave as a picture: an `Image`, bytes, or an `os.PathLike`.

        A plain `str` is refused, whatever it holds: the text of a web form must become neither a
        file name nor an address.

        Raises:
            InvalidImage: another type, or no picture that can be used.
        """
        if isinstance(value, Image):
            return value
        if isinstance(value, (bytes, bytearray, memoryview)):
            return cls._checked(_sources.from_bytes(value))
        if isinstance(value, str):
            raise Refusal(_sources.PLAIN_TEXT)
        if isinstance(value, os.PathLike):
            return cls._read(value)
        advice = "give an Image, bytes or a pathlib.Path"
        if type(value).__module__.partition(".")[0] == "PIL":
            advice = "use Image.from_pil"
        elif hasattr(value, "read"):
            advice = "use Image.from_file"
        raise Refusal(f"cannot be taken from {type(value).__name__}; {advice}")

    @classmethod
    def _read(cls, path: str | os.PathLike[str]) -> Image:
        data, subject = _sources.from_path(path)
        try:
            return cls._checked(data)
        except Refusal as refusal:
            raise Refusal(refusal.why, subject=subject) from None

    @classmethod
    def _checked(
        cls, data: bytes, header: Header | None = None, given: Image | None = None
    ) -> Image:
        image = object.__new__(cls)
        # Past our own __setattr__, which refuses.
        object.__setattr__(image, "_data", data)
        object.__setattr__(image, "_header", header or inspect(data))
        object.__setattr__(image, "_given", given)
        object.__setattr__(image, "_digest", None)
        object.__setattr__(image, "_sent_digest", None)
        return image

    # What it tells

    @property
    def data(self) -> bytes:
        """The bytes of the file, as they are sent."""
        return self._data

    @property
    def format(self) -> ImageFormat:
        """The kind of file."""
        return self._header.format

    @property
    def media_type(self) -> str:
        """The content type, for example ``image/jpeg``."""
        return self.format.media_type

    @property
    def extension(self) -> str:
        """The ending, without a dot, for vendors that judge a file by its name."""
        return self.format.extension

    @property
    def width(self) -> int:
        """In pixels, as stored: before `orientation` is applied."""
        return self._header.width

    @property
    def height(self) -> int:
        """In pixels, as stored: before `orientation` is applied."""
        return self._header.height

    @property
    def orientation(self) -> int:
        """How the stored picture is turned upright, 1 to 8 as EXIF counts; 1 if it is upright."""
        return self._header.orientation

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height in pixels once `orientation` is applied."""
        return self._header.upright_size

    @property
    def size_bytes(self) -> int:
        """The length of `data`."""
        return len(self._data)

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes as given, 64 hexadecimal digits. `prepared` does not change it."""
        # Read once: another thread may be here, too, and let go of it.
        given = self._given
        digest = self._digest or (self.sent_digest if given is None else given.digest)
        object.__setattr__(self, "_digest", digest)
        object.__setattr__(self, "_given", None)
        return digest

    @property
    def sent_digest(self) -> str:
        """SHA-256 of `data`; the same as `digest` if nothing was changed."""
        digest = self._sent_digest or hashlib.sha256(self._data).hexdigest()
        object.__setattr__(self, "_sent_digest", digest)
        return digest

    # What can be made of it

    @_tell
    def to_pil(self) -> PIL.Image.Image:
        """Decode it with Pillow: mode RGB, upright, transparency laid on white.

        Colours are not converted; an RGB profile stays in ``info["icc_profile"]``.

        Raises:
            InvalidImage: it cannot be decoded, or is a HEIC and the extra `heif` is not installed.
        """
        from ._pictures import _decode

        return _decode.decode(self._data, self._header)

    @_tell
    def prepared(self, limits: ImageLimits = _ANY_VENDOR, *, fit: bool = True) -> Image:
        """Make it ready to be sent to one vendor.

        Private data goes out: EXIF with its GPS position and maker's notes, XMP, IPTC, comments,
        texts, thumbnails, whatever hides behind the picture's end. In JPEG, PNG and WebP that
        leaves the pixels as they are; colour profile and orientation stay. Files of other kinds
        are encoded anew for it.

        The same picture and limits always give the same bytes. Not cached.

        Args:
            limits: What the vendor takes.
            fit: Encode anew what the vendor would refuse: another format, fewer bytes or pixels
                (upright, as JPEG if the vendor takes that; quality 95 and less, then a smaller
                size). If False, such a picture is refused.

        Returns:
            A picture within the limits, with the same `digest`; itself if nothing had to change.
            It holds on to this picture until its `digest` is asked for.

        Raises:
            InvalidImage: it is too small, cannot be decoded, cannot be brought within the limits,
                or had to be encoded anew with `fit` False.
        """
        data, header = prepare(self._data, self._header, limits, fit=fit)
        if data is self._data or data == self._data:
            return self
        return self._checked(data, header, given=self)

    # How it behaves

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
        raise AttributeError(f"An Image does not change, so {name} cannot be set.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"An Image does not change, so {name} cannot be deleted.")

    def __copy__(self) -> Image:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Image:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "An Image cannot be pickled, so that no face lands in a queue or a cache by accident; "
            "pass its data on purpose and use Image.from_bytes on the other side."
        )

    def __getstate__(self) -> NoReturn:
        self.__reduce__()
