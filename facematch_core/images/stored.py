"""`S3Picture`: a picture that the vendor itself reads from Amazon S3."""

from __future__ import annotations

import re
from typing import Any

import attrs

from facematch_core.errors import InvalidRequest

from .containers import refuse_picture

#: AWS's API model of Rekognition (2016-06-27), shape S3Bucket.
_BUCKET = re.compile(r"[0-9A-Za-z._-]{3,255}", re.ASCII)
#: The shapes S3ObjectName and S3ObjectVersion of that model.
_MAX_CHARACTERS = 1024


def _check_bucket(_picture: object, _field: attrs.Attribute[Any], bucket: Any) -> None:
    if not isinstance(bucket, str) or not _BUCKET.fullmatch(bucket):
        raise InvalidRequest(
            "The bucket of an S3Picture must have 3 to 255 letters, digits, dots, dashes or "
            "underscores: pass its name, not its URL or ARN."
        )


def _check_text(_picture: object, field: attrs.Attribute[Any], text: Any) -> None:
    if not isinstance(text, str) or not 1 <= len(text) <= _MAX_CHARACTERS:
        raise InvalidRequest(
            f"The {field.name} of an S3Picture must be text of 1 to {_MAX_CHARACTERS} characters."
        )


@attrs.frozen(repr=False)
class S3Picture:
    """A picture in Amazon S3, for `verify` with a backend that reads it there: `rekognition`.

    It has no bytes here, so nothing is known of its size, its metadata or its digest: the picture
    is compared as it is stored, with its EXIF data. The bucket must be in the backend's region, and
    the backend's credentials need the permission to read the object.

    Two are equal if bucket, key and version are. Without a version, the object may be replaced
    between two calls; `identity` is then None. The `repr` shows none of them, because a key often
    names the person.

    It stands for one picture. A search of many, such as a collection of Rekognition, is not
    supported.

    Args:
        bucket: Name of the bucket.
        key: Name of the object in the bucket.
        version: The version of the object; None for the latest.

    Raises:
        InvalidRequest: a name is empty, too long, or none that S3 accepts.

    Example:
        >>> document = S3Picture("shop-documents", "customers/17/id.jpg", version="3HL4kqtJ")
        >>> print(document, document.identity is None)
        <S3Picture> False
    """

    bucket: str = attrs.field(validator=_check_bucket)
    key: str = attrs.field(validator=_check_text)
    version: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(_check_text)
    )

    @property
    def identity(self) -> tuple[str, str, str] | None:
        """Bucket, key and version; None without a version, when it may be another picture later."""
        return None if self.version is None else (self.bucket, self.key, self.version)

    def __repr__(self) -> str:
        return "<S3Picture>"


def refuse_s3(picture: object) -> None:
    """Raise `InvalidImage` if a picture is an `S3Picture`."""
    if isinstance(picture, S3Picture):
        refuse_picture(
            "is in S3, where only `verify` with the backend rekognition can read it; download it "
            "and pass its bytes"
        )
