"""The engine on real photographs: what it finds, from threads, after forks, and what it keeps."""

from __future__ import annotations

import copy
import io
import os
import pickle
import re
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from facematch_core.errors import InvalidImage
from facematch_local._engine import Engine

#: What must be done to upright pixels so that the EXIF orientation turns them upright again.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def decoded(data):
    return Image.open(io.BytesIO(data)).convert("RGB")


def encoded(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def distance(one, other):
    return float(np.linalg.norm(one.embedding - other.embedding))


def run(script, *flags):
    """Run Python code in a fresh process that finds the same packages."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, *flags, "-c", textwrap.dedent(script)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_faces_of_the_samples(engine, photographs):
    """One face in each portrait, four in the group, none in the cat; all inside the picture."""
    expected = dict.fromkeys(photographs, 1) | {"four-people": 4, "no-face-cat": 0}
    found = {name: engine.look(data) for name, data in photographs.items()}
    assert {name: len(one.boxes) for name, one in found.items()} == expected
    for name, one in found.items():
        width, height = decoded(photographs[name]).size
        assert one.size == (width, height)
        for box in one.boxes:
            assert 0 <= box.left < box.right <= width
            assert 0 <= box.top < box.bottom <= height
            assert box.confidence >= 0.25
        areas = [(box.right - box.left) * (box.bottom - box.top) for box in one.boxes]
        assert areas == sorted(areas, reverse=True)


def test_measures_of_a_face(engine, photographs):
    """Brightness is 0-100, sharpness at least 0, the face's width that of its box."""
    found = engine.look(photographs["grace-hopper"])
    assert found.embedding.shape == (128,)
    assert found.embedding.dtype == np.float32
    assert found.face_px == pytest.approx(found.boxes[0].right - found.boxes[0].left, abs=1)
    assert 0 < found.luminance < 100
    assert found.sharpness > 0


def test_no_face_no_measures(engine, photographs):
    """Without a face there is nothing to measure; nothing is made up."""
    found = engine.look(photographs["no-face-cat"])
    assert found.boxes == ()
    assert (found.embedding, found.face_px) == (None, None)
    assert (found.luminance, found.sharpness) == (None, None)
    assert engine.cut(photographs["no-face-cat"])[1] is None


def test_known_distances(engine, photographs):
    """Same and different people are as far apart as the table beside the photographs says."""
    found = {name: engine.look(data) for name, data in photographs.items()}
    for one, other, expected in (
        ("Family1-Dad1", "Family1-Dad3", 0.231),
        ("Family2-Man1", "Family2-Man2", 0.273),
        ("Family1-Daughter3", "Family1-Son1", 0.486),
        ("Family2-Lady2", "Family2-Man1", 0.594),
        ("grace-hopper", "eileen-collins", 0.694),
    ):
        assert distance(found[one], found[other]) == pytest.approx(expected, abs=0.02)


def test_brightness_and_blur_are_seen(engine, photographs):
    """A darkened copy is darker, a blurred one less sharp."""
    image = decoded(photographs["grace-hopper"])
    plain = engine.look(encoded(image))
    dark = engine.look(encoded(image.point(lambda value: value // 4)))
    blurred = engine.look(encoded(image.resize((128, 150)).resize(image.size)))
    assert dark.luminance < plain.luminance / 2
    assert blurred.sharpness < plain.sharpness / 4


@pytest.mark.parametrize(
    ("orientation", "kind"), [*((number, "PNG") for number in range(1, 9)), (6, "JPEG")]
)
def test_exif_orientation(engine, photographs, orientation, kind):
    """However the camera was held, the same face is found in the same place."""
    image = decoded(photographs["grace-hopper"])
    upright = engine.look(encoded(image))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = image.transpose(STORED[orientation]) if orientation > 1 else image
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    found = engine.look(encoded(stored, kind, exif=exif, **options))
    assert found.size == upright.size
    assert distance(found, upright) <= (0.2 if kind == "JPEG" else 1e-5)
    assert found.boxes[0][:4] == pytest.approx(upright.boxes[0][:4], abs=3)


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_rotate(engine, photographs, angle):
    """With `rotate` a picture that lies on its side is turned, and the turn is told."""
    image = decoded(photographs["grace-hopper"])
    upright = engine.look(encoded(image))
    stored = {90: STORED[6], 180: STORED[3], 270: STORED[8]}.get(angle)
    found = engine.look(encoded(image.transpose(stored) if stored else image), rotate=True)
    assert found.angle == angle
    assert (found.size, found.boxes) == (upright.size, upright.boxes)
    assert distance(found, upright) <= 1e-5


def test_boxes_refer_to_the_full_size(engine, photographs):
    """In a picture above 1024 pixels the boxes are where the face is in the picture itself."""
    image = decoded(photographs["grace-hopper"])
    once = engine.look(encoded(image))
    large = engine.look(encoded(image.resize((2048, 2400)), "JPEG"))
    assert large.size == (2048, 2400)
    assert large.boxes[0][:4] == pytest.approx([4 * edge for edge in once.boxes[0][:4]], abs=120)
    assert large.face_px == pytest.approx(4 * once.face_px, rel=0.15)
    assert distance(large, once) < 0.2


def test_invalid_image(engine):
    """What is no picture is an InvalidImage."""
    with pytest.raises(InvalidImage):
        engine.look(b"no picture")


@pytest.mark.parametrize(
    "chips",
    [
        np.zeros((150, 150, 3), np.uint8),
        np.zeros((1, 150, 150), np.uint8),
        np.zeros((1, 112, 112, 3), np.uint8),
        np.zeros((1, 150, 150, 3), np.float32),
    ],
    ids=["one chip", "grey", "other size", "float"],
)
def test_chips_of_another_shape(engine, chips):
    """Chips that `cut` did not make are refused with the shape that is wanted."""
    with pytest.raises(ValueError, match=r"\(n, 150, 150, 3\)"):
        engine.embed_chips(chips)


def test_embeddings_stay_in_the_process(engine, photographs):
    """An embedding is not shown, not pickled, not copied, not changed."""
    found = engine.look(photographs["grace-hopper"])
    assert "embedding" not in repr(found)
    assert str(found.embedding[0]) not in repr(found)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="biometric"):
            attempt(found)
    with pytest.raises(ValueError, match="read-only"):
        found.embedding[0] = 0
    with pytest.raises(TypeError, match="Engine"):
        pickle.dumps(engine)


def test_threads(engine, faces):
    """Four threads that share one engine compute exactly what one thread computes."""
    pictures = list(faces.values())
    alone = [engine.look(data) for data in pictures]
    fresh = Engine()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fresh.look, pictures))
    for one, other in zip(alone, together, strict=True):
        assert one.boxes == other.boxes
        assert np.array_equal(one.embedding, other.embedding)


def test_close(photographs):
    """A closed engine can be closed again, and loads again when it is used."""
    engine = Engine()
    engine.close()
    first = engine.look(photographs["eileen-collins"])
    engine.close()
    engine.close()
    assert np.array_equal(first.embedding, engine.look(photographs["eileen-collins"]).embedding)


def test_missing_package():
    """Without one of the extra's packages the error names it and how to get it."""
    outcome = run(
        """
        import sys
        from facematch_local._engine import Engine
        sys.modules["dlib"] = None
        try:
            Engine().load()
        except Exception as error:
            print(type(error).__name__, error)
        """
    )
    assert re.fullmatch(r"ConfigurationError .*dlib.*facematch-core\[local\].*\n", outcome.stdout)


def test_importing_is_light():
    """Importing and creating an engine loads none of the heavy packages."""
    outcome = run(
        """
        import sys
        from facematch_local._engine import Engine
        Engine()
        heavy = {"dlib", "numpy", "onnx", "onnxruntime", "PIL", "face_recognition_models"}
        print(sorted(heavy & set(sys.modules)))
        """
    )
    assert (outcome.stdout, outcome.stderr) == ("[]\n", "")


def test_no_code_of_the_models_is_run(engine):
    """The package of the models is found, not imported: it needs what newer Pythons lack."""
    engine.load()
    assert "face_recognition_models" not in sys.modules


def test_engines_share_the_models(photographs, monkeypatch):
    """A second engine loads nothing, and one that is closed takes nothing from the other."""
    one, other = Engine(), Engine()
    seen = one.look(photographs["eileen-collins"])
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "facematch_local._parts")
        patch.setitem(sys.modules, "dlib", None)
        other.load()
    other.close()
    assert np.array_equal(seen.embedding, one.look(photographs["eileen-collins"]).embedding)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("loaded", [True, False], ids=["computing", "loading"])
