"""Run the service with a vendor's mock: open the printed URL and play the person.

`python demo.py` takes Didit; `python demo.py persona` another profile of the folder `profiles`.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from threading import Thread

import app as service
import shop
import uvicorn
from fastapi.responses import RedirectResponse

from facematch_mock_server import MockServer, make_card

ORIGIN = "http://127.0.0.1:8000"
COMPONENTS = ("azure", "rekognition")  # have no page of their own, and send no webhooks


@service.app.get("/login")
def login():
    answer = RedirectResponse("/", 303)
    answer.set_cookie("login", "a-login", httponly=True, samesite="lax")
    return answer


def work(store, mock, vendor, profile):
    """Read the due sessions; play the vendor's component, and the document that it reads."""
    known = set()
    while True:
        for session in mock.control.sessions.open():
            if session.id not in known and 'compared_with = "document"' in profile:
                mock.control.sessions.document(session.id, full_name="LOVELACE ADA")
            if session.id not in known and vendor in COMPONENTS:
                print("the camera:", mock.control.sessions.page(session.id), flush=True)
            known.add(session.id)
        service.look(store)
        time.sleep(1)


if __name__ == "__main__":
    os.umask(0o077)  # others on this machine have no business with the payouts
    vendor = sys.argv[1] if sys.argv[1:] else "didit"
    profile = Path(__file__).with_name("profiles").joinpath(f"{vendor}.toml").read_text()
    with MockServer(vendor=vendor) as mock, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "facematch.toml")
        file.write_text(profile.replace("http://127.0.0.1:8080", mock.url))
        os.environ |= {
            "FACEMATCH_CONFIG": str(file),
            "SHOP_KEY": mock.live_key,
            "SHOP_KEY_ID": mock.client_id or "none",
            "PAYOUTS": str(Path(folder, "payouts.sqlite3")),
            "ORIGIN": ORIGIN,
        }
        if vendor not in COMPONENTS:
            destination = mock.control.webhooks.add(f"{ORIGIN}/webhook")
            os.environ["SHOP_WEBHOOK_SECRET"] = destination.secret
        with service.opened() as store:
            shop.run("INSERT INTO logins VALUES ('a-login', 'ada', 'a-token-of-the-form')")
            shop.run("INSERT INTO customers VALUES ('ada', 'Ada Lovelace', ?)", make_card("p1"))
            for about in ("payout 1: 250 EUR", "payout 2: 9 EUR"):
                shop.run("INSERT INTO payouts VALUES (?, 'ada', NULL)", about)
            Thread(target=work, args=(store, mock, vendor, profile), daemon=True).start()
            print(f"{ORIGIN}/login", flush=True)
            uvicorn.run(service.app, port=8000, log_level="warning")
