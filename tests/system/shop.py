"""A shop whose page opens a vendor's web SDK, and which takes the vendor's webhooks."""

import contextlib
import http.server
import threading


class Shop(http.server.ThreadingHTTPServer):
    """Serves ``/``, ``/sdk.js`` and `answers`, and keeps the webhooks that come to ``/hook``."""

    #: Another origin than that of the mock, because the port differs.
    url = property(lambda self: f"http://127.0.0.1:{self.server_port}")

    def __init__(self, sdk):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sdk = sdk
        self.script = ""
        self.webhooks = []
        #: Functions that return what the page asks for, by path.
        self.answers = {}

    def open(self, browser, script, *, host="127.0.0.1"):
        """Show the page with this script; `note` in it keeps what the SDK says."""
        self.script = script
        browser.open(f"http://{host}:{self.server_port}/")


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        head = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
        page = (
            f"{head}<body><script src=sdk.js></script><script>{SAID}{self.server.script}</script>"
        )
        if self.path in self.server.answers:
            self._answer(self.server.answers[self.path]().encode(), "plain")
            return
        is_page = self.path == "/"
        self._answer(
            page.encode() if is_page else self.server.sdk, "html" if is_page else "javascript"
        )

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.webhooks.append((body, dict(self.headers.items())))
        self._answer(b"", "plain")

    def _answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", f"text/{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


SAID = "const said = []; const note = (what) => said.push(what);"


@contextlib.contextmanager
def open_shop(sdk):
    """Run a shop with this SDK until the end of the block."""
    with Shop(sdk) as shop:
        thread = threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield shop
        finally:
            shop.shutdown()
            thread.join()
