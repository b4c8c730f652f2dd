"""How long commands speak: a bar on a terminal, one JSON object per line with `--json`, plain lines elsewhere."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

_PAUSE = 5.0  # seconds between lines of progress where there is no terminal

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line instead of text.")


class Report:
    """`say` tells a step, `progress` a count, `result` the outcome. All of it goes to standard output."""

    def __init__(self, *, as_json: bool, silent: bool = False) -> None:
        self.as_json = as_json
        self.silent = silent

    def say(self, text: str, **fields: object) -> None:
        if self.silent:
            return
        if self.as_json:
            self._line({"message": text, **fields})
        else:
            click.echo(text)

    def result(self, text: str, **fields: object) -> None:
        """The outcome; with `--json` the fields alone, under `result`."""
        if self.as_json:
            self._line({"result": fields})
        else:
            click.echo(text)

    @contextmanager
    def progress(self, title: str, *, total: int | None) -> Iterator[Callable[[int], None]]:
        """Yields `advance(count)`; `total` is None where the end is not known."""
        done = 0
        if self.as_json or not sys.stdout.isatty():
            shown, told = -1, -_PAUSE

            def advance(count: int) -> None:
                nonlocal done, shown, told
                done += count
                step = done * 20 // total if total else done // 100_000
                now = time.monotonic()
                if step != shown and now - told >= _PAUSE:
                    shown, told = step, now
                    if self.as_json:
                        self._line({"progress": title, "done": done, "total": total})
                    else:
                        click.echo(f"{title}: {done}" + (f" of {total}" if total else ""))

            yield advance
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns) as bar:
            task = bar.add_task(title, total=total)
            yield lambda count: bar.advance(task, count)

    def _line(self, fields: dict[str, object]) -> None:
        click.echo(json.dumps(fields, ensure_ascii=False, default=str))
