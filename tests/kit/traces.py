"""What a call leaves behind, as texts to be searched: each place by its name."""

import gc
import io
import json
import logging
import pickle
import sqlite3
import types
from pathlib import Path

import attrs

from facematch_core import Secret
from facematch_core.testing.leaks import frame_texts, linked_errors, safe_text

TESTS = str(Path(__file__).parents[1])


def of_error(error):
    """Texts, attributes and frames of an error and its causes, without the tests' own frames."""
    errors = linked_errors(error)
    texts = {
        "error": "\n".join(
            f"{error}\n{safe_text(error)}\n{safe_text(vars(error))}" for error in errors
        ),
        "error, frames": "\n".join(
            text
            for error in errors
            for file, text in frame_texts(error)
            if not file.startswith(TESTS)
        ),
    }
    if isinstance(error, Exception):
        texts["error, pickled"] = pickle.dumps(error)
    return texts


def of_result(result):
    return {
        "result": f"{result!r}\n{result}",
        "result, all attributes": repr(attrs.asdict(result)),
        "result, JSON": json.dumps(result.to_dict()),
        "result, minimal JSON": json.dumps(result.to_dict(minimal=True)),
        "result, pickled": pickle.dumps(result),
    }


def of_events(events):
    return {
        "events": repr(events),
        "events, all attributes": repr([attrs.asdict(event) for event in events]),
        "events, pickled": pickle.dumps(events),
    }


def of_log(records):
    """Message, arguments, traceback and every other attribute of each record, of any logger."""
    form = logging.Formatter("%(name)s %(levelname)s %(message)s")
    return {"log": "\n".join(f"{form.format(record)} {vars(record)}" for record in records)}


def of_objects(*objects):
    return {"objects": repr(objects)}


def of_text(place, text):
    return {place: text.encode(errors="surrogateescape") if isinstance(text, str) else text}


def of_sqlite(path):
    raw = b"".join(part.read_bytes() for part in sorted(path.parent.glob(path.name + "*")))
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        rows = "\n".join(database.iterdump())
    finally:
        database.close()
    return {"store, bytes": raw, "store, rows": rows.encode(errors="surrogateescape")}


#: What holds a whole program, and secrets, which may hold secrets.
OPAQUE = (Secret, type, types.ModuleType, types.FrameType, types.CodeType)


def inside(value):
    """Every piece of bytes, and every text as bytes, that can be reached from a value."""
    seen = {}
    todo = [value]
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, OPAQUE):
            continue
        seen[id(thing)] = thing
        if isinstance(thing, str):
            yield thing.encode("utf-8", "surrogatepass")
        elif isinstance(thing, (bytes, bytearray, memoryview)):
            yield bytes(thing)
        elif isinstance(thing, io.BytesIO):
            yield thing.getvalue()
        elif isinstance(thing, types.FunctionType):
            todo += thing.__closure__ or ()
        else:
            todo += gc.get_referents(thing)
