"""The vendor behind a backend, played by something on this machine."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from facematch_core import Image
from facematch_core.backend import Backend, ImageLimits

from ._pictures import noise, pictures_beyond
from ._situations import Situation


class VendorDouble(abc.ABC):
    """Stands in for the vendor of one backend, without a network beyond the loopback.

    Two kinds are natural. A *scripted vendor* answers over HTTP what `prepare` told it to, whatever
    the pictures show (`HttpDouble` is the frame of one). An *engine on this machine* cannot be told
    what to say: it implements `pictures_for`, and its `prepare` has little to do.

    A context manager: it may start what it needs on entry. It is prepared and asked by one test at
    a time, but calls may come from several threads at once, so its counters need a lock.

    Attributes:
        situations: What it can produce.
        absent: Situations that cannot be met at this vendor at all, each with the reason ("Acme
            documents no search"): a rule about one does not apply. What is in neither list has
            not been tested, and the card says so.
        secrets: Texts that may never be seen outside the request: keys, tokens; 6 bytes or more.
        limits: What pictures the vendor itself takes, as its documents say; None to take the
            backend's own word for it.
        unknown_status: The verdict of UNKNOWN_STATUS, as the vendor writes it.
        unknown_warning: Tag and text of the warning of UNKNOWN_WARNING.
        demographics: The guesses of DEMOGRAPHICS as the vendor's body tells them: its keys, and
            values that stand nowhere else in the answer.
    """

    situations: frozenset[Situation]
    absent: Mapping[Situation, str] = {}
    secrets: Sequence[str] = ()
    limits: ImageLimits | None = None
    unknown_status: ClassVar[str] = "Pending Moonrise"
    unknown_warning: ClassVar[tuple[str, str]] = (
        "FACE_IS_A_TEAPOT",
        "The face resembles a teapot.",
    )
    demographics: Mapping[str, Any] = {}

    @property
    @abc.abstractmethod
    def requests_seen(self) -> int:
        """Calls for a comparison or a liveness check that have reached the vendor since it started.

        Refused ones count, signing in does not. For an engine: the calls it has begun to work on.
        A plain attribute of the class will do.
        """

    @property
    @abc.abstractmethod
    def charges(self) -> int:
        """What the vendor would bill since it started, in calls. As `requests_seen`."""

    @abc.abstractmethod
    def backend(self, **settings: Any) -> Backend:
        """A fresh backend that talks to this double, with these settings over its usual ones.

        The kit closes it.
        """

    @abc.abstractmethod
    def prepare(self, situation: Situation, *, score: float | None = None) -> None:
        """Set what the vendor does with every call from now on.

        Args:
            situation: One of `situations`.
            score: The vendor's score, 0-100, for SCORE; None otherwise.
        """

    def pictures(self) -> tuple[Image, Image]:
        """A probe and a reference that the vendor takes; by default noise."""
        return noise(1), noise(2)

    def pictures_for(self, situation: Situation) -> tuple[Image, Image]:
        """A probe and a reference for `situation`; by default those of `pictures`.

        Where the pictures decide, a double picks them here. SAME_PERSON and LIVE need a score that
        is not at the very edge of the scale: two photographs, not one picture twice.
        """
        return self.pictures()

    def refused_pictures(self, declared: ImageLimits) -> Mapping[str, Image]:
        """Valid pictures that the vendor refuses, by what is wrong with each.

        Args:
            declared: What the backend declares; used where `limits` is not set.
        """
        return pictures_beyond(self.limits or declared)

    def options(self, declared: type) -> Any:
        """Some options of the type that the backend declares, or of a subtype."""
        return declared()

    def other_options(self, declared: type) -> Sequence[Any]:
        """Further ones, each of which the vendor must hear as something else than `options`.

        Best one for each thing that can be chosen, so that none of them can be forgotten. Without
        any it is not proved that the vendor hears of them, and the card stays open.
        """
        return ()

    @property
    def received(self) -> Mapping[str, Any]:
        """What the vendor understood of the last call, in the words of `FaceVerifier.verify`.

        Known keys are ``threshold``, ``rotate``, ``retention`` (a `Retention`), ``caller_ref``,
        ``metadata`` and ``options``, and of the pictures ``probe`` and ``reference``: the bytes of
        their files as the vendor got them, decoded where they travel as base64, and no
        ``reference`` of a call about one picture. ``options`` is what arrived of them, in any form
        that differs between `options` and each of `other_options`: the fields of a form, say. One
        that the double cannot tell is left out. A backend that declares to pass something on is
        held to it here. By default nothing can be told.
        """
        return {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:  # noqa: B027 - most doubles hold nothing to give back
        """Give back what the double holds."""
