"""Pytest fixtures: a mock vendor for each test, without an account or network access.

The module imports only pytest until a fixture is used, so it does not slow down other test runs.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from facematch_mock_server.world.accounts import Account
    from facematch_mock_server.world.variables import Changes

    from .server import MockServer

_PASSED = pytest.StashKey[bool]()
_SERVERS = pytest.StashKey[list["MockServer"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini setting ``facematch_unused``."""
    parser.addini(
        "facematch_unused",
        "fail or allow: whether a test fails if it set outcomes, faults or replies that no call "
        "used",
        default="fail",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Describe the marker ``facematch_replies``."""
    config.addinivalue_line(
        "markers",
        "facematch_replies(*replies): own replies of the mock's fixtures, for calls that the mock "
        "does not imitate: mappings in WireMock's format, and files or folders beside the test. "
        "The test fails if no call uses one of the mappings.",
    )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, None]:
    """Record that a test passed. If it failed, add the mock's newest calls to its report."""
    outcome = yield
    if call.when == "call":
        item.stash[_PASSED] = call.excinfo is None
    report = outcome.get_result()
    servers = item.stash.get(_SERVERS, [])
    if report.failed:
        lines: list[str] = []
        for server in servers:
            lines += _list_newest(server)
        if lines:
            report.sections.append(("facematch mock", "\n".join(lines)))
    if call.when == "teardown":
        # Drop the server, because pytest keeps its items until the end of the run.
        servers.clear()


def _list_newest(server: MockServer) -> list[str]:
    """Describe the newest calls without secrets: up to five in other accounts, ten in the first."""
    first_account, *other_accounts = server.accounts.all
    beside = [line for account in other_accounts for line in _list_calls(account)]
    return [*beside[-5:], *_list_calls(first_account)]


def _list_calls(account: Account) -> list[str]:
    lines = (
        f"{account.name}: {entry.method} {entry.path} {entry.status or 'no answer'} "
        f"{entry.note or ''}".rstrip()
        for entry in account.journal.entries[-10:]
    )
    # Replace control characters in a client's text, because they could control the terminal.
    return ["".join(c if c.isprintable() else "?" for c in line) for line in lines]


@contextlib.contextmanager
def _check_unused(request: pytest.FixtureRequest, server: MockServer) -> Iterator[MockServer]:
    """Fail a test that passed without using all its outcomes, faults and added replies."""
    request.node.stash.setdefault(_SERVERS, []).append(server)
    yield server
    if not request.node.stash.get(_PASSED, False):
        return
    from .server import MockAccount  # imported here: the plug-in must load only pytest

    setting = request.config.getini("facematch_unused")
    if setting not in ("fail", "allow"):
        pytest.fail(f"facematch_unused must be fail or allow, not {setting!r:.40}", pytrace=False)
    controls = [MockAccount(account).control for account in server.accounts.all]
    unused = [(rule, control.closest(rule)) for control in controls for rule in control.unused()]
    if unused and setting == "fail":
        listed = "\n".join(f"  {rule!r}\n    closest: {closest}" for rule, closest in unused)
        pytest.fail(
            f"the test set rules that no call used:\n{listed}\nIf that is intended, end the test "
            "with control.clear_outcomes(), control.clear_faults() and control.clear_replies(), or "
            "set facematch_unused = allow in pytest's configuration.",
            pytrace=False,
        )


def _load_server() -> type[MockServer]:
    """Return the class MockServer; end the test with what to install if a library is missing."""
    try:
        from .server import MockServer as Server
    except ModuleNotFoundError as missing:
        from facematch_core.base.extras import install_command

        pytest.fail(
            f"The fixtures of the mock need {missing.name}: {install_command('mock')}",
            pytrace=False,
        )
    return Server


def _make_server(request: pytest.FixtureRequest, vendor: str | list[str]) -> MockServer:
    """Return a server with the replies of the test's markers, which is not running."""
    files: list[Path] = []
    mappings = []
    for marker in request.node.iter_markers("facematch_replies"):
        for source in marker.args:
            if isinstance(source, (str, os.PathLike)):
                files.append(request.path.parent / source)
            else:
                mappings.append(source)
    server_class = _load_server()
    try:
        server = server_class(vendor=vendor, replies=files)
        for mapping in mappings:
            server.control.add_replies(mapping)
    except ValueError as error:
        pytest.fail(f"The marker facematch_replies: {error}", pytrace=False)
    return server


def _make_server_fixture(vendor: str) -> Any:
    """Return the fixture NAME_server of a vendor."""

    def server(
        request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[MockServer]:
        with _make_server(request, vendor) as running, _check_unused(request, running):
            variables = running.world.vendor.variables
            keys = variables.changes_for_keys(os.environ)
            _change_environment(monkeypatch, keys)
            _change_environment(monkeypatch, variables.changes_for_url(running.url))
            _declare_mock(monkeypatch, vendor)
            with _new_boto3_session() if "AWS_ACCESS_KEY_ID" in keys else contextlib.nullcontext():
                yield running

    # Before it is made a fixture: `pytest --fixtures` does not read it afterwards.
    server.__doc__ = f"""The API of {vendor} over HTTP on loopback, with new state for each test.

    Sets the variables with the vendor's keys and address to the mock's for the test. If the vendor
    has no variable for the address, pass `url` to the client. Set outcomes and faults with
    `control`. A test fails if no call uses an outcome or fault that it set.
    """
    return pytest.fixture(server)


def _make_mock_fixture(vendor: str) -> Any:
    """Return the fixture NAME_mock of a vendor."""

    def mock(
        request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[MockServer]:
        """Answer the vendor's hosts within requests, and stop pending webhooks at the end."""
        from urllib.parse import urlsplit

        import requests

        server = _make_server(request, vendor)
        if not server.world.vendor.hosts:
            pytest.fail(f"{vendor} has no host of its own: use {vendor}_server", pytrace=False)
        adapter = server.adapter()
        has_host = server.world.vendor.has_host
        get_real = requests.Session.get_adapter

        def get_adapter(session: requests.Session, url: str) -> requests.adapters.BaseAdapter:
            parts = urlsplit(url)
            is_https = parts.scheme == "https" and parts.port in (None, 443)
            if is_https and has_host(parts.hostname):
                return adapter
            return get_real(session, url)

        monkeypatch.setattr(requests.Session, "get_adapter", get_adapter)
        _block_hosts(monkeypatch, server)
        _set_own_address_and_keys(monkeypatch, server, vendor)
        _declare_mock(monkeypatch, vendor)
        try:
            with _check_unused(request, server):
                yield server
        finally:
            # Stop pending webhooks.
            server.stop()

    mock.__doc__ = f"""The API of {vendor} at its own address, for calls with the requests library.

    Covers facematch and any program that uses requests, unchanged: the variables with the vendor's
    keys are the mock's for the test, and an address that is not the vendor's own is removed. If
    another client resolves the vendor's host name, the test fails before anything is sent. Requests
    to other hosts are sent as usual; a test may use fixtures of several vendors. After `stop`,
    connections are refused until `start`. A test fails if no call uses an outcome or fault that it
    set.
    """
    return pytest.fixture(mock)


@pytest.fixture
def mock_door(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MockServer]:
    """The APIs of all vendors with hosts of their own, for any client in this process or a child.

    Sets the variables of `facematch mock --door` and those of the vendors' keys, so that the calls
    of programs that a test starts go to the mock, and redirects this process's own connections.
    Connections to hosts other than the vendors' and loopback fail. `of` returns a vendor's keys and
    control; `live_key` and `control` are Didit's. After `stop`, the vendors' hosts refuse
    connections. A test fails if no call uses an outcome or fault that it set.
    """
    import urllib.request

    try:
        from .door import Door
        from .door.python_hook import sitecustomize
        from .door.variables import variables_for
        from .vendors import DEFAULT, vendor_named, vendor_names
    except ModuleNotFoundError as missing:
        from facematch_core.base.extras import install_command

        pytest.fail(
            f"The fixture mock_door needs {missing.name}: {install_command('door')}",
            pytrace=False,
        )
    vendors = [name for name in vendor_names() if vendor_named(name).hosts]
    vendors.sort(key=lambda name: name != DEFAULT)
    with _make_server(request, vendors) as server, Door(server) as door:
        for name, value in variables_for(door, os.environ).items():
            monkeypatch.setenv(name, value)
        # `urlopen` keeps an opener with the proxies of its first call, which may be this door's.
        kept_opener = getattr(urllib.request, "_opener", None)
        monkeypatch.setattr(urllib.request, "_opener", kept_opener, raising=False)
        for vendor in server.vendors:
            _set_own_address_and_keys(monkeypatch, server, vendor)
        ca_file = str(door.authority.pem)
        sitecustomize.use(sitecustomize.KnownDoor(door.port, door.hosts, ca_file))
        try:
            with _check_unused(request, server), _new_boto3_session():
                yield server
        finally:
            sitecustomize.use(None)


def _declare_mock(monkeypatch: pytest.MonkeyPatch, vendor: str) -> None:
    """Mark the vendor's environment as a mock, so that tests do not use up a production budget.

    `open_sessions` then requires a mock of this vendor, too, unless the program names another
    environment.
    """
    # Another vendor's fixture may have replaced the function already.
    from facematch_core.config.opening import _required_of_sessions as required_of_others
    from facematch_core.models import Environment

    def required_of_sessions(backend: str) -> Environment:
        return Environment.MOCK if backend == vendor else required_of_others(backend)

    monkeypatch.setenv(f"{vendor.upper().replace('-', '_')}_ENVIRONMENT", "mock")
    monkeypatch.setattr("facematch_core.config.opening._required_of_sessions", required_of_sessions)


def _set_own_address_and_keys(
    monkeypatch: pytest.MonkeyPatch, server: MockServer, vendor: str
) -> None:
    """Set the variables of a program that calls the vendor's own address with the mock's keys."""
    definition = server.accounts.vendors[vendor]
    variables = definition.variables
    _change_environment(monkeypatch, variables.changes_for_keys(os.environ))
    changes = variables.changes_for_own_address(
        os.environ, has_host=definition.has_host, start=lambda: server.start().url
    )
    _change_environment(monkeypatch, changes)


def _change_environment(monkeypatch: pytest.MonkeyPatch, changes: Changes) -> None:
    for name, value in changes.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


@contextlib.contextmanager
def _new_boto3_session() -> Iterator[None]:
    """Let boto3 make a new default session, because a session keeps the keys that it read first.

    Afterwards the former one is back, if there was one.
    """
    former = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    _set_boto3_session(None)
    try:
        yield
    finally:
        _set_boto3_session(former)


def _set_boto3_session(session: Any) -> None:
    boto3: Any = sys.modules.get("boto3")
    if boto3 is not None:
        boto3.DEFAULT_SESSION = session


def _block_hosts(monkeypatch: pytest.MonkeyPatch, server: MockServer) -> None:
    """Block DNS lookups of the vendor's real hosts in this process, and bypass proxies for them."""
    import socket

    look_up = socket.getaddrinfo
    vendor = server.world.vendor

    def getaddrinfo(host: Any, *arguments: Any, **more: Any) -> Any:
        """Look up a host.

        End the test if it is the vendor's, which another client than requests asks for.
        """
        name = host.decode("latin-1") if isinstance(host, bytes) else str(host)
        if vendor.has_host(name.rstrip(".")):
            # `pytest.fail` raises a `BaseException`, so a client does not treat it as an outage.
            pytest.fail(
                f"{name} is not covered by {vendor.name}_mock, which covers only requests. For "
                f"httpx and other clients use {vendor.name}_server and its url, or mock_door.",
                pytrace=False,
            )
        return look_up(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    hosts = sorted(host.removeprefix("*") for host in vendor.hosts)
    set_before = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, ",".join(filter(None, (set_before, *hosts))))


_vendors = {entry.name for entry in (Path(__file__).parent / "vendors").iterdir()}
# pytest has just read the same metadata. A vendor is imported once a test uses its fixture.
_vendors |= {point.name for point in entry_points(group="facematch.mock_vendors")}
for _vendor in sorted(_vendors):
    _name = _vendor.replace("-", "_")
    if _name.isidentifier() and not _name.startswith("_"):
        globals()[f"{_name}_server"] = _make_server_fixture(_vendor)
        globals()[f"{_name}_mock"] = _make_mock_fixture(_vendor)
