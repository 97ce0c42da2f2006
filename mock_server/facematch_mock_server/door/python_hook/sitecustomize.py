"""Send this process's connections to vendors' hosts to a door, which may refuse others.

Python imports a module of this name when it starts, if the module's folder is on PYTHONPATH. The
module needs only the standard library, because the program may not have facematch.
"""

from __future__ import annotations

import errno
import importlib.machinery
import importlib.util
import ipaddress
import os
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Any, NamedTuple


class KnownDoor(NamedTuple):
    """A door, as this process knows it."""

    port: int
    #: In lower case; a leading ``*.`` matches one label.
    hosts: frozenset[str]
    #: The file with the certificate authority.
    ca_file: str

    def takes(self, host: object) -> bool:
        name = _as_text(host).lower().rstrip(".")
        return name in self.hosts or "*." + name.partition(".")[2] in self.hosts


#: Packages that look up names or connect in C, unseen by Python. Programs that can use them
#: nearly always work without them.
_UNSEEN = frozenset({"aiodns", "pycares", "uvloop"})

_Socket = socket.socket
_door: KnownDoor | None = None
#: Names and addresses that the door lets pass.
_passing: set[str] = set()
_is_installed = False


def use(door: KnownDoor | None) -> None:
    """Send connections to this door from now on; with None, connect as usual."""
    global _door, _is_installed  # noqa: PLW0603 - a process has one door
    _door = door
    _passing.clear()
    if not _is_installed:
        _is_installed = True
        _install()


def _as_text(host: object) -> str:
    return host.decode("latin-1") if isinstance(host, bytes) else str(host)


def _is_loopback(host: object) -> bool:
    name = _as_text(host)
    # None and "" are this machine's own addresses; its name is asked for by `socket.getfqdn`.
    if host is None or name in ("", "localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _find_refusal(door: KnownDoor, host: object) -> str | None:
    """Return the sentence by which the door refuses a host, which reports it; None if it passes."""
    name = _as_text(host)
    if name in _passing or _is_loopback(host):
        return None
    target = f"[{name}]:443" if ":" in name else f"{name}:443"
    question = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nFacematch-Door: may-pass\r\n\r\n"
    try:
        # gevent may have replaced `socket.socket` by a class that must not wait here.
        with _Socket() as connection:
            connection.settimeout(30)  # a busy machine
            connection.connect(("127.0.0.1", door.port))
            connection.sendall(question.encode())
            parts = list(iter(lambda: connection.recv(4096), b""))
    except OSError:
        return f"The door refused {name}."
    head, _, sentence = b"".join(parts).partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 200 "):
        _passing.add(name)
        return None
    return sentence.decode().strip()


def _refuse_others(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse lookups and connections that the functions below did not redirect."""
    if _door is None or not event.startswith("socket."):
        return
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        refusal = _find_refusal(_door, arguments[0])
        if refusal is not None:
            raise socket.gaierror(socket.EAI_FAIL, refusal)
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        # Addresses of other families, such as Unix sockets, are no tuples or have no host.
        is_internet = arguments[0].family in (socket.AF_INET, socket.AF_INET6)
        if is_internet and isinstance(address, tuple):
            refusal = _find_refusal(_door, address[0])
            if refusal is not None:
                raise OSError(errno.EACCES, refusal)


class _Missing:
    """An import finder that reports the packages in `_UNSEEN` as missing."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if _door is not None and name in _UNSEEN:
            text = f"facematch mock --door refused to import {name}: it would bypass the door"
            raise ModuleNotFoundError(text, name=name)


def _install() -> None:
    """Patch `socket` and `ssl`, and install the audit hook, which cannot be removed."""
    sys.meta_path.insert(0, _Missing)
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def getaddrinfo(host: Any, port: Any, *arguments: Any, **more: Any) -> Any:
        if _door is not None and _door.takes(host):
            return look_up("127.0.0.1", _door.port, *arguments, **more)
        found = look_up(host, port, *arguments, **more)
        if _door is not None and _as_text(host) in _passing:
            _passing.update(str(address[0]) for *_, address in found)
        return found

    def connect_to_door(self: socket.socket, address: Any) -> None:
        if _door is not None and isinstance(address, tuple) and _door.takes(address[0]):
            address = ("127.0.0.1", _door.port)
        return connect(self, address)

    socket.getaddrinfo = getaddrinfo
    socket.socket.connect = connect_to_door  # type: ignore[method-assign, assignment]
    # Some clients trust only the authorities of a package such as certifi.
    for name in ("wrap_socket", "wrap_bio"):
        setattr(ssl.SSLContext, name, _trusting_the_door(getattr(ssl.SSLContext, name)))
    sys.addaudithook(_refuse_others)


def _trusting_the_door(wrap: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(self: ssl.SSLContext, *arguments: Any, **more: Any) -> Any:
        if _door is not None and _door.takes(more.get("server_hostname")):
            self.load_verify_locations(_door.ca_file)
        return wrap(self, *arguments, **more)

    return wrapped


def _run_the_other_sitecustomize() -> None:
    """Run the module of the same name that this one hides."""
    hook_folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib is slow
    other_folders = [folder for folder in sys.path if os.path.abspath(folder) != hook_folder]  # noqa: PTH100
    next_spec = importlib.machinery.PathFinder.find_spec("sitecustomize", other_folders)
    if next_spec is not None and next_spec.loader is not None:
        module = importlib.util.module_from_spec(next_spec)
        sys.modules["sitecustomize"] = module
        next_spec.loader.exec_module(module)


if __name__ == "sitecustomize":
    if "FACEMATCH_DOOR_PORT" in os.environ:
        use(
            KnownDoor(
                port=int(os.environ["FACEMATCH_DOOR_PORT"]),
                hosts=frozenset(os.environ["FACEMATCH_DOOR_HOSTS"].split(",")),
                ca_file=os.environ["FACEMATCH_DOOR_CA"],
            )
        )
    _run_the_other_sitecustomize()
