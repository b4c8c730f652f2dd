"""pg_dump, pg_restore and psql: which of those at hand fits a server, and copies made by them as one transaction."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Protocol

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mainzdigital.config import embedded
from mainzdigital.config.exits import Misplaced
from mainzdigital.kernel.errors import CityError, Conflict, Unavailable

DEBIAN = Path("/usr/lib/postgresql")
_PIECE = 1 << 18


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def folders() -> list[Path]:
    """Where the programs are looked for: those that came along, Debian's, those on PATH."""
    found = []
    with suppress(Unavailable):
        found.append(embedded.binaries())
    found += sorted(DEBIAN.glob("*/bin"), key=lambda folder: folder.parent.name, reverse=True)
    if on_path := shutil.which("pg_dump"):
        found.append(Path(on_path).parent)
    return found


@cache
def version_of(folder: Path, program: str = "pg_dump") -> int:
    """Major version of a program; 0 where it does not run."""
    with suppress(OSError):
        done = subprocess.run([str(folder / program), "--version"], capture_output=True, text=True, check=False)
        if found := re.search(r"\) (\d+)", done.stdout):
            return int(found[1])
    return 0


def _dumper(server: int, *, local: bool) -> Path:
    found = [folder for folder in folders() if version_of(folder) >= server]
    if not found:
        raise Misplaced(
            f"there is no pg_dump for PostgreSQL {server}", remedy=f"install postgresql-client-{server} or a newer one"
        )
    # The programs that came along speak no TLS; a server over the network may ask for it.
    others = [folder for folder in found if folder != found[0]]
    return found[0] if local or not others else others[0]


def _arguments(dsn: str, environment: dict[str, str]) -> str:
    """The connection string without its password, which goes by the environment: others see command lines."""
    fields = conninfo_to_dict(dsn)
    if password := fields.pop("password", None):
        environment["PGPASSWORD"] = str(password)
    return make_conninfo("", **fields)


def _environment() -> dict[str, str]:
    # With the operator's own PGPASSWORD, PGSSLMODE, …, which connections of ours follow, too.
    return os.environ | {"PGCLIENTENCODING": "UTF8", "LC_ALL": "C.UTF-8", "PGAPPNAME": "mainzdigital backup"}


def _pump(lines: IO[bytes], take: Callable[[str], None]) -> threading.Thread:
    def read() -> None:
        for line in lines:
            take(line.decode("utf-8", "replace").rstrip())

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _reason(words: list[str]) -> str:
    told = [word for word in words if "rror" in word] or words or ["no message"]
    return re.sub(r"^(pg_dump|pg_restore|psql)[^ ]*:( error:| ERROR:| FATAL:)? *", "", told[0]).strip()


