"""Run the service with a mock of Didit: open the printed URL and play the person."""

import os
import tempfile
import time
from pathlib import Path
from threading import Thread

import app as service
import uvicorn
from fastapi.responses import RedirectResponse

from facematch_mock_server import MockServer, make_card

ORIGIN = "http://127.0.0.1:8000"


@service.app.get("/login")
def login():
    answer = RedirectResponse("/", 303)
    answer.set_cookie("login", "a-login", httponly=True, samesite="lax")
    return answer


def work(sessions):
    while True:
        service.look(sessions)
        time.sleep(1)


if __name__ == "__main__":
    with MockServer() as mock, tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "DIDIT_API_KEY": mock.live_key,
            "DIDIT_BASE_URL": mock.url,
            "DIDIT_ENVIRONMENT": "mock",
            "DIDIT_WEBHOOK_SECRET": mock.control.webhooks.add(f"{ORIGIN}/didit").secret,
            "DIDIT_WORKFLOW_ID": "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10",
            "REQUIRE_ENVIRONMENT": "mock",
            "PAYOUTS": str(Path(folder, "payouts.sqlite3")),
            "ORIGIN": ORIGIN,
        }
        with service.opened() as sessions:
            service.run("INSERT INTO logins VALUES ('a-login', 'ada', 'a-token-of-the-form')")
            service.run("INSERT INTO customers VALUES ('ada', ?)", make_card("p1"))
            for about in ("payout 1: 250 EUR", "payout 2: 9 EUR"):
                service.run("INSERT INTO payouts VALUES (?, 'ada', NULL)", about)
            Thread(target=work, args=(sessions,), daemon=True).start()
            print(f"{ORIGIN}/login", flush=True)
            uvicorn.run(service.app, port=8000, log_level="warning")
