"""Contexts: servers under names, and which of all that was said wins."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from .conftest import TOKEN, Server, delphis_many, quick


def test_a_context_is_made_used_shown_and_forgotten(server: Server, config: Path) -> None:
    made, also, shown, listed, used, left, gone = delphis_many(
        ["context", "set", "lab", "--server", server.address],
        ["context", "set", "far", "--server", "delphis.example:8191", "--tls"],
        ["context", "show", "-o", "json"],
        ["context", "list"],
        ["context", "use", "far"],
        ["context", "remove", "far"],
        ["context", "use", "far"],
    )
    assert made.out == "Context lab is set and in use.\n"
    assert also.out == "Context far is set.\n"
    assert json.loads(shown.out)["server"] == server.address
    assert [line.split()[:3] for line in listed.out.splitlines()[1:]] == [
        ["far", "delphis.example:8191", "yes"],
        ["*", "lab", server.address],
    ]
    assert (used.code, left.code, gone.code) == (0, 0, 5)
    assert "delphis context list" in gone.err
    assert json.loads(config.read_text())["current"] is None


def test_commands_go_to_the_context_in_use_with_its_token(server: Server, config: Path) -> None:
    server.wants_token = True
    kept = quick("context", "set", "lab", "--server", server.address, "--token-file", "-", stdin=TOKEN + "\n")
    assert kept.code == 0, kept.err
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    answers = delphis_many(
        ["storages", "list"],
        ["context", "list"],
        ["context", "show"],
        ["context", "show", "lab"],
        ["context", "list", "-o", "json"],
        ["context", "set", "lab", "--timeout", "9"],
    )
    assert [answer.code for answer in answers] == [0] * 6, answers
    assert server.metadata[-1]["authorization"] == f"Bearer {TOKEN}"
    assert not any(TOKEN in answer.out + answer.err for answer in [kept, *answers])
    assert json.loads(config.read_text())["contexts"]["lab"] == {
        "server": server.address,
        "token": TOKEN,
        "timeout": 9.0,
    }


def test_a_context_token_never_goes_to_another_server(server: Server, config: Path) -> None:
    quick("context", "set", "lab", "--server", "127.0.0.1:1", "--token-file", "-", stdin=TOKEN + "\n")
    elsewhere = quick("--server", server.address, "storages", "list")
    assert elsewhere.code == 0, elsewhere.err
    assert "authorization" not in server.metadata[-1]
    moved = quick("context", "set", "lab", "--server", server.address)
    assert moved.code == 0, moved.err
    assert TOKEN not in config.read_text()


def test_which_server_wins(server: Server, config: Path) -> None:
    wrong = "127.0.0.1:1"
    assert quick("context", "set", "lab", "--server", server.address).code == 0
    assert quick("context", "set", "other", "--server", wrong, "--use").code == 0
    plain, named, given, both = delphis_many(
        ["storages", "list"],
        ["storages", "list", "--context", "lab"],
        ["storages", "list", "--server", server.address],
        ["storages", "list", "--server", wrong, "--context", "lab"],
    )
    assert (plain.code, named.code, given.code, both.code) == (3, 0, 0, 2)
    [by_address] = delphis_many(["storages", "list"], DELPHIS_SERVER=server.address)
    assert by_address.code == 0
    by_name, against = delphis_many(
        ["storages", "list"], ["storages", "list", "--server", wrong], DELPHIS_CONTEXT="lab", DELPHIS_SERVER=wrong
    )
    assert (by_name.code, against.code) == (0, 3)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"contexts": {"lab": {"server": "h:1", "token": "sentinel"', "no JSON"),
        ('{"contexts": {"lab": {"server": "h:1", "tokne": "sentinel"}}}', "tokne"),
        ('{"contexts": {"lab": {"server": 8191}}}', "not as `delphis context set` writes it"),
        ("[]", "not as `delphis context set` writes it"),
    ],
)
def test_a_file_that_can_not_be_used_is_named(config: Path, content: str, complaint: str) -> None:
    config.parent.mkdir(parents=True)
    config.write_text(content)
    answer = quick("storages", "list")
    assert answer.code == 2
    assert complaint in answer.err
    assert str(config) in answer.err
    assert "sentinel" not in answer.err


def test_a_token_that_others_can_read_is_refused(config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"contexts": {"lab": {"server": "h:1", "token": "sentinel"}}}))
    config.chmod(0o644)
    answer = quick("storages", "list")
    assert answer.code == 2
    assert "chmod 600" in answer.err
    assert "sentinel" not in answer.err
