"""dlib's face recognition network: read out of its file, written as an ONNX graph, and run.

The layers are in the file in order from input to output, each starting with its name. Between
the parts read here stand remains of the training, stepped over by looking for the next name; the
weights, in which one might be found, are skipped by their count.

An integer of dlib's is one byte (bit 7 the sign, the low four bits a count n) and n bytes,
little-endian; a string is its length as such an integer, then its bytes; a float is two integers,
mantissa and power of two; a tensor is the integer 2, four sizes, and that many raw 32-bit floats.

ONNX Runtime computes an embedding about twenty times as fast as dlib, on the same numbers. Affine
layers, mean colour and input scale are folded into the convolutions: the embedding changes by less
than 1e-6.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from onnx.helper import make_node, make_opsetid, make_tensor_value_info

# Microsoft's builds of it keep an identifier of this machine and a queue of events in files under
# the user's home, and look up a host of Microsoft's to send them to (seen with 1.31.1). The
# variable is read at the import, and then there are no files and no lookups. If the application
# imported ONNX Runtime first, without it, the event of that import is beyond our reach; the call
# lets none follow.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

onnxruntime.disable_telemetry_events()

#: No size in the real files is above 150; what is above this is damage.
_LARGEST = 65_535

#: dlib writes at most 64 bits for an integer.
_LONGEST = 8

#: Of the layers to stop at.
_NAMES = (
    "input_rgb_image_sized",
    "con_4",
    "affine_",
    "relu_",
    "max_pool_2",
    "avg_pool_2",
    "add_prev_",
    "fc_2",
)

#: Rows, columns, strides down and across, padding down and across of the three kinds of pooling;
#: 0 x 0 stands for the whole map. The graph is built for these and no others.
_MAX_POOL = (3, 3, 2, 2, 0, 0)
_HALVING_POOL = (2, 2, 2, 2, 0, 0)
_WHOLE_POOL = (0, 0, 1, 1, 0, 0)

#: Of ONNX 1.12 (2022), far below what the oldest allowed ONNX Runtime reads. Left out, the
#: installed onnx would write its newest ones, which an older ONNX Runtime refuses.
OPSET = 17
IR_VERSION = 8

#: dlib divides what is left after the mean by this number.
_DIVISOR = 256.0

#: Names of the graph's input and output.
CHIPS = "chips"
EMBEDDINGS = "embeddings"


class Reader:
    """A place in the bytes; what is wrong there is a `ValueError`. Tensors look into the data."""

    def __init__(self, data: bytes, names: Iterable[str] = _NAMES) -> None:
        """At the first byte; `names` are of the layers to stop at, at most 127 characters each."""
        self._data = data
        self._at = 0
        stored = (bytes((1, len(name))) + name.encode() for name in names)
        self._names = re.compile(b"|".join(map(re.escape, stored)))

    def error(self, what: str) -> ValueError:
        """The error to raise for what stands just before this place."""
        return ValueError(f"not a face recognition network: {what} before byte {self._at}")

    def next_name(self) -> str:
        """The next of the names in the bytes to come; does not move."""
        match = self._names.search(self._data, self._at)
        if match is None:
            raise self.error("no further layer")
        return match[0][2:].decode()

    def skip_to(self, name: str) -> None:
        """Go behind the next of the names, which must be this one."""
        match = self._names.search(self._data, self._at)
        if match is None or match[0][2:].decode() != name:
            raise self.error(f"no layer {name}")
        self._at = match.end()

    def integer(self) -> int:
        """A signed integer of at most 64 bits."""
        head = self._data[self._at] if self._at < len(self._data) else 0
        end = self._at + 1 + (head & 0x0F)
        if head & 0x70 or not 1 <= head & 0x0F <= _LONGEST or end > len(self._data):
            raise self.error("no integer")
        value = int.from_bytes(self._data[self._at + 1 : end], "little")
        self._at = end
        return -value if head & 0x80 else value

    def size(self) -> int:
        """A number of things, 1-65535."""
        value = self.integer()
        if not 1 <= value <= _LARGEST:
            raise self.error(f"a size of {value}")
        return value

    def real(self) -> float:
        """A finite number."""
        mantissa, exponent = self.integer(), self.integer()
        # Inside of these bounds 64 bits of mantissa cannot overflow.
        if not -900 <= exponent <= 900:
            raise self.error("no finite number")
        return math.ldexp(mantissa, exponent)

    def tensor(self) -> NDArray[np.float32]:
        """The numbers of a tensor, all finite, in one row."""
        if self.integer() != 2:
            raise self.error("no tensor")
        sizes = [self.integer() for _ in range(4)]
        count = math.prod(sizes)
        end = self._at + 4 * count
        if min(sizes) < 1 or end > len(self._data):
            raise self.error(f"a tensor of {count} numbers")
        values = np.frombuffer(self._data, "<f4", count, self._at)
        if not np.isfinite(values).all():
            raise self.error("a tensor with a number that is not finite")
        self._at = end
        return values


@attrs.frozen(eq=False)
class Convolution:
    """A convolution and the affine layer that follows it: times `gain`, plus `offset`."""

    #: (filters, channels, rows, columns); the arrays below have a number for each filter.
    filters: NDArray[np.float32] = attrs.field(repr=False)
    bias: NDArray[np.float32] = attrs.field(repr=False)
    gain: NDArray[np.float32] = attrs.field(repr=False)
    offset: NDArray[np.float32] = attrs.field(repr=False)
    #: Of the filter in pixels, the same in both directions, at least 1.
    stride: int
    #: Zeros around the map in pixels, the same on all four sides, 0 or 1.
    padding: int


@attrs.frozen(eq=False)
class Block:
    """A residual block: two convolutions, and a way past them that is added; a ReLU after each."""

    first: Convolution
    second: Convolution
    #: Whether what goes past is halved by a 2 x 2 average with stride 2.
    halves: bool


@attrs.frozen(eq=False)
class Network:
    """The whole network, with at least one block."""

    #: What is subtracted from red, green and blue, 0-255.
    mean: tuple[float, float, float]
    #: Height and width of the picture in pixels.
    size: tuple[int, int]
    #: A ReLU and a 3 x 3 maximum with stride 2 follow.
    stem: Convolution
    blocks: tuple[Block, ...]
    #: (channels of the last block, numbers of an embedding); multiplies the average of each
    #: channel over the map.
    product: NDArray[np.float32] = attrs.field(repr=False)


def read_network(data: bytes) -> Network:
    """The network in a file. Its arrays look into `data` and keep it alive."""
    reader = Reader(data)
    reader.skip_to("input_rgb_image_sized")
    mean = (reader.real(), reader.real(), reader.real())
    if not all(0 <= colour <= 255 for colour in mean):
        raise reader.error("a mean colour outside of 0-255")
    size = (reader.size(), reader.size())
    stem = _read_convolution(reader, channels=3)
    reader.skip_to("relu_")
    _read_pool(reader, "max_pool_2", _MAX_POOL)
    channels = len(stem.filters)
    blocks: list[Block] = []
    while reader.next_name() == "con_4" or not blocks:
        blocks.append(_read_block(reader, channels))
        # What goes past a block keeps its channels: they can become more, never fewer.
        channels = max(channels, len(blocks[-1].second.filters))
    _read_pool(reader, "avg_pool_2", _WHOLE_POOL)
    reader.skip_to("fc_2")
    outputs, inputs = reader.size(), reader.size()
    values = reader.tensor()
    if inputs != channels or len(values) != inputs * outputs:
        raise reader.error(f"a product of {len(values)} numbers after {channels} channels")
    return Network(mean, size, stem, tuple(blocks), values.reshape(inputs, outputs))


def _read_convolution(reader: Reader, channels: int) -> Convolution:
    reader.skip_to("con_4")
    values = reader.tensor()
    number, rows, columns, down, across = (reader.size() for _ in range(5))
    padding = (reader.integer(), reader.integer())
    size = number * channels * rows * columns
    if len(values) != size + number:
        raise reader.error(f"{len(values)} numbers for {number} filters of {channels} channels")
    if rows != columns or down != across or padding not in {(0, 0), (1, 1)}:
        raise reader.error("a convolution that differs between rows and columns")
    reader.skip_to("affine_")
    affine = reader.tensor()
    if len(affine) != 2 * number:
        raise reader.error(f"an affine layer of {len(affine)} numbers after {number} filters")
    return Convolution(
        filters=values[:size].reshape(number, channels, rows, columns),
        bias=values[size:],
        gain=affine[:number],
        offset=affine[number:],
        stride=down,
        padding=padding[0],
    )


def _read_block(reader: Reader, channels: int) -> Block:
    first = _read_convolution(reader, channels)
    reader.skip_to("relu_")
    second = _read_convolution(reader, channels=len(first.filters))
    halves = reader.next_name() == "avg_pool_2"
    if halves:
        _read_pool(reader, "avg_pool_2", _HALVING_POOL)
    reader.skip_to("add_prev_")
    reader.skip_to("relu_")
    return Block(first, second, halves)


def _read_pool(reader: Reader, name: str, shape: tuple[int, ...]) -> None:
    reader.skip_to(name)
    if tuple(reader.integer() for _ in shape) != shape:
        raise reader.error(f"a layer {name} of another shape")


def build_graph(network: Network) -> bytes:
    """The serialised graph: uint8 (n, height, width, 3), RGB, to float32 (n, numbers)."""
    graph = _Graph()
    height, width = network.size
    here = graph.add("Cast", [CHIPS], to=TensorProto.FLOAT)
    # Batch, rows, columns, channels: as dlib cuts chips. The convolutions want channels second.
    here = graph.add("Transpose", [here], perm=[0, 3, 1, 2])
    here = graph.add("Relu", [graph.convolve(here, *_fold_stem(network))])
    here = graph.add("MaxPool", [here], kernel_shape=[3, 3], strides=[2, 2])
    shape = _shape_after(network.stem, (3, height, width))
    shape = (shape[0], (shape[1] - 3) // 2 + 1, (shape[2] - 3) // 2 + 1)
    for block in network.blocks:
        here, shape = _add_block(graph, block, here, shape)
    here = graph.add("GlobalAveragePool", [here])
    here = graph.add("Flatten", [here])
    graph.add("MatMul", [here, graph.constant(network.product)], result=EMBEDDINGS)
    ends = (
        make_tensor_value_info(CHIPS, TensorProto.UINT8, ["n", height, width, 3]),
        make_tensor_value_info(EMBEDDINGS, TensorProto.FLOAT, ["n", network.product.shape[1]]),
    )
    return graph.serialise(*ends)


def _add_block(
    graph: _Graph, block: Block, start: str, shape: tuple[int, ...]
) -> tuple[str, tuple[int, ...]]:
    here = graph.add("Relu", [graph.convolve(start, *_fold_affine(block.first), block.first)])
    here = graph.convolve(here, *_fold_affine(block.second), block.second)
    through = _shape_after(block.second, _shape_after(block.first, shape))
    if block.halves:
        start = graph.add("AveragePool", [start], kernel_shape=[2, 2], strides=[2, 2])
        shape = (shape[0], shape[1] // 2, shape[2] // 2)
    # dlib adds maps of different sizes as if the missing rows, columns and channels were zero.
    whole = tuple(map(max, through, shape))
    ends = graph.pad(here, through, whole), graph.pad(start, shape, whole)
    return graph.add("Relu", [graph.add("Add", ends)]), whole


def _shape_after(layer: Convolution, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Channels, rows and columns after a convolution of a map of `shape`."""
    side = layer.filters.shape[-1]
    rest = ((size + 2 * layer.padding - side) // layer.stride + 1 for size in shape[1:])
    return (len(layer.filters), *rest)


def _fold_affine(layer: Convolution) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Filters and bias that do the work of the affine layer too."""
    filters = layer.filters * layer.gain[:, None, None, None]
    return filters, layer.bias * layer.gain + layer.offset


def _fold_stem(network: Network) -> tuple[NDArray[np.float32], NDArray[np.float32], Convolution]:
    """The first convolution, for colours 0-255 as they are."""
    if network.stem.padding:
        # Zeros around the picture are zeros after the mean is taken off, not before.
        raise ValueError("the mean cannot be folded into a first convolution with padding")
    filters, bias = _fold_affine(network.stem)
    filters /= np.float32(_DIVISOR)
    # In 64 bits: a small difference of large sums, whose error every later layer would inherit.
    shift = filters.astype(np.float64).sum(axis=(2, 3)) @ np.array(network.mean)
    return filters, (bias - shift).astype(np.float32), network.stem


class _Graph:
    """A model in the making, with its weights written straight into it."""

    # `onnx.helper.make_graph` and `make_model` copy them, which would more than double the memory
    # that is needed while loading.
    def __init__(self) -> None:
        self._model = onnx.ModelProto(ir_version=IR_VERSION)
        self._model.opset_import.append(make_opsetid("", OPSET))
        self._graph = self._model.graph
        self._graph.name = "dlib_face_recognition_resnet_model_v1"

    def constant(self, values: NDArray[Any]) -> str:
        kinds = {"f": TensorProto.FLOAT, "i": TensorProto.INT64}
        tensor = self._graph.initializer.add()
        tensor.name = f"constant{len(self._graph.initializer)}"
        tensor.data_type = kinds[values.dtype.kind]
        tensor.dims.extend(values.shape)
        tensor.raw_data = values.astype(values.dtype.newbyteorder("<")).tobytes()
        return str(tensor.name)

    def add(self, kind: str, inputs: Sequence[str], result: str = "", **attributes: Any) -> str:
        name = result or f"{kind}{len(self._graph.node)}"
        self._graph.node.append(make_node(kind, inputs, [name], **attributes))
        return name

    def convolve(
        self,
        start: str,
        filters: NDArray[np.float32],
        bias: NDArray[np.float32],
        layer: Convolution,
    ) -> str:
        return self.add(
            "Conv",
            [start, self.constant(filters), self.constant(bias)],
            kernel_shape=filters.shape[2:],
            strides=[layer.stride] * 2,
            pads=[layer.padding] * 4,
        )

    def pad(self, start: str, shape: tuple[int, ...], whole: tuple[int, ...]) -> str:
        """Zeros at the end of each dimension, from `shape` to `whole`."""
        if shape == whole:
            return start
        missing = [0, *(large - small for small, large in zip(shape, whole, strict=True))]
        pads = np.array([0] * len(missing) + missing, dtype=np.int64)
        return self.add("Pad", [start, self.constant(pads)])

    def serialise(self, chips: onnx.ValueInfoProto, embeddings: onnx.ValueInfoProto) -> bytes:
        self._graph.input.append(chips)
        self._graph.output.append(embeddings)
        return bytes(self._model.SerializeToString())


def open_session(graph: bytes) -> Any:
    """A session that runs an ONNX graph with one thread: parallelism is by pictures."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
