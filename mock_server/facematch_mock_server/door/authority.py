"""The certificate authority of one door."""

from __future__ import annotations

import hashlib
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PublicFormat,
    pkcs12,
)

_NAME = "facematch mock, for tests on this machine"
#: The trust store's password. It protects no secret: the store has only a public certificate.
STORE_PASSWORD = "facematch"  # noqa: S105


class Authority:
    """A certificate authority whose private key stays in memory.

    Attributes:
        pem: The file with the authority's certificate.
        key_digest: The SHA-256 of its public key (SPKI) in Base64, by which Chromium trusts it.
        hosts_file: Names for Java: this machine's and those of `addresses`; it looks up no other.
        java_store: The same certificate as a PKCS #12 trust store, which Java reads.
    """

    def __init__(
        self, folder: Path, addresses: Mapping[str, str], public_folder: Path | None = None
    ) -> None:
        """Make a new authority, and write what clients trust into `folder`.

        That is a PEM file, a Java store and a hosts file. `addresses` has the address of each
        allowed host, which a client behind the door could not look up. `public_folder` gets copies
        of the first two that each user may read; there they replace those of an earlier start.
        Raises OSError if it cannot be written.
        """
        self._folder = folder
        self._authority = trustme.CA(organization_name=_NAME)
        self._contexts: dict[str, ssl.SSLContext] = {}
        certificate = self._authority.cert_pem.bytes()
        self.pem = _write(folder / "ca.pem", certificate)
        parsed = x509.load_pem_x509_certificate(certificate)
        public_key = parsed.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self.key_digest = b64encode(hashlib.sha256(public_key).digest()).decode()
        store = pkcs12.serialize_java_truststore(
            [pkcs12.PKCS12Certificate(parsed, b"facematch")],
            BestAvailableEncryption(STORE_PASSWORD.encode()),
        )
        lines = [f"127.0.0.1 localhost {socket.gethostname()}"]
        lines += [f"{address} {name}" for name, address in addresses.items()]
        hosts = "".join(f"{line}\n" for line in lines)
        self.hosts_file = _write(folder / "hosts-behind-the-door", hosts.encode())
        self.java_store = _write(folder / "ca.p12", store)
        if public_folder is not None:
            public_folder.mkdir(parents=True, exist_ok=True)
            for file in (self.pem, self.java_store):
                # A program that starts now reads the whole old file or the whole new one.
                copy = public_folder / f".{file.name}"
                # Others may write here: a link of theirs is replaced, and never followed.
                copy.unlink(missing_ok=True)
                with copy.open("xb") as draft:
                    draft.write(file.read_bytes())
                copy.chmod(0o644)
                copy.replace(public_folder / file.name)

    def context_for(self, host: str) -> ssl.SSLContext:
        """Return the TLS context of a server with a certificate for `host`."""
        context = self._contexts.get(host)
        if context is None:
            context = self._contexts[host] = new_context()
            issued = self._authority.issue_cert(host).private_key_and_cert_chain_pem
            # A browser that trusts the authority's key looks for it in the chain.
            pem = trustme.Blob(issued.bytes() + self._authority.cert_pem.bytes())
            # Python loads keys from files only: this one has mode 0600 and is deleted at once.
            with pem.tempfile(dir=str(self._folder)) as path:
                context.load_cert_chain(path)
        return context


def new_context() -> ssl.SSLContext:
    """Return the TLS context of a server without a certificate, which offers only HTTP/1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _write(path: Path, content: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path
