"""ONNX Runtime, made to report nothing. Whoever needs it takes it from here.

Microsoft's builds of it keep an identifier of this machine and a queue of events in files under the
user's home, and look up a host of Microsoft's to send them to (seen with 1.31.1). The variable is
read at the import, and then there are no files and no lookups. If the application imported ONNX
Runtime first, without it, the event of that import is beyond our reach; the call lets none follow.
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

onnxruntime.disable_telemetry_events()


def open_session(graph: bytes) -> Any:
    """A session that runs an ONNX graph with one thread: parallelism is by pictures."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
