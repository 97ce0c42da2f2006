import math
import re
import tracemalloc

import attrs
import dlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto

from facematch_local.models import LANDMARKS, RECOGNITION, find_model
from facematch_local.network import Network, Reader, build_graph, read_network
from facematch_local.recognition import decode

#: Stands in for gradients and learning rates, which hold zeros, sizes and flags.
REMAINS = b"\x01\x02" + b"\x01\x00" * 4 + b"110"


def integer(value):
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def name(text):
    return integer(len(text)) + text.encode()


def tensor(values):
    raw = np.asarray(values, "<f4").tobytes()
    return b"".join(map(integer, (2, len(raw) // 4, 1, 1, 1))) + raw


def convolution(rng, channels, filters, shape=(3, 1, 1)):
    side, stride, padding = shape
    weights = rng.normal(size=filters * channels * side * side + filters)
    sizes = (filters, side, side, stride, stride, padding, padding)
    affine = rng.normal(size=2 * filters)
    return (name("con_4") + tensor(weights) + b"".join(map(integer, sizes)) + REMAINS) + (
        name("affine_") + tensor(affine) + REMAINS
    )


def pool(kind, *shape):
    return name(kind) + b"".join(map(integer, shape)) + REMAINS


def block(rng, channels, filters, *, halves):
    shape = (3, 2, 0) if halves else (3, 1, 1)
    return (
        convolution(rng, channels, filters, shape)
        + name("relu_")
        + convolution(rng, filters, filters)
        + (pool("avg_pool_2", 2, 2, 2, 2, 0, 0) if halves else b"")
        + (name("add_prev_") + REMAINS + name("relu_"))
    )


def network(size=32, seed=1):
    rng = np.random.default_rng(seed)
    return (
        name("loss_metric_2")
        + REMAINS
        + name("input_rgb_image_sized")
        + b"".join(integer(part) for part in (245, -1, 117, 0, 1, 6))
        + integer(size) * 2
        + convolution(rng, 3, 4, (7, 2, 0))
        + name("relu_")
        + pool("max_pool_2", 3, 3, 2, 2, 0, 0)
        + block(rng, 4, 4, halves=False)
        + block(rng, 4, 6, halves=True)
        + pool("avg_pool_2", 0, 0, 1, 1, 0, 0)
        + (name("fc_2") + integer(5) + integer(6) + tensor(rng.normal(size=30)) + REMAINS)
    )


SMALL = network()


@pytest.fixture(scope="module")
def real():
    return find_model(RECOGNITION).read_bytes()


@given(st.integers(-(2**63), 2**63), st.integers(-(2**24), 2**24), st.integers(-800, 800))
def test_numbers_are_read_as_they_were_written(value, mantissa, exponent):
    assert Reader(integer(value), ["x"]).integer() == value
    read = Reader(integer(mantissa) + integer(exponent), ["x"]).real()
    assert read == math.ldexp(mantissa, exponent)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x01", b"\x00\x00", b"\x09" + b"\x01" * 9, b"\x11\x01"],
    ids=["empty", "no bytes", "size 0", "size 9", "unknown flag"],
)
def test_an_integer_has_1_to_8_bytes_and_no_flag_but_its_sign(data):
    with pytest.raises(ValueError, match="no integer"):
        Reader(data, ["x"]).integer()


def test_a_name_inside_of_weights_is_not_seen():
    trap = np.frombuffer(name("con_4") + b"\0", "<f4")
    data = name("affine_") + tensor(trap) + name("con_4")
    reader = Reader(data, ["affine_", "con_4"])
    reader.skip_to("affine_")
    assert reader.tensor().tobytes() == trap.tobytes()
    reader.skip_to("con_4")
    with pytest.raises(ValueError, match="no further layer"):
        reader.next_name()


def test_all_parts_of_a_network_come_back_with_their_shapes():
    read = read_network(SMALL)
    assert read.mean == (122.5, 117, 64)
    assert read.size == (32, 32)
    assert read.stem.filters.shape == (4, 3, 7, 7)
    assert (read.stem.stride, read.stem.padding) == (2, 0)
    assert [part.halves for part in read.blocks] == [False, True]
    assert read.blocks[1].first.filters.shape == (6, 4, 3, 3)
    assert (read.blocks[1].first.stride, read.blocks[1].first.padding) == (2, 0)
    assert read.blocks[1].second.gain.shape == (6,)
    assert read.product.shape == (6, 5)


def test_the_real_network_has_29_convolutions_and_14_blocks_of_which_four_halve(real):
    read = read_network(real)
    assert read.mean == pytest.approx((122.782, 117.001, 104.298), abs=1e-4)
    assert read.size == (150, 150)
    assert [part.second.filters.shape[0] for part in read.blocks] == (
        [32] * 3 + [64] * 4 + [128] * 3 + [256] * 4
    )
    assert [at for at, part in enumerate(read.blocks) if part.halves] == [3, 7, 10, 13]
    assert read.product.shape == (256, 128)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (name("fc_2"), name("fc_3"), "no layer fc_2"),
        (name("max_pool_2"), name("max_pool_9"), "no layer max_pool_2"),
        (pool("max_pool_2", 3, 3), pool("max_pool_2", 2, 2), "another shape"),
        (name("add_prev_"), name("con_4"), "no layer add_prev_"),
        (integer(32) * 2, integer(0) * 2, "a size of 0"),
        (integer(117) + integer(0), integer(317) + integer(0), "mean colour"),
        (integer(117) + integer(0), integer(117) + integer(990), "no finite number"),
        (integer(7) * 2 + integer(2) * 2, integer(7) * 2 + integer(2) + integer(1), "differs"),
        (integer(4) + integer(7) * 2, integer(5) + integer(7) * 2, "5 filters of 3 channels"),
        (integer(5) + integer(6) + integer(2), integer(6) + integer(5) + integer(2), "product"),
        (name("con_4") + integer(2), name("con_4") + integer(3), "no tensor"),
        (name("affine_") + tensor([0])[:2], name("affine_") + integer(2) + b"\1\0", "affine"),
    ],
)
def test_each_kind_of_damage_is_said_with_its_place(old, new, what):
    old, new = (part.removesuffix(REMAINS) for part in (old, new))
    assert old in SMALL
    with pytest.raises(ValueError, match=f"{what}.* before byte |a tensor of"):
        read_network(SMALL.replace(old, new, 1))


