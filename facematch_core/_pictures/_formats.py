"""The file formats that facematch knows, and how much of a file it reads."""

from __future__ import annotations

import enum

#: The largest file that is read, in bytes (32 MiB). A photograph of a telephone has 2 to 12 MB.
MAX_FILE_BYTES = 32 * 1024 * 1024

#: The most pixels a picture may have, checked before anything is decoded. Below the 89,478,485
#: at which Pillow warns, so its process-wide setting need not be touched.
MAX_PIXELS = 64_000_000


class ImageFormat(enum.StrEnum):
    """What kind of file a picture is. Its bytes decide, never its name."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    TIFF = "tiff"
    GIF = "gif"
    BMP = "bmp"
    #: Decoding one needs the extra `heif`.
    HEIC = "heic"
    AVIF = "avif"

    @property
    def media_type(self) -> str:
        """The content type, for example ``image/jpeg``."""
        return f"image/{self.value}"

    @property
    def extension(self) -> str:
        """The file name's ending, without a dot, that vendors who judge by it accept."""
        return "jpg" if self is ImageFormat.JPEG else self.value

    @property
    def label(self) -> str:
        """The name in a sentence, for example ``JPEG``."""
        return "WebP" if self is ImageFormat.WEBP else self.value.upper()

    @property
    def noun(self) -> str:
        """`label` with its article, for example ``a JPEG``."""
        return f"an {self.label}" if self is ImageFormat.AVIF else f"a {self.label}"
