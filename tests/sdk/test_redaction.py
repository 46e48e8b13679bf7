"""Secrets stay out of everything that is printed."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from typing import Any
from urllib.parse import quote

import pytest
from google.protobuf.message import Message
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.sdk import AccessInfo, Context, StorageDriver, errors, redacted
from delphis.sdk.host.contract import methods
from delphis.sdk.redaction import SECRETS, Secrets, basic_credentials, is_repeated, is_secret, one_line, secrets_of
from delphis.sdk.status import failure_of, scrubbed
from tests.sdk.hosts import SENTINEL

secret_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=40)


def fill(message: Message, text: str, depth: int = 6) -> None:
    """Puts the text into every string below, secret or not, maps and lists too."""
    fields: Any = message.DESCRIPTOR.fields
    for field in fields:
        value: Any = getattr(message, field.name)
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            value["key"] = text
        elif entry is not None and depth:
            fill(value.add() if is_repeated(field) else value, text, depth - 1)
            if not is_repeated(field):
                value.SetInParent()
        elif field.type == field.TYPE_STRING:
            if is_repeated(field):
                value.append(text)
            else:
                setattr(message, field.name, text)


def strings(message: Message, secret: bool) -> list[str]:
    """The texts below that are secret, or those that aren't."""
    found: list[str] = []
    for field, value in message.ListFields():
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            found += [text for text in value.values() if is_secret(field) == secret]
        elif entry is not None:
            parts = value if is_repeated(field) else [value]
            found += [text for part in parts for text in strings(part, secret)]
        elif field.type == field.TYPE_STRING and is_secret(field) == secret:
            found += list(value) if is_repeated(field) else [value]
    return found


@pytest.mark.parametrize("name", list(methods()))
def test_no_request_shows_a_secret(name: str) -> None:
    request = methods()[name].request()
    fill(request, SENTINEL)
    before = request.SerializeToString(deterministic=True)
    copy = redacted(request)
    assert SENTINEL not in strings(copy, secret=True)
    assert request.SerializeToString(deterministic=True) == before  # redaction works on a copy
    if name != "GetDriverInfo":
        assert SENTINEL in str(request)
        assert not copy.target.HasField("access_info")  # type: ignore[attr-defined]


def test_access_info_shows_that_there_are_secrets_but_not_which() -> None:
    info = AccessInfo(extra_attributes={"array": "0001", "token": "t"})
    fill(info, SENTINEL)
    copy = redacted(info)
    assert copy.rest.host == SENTINEL
    assert copy.rest.password == copy.ssh.private_key == copy.extra_attributes["token"] == "***"
    assert not redacted(AccessInfo()).HasField("rest")
    assert redacted(AccessInfo(extra_attributes={"a": "b"})).extra_attributes == {"a": "***"}
    assert redacted(AccessInfo()).rest.password == ""


def test_fields_of_later_versions_are_not_shown() -> None:
    info = AccessInfo.FromString(AccessInfo(storage_id="1").SerializeToString() + b"\xfa\x3f\x04hush")
    assert b"hush" in info.SerializeToString()
    assert b"hush" not in redacted(info).SerializeToString()


def test_secrets_of_a_request_are_found() -> None:
    request = pb.AddTrapConfigRequest()
    request.trap_config.community_string = "c"
    request.trap_config.auth_key = "k"
    request.trap_config.username = "user"
    request.target.access_info.rest.password = "p"
    request.target.access_info.extra_attributes["seed"] = "7"
    request.target.access_info.extra_attributes["token"] = "t"
    assert secrets_of(request) == {"c", "k", "p", "7", "t"}
    assert secrets_of(request, {"seed"}) == {"c", "k", "p", "t"}


@settings(deadline=None)
@given(secret_texts, st.text(max_size=50), st.text(max_size=50))
def test_secrets_are_masked_in_every_spelling(secret: str, before: str, after: str) -> None:
    assume(secret.strip())
    secrets = Secrets()
    secrets.add(1, [secret])
    encoded = base64.b64encode(secret.encode()).decode()
    for spelling in (secret, quote(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1], encoded):
        masked = secrets.scrub(f"{before}{spelling}{after}")
        assert "***" in masked
        assert spelling not in masked or spelling in f"{before}***{after}"
    secrets.discard(1)
    assert secrets.scrub(secret) == secret


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), max_size=200))
def test_other_text_is_left_alone(text: str) -> None:
    secrets = Secrets()
    secrets.add(1, ["*a-secret*", "  "])
    assert secrets.scrub(text) == text


