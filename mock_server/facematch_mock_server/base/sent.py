"""Make the request that a recording or a file of first calls describes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from urllib3.filepost import encode_multipart_formdata

from .messages import MULTIPART, Request, media_type

#: A file that is no picture.
NO_PICTURE = b"This is no picture. " * 100


def make_request(
    sent: Mapping[str, Any], *, method: str, host: str, pictures: Mapping[str, bytes]
) -> Request:
    """Return a request without its signature.

    Args:
        sent: ``target`` and ``headers``, and at most one body: ``form`` with the fields, and
            ``files`` with field, picture and extension of each file; ``json``; ``card``, the name
            of a picture; or ``text``.
        method: The method.
        host: The host for the header.
        pictures: The pictures by name. What has another name is no picture.
    """
    headers = {**sent["headers"], "host": host}
    if "files" in sent or media_type(headers.get("content-type", "")) == MULTIPART:
        fields: list[Any] = list(sent.get("form", {}).items())
        for field, name, extension in sent.get("files", ()):
            # The name's extension also gives the part its content type.
            fields.append((field, (f"picture{extension}", pictures.get(name, NO_PICTURE))))
        body, headers["content-type"] = encode_multipart_formdata(fields)
    elif "json" in sent:
        body = json.dumps(sent["json"]).encode()
    elif "form" in sent:
        body = urlencode(sent["form"], doseq=True).encode()
    elif "card" in sent:
        body = pictures.get(sent["card"], NO_PICTURE)
    else:
        body = sent.get("text", "").encode()
    target = quote(sent["target"], safe="/?=&%:+-_.~@,;")
    return Request.make(method=method, target=target, headers=headers.items(), body=body)