@contextmanager
def dump(dsn: str, *, server: int, snapshot: str, table_done: Callable[[str], None]) -> Iterator[IO[bytes]]:
    """Yields the stream of an archive (custom format) of the database as of the exported snapshot; raises Misplaced.

    `table_done` is told each table (`schema.name`) whose rows begin to be written.
    """
    folder = _dumper(server, local="/" in str(conninfo_to_dict(dsn).get("host") or "/"))
    environment = _environment()
    command = [
        str(folder / "pg_dump"), "--format=custom", "--compress=3", "--no-owner", "--no-privileges", "--no-tablespaces",
        "--no-publications", "--no-subscriptions", "--no-password", "--verbose", f"--snapshot={snapshot}",
        f"--dbname={_arguments(dsn, environment)}",
    ]  # fmt: skip
    words: list[str] = []

    def take(line: str) -> None:
        if found := re.search(r'dumping contents of table "?([^"]+)"?$', line):
            table_done(found[1])
        elif "error" in line or "detail" in line:
            words.append(line)

    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd="/")
    assert process.stdout is not None
    assert process.stderr is not None
    reading = _pump(process.stderr, take)
    try:
        yield process.stdout
        code = process.wait()
        reading.join()
        if code:
            raise Misplaced(f"the database could not be read: {_reason(words)}")
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def listing(archive: Readable) -> set[str]:
    """`schema.name` of the tables whose rows are in an archive of `dump`; raises Conflict where it cannot be read."""
    folder = max(folders(), key=version_of)
    process = subprocess.Popen(
        [str(folder / "pg_restore"), "--list"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=_environment(),
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stderr is not None
    assert process.stdout is not None
    lines: list[str] = []
    words: list[str] = []
    readers = [_pump(process.stdout, lines.append), _pump(process.stderr, words.append)]
    try:
        _feed(archive, process.stdin)
        code = process.wait()
        for reader in readers:
            reader.join()
    finally:
        _end(process)
    if code:
        raise Conflict(f"the database in the backup cannot be read: {_reason(words)}", remedy="take another backup")
    found = (re.match(r"\d+; \d+ \d+ TABLE DATA (\S+) (\S+)", line) for line in lines)
    return {f"{entry[1]}.{entry[2]}" for entry in found if entry}


def _feed(archive: Readable, sink: IO[bytes], advance: Callable[[int], None] = lambda _: None) -> None:
    try:
        while piece := archive.read(_PIECE):
            sink.write(piece)
            advance(len(piece))
    except (BrokenPipeError, ValueError):
        pass  # the reader has said why
    finally:
        with suppress(OSError):
            sink.close()


def restore(archive: Readable, dsn: str, *, before: str, after: str, advance: Callable[[int], None]) -> None:
    """Bring an archive into a database as one transaction, between the scripts `before` and `after`.

    Nothing is there unless all of it is: the COMMIT is sent last, after pg_restore has read the archive to its end.
    Raises Conflict with the server's first error.
    """
    reader_folder = max(folders(), key=version_of)
    writers = [folder for folder in folders() if version_of(folder, "psql")]
    local = "/" in str(conninfo_to_dict(dsn).get("host") or "/")
    writer_folder = writers[0] if local or len(writers) < 2 else writers[1]
    environment = _environment()
    connection = _arguments(dsn, environment)
    unpack = subprocess.Popen(
        [str(reader_folder / "pg_restore"), "--file=-", "--no-owner", "--no-privileges"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment(), cwd="/",
    )  # fmt: skip
    write = subprocess.Popen(
        [str(writer_folder / "psql"), "-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-f", "-", "-d", connection],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, cwd="/",
    )  # fmt: skip
    words: list[str] = []
    failures: list[Exception] = []

    def feed() -> None:
        try:
            assert unpack.stdin is not None
            _feed(archive, unpack.stdin, advance)
        except (CityError, OSError, EOFError) as error:
            failures.append(error)

    assert unpack.stdout is not None
    assert unpack.stderr is not None
    assert write.stdin is not None
    assert write.stderr is not None
    readers = [_pump(write.stderr, words.append), _pump(unpack.stderr, words.append)]
    feeding = threading.Thread(target=feed, daemon=True)
    feeding.start()
    try:
        with suppress(BrokenPipeError):
            write.stdin.write(("BEGIN;\n" + before).encode())
            _pass_on(unpack.stdout, write.stdin)
            code = unpack.wait()
            feeding.join()
            if not code and not failures:
                write.stdin.write(("\n" + after + "COMMIT;\n").encode())
                write.stdin.flush()
        with suppress(BrokenPipeError):
            write.stdin.close()
        failed = write.wait()
    finally:
        for process in (unpack, write):
            if process.poll() is None:
                process.kill()
                process.wait()
        for reader in readers:
            reader.join(10)
        _end(unpack)
        _end(write)
    if failures:
        raise failures[0]
    if failed or unpack.returncode:
        raise Conflict(f"nothing was changed: {_reason(words)}")


def _pass_on(script: IO[bytes], sink: IO[bytes]) -> None:
    # Servers before 17 do not know this setting, which stands among the first lines.
    for _ in range(60):
        line = script.readline()
        if not line:
            return
        if not line.startswith(b"SET transaction_timeout"):
            sink.write(line)
    shutil.copyfileobj(script, sink, _PIECE)
