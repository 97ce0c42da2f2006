"""`PairBackend`: a vendor that compares two pictures in one request, as tables.

A subclass reads like a page of the vendor's documents: `match_request` is the documented request,
with blanks for pictures and settings; `match_answer` says where things stand in the documented
response; `error_codes` and `error_table` list the documented refusals. What no table can say is a
method of the subclass: `sign`, `error_code`, `read_faces`, `read_pairs`, `read_score`, `read_cut`.

- A *template* is a request with blanks: `PROBE`, `REFERENCE` and `Setting`.
- A *path* leads to a value in a JSON body: ``("result", 0, "score")``.
"""

from __future__ import annotations

import base64
import enum
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import attrs

from facematch_core import models
from facematch_core.backend.base import (
    MULTIPLE_FACES,
    NO_FACE,
    FacePair,
    decide_by_largest_pair,
    decide_by_threshold,
    find_largest,
)
from facematch_core.backend.fields import (
    UnreadableField,
    json_type,
    number,
    objects,
    read_at,
    read_or_none,
    read_strict,
    value_at,
)
from facematch_core.backend.requests import LivenessRequest, MatchRequest, PictureRequest
from facematch_core.base.masking import Secret
from facematch_core.images.image import Image

from .backend import HttpBackend, file_part
from .messages import HttpReply, HttpRequest, Json


class Blank(enum.Enum):
    """A picture of the call, in a template."""

    PROBE = "probe"
    REFERENCE = "reference"


PROBE = Blank.PROBE
REFERENCE = Blank.REFERENCE


@attrs.frozen
class Setting:
    """The value of one of the backend's settings, in a template or a path.

    A header, parameter or field is left out of the request if its setting is None.

    Attributes:
        name: Name of the setting.
        prefix: Text before the value, such as ``"Bearer "`` in a header.
    """

    name: str
    prefix: str = ""

    def read(self, backend: PairBackend) -> Any:
        """Return the setting's value with the prefix; None if it is not set."""
        value = getattr(backend, self.name)
        if value is None or not self.prefix:
            return value
        if isinstance(value, Secret):
            return Secret(f"{self.prefix}{value.reveal()}")
        return f"{self.prefix}{value}"


#: Keys and indices that lead to a value in a JSON body. A `Setting` is a key that the user chose.
JsonPath: TypeAlias = tuple[str | int | Setting, ...]


def in_base64(image: Image) -> str:
    """Return a picture in base64, without a prefix."""
    return base64.b64encode(image.data).decode()


def as_data_uri(image: Image) -> str:
    """Return a picture in base64 as a data URI."""
    return f"data:{image.media_type};base64,{in_base64(image)}"


@attrs.frozen(kw_only=True)
class RequestTemplate:
    """The documented request of a call, with blanks.

    Attributes:
        path: The path below the backend's `service_url`.
        headers, params, fields, json: As in `HttpRequest`. Values may be `PROBE`, `REFERENCE` and
            `Setting`, at any depth of `json`. A picture here is text in base64.
        files: The parts of a multipart form that are pictures, by the part's name.
    """

    path: str
    headers: Mapping[str, Any] = attrs.field(factory=dict)
    params: Mapping[str, Any] = attrs.field(factory=dict)
    fields: Mapping[str, Any] = attrs.field(factory=dict)
    files: Mapping[str, Blank] = attrs.field(factory=dict)
    json: Json = None

    def fill(self, backend: PairBackend, pictures: Mapping[Blank, Image]) -> HttpRequest:
        """Return the request with pictures and settings filled in."""
        files = []
        for name, blank in self.files.items():
            files.append(file_part(name, pictures[blank]))
        return HttpRequest(
            url=f"{backend.service_url}{self.path}",
            headers=self._fill(self.headers, backend, pictures),
            params=self._fill(self.params, backend, pictures),
            fields=self._fill(self.fields, backend, pictures),
            files=tuple(files),
            json=self._fill(self.json, backend, pictures),
            # A response may echo a key that the request contains only as part of a signature.
            masked=tuple(secrets_of(backend)),
        )

    def _fill(self, template: Json, backend: PairBackend, pictures: Mapping[Blank, Image]) -> Json:
        """Fill in pictures and settings; leave out entries that are then None."""
        if isinstance(template, Blank):
            return in_base64(pictures[template])
        if isinstance(template, Setting):
            return template.read(backend)
        if isinstance(template, list):
            return [self._fill(item, backend, pictures) for item in template]
        if not isinstance(template, Mapping):
            return template
        filled = {}
        for name, item in template.items():
            value = self._fill(item, backend, pictures)
            if value is not None:
                filled[name] = value
        return filled


