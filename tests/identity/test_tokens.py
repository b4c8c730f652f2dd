from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainzdigital.identity import tokens
from mainzdigital.kernel.access import Scope

SECRET = "s" * 40
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def test_keys_differ_and_only_their_digest_is_derived() -> None:
    plain, digest = tokens.new_key()
    other, other_digest = tokens.new_key()
    assert plain != other
    assert digest == tokens.digest(plain) != other_digest
    assert len(digest) == 64
    assert plain[len(tokens.KEY_MARK) :] not in digest
    assert plain.startswith(tokens.shown(plain))
    assert len(plain) - len(tokens.shown(plain)) >= 36  # of six bits each


@pytest.mark.parametrize("scope", [None, *Scope])
def test_the_cookie_says_who_reads_until_it_ends(scope: Scope | None) -> None:
    cookie = tokens.sign_portal(SECRET, "user:7", scope, now=NOW)
    assert tokens.read_portal(SECRET, cookie, now=NOW) == ("user:7", scope)
    last = NOW + tokens.PORTAL_LIFE - timedelta(seconds=1)
    assert tokens.read_portal(SECRET, cookie, now=last) == ("user:7", scope)
    assert tokens.read_portal(SECRET, cookie, now=NOW + tokens.PORTAL_LIFE) is None


def test_another_secret_reads_nothing() -> None:
    cookie = tokens.sign_portal(SECRET, "user:7", Scope.MANAGE, now=NOW)
    assert tokens.read_portal("t" * 40, cookie, now=NOW) is None


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_altered_cookie_passes(place: int, change: int) -> None:
    cookie = tokens.sign_portal(SECRET, "user:7", Scope.READ, now=NOW).encode()
    place %= len(cookie)
    altered = cookie[:place] + bytes([cookie[place] ^ change]) + cookie[place + 1 :]
    assert tokens.read_portal(SECRET, altered.decode("latin-1"), now=NOW) is None


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    assert tokens.read_portal(SECRET, text, now=NOW) is None
    assert len(tokens.digest(text)) == 64


@pytest.mark.parametrize("subject", ["", "user", "user:7|manage|9999999999", "user:7\n", "user:x"])
def test_what_is_no_subject_is_not_signed(subject: str) -> None:
    with pytest.raises(ValueError, match="is not a subject"):
        tokens.sign_portal(SECRET, subject, Scope.READ, now=NOW)
