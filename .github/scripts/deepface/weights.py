"""Make the weights of a DeepFace server that fetches none.

    python weights.py HOME WEIGHTS HAAR

HOME is DEEPFACE_HOME. WEIGHTS is the folder with facematch_local's models: YuNet and SFace, in the
form that DeepFace's onnx engine wants. HAAR is a wheel of opencv-python-headless 4, which has the
cascades of the default detector; the wheels of OpenCV 5 do not.

FasNet, age, gender, emotion and race are stand-ins: only the form of an answer that depends on them
says something about DeepFace. FasNet's calls a picture an attack if it is more blue than red.
"""

from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SFACE = "face_recognition_sface_2021dec"
YUNET = "face_detection_yunet_2023mar"
CASCADES = ("haarcascade_frontalface_default.xml", "haarcascade_eye.xml")
#: The size of the picture and the outputs of each stand-in that says the same of each picture.
CONSTANTS = {
    "age_model_weights": ((224, 224, 3), [float(year == 31) for year in range(101)]),
    "gender_model_weights": ((224, 224, 3), [0.1, 0.9]),
    "facial_expression_model_weights": ((48, 48, 1), [0.02, 0.01, 0.01, 0.3, 0.06, 0.1, 0.5]),
    "race_model_single_batch": ((224, 224, 3), [0.1, 0.1, 0.1, 0.5, 0.1, 0.1]),
}
FASNETS = ("2.7_80x80_MiniFASNetV2", "4_0_0_80x80_MiniFASNetV1SE")


def copy_sface(source: Path, target: Path) -> None:
    """Copy SFace without the inputs that are its own weights, which onnxruntime requires."""
    model = onnx.load(source)
    pictures = [each for each in model.graph.input if each.name == "data"]
    del model.graph.input[:]
    model.graph.input.extend(pictures)
    onnx.save(model, target)


def make_stand_in(
    target: Path, size: Sequence[int], weights: Sequence[Sequence[float]], bias: Sequence[float]
) -> None:
    """Write a model whose outputs are the means of the channels times the weights plus the bias."""
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["weighted"]),
        helper.make_node("Add", ["weighted", "bias"], ["y"]),
    ]
    constants = {
        "axes": np.array([1, 2]),
        "weights": np.array(weights, dtype=np.float32),
        "bias": np.array([bias], dtype=np.float32),
    }
    graph = helper.make_graph(
        nodes,
        target.stem,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", len(bias)])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    opset = helper.make_opsetid("", 21)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), target)


def main(home: str, weights: str, haar: str) -> None:
    folder = Path(home, ".deepface/weights")
    folder.mkdir(parents=True)
    copy_sface(Path(weights, f"{SFACE}_int8bq.onnx"), folder / f"{SFACE}.onnx")
    shutil.copy(Path(weights, f"{YUNET}_int8bq.onnx"), folder / f"{YUNET}.onnx")
    with zipfile.ZipFile(haar) as wheel:
        for name in CASCADES:
            (folder / name).write_bytes(wheel.read(f"cv2/data/{name}"))
    for name, (size, outputs) in CONSTANTS.items():
        no_weights = np.zeros((size[-1], len(outputs)))
        make_stand_in(folder / f"{name}.onnx", size, no_weights, outputs)
    for name in FASNETS:
        # The channels are blue, green and red; of the outputs, the second one is a live person.
        more_blue = [[0.1, 0, 0], [0, 0, 0], [-0.1, 0, 0]]
        make_stand_in(folder / f"{name}.onnx", (80, 80, 3), more_blue, [0, 0.1, 0])


if __name__ == "__main__":
    main(*sys.argv[1:])
