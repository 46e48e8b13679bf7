"""The clients of docs/languages.md and examples/go-client, against a core with a certificate and tokens."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from delphis.inventory.v1 import inventory_pb2, inventory_pb2_grpc
from delphis.type.v1 import access_pb2, storage_pb2
from tests.acceptance.test_tokens import make_token
from tests.examples.certificates import Certificate, certificate
from tests.examples.toolchains import EXAMPLES, REPO, environment, make, run
from tests.support.up import up, wait_for

pytestmark = pytest.mark.timeout(600)
PAGE = (REPO / "docs/languages.md").read_text()
VOLUMES = 1234


@dataclass(frozen=True)
class Core:
    """Where it is, and what its callers need."""

    address: str
    authority: Certificate
    token: str


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    folder = tmp_path_factory.mktemp("core")
    own, token = certificate(folder, "core.test"), make_token(folder, "admin", "admin")
    tls = ("--tls-certificate", str(own.cert), "--tls-key", str(own.key))
    with up(folder, *tls, command=("serve", "core")) as delphis:
        security = grpc.ssl_channel_credentials(own.cert.read_bytes())
        with grpc.secure_channel(delphis.grpc, security) as channel:
            stub = inventory_pb2_grpc.InventoryServiceStub(channel)
            bearer = (("authorization", f"Bearer {token}"),)
            rest = access_pb2.RestAccess(host="127.0.0.1", port=1, username="me", password="secret-9c1f")
            request = inventory_pb2.RegisterStorageRequest(
                vendor="fake_storage", model="fake_driver", rest=rest, extra_attributes={"volumes": str(VOLUMES)}
            )
            storage = stub.RegisterStorage(request, metadata=bearer, timeout=60)

            def synced() -> bool:
                asked = inventory_pb2.GetStorageRequest(storage_id=storage.id)
                state = stub.GetStorage(asked, metadata=bearer, timeout=60).sync_status
                return bool(state == storage_pb2.SYNC_STATUS_SYNCED)

            wait_for("the end of the sync", synced, 60)
        yield Core(delphis.grpc, own, make_token(folder, "reader", "read"))


def lists(core: Core, folder: Path, *command: str) -> None:
    """The client prints each volume, and shows what is wrong without its token and without the authority."""

    def told(*arguments: str, token: str = "") -> subprocess.CompletedProcess[str]:
        variables = {**environment(), "DELPHIS_TOKEN": token}
        return subprocess.run(
            [*command, *arguments], cwd=folder, env=variables, capture_output=True, text=True, timeout=60, check=False
        )

    secure = (core.address, str(core.authority.cert))
    done = told(*secure, token=core.token)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len({line.split()[0] for line in lines}) == len(lines) == VOLUMES
    assert all(line.split()[-1].isdecimal() for line in lines)
    for arguments, token, says in ((secure, "", "token"), (secure, "nonsense", "token"), ((core.address,), "", "")):
        done = told(*arguments, token=token)
        assert done.returncode != 0, (arguments, token)
        assert says in done.stderr.lower()


@pytest.mark.go
def test_go(core: Core) -> None:
    folder = make("go-client")
    lists(core, folder, "bin/go-client")


@pytest.mark.go
def test_a_token_does_not_leave_the_machine_in_clear() -> None:
    folder = make("go-client")
    for arguments in ([], ["core.example:8191"]):
        done = subprocess.run(
            [folder / "bin/go-client", *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        assert "usage" in done.stderr if not arguments else "TLS" in done.stderr


@pytest.mark.node
def test_typescript(core: Core, tmp_path: Path) -> None:
    """As the page says, with the packages of the driver beside it."""
    driver = make("node-driver")
    (tmp_path / "node_modules").symlink_to(driver / "node_modules")
    shutil.copytree(REPO / "protos", tmp_path / "protos", ignore=shutil.ignore_patterns("gen"))
    assert "\nnpm pkg set type=module\n" in PAGE
    (tmp_path / "package.json").write_text('{"type": "module"}')
    [program] = re.findall(r"```typescript\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "client.ts").write_text(program)
    [types] = re.findall(r"^npx (proto-loader-gen-types .*?\.proto)$", PAGE, re.DOTALL | re.MULTILINE)
    tool, *options = types.replace("\\\n", " ").split()
    binaries = str(driver / "node_modules" / ".bin")
    run(f"{binaries}/{tool}", *options, folder=tmp_path)
    [compiler] = re.findall(r"^npx tsc (.* client\.ts)$", PAGE, re.MULTILINE)
    run(f"{binaries}/tsc", *compiler.split(), folder=tmp_path)
    assert "\nnode client.js 127.0.0.1:8191\n" in PAGE
    lists(core, tmp_path, "node", "client.js")


def test_what_the_page_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert len(links) > 8
    assert [link for link in links if not (REPO / "docs" / link).exists()] == []
    assert (EXAMPLES / "go-driver").is_dir()
