"""Keys and cookies over HTTP."""

import base64
import time
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

from mainzdigital.identity.tokens import PORTAL_COOKIE, digest, sign_portal
from mainzdigital.kernel.access import Scope
from tests.sensorthings_write import cities
from tests.serve.process import SECRET_KEY
from tests.serve.servers import Keys, Running, client


def status(server: Running, key: str) -> int:
    with client(server, key) as found:
        return found.get("Things").status_code


def test_a_withdrawn_key_ends_at_once(server: Running, keys: Keys, conn: psycopg.Connection) -> None:
    """Journeys J26: dropped by NOTIFY, although the process remembers keys."""
    assert status(server, keys.read) == 200
    conn.execute("UPDATE api_key SET revoked = now() WHERE digest = %s", (digest(keys.read),))
    deadline = time.monotonic() + 10
    while status(server, keys.read) == 200:
        assert time.monotonic() < deadline
    assert status(server, keys.write) == 200


def test_an_ended_key_is_as_unknown(server: Running, keys: Keys, conn: psycopg.Connection) -> None:
    conn.execute("UPDATE api_key SET expires = now() - interval '1 second' WHERE digest = %s", (digest(keys.read),))
    with client(server, keys.read) as ended, client(server, "mzd_unknown") as unknown:
        answers = [ended.get("Things"), unknown.get("Things")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].content == answers[1].content


def test_a_key_as_password(server: Running, keys: Keys) -> None:
    answer = httpx.post(f"{server.sensorthings}/Things", json=cities.thing(), auth=("anybody", keys.manage))
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer", 401),
        ("bearer mzd_x", 401),
        ("Basic !!!", 401),
        ("Basic " + base64.b64encode(b"no colon").decode(), 401),
        ("Digest x", 400),
        ("\xff\xfe", 400),
    ],
)
def test_odd_authorization(server: Running, header: str, expected: int) -> None:
    answer = httpx.get(f"{server.sensorthings}/Things", headers=[(b"Authorization", header.encode("latin-1"))])
    assert answer.status_code == expected


def test_the_portals_cookie_reads_and_does_not_write(server: Running, manager: httpx.Client) -> None:
    assert manager.post("Things", json=cities.thing()).status_code == 201
    now = datetime.now(UTC)
    signed = sign_portal(SECRET_KEY, "user:7", Scope.MANAGE, now=now)
    for cookie, things, written in [
        (signed, 1, 401),
        (sign_portal(SECRET_KEY, "user:7", None, now=now), 0, 401),
        (sign_portal(SECRET_KEY, "user:7", Scope.MANAGE, now=now - timedelta(hours=1)), 0, 401),
        (sign_portal("another-secret", "user:7", Scope.MANAGE, now=now), 0, 401),
        (signed[:-1], 0, 401),
        ("nonsense", 0, 401),
    ]:
        with httpx.Client(base_url=server.sensorthings, headers={"Cookie": f"{PORTAL_COOKIE}={cookie}"}) as browser:
            assert len(browser.get("/Things").json()["value"]) == things
            assert browser.post("/Things", json=cities.thing()).status_code == written


def test_wrong_keys_are_slowed_down_and_good_ones_are_not(dsn: str, keys: Keys, server: Running) -> None:
    # From an address of its own: 127.0.0.2 is this machine too.
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=server.sensorthings, transport=transport, timeout=30) as other:
        good = {"Authorization": f"Bearer {keys.read}"}
        assert other.get("/Things", headers=good).status_code == 200
        answers = [other.get("/Things", headers={"Authorization": f"Bearer mzd_{i}"}) for i in range(15)]
        assert [answer.status_code for answer in answers[:10]] == [401] * 10
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert other.get("/Things", headers=good).status_code == 200
        assert other.get("/Things").status_code == 200


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ({}, 1),
        ({"Sec-Fetch-Site": "same-origin"}, 1),
        ({"Sec-Fetch-Site": "none"}, 1),
        ({"Sec-Fetch-Site": "same-site"}, 0),
        ({"Sec-Fetch-Site": "cross-site"}, 0),
        ({"Origin": "https://other.example.org"}, 0),
        ({"Origin": "null"}, 0),
    ],
)
def test_pages_of_others_cannot_use_the_cookie(
    server: Running, manager: httpx.Client, sent: dict[str, str], seen: int
) -> None:
    assert manager.post("Things", json=cities.thing()).status_code == 201
    cookie = sign_portal(SECRET_KEY, "user:7", Scope.MANAGE, now=datetime.now(UTC))
    headers = {"Cookie": f"{PORTAL_COOKIE}={cookie}", **sent}
    found = httpx.get(f"{server.sensorthings}/Things", headers=headers).json()["value"]
    assert len(found) == seen
