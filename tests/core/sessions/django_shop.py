"""A shop with Django whose views pay in its own transaction; run by `test_django.py`.

Nobody waits for a lock: a statement that another connection blocks fails at once. Prints for each
way to pay: what the view answered, the payouts, whether the session is used.
"""

import json
import sys
from pathlib import Path

import django
from core.sessions.shop import PAYOUT
from core.sessions.vendor import ManySessions
from django.conf import settings
from kit.fakes import picture

import facematch_core as fm
from facematch_core.store import database

folder = Path(sys.argv[1])
file = folder / "shop.sqlite3"
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": file,
            "ATOMIC_REQUESTS": True,
            "OPTIONS": {"transaction_mode": sys.argv[2], "timeout": 0},
        }
    },
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["testserver"],
)
django.setup()

from django import test, urls
from django.db import connection, transaction
from django.http import HttpResponse

vendor = ManySessions()
database.MAX_WAIT_S = 0.0
store = fm.SessionStore(f"sqlite:///{file}", fm.Sessions(fm.FaceVerifier(vendor)))


def run(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def use_and_pay(request):
    payout = store.of(request.GET["customer"], **PAYOUT)
    if not payout.use(max_age_s=3600, connection=connection):
        return HttpResponse(status=403)
    run("INSERT INTO payouts VALUES (%s)", request.GET["customer"])
    if request.GET["way"] == "fail":
        raise RuntimeError("the payout failed")
    return HttpResponse()


def pay(request):
    """Pay in the transaction of the request, which may have read or written before."""
    if request.GET["way"] == "read":
        run("SELECT count(*) FROM payouts")
    if request.GET["way"] == "write":
        run("INSERT INTO visits VALUES (1)")
    return use_and_pay(request)


@transaction.non_atomic_requests
def pay_in_atomic(request):
    with transaction.atomic():
        return use_and_pay(request)


urlpatterns = [urls.path("pay", pay), urls.path("atomic", pay_in_atomic)]


ATOMIC = ("atomic first", "atomic fail")


def main():
    run("CREATE TABLE payouts (customer TEXT)")
    run("CREATE TABLE visits (number INTEGER)")
    client = test.Client(raise_request_exception=False)
    outcomes = {}
    for customer in ("pay first", "pay read", "pay write", "pay fail", *ATOMIC):
        path, way = customer.split()
        case = store.of(customer, **PAYOUT)
        case.begin(reference=picture())
        vendor.finish()
        answer = client.get(f"/{path}", {"customer": customer, "way": way})
        outcomes[customer] = {
            "status": answer.status_code,
            "payouts": len(run("SELECT 1 FROM payouts WHERE customer = %s", customer)),
            "is_used": case.find().used_at is not None,
        }
    sys.stdout.write(json.dumps(outcomes))
    store.close()


if __name__ == "__main__":
    main()
