"""A real Chromium, spoken to over a pipe: what it logs, asks for, shows and says to a reader."""

import base64
import contextlib
import json
import os
import select
import signal
import time

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
#: The longest wait of any step; a test that meets it fails.
SECONDS = 60


def until(there, what):
    ending = time.monotonic() + SECONDS
    while not (answer := there()):
        assert time.monotonic() < ending, what
        time.sleep(0.02)
    return answer


class Browser:
    """One Chromium with one tab. Speaks the DevTools protocol: a JSON text and a zero byte each."""

    def __init__(self, program, profile, *options):
        to_read, to_write = os.pipe(), os.pipe()
        os.set_inheritable(to_read[0], True)
        os.set_inheritable(to_write[1], True)
        # Chromium reads from 3 and writes to 4.
        self._pid = os.posix_spawn(
            program,
            [program, *QUIET, *options, f"--user-data-dir={profile}", "--remote-debugging-pipe"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, to_read[0], 1003),
                (os.POSIX_SPAWN_DUP2, to_write[1], 1004),
                (os.POSIX_SPAWN_DUP2, 1003, 3),
                (os.POSIX_SPAWN_DUP2, 1004, 4),
                (os.POSIX_SPAWN_CLOSE, 1003),
                (os.POSIX_SPAWN_CLOSE, 1004),
            ],
            setpgroup=0,
        )
        os.close(to_read[0])
        os.close(to_write[1])
        self._out, self._in = to_read[1], to_write[0]
        self._number, self._rest, self.events = 0, b"", []
        self._session = None
        self._add_tab()

    def _add_tab(self, **context):
        self._session = None
        tab = self.send("Target.createTarget", url="about:blank", **context)["targetId"]
        attached = self.send("Target.attachToTarget", targetId=tab, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.send(f"{domain}.enable")
        return tab

    @contextlib.contextmanager
    def tab(self, *, private=False):
        """A second tab until the end of the block; a private one has no cookie of the first."""
        first, self._session = self._session, None
        tab = self._add_tab(**(self.send("Target.createBrowserContext") if private else {}))
        try:
            yield
        finally:
            self._session = None
            self.send("Target.closeTarget", targetId=tab)
            self._session = first

    def close(self):
        with contextlib.suppress(OSError):
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._out)
        os.close(self._in)

    def send(self, method, **parameters):
        """Ask for something; gives the answer, and keeps the events that come before it."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            got = self._next()
            if got.get("id") == self._number:
                assert "error" not in got, got["error"]
                return got["result"]
            self.events.append(got)

    def _next(self):
        ending = time.monotonic() + SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0, ending - time.monotonic()))
            assert ready, "Chromium says nothing"
            piece = os.read(self._in, 1 << 20)
            assert piece, "Chromium has ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, path, *, width=1000, height=1200, scheme="light", media="screen"):
        window = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **window)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", media=media, features=features)
        self.events.clear()
        self.send("Page.navigate", url=path if isinstance(path, str) else path.as_uri())
        loaded = {"method": "Page.loadEventFired", "sessionId": self._session}
        while not any(loaded.items() <= event.items() for event in self.events):
            self.events.append(self._next())

    def value(self, expression):
        got = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def value_in_frame(self, expression):
        """Evaluate an expression in the first frame of the page, which is of the same site."""
        frame = self.send("Page.getFrameTree")["frameTree"]["childFrames"][0]["frame"]["id"]
        world = self.send("Page.createIsolatedWorld", frameId=frame)["executionContextId"]
        more = {"contextId": world, "returnByValue": True}
        got = self.send("Runtime.evaluate", expression=expression, **more)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def result(self, promise):
        more = {"awaitPromise": True, "returnByValue": True}
        return self.send("Runtime.evaluate", expression=promise, **more)["result"]["value"]

    def check_log_requests_and_width(self, *origins):
        """Assert that the page logged nothing, fits the window, and asked no other origin."""
        assert self.messages() == []
        assert [url for url in self.requests() if not url.startswith((*origins, "data:"))] == []
        # A panel that slides in is wider for a moment.
        self.wait("document.documentElement.scrollWidth <= innerWidth")

    def wait(self, condition):
        """Wait until an expression is true, and give its value.

        An element that is not drawn yet is a reason to wait: its view is fetched after the page.
        """
        value = f"(value => value instanceof Node || value)({condition})"
        there = f"(() => {{ try {{ return {value} }} catch {{ return false }} }})()"
        return until(lambda: self.value(there), condition)

    def messages(self):
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [event["params"] for event in self.events if event.get("method") in kinds]

    def requests(self):
        sent = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def press(self, key):
        keys = {"Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "ArrowDown": 40}
        keys |= {"ArrowLeft": 37, "ArrowRight": 39}
        number = ord(key.upper()) if len(key) == 1 else keys[key]
        about = {"key": key, "code": key, "windowsVirtualKeyCode": number}
        text = {"text": "\r" if key == "Enter" else key} if key == "Enter" or len(key) == 1 else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def screenshot(self, path, *, full=True):
        got = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        path.write_bytes(base64.b64decode(got["data"]))

    def tree(self):
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"]
        ]
