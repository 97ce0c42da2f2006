import attrs
import dlib
import numpy as np
import pytest
from onnx import ModelProto

from facematch_local import _graph, _models, _pictures, _weights

#: Largest difference of one of the 128 numbers that is still called the same.
PARITY = 1e-5


@pytest.fixture(scope="module")
def recognition():
    return dlib.face_recognition_model_v1(str(_models.find_file(_models.RECOGNITION)))


@pytest.fixture(scope="module")
def chips(engine, photographs):
    names = ("Family1-Dad1", "Family1-Mom1", "Family2-Lady1", "grace-hopper-card")
    return np.stack([engine.cut(photographs[name])[1] for name in names])


def test_an_embedding_is_that_of_dlib(engine, chips, recognition):
    theirs = np.array([recognition.compute_face_descriptor(chip) for chip in chips])
    assert np.abs(engine.embed_chips(chips) - theirs).max() <= PARITY


def test_a_face_is_cut_from_its_picture_as_dlib_cuts_it(seen, photographs, recognition):
    faces, data = seen["eileen-collins"], photographs["eileen-collins"]
    left, top, right, bottom = faces.boxes[0][:4]
    pixels = np.asarray(_pictures.decode(data).pixels)
    predictor = dlib.shape_predictor(str(_models.find_file(_models.LANDMARKS)))
    points = predictor(pixels, dlib.rectangle(left, top, right - 1, bottom - 1))
    theirs = np.array(recognition.compute_face_descriptor(pixels, points))
    assert np.abs(faces.embedding - theirs).max() <= PARITY


def test_an_embedding_does_not_depend_on_what_else_is_in_its_batch(engine, chips):
    together = engine.embed_chips(chips)
    assert together.shape == (len(chips), 128)
    for chip, embedding in zip(chips, together, strict=True):
        assert np.abs(engine.embed_chips(chip[None])[0] - embedding).max() <= 1e-6
    assert engine.embed_chips(chips[:0]).shape == (0, 128)


@pytest.fixture(scope="module")
def network():
    return _weights.read(_models.find_file(_models.RECOGNITION).read_bytes())


def test_the_oldest_allowed_runtime_reads_the_graph(network):
    model = ModelProto.FromString(_graph.build(network))
    assert model.ir_version == 8
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]


def test_a_padded_stem_is_refused_for_the_mean_colour_is_folded_into_it(network):
    with pytest.raises(ValueError):
        _graph.build(attrs.evolve(network, stem=attrs.evolve(network.stem, padding=1)))