def secrets_of(backend: PairBackend) -> list[Secret]:
    """Return the backend's settings that are keys."""
    settings = [getattr(backend, field.name) for field in attrs.fields(type(backend))]
    return [setting for setting in settings if isinstance(setting, Secret)]


@attrs.frozen(kw_only=True)
class BoxPaths:
    """Where the edges of a face's box stand. State the size, or the right and bottom edges.

    Attributes:
        box: The path from the face to the object or list that holds the edges.
        left, top, width, height, right, bottom: A key or an index in it.
        unit: Unit of the edges: ``px``, or ``ratio`` of the picture's size.
    """

    box: JsonPath = ()
    left: str | int
    top: str | int
    width: str | int | None = None
    height: str | int | None = None
    right: str | int | None = None
    bottom: str | int | None = None
    unit: str = "px"

    def read(self, face: Json, *path: str) -> models.Box | None:
        """Return the box of a face; None, with a warning of the call, if it cannot be read.

        `path` leads to the face, for the warning.
        """
        return read_or_none(self._read, face, *path, *(self.box or ("box",)))

    def _read(self, face: Json) -> models.Box:
        """Return a face's box; raise if an edge is no number, or if the box has no size."""
        edges = value_at(face, self.box)
        left = number(edges[self.left])
        top = number(edges[self.top])
        if self.width is not None and self.height is not None:
            right = left + number(edges[self.width])
            bottom = top + number(edges[self.height])
        else:
            right = number(edges[self.right])
            bottom = number(edges[self.bottom])
        if not (0 < right - left < math.inf and 0 < bottom - top < math.inf):
            raise ValueError("a box without a size")
        return models.Box(left=left, top=top, right=right, bottom=bottom, unit=self.unit)


@attrs.frozen(kw_only=True)
class AnswerPaths:
    """Where things stand in the documented answer. None: the vendor does not return it.

    Attributes:
        score: The path of the similarity or liveness score; its last key is the score's `raw_name`.
        is_fraction: Whether the score is from 0 to 1. Otherwise it is from 0 to 100. Never guessed:
            a number outside the range is an unreadable answer.
        cut: The path of the vendor's own threshold in this answer, on the score's own scale. It
            decides if the caller sets no threshold.
        probe_faces, reference_faces: The paths of the lists of faces in a picture, whose first face
            is the one that is compared. An empty list means that the picture shows no face; the
            answer then needs no score.
        face_box: Where the box of a face stands.
        no_face_billing: The bill for an answer without a face; None for that of any other answer.
        model: The path of the model's name.
        expected_model: The model of which the scale is; an answer from another one is unreadable.
        vendor_id: The path of the vendor's id for the call.
        code: The path of the code in an error.
        success: The code that means success, for a vendor with `codes_in_200`.
    """

    score: JsonPath
    is_fraction: bool = False
    cut: JsonPath | None = None
    probe_faces: JsonPath | None = None
    reference_faces: JsonPath | None = None
    face_box: BoxPaths | None = None
    no_face_billing: models.Billing | None = None
    model: JsonPath | None = None
    expected_model: str | Setting | None = None
    vendor_id: JsonPath | None = None
    code: JsonPath | None = None
    success: object = None


@attrs.frozen(kw_only=True)
class FacesOfPair:
    """The faces found in the pictures of a call; None if the vendor does not return them."""

    probe: tuple[models.Face, ...] | None = None
    reference: tuple[models.Face, ...] | None = None

    def no_face_warnings(self) -> list[models.ResultWarning]:
        """Return a warning for each picture without a face."""
        warnings = []
        for name, faces in (("probe", self.probe), ("reference", self.reference)):
            if faces == ():
                warnings.append(attrs.evolve(NO_FACE, text=f"the {name} shows no face"))
        return warnings

    def several_faces_warnings(self) -> list[models.ResultWarning]:
        """Return a warning for each picture with more than one face."""
        warnings = []
        for name, faces in (("probe", self.probe), ("reference", self.reference)):
            if faces is not None and len(faces) > 1:
                text = f"the {name} shows {len(faces)} faces; the largest is compared"
                warnings.append(attrs.evolve(MULTIPLE_FACES, text=text))
        return warnings

    def mark_compared(self, compared: FacePair, pairs: Sequence[FacePair]) -> FacesOfPair:
        """Return the faces with the compared ones marked.

        Each face gets its similarity to the compared face of the other picture.

        Raises:
            UnreadableField: faces that may be the largest have no pair.
        """
        ids_of_pairs = {(id(pair.probe), id(pair.reference)) for pair in pairs}
        for probe in find_largest(self.probe or (compared.probe,)):
            for reference in find_largest(self.reference or (compared.reference,)):
                if (id(probe), id(reference)) not in ids_of_pairs:
                    raise UnreadableField("is missing", "the similarity of the largest faces")
        probe_similarities = {}
        reference_similarities = {}
        for pair in pairs:
            if pair.reference is compared.reference:
                probe_similarities[id(pair.probe)] = pair.similarity
            if pair.probe is compared.probe:
                reference_similarities[id(pair.reference)] = pair.similarity
        return FacesOfPair(
            probe=_mark_compared(self.probe, compared.probe, probe_similarities),
            reference=_mark_compared(self.reference, compared.reference, reference_similarities),
        )


def _mark_compared(
    faces: tuple[models.Face, ...] | None,
    compared: models.Face,
    similarities: Mapping[int, models.Score | None],
) -> tuple[models.Face, ...] | None:
    """Return the faces of a picture with similarities, which are keyed by `id(face)`."""
    if faces is None:
        return None
    marked = []
    for face in faces:
        similarity = similarities.get(id(face))
        marked.append(attrs.evolve(face, compared=face is compared, similarity=similarity))
    return tuple(marked)


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class PairBackend(HttpBackend):
    """Base class of backends whose vendor compares two pictures in one request.

    Attributes:
        match_request, match_answer: The request and the answer of a comparison.
        liveness_request, liveness_answer: Those of passive liveness of the probe; None if the
            vendor has no such call.
    """

    match_request: ClassVar[RequestTemplate]
    match_answer: ClassVar[AnswerPaths]
    liveness_request: ClassVar[RequestTemplate | None] = None
    liveness_answer: ClassVar[AnswerPaths | None] = None

    def build(self, request: PictureRequest) -> HttpRequest:
        """Return the request of a call, from the template of its operation.

        Raise NotImplementedError if the plug-in has none.
        """
        pictures = {PROBE: request.probe}
        template = self.liveness_request
        if isinstance(request, MatchRequest):
            pictures[REFERENCE] = request.reference
            template = self.match_request
        if template is None:
            raise NotImplementedError(f"{type(self).__name__} has no liveness_request.")
        http_request = template.fill(self, pictures)
        is_billed = request.operation in self.capabilities.billed_operations
        return attrs.evolve(http_request, charges=int(is_billed))

    def parse(self, request: PictureRequest, reply: HttpReply) -> models.Result:
        """Return the result in an answer; raise if it cannot be read.

        The score and the threshold decide. With `ThresholdRule.VENDOR` the decision is REVIEW, or
        INCONCLUSIVE without a score: a subclass puts the vendor's verdict in its place, with
        ``attrs.evolve(super().parse(request, reply), decision=...)``.
        """
        body = reply.json()
        paths = self.paths_for(request)
        faces = self.read_faces(body, paths)
        warnings = faces.no_face_warnings()
        decision = models.Decision.INCONCLUSIVE
        fields: dict[str, Any] = {
            "backend": self.name,
            "model": self._read_model(body, paths),
            "raw": body,
        }
        if warnings and paths.no_face_billing is not None:
            fields["billing"] = paths.no_face_billing
        if not warnings:
            warnings = faces.several_faces_warnings()
            threshold = self._read_threshold(request, body, paths)
            applied = threshold
            if self.capabilities.threshold_rule is models.ThresholdRule.VENDOR:
                applied = None
            pairs = self.read_pairs(body, paths, faces)
            if pairs is None:
                score = self.read_score(body, paths)
                decision = decide_by_threshold(score, applied)
            else:
                if not pairs:
                    raise UnreadableField("is missing", *paths.score)
                by_largest = decide_by_largest_pair(pairs, applied)
                score = by_largest.pair.similarity
                decision = by_largest.decision
                warnings.extend(by_largest.warnings)
                faces = faces.mark_compared(by_largest.pair, pairs)
            fields["score"] = score
            fields["threshold"] = threshold
        fields["warnings"] = tuple(warnings)
        fields["probe_faces"] = faces.probe
        if isinstance(request, LivenessRequest):
            return models.LivenessResult(decision=models.LIVENESS_DECISIONS[decision], **fields)
        return models.MatchResult(decision=decision, reference_faces=faces.reference, **fields)

    def paths_for(self, request: PictureRequest) -> AnswerPaths:
        """Return where things stand in the answer to a request."""
        if isinstance(request, LivenessRequest) and self.liveness_answer is not None:
            return self.liveness_answer
        return self.match_answer

    def read_score(self, body: Json, paths: AnswerPaths) -> models.Score | None:
        """Return the score in an answer; None if it is null. A missing score raises."""
        return self.score_of(value_at(body, self.with_settings(paths.score)), paths)

    def score_of(self, value: object, paths: AnswerPaths) -> models.Score | None:
        """Return the vendor's number as a score; None for null."""
        if value is None:
            return None
        scale_name = self.capabilities.score_scale
        if paths is self.liveness_answer:
            scale_name = self.capabilities.liveness_scale
        scale_name = scale_name or self.name
        raw_name = str(paths.score[-1])
        make = models.Score.from_fraction if paths.is_fraction else models.Score
        return read_strict(
            lambda value: make(number(value), scale_name, raw_name=raw_name), value, *paths.score
        )

    def read_faces(self, body: Json, paths: AnswerPaths) -> FacesOfPair:
        """Return the faces found in the pictures."""
        return FacesOfPair(
            probe=self._read_list(body, paths.probe_faces, paths),
            reference=self._read_list(body, paths.reference_faces, paths),
        )

    def read_pairs(
        self, body: Json, paths: AnswerPaths, faces: FacesOfPair
    ) -> Sequence[FacePair] | None:
        """Return the similarity of every two faces; None if the vendor returns one number.

        The faces of the pairs are those in `faces`. The pair of the largest faces decides, see
        `decide_by_largest_pair`; then `read_score` is not called.
        """
        return None

    def _read_list(
        self, body: Json, path: JsonPath | None, paths: AnswerPaths
    ) -> tuple[models.Face, ...] | None:
        if path is None:
            return None
        faces = []
        for index, face in enumerate(read_at(objects, body, *self.with_settings(path))):
            faces.append(self.read_face(face, paths, is_compared=index == 0))
        return tuple(faces)

    def read_face(self, face: Json, paths: AnswerPaths, *, is_compared: bool) -> models.Face:
        """Return one face of a list."""
        box = None
        if paths.face_box is not None:
            box = paths.face_box.read(face)
        return models.Face(box=box, compared=is_compared)

    def _read_threshold(
        self, request: PictureRequest, body: Json, paths: AnswerPaths
    ) -> models.Threshold | None:
        """Return the caller's or the profile's threshold, else the one in this answer, or None."""
        if paths.cut is None or self._is_set_by_user(request.threshold):
            return request.threshold
        rule = self.capabilities.threshold_rule
        return read_strict(
            lambda cut: models.Threshold(cut, rule, models.ThresholdSource.VENDOR),
            self.read_cut(body, paths),
            *paths.cut,
        )

    def read_cut(self, body: Json, paths: AnswerPaths) -> float:
        """Return the vendor's threshold in an answer, 0-100; a missing one raises."""
        cut = read_at(number, body, *self.with_settings(paths.cut or ()))
        return cut * 100 if paths.is_fraction else cut

    @staticmethod
    def _is_set_by_user(threshold: models.Threshold | None) -> bool:
        """Return whether the caller or the profile set a threshold, not this backend's default."""
        return threshold is not None and threshold.source is not models.ThresholdSource.DEFAULT

    def _read_model(self, body: Json, paths: AnswerPaths) -> str | None:
        """Return the model in an answer; raise if the scale is another model's."""
        if paths.model is None:
            return None
        model = value_at(body, self.with_settings(paths.model))
        expected = paths.expected_model
        if isinstance(expected, Setting):
            expected = expected.read(self)
        if expected is not None and model != expected:
            raise UnreadableField("is not the model of the scale", *self.with_settings(paths.model))
        return None if model is None else str(model)

    def with_settings(self, path: JsonPath) -> Sequence[str | int]:
        """Return a path with the user's settings in it."""
        steps = []
        for step in path:
            steps.append(step.read(self) if isinstance(step, Setting) else step)
        return steps

    def vendor_id(self, reply: HttpReply) -> str | None:
        path = self.match_answer.vendor_id
        if path is None:
            return None
        return read_or_none(
            _read_id, reply.at(*self.with_settings(path)), *self.with_settings(path)
        )

    def error_code(self, reply: HttpReply) -> object:
        path = self.match_answer.code
        if path is None:
            return None
        code = reply.at(*self.with_settings(path))
        return None if code == self.match_answer.success else code


def _read_id(value: object) -> str:
    """Return a vendor's id, which may be a number, as text."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise UnreadableField(f"is {json_type(value)}, not an id")
    return str(value)
