"""What `make rehearse` does to the texts of a release."""

import re
from pathlib import Path

from kit.rehearsal import ROOT, published, texts_to_publish

from facematch_core.config import plugins

#: An installation from a folder, but of a reader's own project; or a sentence about PyPI.
BEFORE_PYPI = re.compile(r'not on\s+PyPI|install (?:\S+ )?(?!"\.\[dev\])"?\./?(?:\[|[a-z ])')


def test_no_published_text_installs_from_a_folder_once_there_is_a_release():
    texts = texts_to_publish()
    assert any(BEFORE_PYPI.search(text) for text in texts.values())
    left = {file.name: BEFORE_PYPI.findall(published(text)) for file, text in texts.items()}
    assert {name: found for name, found in left.items() if found} == {}


def test_a_release_writes_the_command_that_installs_by_name():
    readme = published((ROOT / "README.md").read_text())
    assert '`pip install "facematch-core[door]"`' in readme
    assert '`pip install "facematch-core[store,testing]"`' in readme
    assert "`pip install facematch-core facematch-local`" in readme
    assert "Do not `pip install" not in readme
    source = published(Path(plugins.__file__).read_text())
    assert 'command = f"pip install {distribution}"' in source
    assert "checkout" not in source


def test_published_texts_do_not_change_again():
    for file, text in texts_to_publish().items():
        assert published(published(text)) == published(text), file
