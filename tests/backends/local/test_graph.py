"""The graph computes what dlib computes."""

from __future__ import annotations

from itertools import accumulate

import attrs
import dlib
import numpy as np
import pytest
from onnx import ModelProto

from facematch_local import _graph, _models, _pictures, _runtime, _weights

#: Largest difference of one of the 128 numbers that is still called the same.
PARITY = 1e-5


@pytest.fixture(scope="module")
def recognition():
    """dlib's own network."""
    return dlib.face_recognition_model_v1(str(_models.checked(_models.RECOGNITION)))


def test_same_as_dlib(engine, faces, recognition):
    """On every sample photograph the embedding is dlib's, to 1e-5."""
    chips = {name: engine.cut(data)[1] for name, data in faces.items()}
    ours = engine.embed_chips(np.stack(list(chips.values())))
    theirs = np.array([recognition.compute_face_descriptor(chip) for chip in chips.values()])
    worst = np.abs(ours - theirs).max(axis=1)
    assert dict(zip(chips, worst, strict=True)) == pytest.approx(
        dict.fromkeys(chips, 0), abs=PARITY
    )


def test_same_as_dlib_from_the_picture(engine, faces, recognition):
    """The chip is cut as dlib's own function cuts it: from the picture, the result is the same."""
    found = engine.look(faces["eileen-collins"])
    left, top, right, bottom = found.boxes[0][:4]
    pixels = np.asarray(_pictures.decode(faces["eileen-collins"]).pixels)
    predictor = dlib.shape_predictor(str(_models.checked(_models.LANDMARKS)))
    points = predictor(pixels, dlib.rectangle(left, top, right - 1, bottom - 1))
    theirs = np.array(recognition.compute_face_descriptor(pixels, points))
    assert np.abs(found.embedding - theirs).max() <= PARITY


def test_batches_change_nothing(engine, faces):
    """An embedding does not depend on what else is in the batch, nor on the batch's size."""
    chips = np.stack([engine.cut(data)[1] for data in faces.values()])
    together = engine.embed_chips(chips)
    assert together.shape == (len(faces), 128)
    for chip, embedding in zip(chips, together, strict=True):
        alone = engine.embed_chips(chip[None])[0]
        assert np.abs(alone - embedding).max() <= 1e-6
    assert engine.embed_chips(chips[:0]).shape == (0, 128)


def convolved(maps, layer):
    """A convolution and its affine layer, the slow way. `maps`: (channels, rows, columns)."""
    pad, step, side = layer.padding, layer.stride, layer.filters.shape[-1]
    maps = np.pad(maps, ((0, 0), (pad, pad), (pad, pad)))
    rows, columns = ((size - side) // step + 1 for size in maps.shape[1:])
    result = np.empty((len(layer.filters), rows, columns))
    for row in range(rows):
        for column in range(columns):
            window = maps[:, row * step : row * step + side, column * step : column * step + side]
            result[:, row, column] = (layer.filters * window).sum(axis=(1, 2, 3)) + layer.bias
    return result * layer.gain[:, None, None] + layer.offset[:, None, None]


def pooled(maps, side, how):
    """Maxima or averages of windows, stride 2."""
    rows, columns = ((size - side) // 2 + 1 for size in maps.shape[1:])
    windows = np.lib.stride_tricks.sliding_window_view(maps, (side, side), axis=(1, 2))
    return how(windows[:, ::2, ::2][:, :rows, :columns], axis=(3, 4))


def embedded(network, chip):
    """The whole network, the slow way, in 64 bits and as dlib's documentation words it."""
    maps = (chip.transpose(2, 0, 1) - np.array(network.mean)[:, None, None]) / 256
    maps = pooled(np.maximum(convolved(maps, network.stem), 0), 3, np.max)
    for block in network.blocks:
        through = convolved(np.maximum(convolved(maps, block.first), 0), block.second)
        past = pooled(maps, 2, np.mean) if block.halves else maps
        whole = np.zeros(np.maximum(through.shape, past.shape))
        for part in (through, past):
            whole[tuple(map(slice, part.shape))] += part
        maps = np.maximum(whole, 0)
    return maps.mean(axis=(1, 2)) @ network.product


def random_network(rng, size, channels):
    """A network whose second convolutions have these channels; other numbers than before halve."""

    def layer(before, after, side, stride, padding):
        draw = [rng.normal(size=n).astype(np.float32) for n in ((after, before, side, side), after)]
        more = [rng.normal(size=after).astype(np.float32) for _ in range(2)]
        return _weights.Convolution(*draw, *more, stride=stride, padding=padding)

    blocks = [
        _weights.Block(
            layer(before, after, 3, *((1, 1) if before == after else (2, 0))),
            layer(after, after, 3, 1, 1),
            halves=before != after,
        )
        for before, after in zip(accumulate(channels, max), channels[1:], strict=False)
    ]
    stem = layer(3, channels[0], 7, 2, 0)
    product = rng.normal(size=(max(channels), 5)).astype(np.float32)
    return _weights.Network((120.0, 110.0, 100.0), (size, size), stem, tuple(blocks), product)


@pytest.mark.parametrize(
    ("size", "channels"), [(33, [4, 4, 6]), (39, [4, 8, 8, 12]), (47, [6, 4, 8, 8])]
)
def test_small_networks(size, channels):
    """Maps that differ in rows, columns and channels are added as if the rest were zero."""
    rng = np.random.default_rng(size)
    network = random_network(rng, size, channels)
    chips = rng.integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    session = _runtime.session(_graph.build(network))
    ours = session.run([_graph.EMBEDDINGS], {_graph.CHIPS: chips})[0]
    expected = np.array([embedded(network, chip) for chip in chips])
    assert ours == pytest.approx(expected, rel=1e-4, abs=1e-4 * np.abs(expected).max())


def test_versions_are_old_enough():
    """The graph asks for operators and a format that the oldest allowed ONNX Runtime reads."""
    rng = np.random.default_rng(0)
    model = ModelProto.FromString(_graph.build(random_network(rng, 33, [4, 4])))
    assert model.ir_version == 8
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)]


def test_a_padded_stem_is_refused():
    """The mean colour can be folded into the first convolution only if that has no padding."""
    network = random_network(np.random.default_rng(0), 33, [4, 4])
    padded = attrs.evolve(network, stem=attrs.evolve(network.stem, padding=1))
    with pytest.raises(ValueError, match="padding"):
        _graph.build(padded)
