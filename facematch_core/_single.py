"""Calls about one picture."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, cast

from ._age import AgeResult
from ._asked import Asked, Picture, Taken, taken
from ._enums import Operation, Retention, SearchMode
from ._images import Image
from ._results import LivenessResult
from ._rules import Answer
from ._search import SearchResult


class SinglePictureCalls(abc.ABC):
    """What a `FaceVerifier` can ask of one picture. The errors are those of `verify`."""

    def check_liveness(
        self,
        probe: Picture,
        *,
        threshold: float | None = None,
        review_threshold: float | None = None,
        rotate: bool = False,
        retention: Retention = Retention.MINIMAL,
        caller_ref: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        options: Any = None,
        deadline_s: float | None = None,
    ) -> LivenessResult:
        """Check one picture for a live face (passive liveness).

        Arguments, results and errors are those of `verify`, on the scale of the vendor's liveness
        score. A spoof is a result, not an error.
        """
        found = taken(probe)
        del probe
        asked = Asked(
            threshold=threshold,
            review_threshold=review_threshold,
            rotate=rotate,
            retention=retention,
            caller_ref=caller_ref,
            metadata=metadata,
            options=options,
            deadline_s=deadline_s,
        )
        return cast(LivenessResult, self._of_one(Operation.LIVENESS, found, asked))

    def search_faces(
        self,
        probe: Picture,
        *,
        mode: SearchMode = SearchMode.MOST_SIMILAR,
        rotate: bool = False,
        retention: Retention = Retention.MINIMAL,
        caller_ref: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        options: Any = None,
        deadline_s: float | None = None,
    ) -> SearchResult:
        """Look for faces like the probe's among those that the vendor keeps for this account.

        It compares one face with many people, who may not know of it. In many countries that needs
        a legal ground of its own.

        Args:
            mode: Which faces are searched.

        The other arguments and the errors are those of `verify`. There is no threshold: how alike
        a face must be to be told is the vendor's secret, so look at `FoundFace.score`.
        """
        found = taken(probe)
        del probe
        asked = Asked(
            mode=mode,
            rotate=rotate,
            retention=retention,
            caller_ref=caller_ref,
            metadata=metadata,
            options=options,
            deadline_s=deadline_s,
        )
        return cast(SearchResult, self._of_one(Operation.SEARCH, found, asked))

    def estimate_age(
        self,
        probe: Picture,
        *,
        minimum_age: int | None = None,
        threshold: float | None = None,
        review_threshold: float | None = None,
        rotate: bool = False,
        retention: Retention = Retention.MINIMAL,
        caller_ref: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        options: Any = None,
        deadline_s: float | None = None,
    ) -> AgeResult:
        """Estimate how old the person in one picture looks, if it shows a live face.

        An estimate errs by years, and more for some groups of people than for others: it can let
        the clearly older through, and is no proof of age.

        Args:
            minimum_age: Whole years, 0-100: somebody of that estimated age is old enough, below it
                too young. None for the backend's documented default; 0 for an age without a
                verdict on it.
            threshold, review_threshold: Those of liveness; see `verify`.

        The other arguments and the errors are those of `verify`.
        """
        found = taken(probe)
        del probe
        asked = Asked(
            minimum_age=minimum_age,
            threshold=threshold,
            review_threshold=review_threshold,
            rotate=rotate,
            retention=retention,
            caller_ref=caller_ref,
            metadata=metadata,
            options=options,
            deadline_s=deadline_s,
        )
        return cast(AgeResult, self._of_one(Operation.AGE, found, asked))

    def _of_one(self, operation: Operation, found: Taken, asked: Asked) -> Answer:
        images, wrong = found
        if wrong:
            raise wrong
        return self._make(operation, images, asked)

    @abc.abstractmethod
    def _make(
        self, operation: Operation, images: list[Image], asked: Asked, since: float | None = None
    ) -> Answer:
        """One call, prepared, sent and settled."""
