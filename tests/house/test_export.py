"""`mainzdigital export observations` and back in, on the command line."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from tests.connect.samples import HEADER, WIDE
from tests.house.city import mainzdigital


def result(output: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(output.splitlines()[-1])["result"]
    return found


def test_out_and_in_again(tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out.parquet"
    (tmp_path / "m.yaml").write_text(WIDE, "utf-8")
    rows = "".join(f"S{n % 2};01.07.2024 {n:02}:00;{n},5\n" for n in range(24))
    (tmp_path / "file.csv").write_text(HEADER + rows, "utf-8")
    assert mainzdigital(home, "migrate").returncode == 0
    mapping = str(tmp_path / "m.yaml")
    done = mainzdigital(home, "import", str(tmp_path / "file.csv"), "--mapping", mapping, "--json")
    assert result(done.stdout)["written"] == 24, done.stdout

    done = mainzdigital(home, "export", "observations", str(out), "--json")
    assert done.returncode == 0, done.stderr
    assert result(done.stdout) == {
        "file": str(out), "observations": 24, "datastreams": 2, "hidden": 0, "bytes": out.stat().st_size,
    }  # fmt: skip
    table = pq.read_table(out)
    assert table.num_rows == 24
    first = table.column("datastream")[0].as_py()
    # The last day is included, days are the city's.
    part = tmp_path / "part.parquet"
    arguments = ("--datastream", str(first), "--from", "2024-07-01", "--to", "2024-07-01T08:00:00Z")
    done = mainzdigital(home, "export", "observations", str(part), *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert pq.read_table(part).num_rows == 5
    assert "5 observations of 1 datastreams" in done.stdout

    done = mainzdigital(home, "import", str(out), "--json", "--dry-run")
    assert (done.returncode, result(done.stdout)["duplicates"]) == (0, 24)
    done = mainzdigital(home, "import", str(out), "--json")
    assert (done.returncode, result(done.stdout)["duplicates"], result(done.stdout)["written"]) == (0, 24, 0)
    assert "imported before" in mainzdigital(home, "import", str(out)).stdout

    for wrong, code in (
        (("x.csv",), 2),
        ((str(tmp_path / "none" / "x.parquet"),), 1),
        ((str(part), "--datastream", "999"), 1),
        ((str(part), "--from", "yesterday"), 2),
        ((str(part), "--from", "2024-02-01", "--to", "2024-01-01"), 2),
        ((str(part), "--access", "secret"), 2),
    ):
        done = mainzdigital(home, "export", "observations", *wrong)
        assert done.returncode == code, (wrong, done.stderr)
        assert done.stderr != ""
    assert pq.read_table(part).num_rows == 5, "a refusal leaves the file as it was"
