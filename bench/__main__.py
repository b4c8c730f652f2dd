"""`python -m bench`: fills a new city with --rows observations and measures; --url measures a running one over HTTP."""

import json
from collections.abc import Sequence

import click
import psutil
import psycopg

from bench import city, http, store
from bench.measure import Report

ROOT = "/sensorthings/v1.1"


def calls(datastream: int, scale: float) -> list[http.Call]:
    """The calls of the budget (architecture §9)."""

    def times(count: int) -> int:
        return max(int(count * scale), 10)

    latest = "$expand=Observations($top=1;$orderby=phenomenonTime desc)"
    one = b'{"result": 21.5}'
    return [
        http.Call(
            "POST one observation, 64 connections", f"{ROOT}/Datastreams({datastream})/Observations",
            times(20_000), "≥ 5,000/s; ≤ 0.12 ms CPU", body=one, connections=http.CONNECTIONS,
        ),
        http.Call(
            "newest 100 of a datastream",
            f"{ROOT}/Datastreams({datastream})/Observations?$top=100&$orderby=phenomenonTime desc",
            times(5_000), "≤ 0.5 ms CPU",
        ),
        http.Call(
            "newest of 400 Things ($expand)", f"{ROOT}/Things?$top=400&$expand=Datastreams({latest})",
            times(100), "≤ 10 ms",
        ),
        http.Call(
            "latest of 10,000 datastreams", f"{ROOT}/Datastreams?$top=10000&$select=id&{latest}", times(20), "≤ 100 ms",
        ),
        http.Call(
            "series: a year of hourly values", f"/series/v1?datastreams={datastream}&from=2025-01-01&to=2025-12-31",
            times(100), "≤ 15 ms + JSON",
        ),
    ]  # fmt: skip


def over_http(
    report: Report, address: str, key: str, process: psutil.Process | None, wanted: Sequence[http.Call]
) -> None:
    for call in wanted:
        report.rows.append(http.measure(call, address.rstrip("/"), key, process))
    if process:
        for one in (process, *process.children(recursive=True)):
            report.memory[f"api ({one.pid})"] = one.memory_info().rss


@click.command()
@click.option("--rows", default=5_000_000, show_default=True, help="Observations to fill the city with.")
@click.option("--scale", default=1.0, show_default=True, help="Multiplies how often each thing is done.")
@click.option("--url", default="", help="Measure a running API instead, such as http://127.0.0.1:8000.")
@click.option("--key", default="", envvar="MAINZDIGITAL_BENCH_KEY", help="Its key, scope write.")
@click.option("--datastream", default=1, show_default=True, help="A datastream there that may be written to.")
@click.option("--http/--no-http", "with_http", default=True, help="Start an api and measure over HTTP too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(*, rows: int, scale: float, url: str, key: str, datastream: int, with_http: bool, as_json: bool) -> None:
    """Measure what the platform reaches, each beside its limit, in the same run."""
    report = Report()
    if url:
        over_http(report, url, key, None, calls(datastream, scale))
    else:
        with city.database() as (dsn, _):
            with psycopg.connect(dsn, autocommit=True) as connection:
                datastreams = city.make(connection)
                city.fill(connection, datastreams, rows)
            end = city.START + city.YEAR
            # While nothing is written, reads come first.
            report.rows += store.reads(dsn, datastreams, city.START, end, max(int(2_000 * scale), 20))
            if with_http:
                with http.api(dsn) as (address, made, process):
                    over_http(report, address, made, process, calls(datastreams[0], scale))
            report.rows += store.bulk(dsn, datastreams, end, max(int(20 * scale), 2))
            report.rows += store.single(dsn, datastreams, end + city.YEAR, max(int(20_000 * scale), 200))
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        report.show(url or f"{rows:,} observations")


if __name__ == "__main__":
    main()
