"""Read dlib's face recognition network out of its file: bytes in, arrays out.

The layers are in the file in order from input to output, each starting with its name. Between
the parts read here stand remains of the training, stepped over by looking for the next name; the
weights, in which one might be found, are skipped by their count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ._serial import Reader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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


def read(data: bytes) -> Network:
    """The network in a file. Its arrays look into `data` and keep it alive."""
    reader = Reader(data, _NAMES)
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
