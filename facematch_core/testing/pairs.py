"""`PairSimulator`: a vendor that compares two pictures in one request, as documented answers."""

from __future__ import annotations

import base64
import copy
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from facematch_core.backend import Backend

from .simulator import HttpSimulator, SimulatorReply, SimulatorRequest, Situation, WrongRequest

#: Situations that `PairSimulator` makes from the documented answers.
_DERIVED = {
    Situation.SCORE,
    Situation.NULL_SCORE,
    Situation.IMPOSSIBLE_SCORE,
    Situation.UNREADABLE_200,
}


class PairSimulator(HttpSimulator):
    """Answers with bodies from the vendor's documents; the kit derives the other situations.

    Write the bodies from the documents, not from the backend, so that a slip in one shows.

    Attributes:
        backend_class: The backend under test.
        settings: Its settings, without ``base_url``.
        picture_names: ``probe`` or ``reference``, by the name of a form's file or field, or by the
            path of a text in a JSON body: ``{"image_a": "probe", "image_b": "reference"}``. A
            request without any of them is refused.
        constants: By the path of the URL, the values that the documents require in a request and
            that change what its answer means, such as a version or "find all faces". Each by its
            place, as in `picture_names`, or by the name of a parameter of the query or of a header:
            ``{"/v2/compare": {"model": "af-3", "X-Api-Version": "7"}}``. A request without them is
            refused.
        credentials: The headers or form fields that a request must have to be accepted:
            ``{"Authorization": f"Bearer {KEY}"}``. Empty if the vendor has no key, or signs. With
            another value a request is answered as in BAD_KEY; without the name it is refused, and
            so is one with the key at another place, too.
        match_path: The path of a comparison: ``/v2/compare``. A picture at another path is refused.
            None if it holds an id, or if `constants` name it.
        required: The names of headers, fields and parameters that every request must have, with any
            value, such as that of an id of the call: ``("transactionId",)``. A request without one
            is refused.
        same_person, different_people: The documented bodies.
        score_path: The path of the score in them.
        is_fraction: Whether the score is from 0 to 1. Otherwise it is from 0 to 100.
        id_path: The path of the call's id in every body, which then differs from call to call; None
            if the vendor returns no id.
        liveness_path: The path of a liveness check of the probe; None if the vendor has none.
        live, spoof: The documented bodies of a liveness check.
        liveness_score_path, is_liveness_fraction: The score in them, as above.
        answers: Status and body in other situations, such as NO_FACE and BAD_KEY.
        free_situations: Situations with a status of 200 that are not charged.
        charges_nothing: Whether the vendor charges for nothing at all, as a server of one's own.
    """

    backend_class: ClassVar[type[Backend]]
    settings: ClassVar[Mapping[str, Any]] = {}
    picture_names: ClassVar[Mapping[Any, str]] = {}
    constants: ClassVar[Mapping[str, Mapping[Any, Any]]] = {}
    credentials: ClassVar[Mapping[str, str]] = {}
    match_path: ClassVar[str | None] = None
    required: ClassVar[Sequence[str]] = ()
    same_person: ClassVar[Any]
    different_people: ClassVar[Any]
    score_path: ClassVar[tuple[str | int, ...]]
    is_fraction: ClassVar[bool] = False
    id_path: ClassVar[tuple[str | int, ...] | None] = None
    liveness_path: ClassVar[str | None] = None
    live: ClassVar[Any] = None
    spoof: ClassVar[Any] = None
    liveness_score_path: ClassVar[tuple[str | int, ...]] = ()
    is_liveness_fraction: ClassVar[bool] = False
    answers: ClassVar[Mapping[Situation, tuple[int, Any]]] = {}
    free_situations: ClassVar[frozenset[Situation]] = frozenset()
    charges_nothing: ClassVar[bool] = False

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        cls._check_picture_names()
        cls._check_constants()
        bodies = {Situation.SAME_PERSON, Situation.DIFFERENT_PEOPLE, *cls.answers}
        if cls.liveness_path is not None:
            bodies |= {Situation.LIVE, Situation.SPOOF}
        cls.situations = frozenset(cls.FAULTS | bodies | _DERIVED) - frozenset(cls.cannot_happen)

    @classmethod
    def _own_table(cls, name: str) -> Mapping[Any, Any]:
        """Return a table of this class itself; empty if it has none, or a property."""
        table = vars(cls).get(name)
        return table if isinstance(table, Mapping) else {}

    @classmethod
    def _check_picture_names(cls) -> None:
        for place, name in cls._own_table("picture_names").items():
            if name not in ("probe", "reference"):
                raise ValueError(
                    f"{cls.__name__}.picture_names has {{{place!r}: {name!r}}}; the vendor's name "
                    f"of a picture comes first, and then probe or reference: {{{name!r}: 'probe'}}."
                )

    @classmethod
    def _check_constants(cls) -> None:
        for path, values in cls._own_table("constants").items():
            is_path = isinstance(path, str) and path.startswith("/")
            if not is_path or not isinstance(values, Mapping):
                raise ValueError(
                    f"{cls.__name__}.constants has {{{path!r}: {values!r:.80}}}; write the values "
                    'of each path of a URL: {"/compare": {"model": "af-3"}}.'
                )

    def __init__(self) -> None:
        super().__init__()
        #: The paths of the requests so far, without the query.
        self.called_paths: set[str] = set()

    def backend(self, **settings: Any) -> Backend:
        return self.backend_class(**{**self.settings, "base_url": self.url, **settings})

    def accepts(self, request: SimulatorRequest) -> bool:
        """Return whether a request has the right key. Override it to check a signature."""
        fields = request.fields
        for name, value in self.credentials.items():
            sent = request.headers.get(name, fields.get(name))
            if sent is None:
                raise self._missing(request, name, "credentials")
            if sent != value:
                return False
        return True

    @property
    def received(self) -> Mapping[str, Any]:
        """Return the pictures of the last request by name, decoded; empty before the first."""
        if self.last is None:
            return {}
        pictures = {}
        for place, name in self.picture_names.items():
            picture = _sent_at(self.last, place)
            if picture is None:  # a liveness check has no reference
                continue
            if isinstance(picture, str):
                picture = self.decode(picture)
            pictures[name] = picture
        return pictures

    def decode(self, text: str) -> bytes:
        """Return the picture in a text: base64 without a prefix. Override it for another form."""
        return base64.b64decode(text, validate=True)

    def answer(
        self, request: SimulatorRequest, situation: Situation, score: float | None
    ) -> SimulatorReply:
        """Return the documented answer of a situation, once the request is as the plug-in declares.

        A wrong key is answered as one, whatever the situation.
        """
        if Situation.BAD_KEY in self.answers and not self.accepts(request):
            situation = Situation.BAD_KEY
        self.called_paths.add(_path_of(request))
        for name in self.required:
            if not _sent_at(request, name):
                raise self._missing(request, name, "required")
        self._check_constants_of(request)
        self._check_pictures_of(request)
        self._check_path_of(request)
        self._check_places_of_key(request)
        is_free = self.charges_nothing or situation in self.free_situations
        status, body = self.documented_answer(request, situation, score)
        # A body that the documents do not know has no place for an id.
        if self.id_path is not None and situation is not Situation.UNREADABLE_200:
            body = copy.deepcopy(body)
            holder = _value_at(body, self.id_path[:-1])
            self.last_id = str(uuid.uuid4())
            holder[self.id_path[-1]] = self.last_id
        return SimulatorReply(status=status, body=body, charged=False if is_free else None)

    def _missing(self, request: SimulatorRequest, name: str, attribute: str) -> WrongRequest:
        """Return the error for a request that lacks what an attribute of this class names."""
        return WrongRequest(
            f"{request.method} {_path_of(request)} has no {name!r} (`{attribute}` of "
            f"{type(self).__name__})"
        )

    def constants_for(self, request: SimulatorRequest) -> Mapping[Any, Any]:
        """Return the constants that a request must have; by default, those of its path."""
        return self.constants.get(_path_of(request), {})

    def _check_constants_of(self, request: SimulatorRequest) -> None:
        """Raise `WrongRequest` if a constant is missing, or has another value."""
        for place, value in self.constants_for(request).items():
            sent = _sent_at(request, place)
            if sent != value:
                has = "nothing" if sent is None else f"{sent!r:.40}"
                raise WrongRequest(
                    f"{request.method} {_path_of(request)} has {has} at {place!r}, and `constants` "
                    f"of {type(self).__name__} has {value!r:.40}"
                )

    def _check_pictures_of(self, request: SimulatorRequest) -> None:
        """Raise `WrongRequest` if a request with a body has no picture at a documented place."""
        places = list(self.picture_names)
        has_picture = any(_sent_at(request, place) is not None for place in places)
        if places and request.body and not has_picture:
            names = ", ".join(map(repr, _names_in(request))) or "no names"
            raise WrongRequest(
                f"{request.method} {_path_of(request)} has {names}, and no picture at "
                f"{', '.join(map(repr, places))} (`picture_names` of {type(self).__name__})"
            )

    def _check_path_of(self, request: SimulatorRequest) -> None:
        """Raise `WrongRequest` if a request has a picture and another path than the documented."""
        path = _path_of(request)
        if self.match_path is None or path in (self.match_path, self.liveness_path):
            return
        if any(_sent_at(request, place) is not None for place in self.picture_names):
            raise WrongRequest(
                f"{request.method} {path} has a picture, and `match_path` of "
                f"{type(self).__name__} is {self.match_path!r}"
            )

    def _check_places_of_key(self, request: SimulatorRequest) -> None:
        """Raise `WrongRequest` if a key of `credentials` also stands at another place."""
        names = {name.lower() for name in self.credentials}
        texts = " ".join(self.credentials.values())
        keys = [secret for secret in self.secrets if secret in texts]
        body = _body_of(request) if request.body else {}
        fields = body if isinstance(body, dict) else {}
        for name, value in (*request.parameters.items(), *request.headers.items(), *fields.items()):
            if name.lower() in names or not isinstance(value, str):
                continue
            if any(key in value for key in keys):
                raise WrongRequest(
                    f"{request.method} {_path_of(request)} has the key at {name!r}, too "
                    f"(`credentials` of {type(self).__name__})"
                )

    def documented_answer(
        self, request: SimulatorRequest, situation: Situation, score: float | None
    ) -> tuple[int, Any]:
        """Return the status and the body of the answer to a request in a situation.

        Args:
            request: The request.
            situation: The situation.
            score: The score to answer with, 0-100; None for the documented one.
        """
        if situation in self.answers:
            return self.answers[situation]
        if situation is Situation.UNREADABLE_200:
            return 200, {"unexpected": ["shape", 1]}
        is_liveness = _path_of(request) == self.liveness_path
        score_path = self.liveness_score_path if is_liveness else self.score_path
        is_fraction = self.is_liveness_fraction if is_liveness else self.is_fraction
        body = copy.deepcopy(self._documented_body(situation, is_liveness=is_liveness))
        holder = _value_at(body, score_path[:-1])
        name = score_path[-1]
        if situation is Situation.NULL_SCORE:
            holder[name] = None
        elif situation is Situation.IMPOSSIBLE_SCORE:
            holder[name] = 2.5 if is_fraction else 250
        elif score is not None:
            holder[name] = score / 100 if is_fraction else score
        return 200, body

    def _documented_body(self, situation: Situation, *, is_liveness: bool) -> Any:
        if is_liveness:
            return self.spoof if situation is Situation.SPOOF else self.live
        if situation is Situation.DIFFERENT_PEOPLE:
            return self.different_people
        return self.same_person


def _path_of(request: SimulatorRequest) -> str:
    """Return the path of a request without its query."""
    return request.path.partition("?")[0]


def _body_of(request: SimulatorRequest) -> Any:
    """Return the JSON body of a request, or the fields and files of its form."""
    if request.headers.get_content_type() == "application/json":
        return request.json()
    return {**request.fields, **request.files}


def _names_in(request: SimulatorRequest) -> list[str]:
    """Return the names of what a request's body has: no values."""
    body = _body_of(request)
    if isinstance(body, list) and body:
        body = body[0]
    return list(body) if isinstance(body, dict) else []


def _sent_at(request: SimulatorRequest, place: object) -> Any:
    """Return the value at a place of a request's body; None if there is none.

    A name that the body lacks is looked for in the query, then in the headers.
    """
    try:
        return _value_at(_body_of(request), place if isinstance(place, tuple) else (place,))
    except (LookupError, TypeError):
        if not isinstance(place, str):
            return None
    return request.parameters.get(place, request.headers.get(place))


def _value_at(body: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        body = body[step]
    return body
