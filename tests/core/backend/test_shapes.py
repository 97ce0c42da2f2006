"""Shapes of answers: names that the plug-in's code has, types and forms, and no value."""

import pytest

from facematch_core.backend.shapes import known_names, shape_of, texts_in_code
from facematch_didit import DiditBackend
from facematch_rekognition import RekognitionBackend

NAMES = frozenset({"status", "user", "faces"})


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (None, "null"),
        (True, "boolean"),
        (0, "number"),
        (0.5, "number"),
        ("", "empty"),
        ("98.01", "digits"),
        ("Ada Lovelace", "text"),
        ("5f0f6a9e-2b91-4d6c-b6b8-0f4b64de7a12", "uuid"),
        ("2026-07-02T09:15:27.104233Z", "time"),
        ("2026-07-02 09:15", "time"),
        ("1815-12-10", "date"),
        ("https://vendor.example/ada?token=1", "url"),
        ([], "[]"),
        ([1, 2.5, "x", None, 3], "[number|text|null]"),
        ({}, "{}"),
        ({"status": "Approved", "user": {"Ada": 1, "Bob": 2}}, "{status:text user:{*:number}}"),
        ({"faces": [{"status": 1}, {"status": 2}]}, "{faces:[{status:number}]}"),
    ],
    ids=str,
)
def test_shape_has_names_types_and_forms(value, shape):
    assert shape_of(value, NAMES) == shape


def test_shape_is_short():
    assert len(shape_of([{"status": {str(place): "x" * 9}} for place in range(9)], NAMES)) < 99
    nested = "x"
    for _ in range(900):
        nested = {"user": [nested]}
    assert shape_of(nested, NAMES).count("user") == 10
    wide = nested
    for _ in range(9):
        wide = [wide, {"status": wide}]
    assert len(shape_of(wide, NAMES)) == 4000


def test_names_are_the_texts_in_the_code_of_a_plug_in():
    names = known_names(DiditBackend)
    # In functions, tuples and tables of several modules.
    assert names >= {"face_match", "bbox", "long_description", "Approved", "reference_image"}
    assert "emp-0042" not in names
    names_of_rekognition = known_names(RekognitionBackend)
    assert "FaceMatches" in names_of_rekognition
    assert "face_match" not in names_of_rekognition


@pytest.mark.parametrize("module", ["builtins", "facematch_core.nowhere", "", __name__])
def test_module_without_code_to_look_into_has_no_names(module):
    assert texts_in_code(module) == frozenset()
