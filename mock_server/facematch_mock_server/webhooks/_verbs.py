"""The verbs of `control.webhooks` over HTTP, under ``/__mock__/webhooks/``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from ._records import Destination
from .control import WebhookDelivery, Webhooks

if TYPE_CHECKING:
    from facematch_mock_server.control import Control

Body = dict[str, Any]
Verb = Callable[["Control", str, Body], Any]
Plain = Callable[[Any], Any]


def verbs(plain: Plain) -> dict[tuple[str, str], Verb]:
    """The verbs by method and path.

    Args:
        plain: Turns values into JSON, as for the other verbs.
    """
    return {
        ("GET", "webhooks/destinations"): lambda control, _, __: {
            "destinations": [_destination(plain, one) for one in control.webhooks.destinations()]
        },
        ("GET", "webhooks/deliveries"): lambda control, _, __: {
            "deliveries": [_delivery(plain, one) for one in control.webhooks.deliveries()]
        },
        ("GET", "webhooks/due"): lambda control, _, __: {"due": control.webhooks.due()},
        ("POST", "webhooks/resend"): _on_one("delivery", Webhooks.resend),
        ("POST", "webhooks/duplicate"): _on_one("delivery", Webhooks.duplicate),
        ("POST", "webhooks/reorder"): _reorder,
        ("POST", "webhooks/pause"): _on_none(Webhooks.pause),
        ("POST", "webhooks/resume"): _on_none(Webhooks.resume),
        ("POST", "webhooks/corrupt"): _trick(Webhooks.corrupt),
        ("POST", "webhooks/sign-wrong"): _trick(Webhooks.sign_wrong),
        ("POST", "webhooks/drop"): _trick(Webhooks.drop),
        ("POST", "webhooks/test"): lambda control, _, body: _delivery(
            plain, control.webhooks.test(_text(body, "destination"))
        ),
        ("POST", "webhooks/deliver-held"): lambda control, _, body: {
            "deliveries": [
                _delivery(plain, one) for one in control.webhooks.deliver_held(_text(body, "to"))
            ]
        },
    }


def _destination(plain: Plain, destination: Destination) -> dict[str, Any]:
    told: dict[str, Any] = plain(destination)
    # It is what the secret is made from; whoever drives the mock wants the secret.
    del told["seed"]
    return {**told, "secret_shared_key": destination.secret}


def _delivery(plain: Plain, delivery: WebhookDelivery) -> dict[str, Any]:
    # The body is ASCII, and stands there as it is sent: what is signed are its bytes.
    return {**plain(attrs.evolve(delivery, body=b"")), "body": delivery.body.decode()}


def _only(body: Body, *known: str) -> None:
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise ValueError(f"there is no {unknown[0]} here; there is {', '.join(known) or 'nothing'}")


def _text(body: Body, name: str) -> str:
    _only(body, name)
    value = body.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is a text, and it is needed")  # noqa: TRY004 - one error for bad bodies
    return value


def _on_one(name: str, verb: Callable[[Webhooks, str], None]) -> Verb:
    def answer(control: Control, _: str, body: Body) -> Any:
        verb(control.webhooks, _text(body, name))
        return {}

    return answer


def _on_none(verb: Callable[[Webhooks], None]) -> Verb:
    def answer(control: Control, _: str, body: Body) -> Any:
        _only(body)
        verb(control.webhooks)
        return {}

    return answer


def _trick(verb: Callable[[Webhooks, int], None]) -> Verb:
    def answer(control: Control, _: str, body: Body) -> Any:
        _only(body, "times")
        verb(control.webhooks, body.get("times", 1))
        return {}

    return answer


def _reorder(control: Control, _: str, body: Body) -> Any:
    _only(body, "deliveries")
    names = body.get("deliveries")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("deliveries is a list of ids")
    control.webhooks.reorder(*names)
    return {}
