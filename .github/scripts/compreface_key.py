"""Print the key of a new face verification service on a CompreFace that was just started.

    python .github/scripts/compreface_key.py http://127.0.0.1:8000

Waits up to five minutes until CompreFace answers, registers its first user with a random password,
and makes an application and a service, as its own page does (CompreFace 1.2.0: UserController,
CustomTokenEndpoint, AppController and ModelController of java/admin, and ui/src/app, read on
2026-11-29). Needs only the standard library.
"""

from __future__ import annotations

import base64
import http.cookiejar
import json
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

LIMIT_S = 300.0
PAUSE_S = 5.0
EMAIL = "comparison@example.com"
#: The page's own client, which is in CompreFace's source.
CLIENT = base64.b64encode(b"CommonClientId:password").decode()


class Admin:
    """CompreFace's admin API, with the cookie of its login."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + "/admin"
        jar = http.cookiejar.CookieJar()
        # No proxy: the server is on this machine.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar)
        )

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Post JSON; return the JSON of the answer, None if it has none."""
        headers = {"Content-Type": "application/json"}
        return self._send(path, json.dumps(body).encode(), headers)

    def log_in(self, email: str, password: str) -> None:
        """Log in; the answer's cookie is sent from then on."""
        form = {"username": email, "password": password, "grant_type": "password"}
        headers = {"Authorization": f"Basic {CLIENT}"}
        self._send("/oauth/token", urllib.parse.urlencode(form).encode(), headers)

    def _send(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        request = urllib.request.Request(self._url + path, body, headers)
        with self._opener.open(request, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if content else None


def register(admin: Admin, password: str) -> None:
    """Register the first user, as soon as CompreFace answers."""
    user = {"email": EMAIL, "password": password, "firstName": "Weekly", "lastName": "Comparison"}
    end_s = time.monotonic() + LIMIT_S
    while True:
        try:
            admin.post("/user/register", user | {"isAllowStatistics": False})
        except urllib.error.HTTPError as error:
            is_starting = error.code in (502, 503, 504)
            error.close()
            if not is_starting or time.monotonic() > end_s:
                raise
        except OSError:
            if time.monotonic() > end_s:
                raise
        else:
            return
        time.sleep(PAUSE_S)


def make_key(url: str) -> str:
    """Return the key of a new verification service."""
    admin = Admin(url)
    password = secrets.token_urlsafe(16)
    register(admin, password)
    admin.log_in(EMAIL, password)
    application = admin.post("/app", {"name": "comparison"})
    service = {"name": "comparison", "type": "VERIFY"}
    key: str = admin.post(f"/app/{application['id']}/model", service)["apiKey"]
    return key


if __name__ == "__main__":
    try:
        print(make_key(sys.argv[1]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        sys.exit(f"CompreFace gave no key: {type(error).__name__} {getattr(error, 'code', '')}")
