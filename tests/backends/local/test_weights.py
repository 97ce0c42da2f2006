"""The reader of dlib's file, on small networks that are written here and on the real one."""

from __future__ import annotations

import math
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch_local import _models, _weights
from facematch_local._serial import Reader

#: Stands in for gradients and learning rates, which hold zeros, sizes and flags.
REMAINS = b"\x01\x02" + b"\x01\x00" * 4 + b"110"


def integer(value):
    """An integer as dlib writes it: with as few bytes as needed, at least one."""
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
    """A file with 3, then 4, then 6 channels, two blocks, and 5 numbers as embedding."""
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
    """The bytes of the real file."""
    return _models.checked(_models.RECOGNITION).read_bytes()


@given(st.integers(min_value=-(2**63), max_value=2**63))
def test_integers(value):
    """Every integer of 64 bits is read as it was written."""
    assert Reader(integer(value), ["x"]).integer() == value


@given(st.integers(-(2**24), 2**24), st.integers(-800, 800))
def test_reals(mantissa, exponent):
    """A float is its mantissa times a power of two, exactly."""
    read = Reader(integer(mantissa) + integer(exponent), ["x"]).real()
    assert read == math.ldexp(mantissa, exponent)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x01", b"\x00\x00", b"\x09" + b"\x01" * 9, b"\x11\x01"],
    ids=["empty", "no bytes", "size 0", "size 9", "unknown flag"],
)
def test_what_is_no_integer(data):
    """An integer has 1-8 bytes, all of them there, and no flag but the sign."""
    with pytest.raises(ValueError, match="no integer"):
        Reader(data, ["x"]).integer()


def test_a_name_inside_of_weights_is_not_seen():
    """Weights are skipped by their count, so their bytes cannot pass for a layer."""
    trap = np.frombuffer(name("con_4") + b"\0", "<f4")
    data = name("affine_") + tensor(trap) + name("con_4")
    reader = Reader(data, ["affine_", "con_4"])
    reader.skip_to("affine_")
    assert reader.tensor().tobytes() == trap.tobytes()
    reader.skip_to("con_4")
    with pytest.raises(ValueError, match="no further layer"):
        reader.next_name()


def test_small_network():
    """All parts of a written network come back with the shapes they were written with."""
    read = _weights.read(SMALL)
    assert read.mean == (122.5, 117, 64)
    assert read.size == (32, 32)
    assert read.stem.filters.shape == (4, 3, 7, 7)
    assert (read.stem.stride, read.stem.padding) == (2, 0)
    assert [one.halves for one in read.blocks] == [False, True]
    assert read.blocks[1].first.filters.shape == (6, 4, 3, 3)
    assert (read.blocks[1].first.stride, read.blocks[1].first.padding) == (2, 0)
    assert read.blocks[1].second.gain.shape == (6,)
    assert read.product.shape == (6, 5)


def test_real_network(real):
    """The real file: 29 convolutions, 14 blocks, four of which halve, 150 x 150 pixels."""
    read = _weights.read(real)
    assert read.mean == pytest.approx((122.782, 117.001, 104.298), abs=1e-4)
    assert read.size == (150, 150)
    assert [one.second.filters.shape[0] for one in read.blocks] == (
        [32] * 3 + [64] * 4 + [128] * 3 + [256] * 4
    )
    assert [at for at, one in enumerate(read.blocks) if one.halves] == [3, 7, 10, 13]
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
def test_what_is_wrong_is_said(old, new, what):
    """Each kind of damage has one sentence, with the place."""
    old, new = (part.removesuffix(REMAINS) for part in (old, new))
    assert old in SMALL
    with pytest.raises(ValueError, match=f"{what}.* before byte |a tensor of"):
        _weights.read(SMALL.replace(old, new, 1))


def test_not_finite():
    """A network with a NaN in its weights would call everybody a stranger; it is refused."""
    data = bytearray(SMALL)
    inside = data.index(name("con_4")) + 100
    data[inside : inside + 8] = b"\xff" * 8
    with pytest.raises(ValueError, match="not finite"):
        _weights.read(bytes(data))


def read_or_refuse(data):
    """Read damaged bytes; anything but a network or ValueError is a failure, and so is greed."""
    tracemalloc.start()
    complaint = ""
    try:
        assert isinstance(_weights.read(data), _weights.Network)
    except ValueError as error:
        complaint = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 1_000_000 + len(data)
    assert not complaint or re.fullmatch(r"not a face recognition network: .+", complaint)


@given(st.integers(0, len(SMALL)))
def test_cut_off(length):
    """A file cut off anywhere is refused, or read if only remains of the training are missing."""
    read_or_refuse(SMALL[:length])


@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(1, 255)), max_size=8))
def test_flipped(flips):
    """Flipped bits give another network or one error, and never large memory."""
    data = bytearray(SMALL)
    for at, bits in flips:
        data[at] ^= bits
    read_or_refuse(bytes(data))


@given(st.binary(max_size=200), st.integers(0, len(SMALL)))
def test_inserted(extra, at):
    """Foreign bytes in the middle give another network or one error."""
    read_or_refuse(SMALL[:at] + extra + SMALL[at:])


@settings(max_examples=15)
@given(at=st.integers(0, 22_000_000), bits=st.integers(1, 255), cut=st.booleans())
def test_real_file_damaged(real, at, bits, cut):
    """The same for the real file."""
    data = bytearray(real[:at] if cut else real)
    data[at - 1 if cut else at] ^= bits if data else 0
    read_or_refuse(bytes(data))
