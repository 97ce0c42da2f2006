"""Run the application with a vendor's mock: open the printed URLs, and play everybody.

`python demo.py` takes Didit; `python demo.py persona` another profile of facematch.toml. Its three
routes are for a demonstration, and for `drill.sh`: they let anybody in.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import shop
import worker
from app import app
from faces import Faces, opened, step_of_payout
from fastapi.responses import RedirectResponse
from migrate import migrate
from web import Stores

from facematch_mock_server import MockServer, make_card

ORIGIN = os.environ.get("ORIGIN", "http://127.0.0.1:8000")
COMPONENTS = ("azure", "rekognition")  # have no page of their own, and send no webhooks
#: The words of `facematch drill`.
WORDS = {"looking": "open", "waiting": "open", "failed": "none", "verified": "approved"}


@app.get("/demo/login")
def login(who: str, new: bool = False) -> RedirectResponse:
    """Log anybody in: staff, a customer with a photograph and a payout, or a new one."""
    insert = "INSERT INTO {} ON CONFLICT DO NOTHING"
    shop.run(insert.format("logins VALUES (:w, :w, :staff, :w)"), w=who, staff=who == "staff")
    if who != "staff":
        opened_at, picture = (None, None) if new else (time.time(), make_card("p1"))
        customer = insert.format("customers VALUES (:w, 'Ada Lovelace', :at, :picture)")
        shop.run(customer, w=who, at=opened_at, picture=picture)
        shop.run(insert.format("payouts VALUES (:a, :w, NULL)"), a=f"250 EUR to {who}", w=who)
    answer = RedirectResponse("/desk" if who == "staff" else "/", 303)
    answer.set_cookie("login", who, httponly=True, samesite="lax")
    return answer


@app.get("/demo/state")
def state(faces: Stores, customer: str) -> dict[str, object]:
    rows = shop.payouts_of(customer)
    if not rows:
        return {"state": "new"}
    step = step_of_payout(faces.payout_of(customer, rows[0].about))
    return {"state": WORDS.get(step, step), "booked": int(rows[0].paid_at is not None)}


@app.get("/demo/look")
def look(faces: Stores) -> str:
    worker.look(faces)
    return "ok"


def play(faces: Faces, mock: MockServer, vendor: str) -> None:
    """Be the worker; play the vendor's component, and the document that it reads."""
    mock.control.sessions.document(full_name="LOVELACE ADA")
    known = set()
    while True:
        for session in mock.control.sessions.open():
            if session.id not in known and vendor in COMPONENTS:
                print("the camera:", mock.control.sessions.page(session.id), flush=True)
            known.add(session.id)
        worker.look(faces)
        time.sleep(1)


def main(vendor: str = "didit") -> None:
    import uvicorn

    os.umask(0o077)  # others on this machine have no business with the payouts
    profiles = Path(__file__).with_name("facematch.toml").read_text()
    with (
        MockServer(vendor=vendor) as mock,
        MockServer(vendor="didit") as uploads,
        tempfile.TemporaryDirectory() as folder,
    ):
        profiles = profiles.replace("http://127.0.0.1:8080", mock.url)
        file = Path(folder, "facematch.toml")
        file.write_text(profiles.replace("http://127.0.0.1:8081", uploads.url))
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/shop.sqlite3")
        os.environ |= {
            "FACEMATCH_CONFIG": str(file),
            "SHOP_VENDOR": vendor,
            "SHOP_KEY": mock.live_key,
            "SHOP_KEY_ID": mock.client_id or "none",
            "UPLOADS_KEY": uploads.live_key,
            "ORIGIN": ORIGIN,
        }
        if vendor not in COMPONENTS:
            destination = mock.control.webhooks.add(f"{ORIGIN}/webhook")
            os.environ["SHOP_WEBHOOK_SECRET"] = destination.secret
        migrate()
        with opened() as faces:
            Thread(target=play, args=(faces, mock, vendor), daemon=True).start()
            for who in ("ada", "bob&new=1", "staff"):
                print(f"{ORIGIN}/demo/login?who={who}", flush=True)
            uvicorn.run(app, port=urlsplit(ORIGIN).port or 80, log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
