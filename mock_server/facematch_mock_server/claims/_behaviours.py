"""Claims put together for one world, and the record of those that an answer rests on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from facematch_mock_server._messages import Headers, Response

from ._claim import Claim
from ._reply import HTML, JSON, Reply, encode, fill, response


class Behaviours:
    """What a world does: a value for every behaviour, each by a claim.

    Args:
        claims: All that may be in force.
        chosen: The value of every switch; decides which claims are in force.
        settings: Behaviours whose value is set for this world, by key.
        turned: Ids of claims that are taken for false.

    Raises:
        ValueError: a turned claim plays no part here, or two claims decide the same.
    """

    def __init__(
        self,
        claims: Iterable[Claim],
        chosen: Mapping[str, Any],
        *,
        settings: Mapping[str, Any] | None = None,
        turned: Collection[str] = (),
    ) -> None:
        every = tuple(claims)
        self.claims = tuple(c for c in every if c.when is None or chosen[c.when[0]] in c.when[1])
        self._table: dict[str, tuple[Any, str]] = {}
        settings = settings or {}
        for claim in self.claims:
            if claim.key in self._table:
                raise ValueError(f"two claims decide {claim.key}")
            value = settings.get(claim.key, claim.value)
            self._table[claim.key] = (claim.turned if claim.id in turned else value, claim.id)
        # Switches are set one by one: an answer may need what only another edition says.
        for claim in every:
            self._table.setdefault(claim.key, (claim.value, claim.id))
        idle = set(turned) - {claim.id for claim in self.claims}
        if idle:
            from difflib import get_close_matches  # not above: a mistake is rare

            close = get_close_matches(min(idle), [claim.id for claim in self.claims], n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"the claim {min(idle)} plays no part here{hint}")

    def told(self) -> Told:
        """A record for one request."""
        return Told(self._table)

    def __getitem__(self, key: str) -> Any:
        return self._table[key][0]

    def __contains__(self, key: str) -> bool:
        return key in self._table


class Told:
    """The behaviours, as one request asks for them: what was told is written down."""

    __slots__ = ("_table", "_used")

    def __init__(self, table: dict[str, tuple[Any, str]]) -> None:
        self._table = table
        self._used: dict[str, None] = {}

    def __getitem__(self, key: str) -> Any:
        """The value; the answer rests on its claim from now on."""
        value, claim = self._table[key]
        self._used[claim] = None
        return value

    def peek(self, key: str) -> Any:
        """The value, where it did not matter to this answer."""
        return self._table[key][0]

    def note(self, key: str) -> None:
        """The answer rests on this behaviour, too."""
        self._used[self._table[key][1]] = None

    @property
    def claims(self) -> tuple[str, ...]:
        """Ids of the claims that were used so far, in order."""
        return tuple(self._used)

    def answer(
        self, key: str, /, body: Any = None, headers: Headers = (), **words: object
    ) -> Response:
        """The answer that the claim of `key` gives; the only way to make one.

        Args:
            key: A behaviour whose value is a `Reply`.
            body: The JSON body, if the claim leaves it open.
            headers: To add.
            words: For the ``{names}`` in the claim's words.
        """
        reply: Reply = self[key]
        if reply.is_page:
            kind, content = HTML, fill(reply.body, words).encode()
        else:
            kind = self["json.content_type"] if "json.content_type" in self._table else JSON
            content = encode(body if reply.body is None else fill(reply.body, words))
        return response(reply.status, kind, content, (*reply.headers, *headers))

    def sealed(self, answer: Response) -> Response:
        """`answer` with the claims that it rests on."""
        return Response(
            status=answer.status, headers=answer.headers, body=answer.body, claims=tuple(self._used)
        )
