"""The SSH session against OpenSSH's server."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from delphis.sdk import Context, SshAccess, errors
from delphis.sdk.ssh import SshSession
from tests.support.up import wait_for

SSHD = Path("/usr/sbin/sshd")
pytestmark = pytest.mark.apt


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Generator[SshAccess]:
    """How to reach a server, by key."""
    if not SSHD.exists():
        missing = "install openssh-server, see .ci/run"
        if os.environ.get("CI"):
            pytest.fail(f"CI lacks what marker 'apt' needs: {missing}", pytrace=False)
        pytest.skip(f"apt: {missing}")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile {folder / 'pid'}\nUsePAM no\n"
        f"StrictModes no\nPermitRootLogin yes\nAuthorizedKeysFile {folder / 'user.pub'}\nPasswordAuthentication no\n"
    )
    server = subprocess.Popen([str(SSHD), "-D", "-f", str(folder / "config"), "-E", str(folder / "log")])
    try:

        def listens() -> bool | None:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_for("sshd listens", listens)
        yield SshAccess(
            host="127.0.0.1",
            port=port,
            username=getpass.getuser(),
            private_key=(folder / "user").read_text(),
            pub_key=(folder / "host.pub").read_text(),
        )
    finally:
        server.terminate()
        server.wait(60)


def test_commands_and_shell(access: SshAccess) -> None:
    context = Context(timeout=60)
    ssh = SshSession(access)
    output = ssh.run(context, "cat; echo beside >&2; exit 3", stdin=b"in", check=False)
    assert (output.stdout, output.stderr, output.exit_status) == (b"in", b"beside\n", 3)
    assert len(ssh.run(context, "head -c 5000000 /dev/zero").stdout) == 5_000_000
    with pytest.raises(errors.ArrayTimeout):
        ssh.run(context, "sleep 20", timeout=0.3)
    with ssh.shell(context) as shell:
        assert "one\ntwo" in shell.run("printf 'one\\ntwo\\n'")
    ssh.close()


def test_password_where_none_is_taken(access: SshAccess) -> None:
    other = SshAccess()
    other.CopyFrom(access)
    other.ClearField("private_key")
    other.password = "sentinel"
    with pytest.raises(errors.InvalidCredential, match="it takes publickey"):
        SshSession(other).open(Context(timeout=60))