def test_short_secrets_are_masked_where_they_stand_alone() -> None:
    secrets = Secrets()
    secrets.add(1, ["7", "abc"])
    assert secrets.scrub("password abc, port 1077, 7 pools, abcd") == "password ***, port 1077, *** pools, abcd"


def test_a_secret_inside_another_leaves_nothing_over() -> None:
    secrets = Secrets()
    secrets.add(1, ["hunter", "hunter2-and-more"])
    assert secrets.scrub("is hunter2-and-more") == "is ***"


def test_secrets_last_as_long_as_their_owners() -> None:
    secrets = Secrets()
    secrets.add("one", ["shared-secret"])
    secrets.add("two", ["shared-secret"])
    secrets.discard("one")
    assert secrets.scrub("shared-secret") == "***"
    secrets.discard("two")
    secrets.discard("two")
    assert secrets.scrub("shared-secret") == "shared-secret"


def test_private_keys_are_masked_line_by_line() -> None:
    secrets = Secrets()
    lines = [os.urandom(33).hex() for _ in range(4)]
    secrets.add(1, ["-----BEGIN KEY-----\n" + "\n".join(lines) + "\n-----END KEY-----\n"])
    assert lines[2] not in secrets.scrub(f"could not parse {lines[2]}")


def test_basic_credentials_are_known() -> None:
    info = AccessInfo()
    info.rest.username, info.rest.password = "admin", "pass word"
    secrets = Secrets()
    secrets.add(1, basic_credentials(info))
    header = base64.b64encode(b"admin:pass word").decode()
    assert secrets.scrub(f"Authorization: Basic {header}") == "Authorization: Basic ***"


def test_thousands_of_secrets_cost_little() -> None:
    secrets = Secrets()
    for number in range(2000):
        secrets.add(number, [f"password-{number}-of-an-array"])
    secrets.scrub("")
    begin = time.process_time()
    for _ in range(20):
        secrets.scrub("a line of a log, " * 10)
    assert (time.process_time() - begin) / 20 < 0.05


def test_errors_and_warnings_are_scrubbed_while_the_secret_is_known() -> None:
    driver = StorageDriver(AccessInfo())
    driver.mask("token-of-a-session")
    try:
        context = Context()
        context.warn("got token-of-a-session")
        known = scrubbed(errors.BadResponse("token-of-a-session?", url="https://h/?t=token-of-a-session"))
        unknown = failure_of(ValueError("token-of-a-session"))
        line = one_line("a\n token-of-a-session\tb")
    finally:
        SECRETS.discard(id(driver))
    assert context.warnings[0].message == "got ***"
    assert (known.message, known.metadata) == ("***?", {"url": "https://h/?t=***"})
    assert isinstance(known, errors.BadResponse)
    assert b"token-of" not in unknown.details
    assert line == "a *** b"


def test_no_thread_goes_on_with_old_secrets_while_new_ones_are_prepared() -> None:
    class Observed(Secrets):
        def _longest_first(self) -> tuple[str, ...]:
            stale.append(self._stale)
            return super()._longest_first()

    stale: list[bool] = []
    secrets = Observed()
    secrets.add(1, ["sentinel"])
    assert secrets.scrub("a sentinel") == "a ***"
    assert stale == [True], "another thread would have found it fresh"


def test_the_garbage_collector_may_discard_wherever_a_thread_is() -> None:
    """A session that nobody holds any more is discarded by whichever thread collects garbage, in here too."""

    class Owner:
        def __hash__(self) -> int:  # asked for while the secrets are changed
            secrets.discard("gone")
            return 1

    secrets = Secrets()
    secrets.add("gone", ["old-sentinel"])
    adding = threading.Thread(target=secrets.add, args=(Owner(), ["new-sentinel"]), daemon=True)
    adding.start()
    adding.join(30)
    assert not adding.is_alive()
    assert secrets.scrub("old-sentinel new-sentinel") == "old-sentinel ***"
