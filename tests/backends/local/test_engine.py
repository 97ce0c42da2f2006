"""The engine: its model files, one look at a picture, shared models, forks."""

import copy
import hashlib
import io
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from kit.strategies_images import encoded
from PIL import Image

from facematch_core import ConfigurationError
from facematch_core.backend import ImageFormat
from facematch_local import models
from facematch_local.engine import Engine

#: Transposes upright pixels so that the EXIF orientation turns them upright again.
STORED = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def test_an_embedding_has_length_1_and_is_not_shown_pickled_copied_or_changed(engine, seen):
    faces = seen("grace-hopper")
    assert faces.embedding.shape == (128,)
    assert faces.embedding.dtype == np.float32
    assert np.linalg.norm(faces.embedding) == pytest.approx(1)
    assert "embedding" not in repr(faces)
    assert str(faces.embedding[0]) not in repr(faces)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(faces)
    with pytest.raises(ValueError):
        faces.embedding[0] = 0
    with pytest.raises(TypeError):
        pickle.dumps(engine)


@pytest.mark.parametrize(
    ("orientation", "image_format", "options", "least_similarity"),
    [
        (3, ImageFormat.PNG, {}, 0.99999),
        (7, ImageFormat.PNG, {}, 0.99999),
        (6, ImageFormat.JPEG, {"quality": 95, "subsampling": 0}, 0.98),
    ],
)
def test_the_exif_orientation_changes_neither_box_nor_embedding(  # noqa: PLR0917 - fixtures
    engine, seen, photographs, orientation, image_format, options, least_similarity
):
    image = Image.open(io.BytesIO(photographs["grace-hopper"])).convert("RGB")
    turned = image.transpose(STORED[orientation])
    faces = engine.look(encoded(turned, image_format, orientation=orientation, **options))
    upright = seen("grace-hopper")
    assert faces.size == upright.size
    assert faces.embedding @ upright.embedding >= least_similarity
    (box,) = faces.boxes
    (upright_box,) = upright.boxes
    assert box[:4] == pytest.approx(upright_box[:4], abs=3)


def test_engines_share_the_models_and_can_be_used_after_closing(seen, photographs):
    first = Engine()
    second = Engine()
    first.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "facematch_local.recognition")
        patch.setitem(sys.modules, "cv2", None)
        first.load()
        second.load()
    second.close()
    second.close()
    faces = first.look(photographs["eileen-collins"])
    assert np.array_equal(faces.embedding, seen("eileen-collins").embedding)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("loaded", [True, False], ids=["computing", "loading"])
def test_a_child_forked_while_threads_compute_or_load_gives_the_same_result(
    photographs, tmp_path, loaded
):
    """The child loads its own models: the locks of its parent may be held for ever."""
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(photographs["Family1-Dad1"])
    script = f"""
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
            signal.alarm(240)  # ends a child that hangs
            loads.clear()
            os.write(1, b"%d\\n" % seen())
            os._exit(len(loads))
        status = os.waitpid(child, 0)[1]
        stop.set()
        thread.join()
        print(seen(), os.waitstatus_to_exitcode(status))
        """
    # Newer Pythons warn of a fork beside threads.
    command = [sys.executable, "-Wignore::DeprecationWarning", "-c", textwrap.dedent(script)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    outcome = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    of_child, of_parent, loads_of_child = outcome.stdout.split()
    assert (of_child, loads_of_child, outcome.stderr) == (of_parent, "1", "")


def test_model_files_equal_the_model_zoo_and_have_licences():
    files = {path.name for path in models.WEIGHTS.glob("*.onnx")}
    assert files == {*models.DIGESTS} == {models.DETECTION, models.RECOGNITION}
    for name, digest in models.DIGESTS.items():
        assert hashlib.sha256(models.read_model(name)).hexdigest() == digest
    assert "MIT License" in (models.WEIGHTS / "LICENSE-yunet.txt").read_text()
    assert "Apache License" in (models.WEIGHTS / "LICENSE-sface.txt").read_text()


def test_a_damaged_or_missing_file_is_named(monkeypatch, tmp_path):
    data = bytearray(models.read_model(models.DETECTION))
    data[len(data) // 2] ^= 1
    (tmp_path / models.DETECTION).write_bytes(data)
    monkeypatch.setattr(models, "WEIGHTS", tmp_path)
    for name, problem in ((models.DETECTION, "damaged"), (models.RECOGNITION, "cannot be read")):
        with pytest.raises(ConfigurationError, match=f"{name} .*{problem}"):
            models.read_model(name)