def test_fork(photographs, tmp_path, loaded):
    """A child forked while other threads compute, or load, gives the same result.

    By models of its own: those of its parent may be locked for ever.
    """
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(photographs["Family1-Dad1"])
    outcome = run(
        f"""
        import os, signal, threading
        from facematch_local import _parts
        from facematch_local._engine import Engine

        loads, load = [], _parts.Parts
        _parts.Parts = lambda: loads.append(1) or load()

        def seen():
            return hash(engine.look(data).embedding.tobytes())

        data = open({os.fspath(picture)!r}, "rb").read()
        engine, stop = Engine(), threading.Event()
        engine.look(data)  # a fork while a module is imported hangs in Python itself
        if not {loaded}:
            engine.close()

        def busy():
            while not stop.is_set():
                seen()

        thread = threading.Thread(target=busy)
        thread.start()
        child = os.fork()
        if not child:
            signal.alarm(20)  # a child that hangs is ended by this
            loads.clear()
            os.write(1, b"%d\\n" % seen())
            os._exit(len(loads))
        status = os.waitpid(child, 0)[1]
        stop.set()
        thread.join()
        print(seen(), os.waitstatus_to_exitcode(status))
        """,
        "-Wignore::DeprecationWarning",  # newer Pythons warn of a fork beside threads
    )
    of_child, of_parent, loads_of_child = outcome.stdout.split()
    assert (of_child, loads_of_child, outcome.stderr) == (of_parent, "1", "")
