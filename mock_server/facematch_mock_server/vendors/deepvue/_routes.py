"""The five paths."""

from __future__ import annotations

from . import _authorize, _bodies, _verdicts, _wallet
from ._call import Route

_FACES = ("bearer", "token", "key", "rate", "body", "credit", "picture")

ROUTES: dict[str, Route] = {
    route.path: route
    for route in (
        Route(
            path="/v1/authorize",
            name="token",
            version="token",
            steps=("body",),
            read=_authorize.read,
            finish=_authorize.granted,
        ),
        *(
            Route(
                path=f"/{version}/facematch",
                name="match",
                version=f"match.{version}",
                steps=_FACES,
                read=_bodies.read_files,
                decide=_verdicts.compare,
                finish=_verdicts.matched,
            )
            for version in ("v1", "v2")
        ),
        Route(
            path="/v1/liveness-check",
            name="liveness",
            version="liveness",
            steps=_FACES,
            read=_bodies.read_image,
            decide=_verdicts.look,
            finish=_verdicts.checked,
        ),
        Route(
            path="/v1/internal/wallet-balance",
            method="GET",
            name="wallet",
            version="wallet",
            steps=("pair", "rate"),
            finish=_wallet.balance,
        ),
    )
}
