"""One log: every process writes lines, the supervisor puts them in order on the terminal and in home/log/city.log."""

import json
import logging
import os
import sys
import threading
import traceback
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

SUPERVISED = "MAINZDIGITAL_SUPERVISED"  # set by the supervisor for its children: pid of the supervisor
_BYTES, _FILES = 10_000_000, 5
_COLOURS = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[1;31m"}


def fields(record: logging.LogRecord) -> dict[str, object]:
    """A record as the fields of one JSON line: time (ISO 8601, UTC), level, process, message, event, exception."""
    found: dict[str, object] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname,
        "process": getattr(record, "city_process", ""),
        "message": record.getMessage(),
    }
    for name in ("event", "address"):
        if value := getattr(record, name, None):
            found[name] = value
    exception = getattr(record, "city_exception", None)
    if record.exc_info and record.exc_info[0]:
        exception = "".join(traceback.format_exception(*record.exc_info)).rstrip()
    if exception:
        found["exception"] = exception
    return found


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(fields(record), ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """Local time, process, level where it is not INFO, message; a traceback is indented below its line."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self.colour = colour

    def format(self, record: logging.LogRecord) -> str:
        values = fields(record)
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        level = "" if record.levelno == logging.INFO else f"{record.levelname} "
        if level and self.colour:
            level = f"{_COLOURS.get(record.levelname, '')}{level}\x1b[0m"
        text = f"{at} {values['process']!s:<8} {level}{values['message']}"
        if "exception" in values:
            text += "\n    " + str(values["exception"]).replace("\n", "\n    ")
        return text


class _Named(logging.Filter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "city_process"):
            record.city_process = self.process
        return True


def configure(process: str, *, as_json: bool = False, folder: Path | None = None) -> None:
    """Log of this process to standard output (JSON for a supervisor), and to rotated files in `folder` if given."""
    stream = logging.StreamHandler(sys.stdout)
    if as_json or os.environ.get(SUPERVISED):
        stream.setFormatter(JsonFormatter())
    else:
        stream.setFormatter(TextFormatter(colour=sys.stdout.isatty()))
    handlers: list[logging.Handler] = [stream]
    if folder is not None:
        file = RotatingFileHandler(folder / "city.log", maxBytes=_BYTES, backupCount=_FILES, encoding="utf-8")
        file.setFormatter(TextFormatter(colour=False))
        handlers.append(file)
    root = logging.getLogger()
    for handler in handlers:
        handler.addFilter(_Named(process))
    root.handlers = handlers
    root.setLevel(logging.DEBUG if os.environ.get("MAINZDIGITAL_DEBUG") == "1" else logging.INFO)
    for name in ("asyncio", "aiohttp", "psycopg.pool", "procrastinate", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("django.request").setLevel(logging.ERROR)  # a page that is not there is no event
    logging.captureWarnings(True)
    sys.excepthook = _fault
    threading.excepthook = lambda given: _fault(given.exc_type, given.exc_value, given.exc_traceback)
    # A log that cannot be written (disk full, closed terminal) must never stop the city.
    logging.raiseExceptions = False


def _fault(kind: type[BaseException], error: BaseException | None, at: TracebackType | None) -> None:
    if error is None or issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error or kind(), at)
        return
    said = f"{kind.__name__}: {error}"
    logging.getLogger("mainzdigital").critical("stopped by a fault: %s", said, exc_info=(kind, error, at))


def tell_ready() -> None:
    """Tell the supervisor that this process does its work; without one it is silent."""
    if os.environ.get(SUPERVISED):
        logging.getLogger(__name__).info("ready", extra={"event": "ready"})


def child_record(process: str, line: str) -> logging.LogRecord:
    """The log record of one line that a child wrote: JSON of ours, a line of PostgreSQL, or any text."""
    level, message, extra = logging.INFO, line, {}
    if line.startswith('{"time"'):
        try:
            values = json.loads(line)
        except ValueError:
            values = {}
        message = str(values.pop("message", line))
        level = logging.getLevelNamesMapping().get(str(values.pop("level", "")), logging.INFO)
        extra = {"event": values.get("event"), "city_exception": values.get("exception")}
    elif process == "database":
        level, message = _postgres_line(line)
    record = logging.LogRecord("mainzdigital", level, "", 0, message, None, None)
    record.city_process = process
    record.__dict__.update(extra)
    return record


_POSTGRES = {"WARNING": logging.WARNING, "ERROR": logging.WARNING, "FATAL": logging.ERROR, "PANIC": logging.CRITICAL}


def _postgres_line(line: str) -> tuple[int, str]:
    # Statements that fail are the business of who sent them; they are told to the client too.
    severity, _, rest = line.partition(":")
    if "the database system is" in rest:  # starting up, shutting down: we asked too early, and ask again
        return logging.DEBUG, rest.strip()
    if severity in _POSTGRES:
        return _POSTGRES[severity], rest.strip()
    if severity in {"LOG", "DETAIL", "HINT", "STATEMENT", "CONTEXT"}:
        return logging.DEBUG, rest.strip()
    return logging.DEBUG, line
