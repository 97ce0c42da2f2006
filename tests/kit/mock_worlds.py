"""One vendor of the mock without a server: its world, and the app that answers for it."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler

from facematch_mock_server.control import Control
from facematch_mock_server.http.app import App
from facematch_mock_server.vendors import vendor_named
from facematch_mock_server.world.accounts import Accounts


def world_of(recognizer=None, *, vendor="didit", switches=None, **shared):
    """The first account's world with a vendor; `shared` are arguments of `Accounts`."""
    kind = vendor_named(vendor)
    accounts = Accounts([kind], recognizer, switches=switches, **shared)
    return accounts.main.world(vendor)


def _accounts_of(world):
    return world.account.shared


def app_of(world):
    return App(_accounts_of(world))


def control_of(world):
    """Control of the account of a world, at its vendor."""
    return Control(world.account, world.vendor)


def handle_with_fault(app, fault, request):
    app.account.faults.add(fault)
    return app.handle(request)


@contextlib.contextmanager
def serving(server, release):
    """A server of the standard library that runs; `release` lets go of what it holds."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            release()
            server.shutdown()
            thread.join()


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass
