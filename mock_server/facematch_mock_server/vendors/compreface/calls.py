"""The verification of two pictures; subjects, their examples, and who is in a picture."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

import attrs

from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.kit import Response, SeenFace, SeenPicture, Upload

from .wire import (
    Options,
    add_versions,
    choose_faces,
    describe_faces,
    read_json,
    read_request,
    refuse_empty,
)

#: The fields with pictures, and how a refusal of a missing one in JSON names them.
PICTURES: Final = {"source_image": "sourceImageBase64", "target_image": "targetImageBase64"}


def verify(call: base.Call) -> Response:
    """Compare the only face of the source with each face of the target.

    Refuse several faces in the source, and a picture without a face.
    """
    read = read_request(call, PICTURES)
    source_picture, target_picture = read.pictures
    compared = call.compare(source_picture, target_picture)
    source_faces = choose_faces(compared.probe, read.options)
    target_faces = choose_faces(compared.reference, read.options)
    if len(source_faces) > 1:
        call.refuse("face.many")
    if not source_faces or not target_faces:
        call.refuse("face.none")
    (source,) = describe_faces(source_faces, read.options)
    matches = describe_faces(target_faces, read.options)
    for match in matches:
        match["similarity"] = base.as_fraction(compared.smaller_face_score)
    # The first face is the largest: the score is of that face.
    matches[0]["similarity"] = base.as_fraction(compared.score or 0.0)
    result: dict[str, Any] = {"source_image_face": source, "face_matches": matches}
    add_versions(result, [source, *matches], read.options)
    return call.answer("verify.answer", {"result": [result]})


ROOT = "/api/v1/recognition"
SUBJECTS = f"{ROOT}/subjects"
FACES = f"{ROOT}/faces"
RECOGNIZE = f"{ROOT}/recognize"
#: The field of a form with the picture, and how a refusal of a missing one in JSON names it.
_FILE: Final = {"file": "content"}
#: How many examples a subject has at most; an older one goes.
_MOST_EXAMPLES: Final = 1000


@attrs.frozen
class Example:
    """A picture of a subject, in memory only."""

    image_id: str
    subject: str
    picture: Upload = attrs.field(repr=False)


class Examples:
    """The subjects of one service and their examples. Thread-safe.

    Names of subjects are found whatever their capitals are.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        #: The examples by image id, by subject.
        self._by_subject: dict[str, OrderedDict[str, Example]] = {}

    def subjects(self) -> list[str]:
        """Return the names of the subjects, in the order in which they were added."""
        with self._lock:
            return list(self._by_subject)

    def add_subject(self, subject: str) -> bool:
        """Add a subject without examples; return False if there is one of this name."""
        with self._lock:
            if self._find_name(subject) is not None:
                return False
            self._by_subject[subject] = OrderedDict()
            return True

    def delete_subject(self, subject: str) -> str | None:
        """Delete a subject and its examples; return its name, or None if there is none."""
        with self._lock:
            name = self._find_name(subject)
            if name is not None:
                del self._by_subject[name]
            return name

    def add(self, subject: str, image_id: str, picture: Upload) -> None:
        """Add an example, and its subject if there is none."""
        with self._lock:
            name = self._find_name(subject) or subject
            examples = self._by_subject.setdefault(name, OrderedDict())
            examples[image_id] = Example(image_id, name, picture)
            if len(examples) > _MOST_EXAMPLES:
                examples.popitem(last=False)

    def all(self, subject: str | None = None) -> list[Example]:
        """Return the examples of a subject, or of all subjects."""
        with self._lock:
            found: list[Example] = []
            for name, examples in self._by_subject.items():
                if subject is None or name.lower() == subject.lower():
                    found.extend(examples.values())
            return found

    def delete(self, image_id: str) -> Example | None:
        """Delete an example and return it; None if there is none. Its subject stays."""
        with self._lock:
            for examples in self._by_subject.values():
                if image_id in examples:
                    return examples.pop(image_id)
            return None

    def _find_name(self, subject: str) -> str | None:
        for name in self._by_subject:
            if name.lower() == subject.lower():
                return name
        return None


def _examples_of(call: base.Call) -> Examples:
    """Return the examples of the key's service."""
    by_key: dict[str, Examples] = call.world.records
    return by_key.setdefault(call.request.header("x-api-key", ""), Examples())


def list_subjects(call: base.Call) -> Response:
    return call.answer("subjects.list", {"subjects": _examples_of(call).subjects()})


def add_subject(call: base.Call) -> Response:
    subject = _read_subject(call)
    if not _examples_of(call).add_subject(subject):
        call.refuse("subjects.exists")
    return call.answer("subjects.added", {"subject": subject})


def delete_subject(call: base.Call) -> Response:
    subject = unquote(call.path_value)
    name = _examples_of(call).delete_subject(subject)
    if name is None:
        call.refuse("subjects.unknown", subject=subject)
    return call.answer("subjects.deleted", {"subject": name})


def _read_subject(call: base.Call) -> str:
    """Return the name in the body; refuse one that CompreFace does not take."""
    body = read_json(call)
    subject = body.get("subject") if isinstance(body, dict) else refuse_empty(call)
    if not isinstance(subject, str) or not subject.strip():
        call.refuse("subjects.blank")
    if len(subject) > call.claims["subjects.most_letters"]:
        call.refuse("subjects.long", "subjects.most_letters")
    if any(sign in subject for sign in ";/\\"):
        call.refuse("subjects.signs")
    return subject


def add_example(call: base.Call) -> Response:
    """Add an example of a subject.

    Refuse a missing or blank subject, and a picture with several faces.
    """
    read = read_request(call, _FILE)
    (picture,) = read.pictures
    subject = read.parameters.get("subject")
    if subject is None:
        call.refuse("examples.no_subject")
    if not subject.strip():
        call.refuse("examples.blank_subject")
    faces = _find_faces(call, picture, read.options)
    if len(faces) > 1:
        call.refuse("face.many")
    image_id = call.world.ids.uuid()
    # OURS: Examples stay in memory, until their account goes or is reset; a subject has at most
    # 1,000, and the oldest goes.
    _examples_of(call).add(subject, image_id, picture)
    return call.answer("examples.added", {"image_id": image_id, "subject": subject})


def list_examples(call: base.Call) -> Response:
    """Return a page of the examples, of one subject if the query names it.

    A page that is no number is the first one; a size that is none is the default.
    """
    subject = call.query.get("subject") or None
    try:
        page = max(int(call.query.get("page") or 0), 0)
        size = int(call.query.get("size") or 0)
    except ValueError:
        page, size = 0, 0
    if size < 1:
        size = call.claims["examples.page_size"]
    examples = _examples_of(call).all(subject)
    shown = examples[page * size : (page + 1) * size]
    body = {
        "faces": [_describe_example(each) for each in shown],
        "page_number": page,
        "page_size": size,
        "total_pages": -(-len(examples) // size),
        "total_elements": len(examples),
    }
    return call.answer("examples.list", body)


def delete_examples(call: base.Call) -> Response:
    """Delete the examples of a subject, or of all subjects; the subjects stay."""
    examples = _examples_of(call)
    deleted = 0
    for example in examples.all(call.query.get("subject") or None):
        deleted += examples.delete(example.image_id) is not None
    return call.answer("examples.all_deleted", {"deleted": deleted})


def delete_example(call: base.Call) -> Response:
    image_id = call.path_value
    if not base.is_uuid(image_id):
        refuse_empty(call)
    example = _examples_of(call).delete(image_id.lower())
    if example is None:
        call.refuse("examples.unknown", image_id=image_id)
    return call.answer("examples.deleted", _describe_example(example))


def recognize(call: base.Call) -> Response:
    """Return each face with the subjects who are like it, the most alike first."""
    read = read_request(call, _FILE)
    (picture,) = read.pictures
    try:
        prediction_count = int(read.parameters.get("prediction_count") or "1")
    except ValueError:
        refuse_empty(call)
    if prediction_count < 1:
        call.refuse("recognize.count")
    faces = _find_faces(call, picture, read.options)
    examples = _examples_of(call).all()
    described = describe_faces(faces, read.options)
    for number, face in enumerate(described):
        face["subjects"] = _rank_subjects(call, picture, number, examples)[:prediction_count]
    return _answer_faces(call, "recognize.answer", described, read.options)


def detect(call: base.Call) -> Response:
    read = read_request(call, _FILE)
    (picture,) = read.pictures
    described = describe_faces(_find_faces(call, picture, read.options), read.options)
    return _answer_faces(call, "detect.answer", described, read.options)


def _answer_faces(
    call: base.Call, key: str, described: Sequence[dict[str, Any]], options: Options
) -> Response:
    """Respond with the faces of a picture, and with the plug-ins' versions if asked for."""
    body: dict[str, Any] = {"result": described}
    add_versions(body, described, options)
    return call.answer(key, body)


def _find_faces(call: base.Call, picture: Upload, options: Options) -> Sequence[SeenFace]:
    """Return the faces that the options allow; refuse a picture without one."""
    seen: SeenPicture = call.detect_faces(picture)
    faces = choose_faces(seen, options)
    if not faces:
        call.refuse("face.none")
    return faces


def _rank_subjects(
    call: base.Call, picture: Upload, number: int, examples: Sequence[Example]
) -> list[Mapping[str, Any]]:
    """Return the subject of each example with its similarity to a face, the most similar first."""
    ranked: list[Mapping[str, Any]] = []
    for example in examples:
        similarity = _similarity(call, picture, number, example)
        ranked.append({"subject": example.subject, "similarity": similarity})
    ranked.sort(key=lambda each: each["similarity"], reverse=True)
    return ranked


def _similarity(call: base.Call, picture: Upload, number: int, example: Example) -> float:
    """Return the similarity of a picture's face, 0 for the largest, to an example's."""
    return base.as_fraction(call.score_stored(picture, number, example.picture))


def _describe_example(example: Example) -> dict[str, str]:
    return {"image_id": example.image_id, "subject": example.subject}


#: The handlers by method, by path. CompreFace reads a path with a last slash in the same way.
ROUTES: Final[Mapping[str, Mapping[str, Any]]] = {
    SUBJECTS: {"GET": list_subjects, "POST": add_subject},
    f"{SUBJECTS}/{{subject}}": {"DELETE": delete_subject},
    FACES: {"GET": list_examples, "POST": add_example, "DELETE": delete_examples},
    f"{FACES}/{{image_id}}": {"DELETE": delete_example},
    RECOGNIZE: {"POST": recognize},
}
