"""Who asks: the reader of a request, from an API key or the portal's read cookie.

A key comes as `Authorization: Bearer <key>`; clients that know only user name and password send it as the password
(Basic, any name). Keys are looked up by digest and remembered for at most 30 seconds; the database's NOTIFY `city_keys`
empties that memory at once. An unknown, ended or withdrawn key gets one and the same answer.
"""

import asyncio
import base64
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
from psycopg_pool import AsyncConnectionPool

from mainzdigital.identity.tokens import PORTAL_COOKIE, digest, read_portal
from mainzdigital.kernel.access import ANONYMOUS, AccessClass, Reader, Scope, reader_for
from mainzdigital.kernel.errors import InvalidInput, NotSignedIn, TooManyRequests
from mainzdigital.serve.http import Request
from mainzdigital.serve.limits import FAILED, Limiter, Limits
from mainzdigital.store.keys import CHANNEL, find_key

log = logging.getLogger(__name__)

REMEMBERED = 30.0  # seconds
_KEPT = 10_000
_REFUSED = "this key is not known, has ended or was withdrawn"

# Open-write mode (loopback only): everybody may write, and sees what is open, as everything written then is.
OPEN_WRITER = Reader("anonymous", frozenset(Scope), frozenset({AccessClass.OPEN}))


class Authenticator:
    """Turns requests into readers; one per process."""

    def __init__(
        self,
        pool: AsyncConnectionPool,
        *,
        secret_key: str,
        open_write: bool = False,
        limits: Limits | None = None,
        origin: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = limits or Limits()
        self._origin = origin
        self._pool = pool
        self._secret_key = secret_key
        self._open_write = open_write
        self._clock = clock
        self._known: OrderedDict[str, tuple[Reader, float]] = OrderedDict()
        self.keyed = Limiter(limits.keyed, clock=clock)
        self.anonymous = Limiter(limits.keyed if open_write else limits.anonymous, clock=clock)
        self.failed = Limiter(FAILED, clock=clock)
        self._epoch = 0

    def forget(self) -> None:
        """Look every key up again."""
        self._epoch += 1
        self._known.clear()

    async def reader(self, request: Request) -> Reader:
        """The reader of a request; raises NotSignedIn for a key that is not good, TooManyRequests."""
        header = request.headers.get("authorization", "")
        if header:
            reader = await self._by_key(request, header)
            self.keyed.spend(reader.subject)
            return reader
        cookie = request.cookie(PORTAL_COOKIE)
        if cookie and request.method in {"GET", "HEAD"} and self._from_the_portal(request):
            found = read_portal(self._secret_key, cookie, now=datetime.now(UTC))
            if found is not None:
                self.keyed.spend(found[0])
                known = reader_for(*found)
                # A cookie reads, whatever its owner may do elsewhere.
                return Reader(known.subject, known.scopes & {Scope.READ}, known.classes)
        self.anonymous.spend(request.client)
        return OPEN_WRITER if self._open_write else ANONYMOUS

    def _from_the_portal(self, request: Request) -> bool:
        """Whether a page of the portal asks, not one of another origin (a subdomain counts as one)."""
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "same-origin")
        return origin in {None, self._origin} and site in {"same-origin", "none"}

    async def _by_key(self, request: Request, header: str) -> Reader:
        name = digest(_key_of(header))
        known = self._known.get(name)
        if known is not None and known[1] > self._clock():
            return known[0]
        wait = self.failed.wait(request.client)
        if wait is not None:
            raise TooManyRequests("too many wrong keys from this address", where="Authorization", retry_after=wait)
        epoch = self._epoch
        async with self._pool.connection() as connection:
            found = await find_key(connection, name)
        if found is None:
            self.failed.spend(request.client)
            raise NotSignedIn(_REFUSED, where="Authorization", remedy="create a key in the portal, or leave it out")
        # A withdrawal that came while we were looking must not be outlived by what we found.
        if epoch == self._epoch:
            left = (found.expires - datetime.now(UTC)).total_seconds() if found.expires else REMEMBERED
            self._known[name] = (found.reader, self._clock() + min(left, REMEMBERED))
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return found.reader

    async def listen(self, dsn: str) -> None:
        """Forget the keys when the database says they changed; runs until cancelled, reconnecting."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self.forget()
                    async for _ in connection.notifies():
                        self.forget()
            except psycopg.Error as error:
                log.warning("not listening for changed keys, trying again: %s", error)
                self.forget()
            await asyncio.sleep(1)


def _key_of(header: str) -> str:
    scheme, _, credentials = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip()
        case "basic":
            try:
                pair = base64.b64decode(credentials.strip(), validate=True).decode("utf-8")
            except ValueError:
                pair = ""
            return pair.partition(":")[2]
        case _:
            raise InvalidInput(
                "this kind of authorization is not known here", where="Authorization",
                remedy="send 'Authorization: Bearer <key>'",
            )  # fmt: skip
