"""The file of a backup: a ZIP with `manifest.json`, `database.dump` (pg_dump, custom format) and `files/…` of the home.

It holds everything a city is: accounts, keys' fingerprints and the signing key too. So it is readable by its owner only
and belongs where secrets are kept.
"""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import msgspec

from mainzdigital.config.exits import Misplaced, explain
from mainzdigital.kernel.errors import Conflict, InvalidInput
from mainzdigital.store.backup import DatabaseContent

FORMAT = 1
MANIFEST, DATABASE, FILES = "manifest.json", "database.dump", "files/"
_PIECE = 1 << 20
_LARGEST_MANIFEST = 64 << 20


class Member(msgspec.Struct, frozen=True):
    bytes: int
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds. `taken`: the moment of its snapshot; `secret_key`: fingerprint of the signing key."""

    format: int
    program: str
    taken: str
    city: str
    secret_key: str
    database: DatabaseContent
    members: dict[str, Member]


class Writer:
    """Members of a backup being written, each with the checksum that the manifest tells."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self.members: dict[str, Member] = {}

    def add(self, name: str, source: IO[bytes]) -> Member:
        digest, size = hashlib.sha256(), 0
        info = zipfile.ZipInfo(name)
        info.external_attr = 0o600 << 16
        with self._file.open(info, "w", force_zip64=True) as out:
            while piece := source.read(_PIECE):
                digest.update(piece)
                size += len(piece)
                out.write(piece)
        self.members[name] = Member(size, digest.hexdigest())
        return self.members[name]

    def finish(self, manifest: Manifest) -> None:
        self._file.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """A new backup, mode 0600; named only once it is whole and on the disk. Raises InvalidInput, Misplaced."""
    if path.exists():
        raise InvalidInput(f"there is a file {path}", where="FILE", remedy="name another; nothing is overwritten")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise explain(error) or Misplaced(f"{path}: {error.strerror}", remedy="name a folder that is there") from None
    try:
        with os.fdopen(descriptor, "w+b") as out:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
                yield Writer(file)
            out.flush()
            os.fsync(out.fileno())
        os.link(part, path)  # unlike a renaming, refuses where a file came meanwhile
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    except FileExistsError:
        raise InvalidInput(f"there is a file {path}", where="FILE", remedy="name another") from None
    finally:
        part.unlink(missing_ok=True)


class Reader:
    """An opened backup. Raises Conflict where it is damaged."""

    def __init__(self, file: zipfile.ZipFile, manifest: Manifest) -> None:
        self._file = file
        self.manifest = manifest

    @contextmanager
    def member(self, name: str) -> Iterator["CheckedStream"]:
        with self._file.open(name) as source:
            yield CheckedStream(source, name, self.manifest.members[name])

    def verify(self, advance: Callable[[int], None]) -> None:
        """Read everything and compare with the manifest."""
        for name in self.manifest.members:
            with self.member(name) as source:
                while piece := source.read(_PIECE):
                    advance(len(piece))
        from mainzdigital.config import pgtools

        with self.member(DATABASE) as source:
            listed = pgtools.listing(source)
        if missing := sorted({table.full_name for table in self.manifest.database.tables} - listed):
            raise Conflict(f"the backup lacks the table {missing[0]}", remedy="use another backup")


class CheckedStream:
    """A member read from its begin to its end; the end is refused where size or checksum are not the manifest's."""

    def __init__(self, source: IO[bytes], name: str, member: Member) -> None:
        self._source, self._name, self._member = source, name, member
        self._digest, self._size = hashlib.sha256(), 0

    def read(self, size: int = -1, /) -> bytes:
        try:
            piece = self._source.read(size)
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise Conflict(f"the backup is damaged in {self._name}: {error}", remedy="use another backup") from None
        self._digest.update(piece)
        self._size += len(piece)
        if not piece and (self._size, self._digest.hexdigest()) != (self._member.bytes, self._member.sha256):
            raise Conflict(f"the backup is damaged: {self._name} has changed", remedy="use another backup")
        return piece


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Open a backup; raises InvalidInput where it is none, Conflict where it is damaged."""
    try:
        file = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise InvalidInput(f"there is no file {path}", where="FILE", remedy="name a backup") from None
    except (zipfile.BadZipFile, IsADirectoryError):
        raise InvalidInput(f"{path} is no backup, or only a part of one", where="FILE", remedy="name another") from None
    with file:
        names = file.namelist()
        try:
            if file.getinfo(MANIFEST).file_size > _LARGEST_MANIFEST:
                raise KeyError(MANIFEST)
            manifest = msgspec.json.decode(file.read(MANIFEST), type=Manifest)
        except (KeyError, msgspec.DecodeError, zipfile.BadZipFile, OSError):
            raise InvalidInput(f"{path} is no backup of a city", where="FILE", remedy="name another") from None
        if manifest.format != FORMAT:
            raise InvalidInput(
                f"{path} is of format {manifest.format}, this program reads {FORMAT}", where="FILE",
                remedy=f"use mainzdigital {manifest.program}",
            )  # fmt: skip
        if len(names) != len(set(names)) or set(names) != {MANIFEST, *manifest.members} or DATABASE not in names:
            raise Conflict("the backup is damaged: its members are not those of its manifest", where="FILE")
        for name in names:
            inside = name.removeprefix(FILES)
            if name not in {MANIFEST, DATABASE} and (inside == name or not _is_inside(inside)):
                raise Conflict(f"the backup names a file outside of a city's home: {name[:80]}", where="FILE")
        yield Reader(file, manifest)


def _is_inside(name: str) -> bool:
    return bool(name) and "\\" not in name and all(part not in {"", ".", ".."} for part in name.split("/"))
