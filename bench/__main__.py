"""`python -m bench`: fills new cities and measures them; --url measures a running one over HTTP."""

import json
from collections.abc import Sequence
from pathlib import Path

import click
import psutil
import psycopg

from bench import city, http, report, store, whole
from bench.calls import calls
from bench.measure import Fact, Report

SIZES = (1_000_000, 5_000_000, 20_000_000)


def over_http(
    found: Report, address: str, key: str, process: psutil.Process | None, wanted: Sequence[http.Call]
) -> None:
    for call in wanted:
        found.rows.append(http.measure(call, address.rstrip("/"), key, process))
    if process:
        size = sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))
        found.facts.append(Fact("memory of api", size / 1e6, "MB"))


def of_size(rows: int, scale: float, *, with_http: bool) -> tuple[Report, str]:
    """A new city of so many observations; the report, and the version of its database."""
    with city.database() as (dsn, home):
        with psycopg.connect(dsn, autocommit=True) as connection:
            version = f"PostgreSQL {connection.info.server_version // 10_000}"
            datastreams = city.make(connection)
            made = city.fill(connection, datastreams, rows)
            one = connection.execute(
                "SELECT id FROM datastream_latest WHERE datastream_id = %s", (datastreams[city.THINGS],)
            ).fetchone()
            assert one is not None
        found = Report(f"{made:,} observations", facts=store.sizes(dsn, made))
        # While nothing is written, reads come first.
        found.rows += store.reads(dsn, datastreams, city.LONG_FIRST, city.END, max(int(2_000 * scale), 20))
        if with_http:
            with http.api(dsn) as (address, key, process):
                over_http(found, address, key, process, calls(datastreams[0], one[0], scale))
        after = city.END + city.YEAR * 3
        found.rows += store.bulk(dsn, datastreams, after, max(int(20 * scale), 2))
        found.rows += store.single(dsn, datastreams, after + city.YEAR, max(int(20_000 * scale), 200))
        if with_http:
            city.stop(home)
            found.facts += whole.facts(home)
    return found, version


@click.command()
@click.option("--rows", multiple=True, type=int, help=f"Observations to fill a city with, repeatable; else {SIZES}.")
@click.option("--scale", default=1.0, show_default=True, help="Multiplies how often each thing is done.")
@click.option("--url", default="", help="Measure a running API instead, such as http://127.0.0.1:8000.")
@click.option("--key", default="", envvar="MAINZDIGITAL_BENCH_KEY", help="Its key, scope write.")
@click.option("--datastream", default=1, show_default=True, help="A datastream there that may be written to.")
@click.option("--observation", default=1, show_default=True, help="An observation there.")
@click.option("--http/--no-http", "with_http", default=True, help="Start an api and measure over HTTP too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--write", type=click.Path(path_type=Path), help="Write the Markdown document here.")
def main(
    *, rows: tuple[int, ...], scale: float, url: str, key: str, datastream: int, observation: int, with_http: bool,
    as_json: bool, write: Path | None,
) -> None:  # fmt: skip
    """Measure what the platform reaches, each beside its limit, in the same run."""
    reports, version = [], ""
    if url:
        reports.append(Report(url))
        over_http(reports[0], url, key, None, calls(datastream, observation, scale))
    else:
        for size in rows or SIZES:
            found, version = of_size(size, scale, with_http=with_http)
            reports.append(found)
            if not as_json:
                report.show(found)
    if as_json:
        click.echo(json.dumps(report.as_json(reports)))
    elif url:
        report.show(reports[0])
    if write is not None:
        write.write_text(report.document(reports, version))


if __name__ == "__main__":
    main()
