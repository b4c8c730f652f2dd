"""kill -9 of any process during writes: every acknowledged observation is there, exactly once."""

from pathlib import Path

import pytest

from tests.fault.load import ROUNDS, kill, load
from tests.house.city import city, free_port, mainzdigital

pytestmark = pytest.mark.fault
KILLED = ("api", "database", "ingest", "work", "web")


def test_every_acknowledged_observation_is_there_once(tmp_path: Path) -> None:
    home, port = tmp_path / "home", str(free_port())
    key = mainzdigital(home, "key", "create", "--scope", "manage").stdout.strip()
    with city(home, MAINZDIGITAL_PORT=port) as found, load(found, key) as working:
        for _ in range(ROUNDS):
            for name in KILLED:
                kill(found, name)
                working.progress(found)
        for _ in range(ROUNDS):
            found.process.kill()
            found.process.wait()
            found.close()
            with city(home, MAINZDIGITAL_PORT=port) as second:
                working.progress(second)
                second.process.kill()
                second.process.wait()
        with city(home, MAINZDIGITAL_PORT=port) as last:
            working.progress(last)
            assert last.stop() == 0  # in the middle of writes
    with city(home, MAINZDIGITAL_PORT=port) as after:
        working.assert_kept(after)
