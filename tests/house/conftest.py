import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def home_of_nobody() -> Iterator[Path]:
    """A folder of the user 65534 that it can reach (pytest's own folders are closed to others)."""
    folder = Path(tempfile.mkdtemp(prefix="md-"))
    os.chown(folder, 65534, 65534)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
