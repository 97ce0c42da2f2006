"""What a test may do to Deepvue's tokens and answers: verbs of the control API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from facematch_mock_server.world import World

from ._made_up import Operation, SetAnswer
from ._records import records_of
from ._tokens import IssuedToken

Verbs = dict[tuple[str, str], Callable[[Any, str, dict[str, Any]], Any]]


class Tokens:
    """The access tokens of one world. In memory only. Safe across threads.

    Args:
        world: Whose they are.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def asked(self) -> int:
        """How often a token was asked for, with a good pair or a wrong one."""
        return records_of(self._world).tokens.asked

    def issued(self) -> tuple[IssuedToken, ...]:
        """The newest 10,000 that were given out, without their texts, in order."""
        return records_of(self._world).tokens.issued()

    def revoke(self) -> int:
        """Take back every token that was given out; how many of them had not been.

        Those that are given out later are good.
        """
        return records_of(self._world).tokens.revoke()


class Answers:
    """Answers whose fields a test makes up, for what no document tells. Safe across threads.

    Args:
        world: Whose they are.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def set(
        self,
        kind: Operation,
        fields: Mapping[str, Any] | None = None,
        *,
        without: Iterable[str] = (),
        times: int | None = 1,
    ) -> SetAnswer:
        """Make up fields of the next answers with a verdict. The call is charged as ever.

        Args:
            kind: ``match`` or ``liveness``.
            fields: What the body holds instead, by name: ``{"data": {"match": "true"}}``. They
                say nothing of the vendor.
            without: Names that the body does not have.
            times: For how many calls, from 1 on; None for all.

        Returns:
            The answer as it waits.

        Raises:
            ValueError: an unknown kind, fields that are no JSON, or a wrong number.
        """
        answer = SetAnswer(kind=kind, fields=fields or {}, without=without, times=times)
        records_of(self._world).made_up.add(answer)
        return answer

    def all(self) -> tuple[SetAnswer, ...]:
        """Those that still wait, in order."""
        return records_of(self._world).made_up.all

    def clear(self) -> None:
        """Drop all."""
        records_of(self._world).made_up.clear()


def _only(body: dict[str, Any], *known: str) -> None:
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise ValueError(f"there is no {unknown[0]} here; there is {', '.join(known) or 'nothing'}")


def token_verbs(plain: Callable[[Any], Any]) -> Verbs:
    """The verbs of `Tokens`; `plain` makes JSON of what they give."""

    def listed(control: Any, _: str, __: dict[str, Any]) -> Any:
        tokens: Tokens = control.tokens
        return {"asked": tokens.asked, "issued": plain(tokens.issued())}

    def revoke(control: Any, _: str, body: dict[str, Any]) -> Any:
        _only(body)
        return {"revoked": control.tokens.revoke()}

    return {("GET", "tokens"): listed, ("POST", "tokens/revoke"): revoke}


def answer_verbs(plain: Callable[[Any], Any]) -> Verbs:
    """The verbs of `Answers`; `plain` makes JSON of what they give."""

    def set_answer(control: Any, _: str, body: dict[str, Any]) -> Any:
        _only(body, "kind", "fields", "without", "times")
        if "kind" not in body:
            raise ValueError("kind is missing")
        without = body.get("without", [])
        if not isinstance(without, list):
            raise ValueError("without is a list of names")  # noqa: TRY004 - one error for bad bodies
        times = {"times": body["times"]} if "times" in body else {}
        return plain(
            control.answers.set(body["kind"], body.get("fields"), without=without, **times)
        )

    def clear(control: Any, _: str, body: dict[str, Any]) -> Any:
        _only(body)
        control.answers.clear()
        return {}

    return {
        ("GET", "answers"): lambda control, _, __: {"answers": plain(control.answers.all())},
        ("POST", "answers"): set_answer,
        ("POST", "answers/clear"): clear,
    }
