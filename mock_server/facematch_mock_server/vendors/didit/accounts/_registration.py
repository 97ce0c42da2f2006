"""POST /programmatic/register/: a new account, and a code to its mailbox."""

from __future__ import annotations

from facematch_mock_server._messages import Response
from facematch_mock_server.vendors.didit import _access, _given
from facematch_mock_server.vendors.didit._records import records_of
from facematch_mock_server.vendors.didit._visit import Door, Route, Visit

from . import _rules
from ._book import Account
from ._codes import new_code, send
from ._hashing import hashed


def register(visit: Visit) -> Response:
    """The answer; the account can do nothing until its code was shown."""
    throttled = _access.rate(
        visit, scope="register", window="rate.register.window_s", by_address=True
    )
    if throttled is not None:
        return throttled
    values, errors = _given.read(visit.told, visit.fields, _FIELDS, required=("email", "password"))
    if errors:
        return visit.answer("fields.refused", errors)
    email = values["email"]
    if _rules.is_reserved(visit.told, email):
        return visit.answer("register.broken", page=visit.told["register.broken_page"])
    code = new_code(visit)
    account = Account(
        email=email,
        password=hashed(values["password"]),
        registered_at=visit.now,
        code=hashed(code),
        code_at=visit.now,
    )
    if not records_of(visit.world).accounts.add(account):
        return visit.answer("register.taken")
    send(visit, email, code)
    return visit.answer(
        "register.answer", {"message": visit.told["register.message"], "email": email}
    )


_FIELDS: dict[str, _given.Reader] = {"email": _rules.email, "password": _rules.password}

ROUTES = (
    Route(
        pattern="/auth/v2/programmatic/register/",
        door=Door.OPEN,
        methods={"POST": register},
        throttle="register",
        shown=("email",),
    ),
)
