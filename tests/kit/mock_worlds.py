"""One vendor of the mock without a server: its world, and the app that answers for it."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler

from facematch_mock_server import world as worlds
from facematch_mock_server.app import App
from facematch_mock_server.vendors import vendor_named


def world_of(recognizer=None, *, vendor="didit", edition=None, switches=None, **shared):
    """A vendor's world in a state of its own; `shared` are the arguments of that state."""
    state = worlds.ServerState(recognizer, **shared)
    return worlds.World(state, vendor_named(vendor), edition=edition, switches=switches)


def beside(world, vendor, **settings):
    """The world of another vendor in the same state."""
    return worlds.World(world.server, vendor_named(vendor), **settings)


def app_of(world):
    """What answers for the vendors of a world's state."""
    return App(world.server)


@contextlib.contextmanager
def serving(server, release):
    """A server of the standard library that runs; `release` lets go of what it holds."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        release()
        server.shutdown()
        thread.join()


class Quiet(BaseHTTPRequestHandler):
    """Prints nothing about requests."""

    def log_message(self, *args):
        pass
