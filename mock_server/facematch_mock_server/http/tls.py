"""HTTPS: a certificate and its key, read from PEM files."""

from __future__ import annotations

import os
import ssl
from pathlib import Path


def read_certificate(
    certificate: str | os.PathLike[str], key: str | os.PathLike[str] | None = None
) -> ssl.SSLContext:
    """What a server serves HTTPS by, from PEM files; ValueError for one that cannot be used."""
    key = certificate if key is None else key
    for path, mark, what in (
        (certificate, "-----BEGIN CERTIFICATE-----", "certificate"),
        (key, "PRIVATE KEY-----", "private key"),
    ):
        if not os.fspath(path):
            raise ValueError(f"the name of the TLS {what} is empty; name a PEM file")
        try:
            text = Path(path).read_text(encoding="latin-1")
        except OSError as error:
            raise ValueError(
                f"the TLS {what} {path} cannot be read: {error.strerror}; name a PEM file"
            ) from None
        if mark not in text:
            raise ValueError(f"the file {path} holds no TLS {what}; name a PEM file with one")
        if "ENCRYPTED" in text:
            raise ValueError(f"the TLS {what} {path} has a password; name a file without one")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # With a password, so that nobody is asked for one.
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError) as error:
        # The key of another certificate, or of another kind.
        if any(name in str(error) for name in ("MISMATCH", "NO_CERTIFICATE_ASSIGNED")):
            raise ValueError(
                f"the TLS private key {key} does not belong to the certificate {certificate}; "
                "name the two files of one pair"
            ) from None
        raise ValueError(
            f"the TLS certificate {certificate} with the key {key} cannot be used; "
            "name PEM files that are whole"
        ) from None
    return context