def test_a_network_with_nan_which_would_call_everybody_a_stranger_is_refused():
    data = bytearray(SMALL)
    inside = data.index(name("con_4")) + 100
    data[inside : inside + 8] = b"\xff" * 8
    with pytest.raises(ValueError, match="not finite"):
        read_network(bytes(data))


def read_or_refuse(data):
    """Anything but a network or ValueError is a failure, and so is greed for memory."""
    tracemalloc.start()
    complaint = ""
    try:
        assert isinstance(read_network(data), Network)
    except ValueError as error:
        complaint = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 1_000_000 + len(data)
    assert not complaint or re.fullmatch(r"not a face recognition network: .+", complaint)


@given(
    st.integers(0, len(SMALL)),
    st.binary(max_size=200),
    st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(1, 255)), max_size=8),
)
def test_a_file_that_was_cut_off_grown_or_flipped_is_read_or_refused(at, extra, flips):
    read_or_refuse(SMALL[:at])
    read_or_refuse(SMALL[:at] + extra + SMALL[at:])
    data = bytearray(SMALL)
    for place, bits in flips:
        data[place] ^= bits
    read_or_refuse(bytes(data))


# The graph


#: Largest difference of one of the 128 numbers that is still called the same.
PARITY = 1e-5


@pytest.fixture(scope="module")
def recognition():
    return dlib.face_recognition_model_v1(str(find_model(RECOGNITION)))


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
    pixels = np.asarray(decode(data).pixels)
    predictor = dlib.shape_predictor(str(find_model(LANDMARKS)))
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
    return read_network(find_model(RECOGNITION).read_bytes())


def test_the_oldest_allowed_runtime_reads_the_graph(network):
    model = ModelProto.FromString(build_graph(network))
    assert model.ir_version == 8
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]


def test_a_padded_stem_is_refused_for_the_mean_colour_is_folded_into_it(network):
    with pytest.raises(ValueError):
        build_graph(attrs.evolve(network, stem=attrs.evolve(network.stem, padding=1)))
