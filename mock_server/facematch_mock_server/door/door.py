"""The door: a proxy in front of a mock server."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import ipaddress
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from facematch_core.base.addresses import is_loopback
from facematch_mock_server.base.messages import PERSON, Request, Response, host_in
from facematch_mock_server.control.api import PREFIX, reply_words
from facematch_mock_server.http.app import App
from facematch_mock_server.http.server import listen, url_of
from facematch_mock_server.replies.recorder import Recorder
from facematch_mock_server.replies.upstream import exchange
from facematch_mock_server.server import MockServer
from facematch_mock_server.vendors import vendor_named, vendor_names
from facematch_mock_server.world.journal import Entry
from facematch_mock_server.world.vendor import Vendor

from .authority import Authority, new_context
from .keys import accept_key
from .own_hosts import is_metadata_service, is_own_host, leads_to_metadata_service

#: Seconds until a client must have sent its first request or completed its TLS handshake.
_BEGIN_S = 60.0
#: Maximum bytes of a CONNECT request with its headers.
_MAX_CONNECT_BYTES = 16 * 1024
#: The first byte of a TLS connection (RFC 8446, 5.1: a handshake record).
_TLS = b"\x16"
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
#: The header of a CONNECT by which a hook asks whether it may connect to a host itself.
_QUESTION = b"\r\nFacematch-Door: may-pass\r\n"
#: Seconds for a connection to a host of the program's own, and between two parts of its reply.
_CONNECT_S, _REPLY_S = 15.0, 120.0
_RELAYED_AT_ONCE = 64 * 1024
_GIVES_CREDENTIALS = (
    "a metadata service gives credentials of the machine, so no option lets it pass."
)


class Door:
    """A proxy that hands requests for the vendors' hosts to a mock.

    It passes those for the program's own servers on (see `is_own_host`), and refuses all others.
    On an address that other machines can reach it passes nothing on.

    A context manager, for a server that is running. It ends with the server.

    Args:
        server: The mock server. The door is for the hosts of its vendors.
        any_key: Whether a call with an unknown key is accepted. Rekognition's signatures are then
            not checked.
        loopback_links: Whether links to hosted sessions lead to the server's own address, where a
            browser needs no proxy, instead of the vendor's host.
        recorder: Forwards all calls to the real vendors, which the mock then does not imitate; None
            for a door to the mock.
        allowed_hosts: Names of further hosts to which connections pass, such as
            ``db.example.com``. Raises ValueError for a vendor's host and a metadata service, and
            if other machines can reach the door.
        host, port: The address to listen on; port 0 is any free one.
        ca_folder: Gets the files ``ca.pem`` and ``ca.p12`` (Java's) with the authority's
            certificate, which each user may read; None for no copies.
        report: Called in the server's thread with each refusal, a sentence, and with the first
            connection to each host that passes.

    Attributes:
        url: The URL of the proxy.
        port: The port of the proxy, which also takes TLS without CONNECT.
        authority: The certificate authority, made for this door.
        hosts: The hosts that it takes, in lower case. A leading ``*.`` matches one label.
        allowed_hosts: The further hosts to which connections pass, in lower case.
        is_open: Whether other machines can reach the door.
    """

    def __init__(
        self,
        server: MockServer,
        *,
        any_key: bool = False,
        loopback_links: bool = False,
        recorder: Recorder | None = None,
        allowed_hosts: Iterable[str] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        ca_folder: Path | None = None,
        report: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare a door to a server that runs.

        Raise ValueError for an allowed host that the mock answers or must not pass. `any_key` lets
        each key in, `loopback_links` makes links lead to this machine, `report` is given each
        refusal once.
        """
        self.server = server
        self.is_open = not is_loopback(host)
        self._address = (host, port)
        self._ca_folder = ca_folder
        self.any_key = any_key
        self.recorder = recorder
        self._loopback_links = loopback_links
        self._report = report
        self._vendors = tuple(server.accounts.vendors.values())
        self.hosts = frozenset[str]().union(
            *(vendor.hosts | vendor.demo_hosts for vendor in self._vendors)
        )
        allowed_by_name = {_name_of(given): given for given in allowed_hosts}
        self.allowed_hosts = frozenset(allowed_by_name)
        for name, given in allowed_by_name.items():
            if not name:
                raise ValueError(f"--allow-host {given}: no host has this name.")
            if self.vendor_of(name) is not None:
                raise ValueError(f"--allow-host {given}: the mock answers for this host.")
            if not self.passes(name):
                raise ValueError(f"--allow-host {given}: {self._explain(name)}")
        #: Programs repeat their calls.
        self._report_once = functools.cache(self.report)

    def __enter__(self) -> Self:
        """Listen, make the authority's files, then accept; raise OSError if one is impossible."""
        self._folder = tempfile.TemporaryDirectory(prefix="facematch-door-")
        with contextlib.ExitStack() as undo:
            folder = Path(undo.enter_context(self._folder))
            # First, so that a second door at a port leaves the files of the first as they are.
            self._listener = undo.enter_context(listen(*self._address))
            self.authority = Authority(folder, _look_up(self.allowed_hosts), self._ca_folder)
            undo.pop_all()
        self.port: int = self._listener.getsockname()[1]
        self.url = url_of(self._address[0], self.port)
        if self._loopback_links:
            self.server.accounts.page_origin = self.server.url
        self._service = self.server.http.open_service(_DoorApp(self))
        self._accepting = self.server.http.spawn(self._accept())
        files = (self.authority.pem, self.authority.java_store)
        self.server.app.authority_files = {PREFIX + each.name: each.read_bytes() for each in files}
        self.server.app.is_ready = True
        return self

    def __exit__(self, *_: object) -> None:
        # The loop is closed if the server was stopped before; the listener is closed then, too.
        with contextlib.suppress(RuntimeError):
            self._accepting.get_loop().call_soon_threadsafe(self._accepting.cancel)
        self.server.accounts.page_origin = None
        self.server.app.authority_files = {}
        self._folder.cleanup()

    def vendor_of(self, host: str | None) -> Vendor | None:
        """Return the served vendor that has this host, with or without a port, or None."""
        for vendor in self._vendors:
            if vendor.has_host(host):
                return vendor
        return None

    def passes(self, host: str | None) -> bool:
        """Return whether connections to this host, with or without a port, pass."""
        name = _name_of(host)
        if self.is_open or not name or is_metadata_service(name):
            return False
        if any(vendor_named(vendor).has_host(name) for vendor in vendor_names()):
            return False
        return name in self.allowed_hosts or is_own_host(name)

    def report_pass(self, host: str | None) -> None:
        """Report that connections to this host pass; once for each host."""
        name = _name_of(host)
        self_hosted = [vendor for vendor in vendor_names() if not vendor_named(vendor).hosts]
        self._report_once(
            f"The door lets connections to {name} pass. If it is a server of a vendor "
            f"({', '.join(self_hosted)}), add --door-host {name}=VENDOR, and the mock answers."
        )

    def report_refusal(self, host: str | None) -> str:
        """Report that a host, with or without a port, is not taken; return the sentence."""
        name = host_in(host or "")
        if name is None:
            return self.report("The door refused a connection that names no host.")
        return self.report(f"The door refused {name}: {self._explain(name)}")

    def refuse_metadata_service(self, host: str | None) -> str | None:
        """Report and return the refusal of a metadata service's other name; None for others."""
        if not leads_to_metadata_service(_name_of(host)):
            return None
        return self.report(f"The door refused {_name_of(host)}: {_GIVES_CREDENTIALS}")

    def report(self, refusal: str) -> str:
        """Report and return a refusal."""
        if self._report is not None:
            self._report(refusal)
        return refusal

    def report_refused_key(self, vendor: Vendor) -> None:
        """Report that a vendor refused the program's key; once for each vendor."""
        advice = "Add --any-key"
        first_key = next(iter(vendor.first_keys.values()), None)
        if first_key is None or first_key.client is None:
            advice += ", or --key with the program's key"
        keys = vendor.greeting[0] if vendor.greeting else f"keys: {', '.join(vendor.first_keys)}"
        self._report_once(
            f"The mock of {vendor.title} refused the program's key, which is none of the mock's. "
            f"{advice}. The mock has {keys.format(url=self.server.url)}."
        )

    def _explain(self, host: str) -> str:
        """Return why the door does not pass a host on, and the option that would serve it."""
        for name in vendor_names():
            vendor = vendor_named(name)
            if vendor.has_host(host):
                return f"{vendor.title} is not served. Add --vendor {name}."
        if is_metadata_service(host):
            return _GIVES_CREDENTIALS
        if self.is_open:
            return "other machines can reach this door, so it passes nothing on."
        return (
            f"it is no vendor's host. If your program needs it, add --allow-host {host}; for a "
            f"server of your own with a vendor's API, --door-host {host}=VENDOR."
        )

    async def _accept(self) -> None:
        """Begin each connection in a task of its own, until the door is closed."""
        loop = asyncio.get_running_loop()
        with self._listener:
            async with asyncio.TaskGroup() as beginnings:
                while True:
                    try:
                        client, _ = await loop.sock_accept(self._listener)
                    except OSError:  # no descriptor is left
                        await asyncio.sleep(0.1)
                        continue
                    client.setblocking(False)
                    beginnings.create_task(self._begin(client))

    async def _begin(self, client: socket.socket) -> None:
        """Bring a connection to the mock or to a host that may be reached, or refuse it."""
        try:
            async with asyncio.timeout(_BEGIN_S):
                target = await self._admit(client)
            if target is not None:
                await _relay(client, target)
        except (OSError, ValueError):  # also TimeoutError, and a name that no certificate can have
            client.close()
        except asyncio.CancelledError:
            client.close()
            raise

    async def _admit(self, client: socket.socket) -> str | None:
        """Hand a connection to the mock: after CONNECT or not, with TLS or plain; or refuse it.

        Return host and port of a CONNECT that passes, which is for the caller to answer.
        """
        loop = asyncio.get_running_loop()
        first_byte = await _peek_first_byte(client)
        host: str | None = None
        # CONNECT: the vendors' APIs use no method with this first letter.
        if first_byte == b"C":
            head = await _read_connect(client)
            host = _host_to_connect(head)
            if host is None or self.vendor_of(host) is None:
                if self.passes(host):
                    refusal = await asyncio.to_thread(self.refuse_metadata_service, host)
                else:
                    refusal = self.report_refusal(host)
                if refusal is None:
                    self.report_pass(host)
                    if _QUESTION not in head:
                        return host
                answer = _ESTABLISHED if refusal is None else _encode_refusal(refusal)
                await loop.sock_sendall(client, answer)
                client.close()
                return None
            await loop.sock_sendall(client, _ESTABLISHED)
            first_byte = await _peek_first_byte(client)
        if first_byte != _TLS:
            await self.server.http.take_over(client, self._service)
            return None
        # TLS without CONNECT names its host.
        hosts = [] if host is None else [host]
        context = self._context_for(host) if host else self._context_by_server_name(hosts)
        if context is None:
            client.close()
            return None
        try:
            await self.server.http.take_over(client, self._service, context)
        except ssl.SSLError as error:
            if "ALERT" in (error.reason or ""):
                name = host_in("".join(hosts)) or "a vendor's host"
                self.report(
                    f"A program refused the door's certificate for {name} ({error.reason}): it "
                    "trusts none of the files that SSL_CERT_FILE and the other variables name. A "
                    "browser reads no such file: it needs FACEMATCH_DOOR_SPKI. If it trusts a "
                    "ca.pem, this certificate is of an earlier start: start the program again."
                )
            raise
        return None

    def _context_for(self, host: str) -> ssl.SSLContext | None:
        """Return the context for a host; None, and a report once, if no certificate can name it."""
        name = (host_in(host) or host).lower()
        try:
            return self.authority.context_for(name)
        except ValueError:  # such as an underscore
            self._report_once(f"The door refused {name:.200}: no certificate can have this name.")
            return None

    def _context_by_server_name(self, asked: list[str]) -> ssl.SSLContext:
        """Return a context that chooses the certificate by the name that the client asks for.

        The name of a vendor's host is added to `asked`.
        """

        def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
            """Choose the certificate of a name; refuse, and report, one that none can have."""
            if name is None or self.vendor_of(name) is None:
                self.report_refusal(name)
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            context = self._context_for(name)
            if context is None:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            asked.append(name)
            tls.context = context
            return None

        context = new_context()
        context.sni_callback = choose
        return context


class _DoorApp(App):
    """The mock's app, for requests that came through a door."""

    def __init__(self, door: Door) -> None:
        super().__init__(door.server.accounts)
        self.person = door.server.app.person
        self.recorder = door.recorder
        self._door = door

    def is_own_host(self, host: str) -> bool:
        """Return False: a vendor's host has no path of the mock's own."""
        return False

    def begin(self, head: Request) -> Response | None:
        """Return a refusal before the body is read; None if the request is answered or passed on.

        Refused are a host that the door does not pass (403) and a WebSocket to a vendor (501).
        """
        # A client may send requests for several hosts on one connection to a proxy.
        host = head.header("host")
        if self._door.vendor_of(host) is None:
            if not self._door.passes(host):
                return self._mark(reply_words(403, self._door.report_refusal(host)))
            return None
        if head.header("upgrade", "").lower() == "websocket":
            refusal = f"The door refused a WebSocket to {host}: the mock has only HTTP/1.1."
            return self._mark(reply_words(501, self._door.report(refusal)))
        return super().begin(head)

    def is_slow(self, request: Request) -> bool:
        return self._door.vendor_of(request.header("host")) is None or super().is_slow(request)

    def handle(self, request: Request) -> Response:
        """Answer for a vendor's host, or pass the request on to any other one.

        With `any_key` the program's own key becomes one of the mock's first.
        """
        if self._door.vendor_of(request.header("host")) is None:
            return self._pass_on(request)
        # A browser opens the page at the vendor's host, where the link leads.
        if request.path.startswith(PERSON):
            return self._mark(self.person.handle(request))
        vendor = self._door.vendor_of(request.header("host"))
        if self._door.any_key and vendor is not None:
            request = accept_key(self._door.server, vendor.name, request)
        return super().handle(request)

    def _pass_on(self, request: Request) -> Response:
        """Return the reply of the program's own server to a plain request that a proxy gets."""
        host = request.header("host", "")
        refusal = self._door.refuse_metadata_service(host)
        if refusal is not None:
            return self._mark(reply_words(403, refusal))
        self._door.report_pass(host)
        connection = http.client.HTTPConnection(host, timeout=_CONNECT_S)
        with contextlib.closing(connection):
            try:
                connection.connect()
                connection.sock.settimeout(_REPLY_S)
                return exchange(connection, request)
            except (OSError, ValueError, http.client.HTTPException) as error:
                reason = f"The door cannot reach {host_in(host)}: {type(error).__name__}."
                return self._mark(reply_words(502, self._door.report(reason)))

    def see_entry(self, vendor: Vendor, entry: Entry) -> None:
        # With `any_key`, only revoked keys and wrong secrets are refused.
        if entry.key == "wrong" and not self._door.any_key:
            self._door.report_refused_key(vendor)

    def note(self, head: Request, what: str) -> None:
        if not head.method:  # what arrived is no request
            self._door.report(f"The door refused a connection: {what}.")
        super().note(head, what)


async def _relay(client: socket.socket, target: str) -> None:
    """Answer a CONNECT, and pass bytes on in both directions until both sides have closed."""
    loop = asyncio.get_running_loop()
    name, _, port = target.rpartition(":")
    try:
        async with asyncio.timeout(_CONNECT_S):
            reader, writer = await asyncio.open_connection(name.strip("[]"), int(port))
    except (OSError, ValueError):  # also TimeoutError, and a port that is no number
        sentence = f"The door cannot reach {target}."
        await loop.sock_sendall(client, _encode_refusal(sentence, status=b"502 Bad Gateway"))
        client.close()
        return

    async def send_on() -> None:
        while part := await loop.sock_recv(client, _RELAYED_AT_ONCE):
            writer.write(part)
            await writer.drain()
        writer.write_eof()

    async def bring_back() -> None:
        while part := await reader.read(_RELAYED_AT_ONCE):
            await loop.sock_sendall(client, part)
        client.shutdown(socket.SHUT_WR)

    with contextlib.closing(client), contextlib.closing(writer):
        await loop.sock_sendall(client, _ESTABLISHED)
        # A connection that breaks ends both directions.
        with contextlib.suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as directions:
                directions.create_task(send_on())
                directions.create_task(bring_back())


async def _peek_first_byte(client: socket.socket) -> bytes:
    """Wait for the first byte, and leave it in the socket; empty if the client closed it."""
    loop = asyncio.get_running_loop()
    is_readable = asyncio.Event()
    loop.add_reader(client, is_readable.set)
    try:
        await is_readable.wait()
    finally:
        loop.remove_reader(client)
    return client.recv(1, socket.MSG_PEEK)


async def _read_connect(client: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _MAX_CONNECT_BYTES:
        received = await loop.sock_recv(client, 4096)
        if not received:
            break
        head += received
    return head


def _host_to_connect(head: bytes) -> str | None:
    """Return host and port of a CONNECT request; None for anything else."""
    request_line = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(request_line) == 3 and request_line[0] == "CONNECT" and head.endswith(b"\r\n\r\n"):
        return request_line[1]
    return None


def _look_up(names: Iterable[str]) -> dict[str, str]:
    """Return an address of each name that has one."""
    addresses = {}
    for name in names:
        with contextlib.suppress(OSError):
            addresses[name] = socket.gethostbyname(name)
    return addresses


def _name_of(host: str | None) -> str:
    """Return the name in lower case, without port and last dot; "" if it is invalid.

    An IPv6 address, with brackets or without, is returned in its shortest form.
    """
    with contextlib.suppress(ValueError):
        return str(ipaddress.IPv6Address((host or "").strip("[]")))
    name = (host_in(host or "") or "").rstrip(".")
    return _name_of(name) if ":" in name else name


def _encode_refusal(sentence: str, status: bytes = b"403 Forbidden") -> bytes:
    body = f"{sentence}\n".encode()
    return (
        b"HTTP/1.1 %b\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
    )
