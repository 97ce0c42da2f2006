"""A desk with Django whose views check an upload and pay; run by `test_connections.py`.

Nobody waits for a lock: a statement that another connection blocks fails at once. Prints for each
view: its status, the payouts, the charges, whether the check is used.
"""

import json
import sys
from pathlib import Path

import django
from django.conf import settings
from kit.fakes import FakeBackend, picture

import facematch_core as fm
from facematch_core.store import database

file = Path(sys.argv[1]) / "shop.sqlite3"
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

backend = FakeBackend()
database.MAX_WAIT_S = 0.0
store = fm.CheckStore(f"sqlite:///{file}", fm.FaceVerifier(backend))


def run(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def case_of(request):
    return store.of(request.path, purpose="payout", about="payout 8841")


@transaction.non_atomic_requests
def pay(request):
    case = case_of(request)
    case.verify_live(picture(), picture((10, 20, 30)))
    with transaction.atomic():
        assert case.use(connection=connection)
        run("INSERT INTO payouts VALUES (%s)", request.path)
        if request.path == "/fail":
            raise RuntimeError("the payout failed")
    return HttpResponse()


def pay_in_atomic(request):
    """The transaction of the request is open."""
    if request.path.endswith("write"):
        run("INSERT INTO visits VALUES (1)")
    case_of(request).verify_live(picture(), picture((10, 20, 30)))
    return HttpResponse()


urlpatterns = [
    *(urls.path(name, pay) for name in ("pay", "fail")),
    *(urls.path(name, pay_in_atomic) for name in ("in_atomic", "in_atomic_after_write")),
]


def main():
    run("CREATE TABLE payouts (path TEXT)")
    run("CREATE TABLE visits (number INTEGER)")
    client = test.Client(raise_request_exception=False)
    outcomes = {}
    for pattern in urlpatterns:
        path = f"/{pattern.pattern}"
        backend.calls.clear()
        answer = client.get(path)
        found = store.of(path, purpose="payout", about="payout 8841").find()
        outcomes[path[1:]] = {
            "status": answer.status_code,
            "payouts": len(run("SELECT 1 FROM payouts WHERE path = %s", path)),
            "charges": len(backend.calls),
            "is_used": None if found is None else found.used_at is not None,
        }
    sys.stdout.write(json.dumps(outcomes))
    store.close()


if __name__ == "__main__":
    main()
