"""R31: a search and an estimation of age are answered as what they are."""

from __future__ import annotations

import json

from facematch_core import AgeResult, Billed, Operation, SearchDecision, SearchResult
from facematch_core.testing._situations import TOLD

from ._bench import Bench, does_not_apply
from ._rules import Rules

#: Years; nobody has been older.
OLDEST = 125

_KIND = {Operation.SEARCH: SearchResult, Operation.AGE: AgeResult}


class LookupRules(Rules):
    """A search and an estimation of age are answered as what they are."""

    def test_r31_lookups_are_answered(self, bench: Bench) -> None:
        """A declared search tells whom it found, a declared estimation of age tells an age.

        Each is one request, booked as it says, and survives the way through JSON: a list of
        strangers' sessions that cannot be read back is a breach without a use.
        """
        if not bench.lookups:
            does_not_apply(f"{bench.backend.name} declares no search and no estimation of age.")
        for operation in bench.lookups:
            situation = TOLD[operation]
            for ask in (bench.ask_directly, bench.ask):
                outcome = ask(operation, situation)
                result = outcome.answer
                assert type(result) is _KIND[operation]
                assert result.backend == bench.backend.name
                assert outcome.requests == 1, "one call is one request"
                wanted = Billed.YES if operation in bench.can.billed_operations else Billed.NO
                assert result.billed is wanted
                assert outcome.charges == (wanted is Billed.YES)
                again = type(result).from_dict(json.loads(json.dumps(result.to_dict())))
                assert again == result
                if isinstance(result, SearchResult):
                    self._tells_whom(result, bench)
                elif isinstance(result, AgeResult):
                    assert result.age is not None, "an estimation of age without an age"
                    assert 0 <= result.age <= OLDEST, f"an age of {result.age:g} years"

    def _tells_whom(self, result: SearchResult, bench: Bench) -> None:
        assert result.decision is SearchDecision.FOUND, "somebody is kept, and on no blocklist"
        assert result.matches, "found, but nobody is told"
        for face in result.matches:
            if face.score is not None:
                assert face.score.scale == bench.can.search_scale, "not on the declared scale"
