"""Drivers found by their entry points, with and without Delfin beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.delfin_adapter.support import DRIVERS, PASSWORD, host, made_up

# A Delfin of which only a part can be imported here, as it is where its requirements are not installed.
DELFIN = {
    "delfin/__init__.py": "",
    "delfin/exception.py": "import no_such_web_framework\n",
    "delfin/i18n.py": "def _(text):\n    return 'translated: ' + text\n",
    "delfin/cryptor.py": "def encode(text):\n    return text[::-1]\n\n\ndef decode(text):\n    return text[::-1]\n",
    "delfin/drivers/__init__.py": "",
    "delfin/drivers/acme/__init__.py": "",
    "delfin/drivers/acme/ssh.py": "from delfin.drivers.utils.ssh_client import SSHPool\n",
    "delfin/drivers/utils/__init__.py": "",
    "delfin/drivers/utils/ssh_client.py": "import no_such_green_threads\n",
    "delfin/drivers/acme/acme.py": """
from delfin import cryptor, exception
from delfin.common import constants
from delfin.drivers import driver
from delfin.i18n import _


class AcmeDriver(driver.StorageDriver):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        password = kwargs["rest"]["password"]
        if cryptor.decode(password) != "PASSWORD" or cryptor.encode("ab") != "ba":
            raise exception.InvalidUsernameOrPassword()

    def reset_connection(self, context, **kwargs):
        pass

    def get_storage(self, context):
        return {"serial_number": "1", "name": _("acme"), "status": constants.StorageStatus.NORMAL}

    def list_storage_pools(self, context):
        raise exception.StorageBackendException("pools")

    def list_volumes(self, context):
        return []

    def add_trap_config(self, context, trap_config):
        pass

    def remove_trap_config(self, context, trap_config):
        pass

    def list_alerts(self, context, query_para):
        pass

    def clear_alert(self, context, sequence_number):
        pass
""".replace("PASSWORD", PASSWORD),
}


# What Delfin's modules use of the library of settings.
SETTINGS = {
    "oslo_config/__init__.py": "",
    "oslo_config/cfg.py": """
class DuplicateOptError(Exception):
    pass


class StrOpt:
    def __init__(self, name, default=None):
        self.name, self.default = name, default


class _Conf(dict):
    def register_opt(self, option, group=None):
        if option.name in self and self[option.name] is not option:
            raise DuplicateOptError(option.name)
        self[option.name] = option

    def unregister_opt(self, option, group=None):
        del self[option.name]

    def set_override(self, name, value):
        self[name].default = value

    def __getattr__(self, name):
        return self[name].default


CONF = _Conf()
""",
    "delfin/exception.py": "class DelfinException(Exception):\n    pass\n",
    "delfin/common/__init__.py": "",
    "delfin/common/config.py": """
from oslo_config import cfg

cfg.CONF.register_opt(cfg.StrOpt("delfin_cryptor", default="no.such.class"))
cfg.CONF.register_opt(cfg.StrOpt("ca_path", default=""))
BROKEN
""",
    "delfin/cryptor.py": """
import importlib

from oslo_config import cfg

place, _, name = cfg.CONF.delfin_cryptor.rpartition(".")
chosen = getattr(importlib.import_module(place), name)
encode, decode = chosen.encode, chosen.decode
""",
    "set_driver.py": """
from delfin.ORDER import FIRST
from delfin.common import config
from delfin import cryptor


class SetDriver:
    def __init__(self, **kwargs):
        self.number = cryptor.encode(9)
        self.password = cryptor.decode(kwargs["rest"]["password"])

    def get_storage(self, context):
        return {"serial_number": cryptor.decode(self.number), "name": str(config.CONF.ca_path == "")}
""",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed packages."""
    folder = tmp_path / "site"
    for name, text in DELFIN.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    installed(folder, dict.fromkeys(("acme box", "acme tin"), "delfin.drivers.acme.acme:AcmeDriver"))
    return folder


def installed(folder: Path, drivers: dict[str, str], name: str = "acme-drivers") -> None:
    """Metadata of a package with entry points."""
    info = folder / f"{name.replace('-', '_')}-4.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 4.2\n")
    lines = "".join(f"{pair} = {place}\n" for pair, place in drivers.items())
    (info / "entry_points.txt").write_text(f"[delfin.storage.drivers]\n{lines}")


def adapter(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "delphis.delfin", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_where_delfin_lacks_something_the_stand_in_has_it(site: Path) -> None:
    with host("acme box", "--path", str(site)) as running:
        info = running.info()
        assert (info.load_error, info.name) == ("", "delfin.test")
        storage = running.answer("GetStorage", made_up()).storage
        assert (storage.name, storage.status) == ("translated: acme", 2)
        assert running.ask("ListStoragePools", made_up()).reason == "STORAGE_BACKEND_EXCEPTION"


@pytest.mark.parametrize("order", [("cryptor", "encode"), ("common", "config")], ids=["cryptor", "settings"])
@pytest.mark.parametrize("broken", ["CONF = cfg.CONF", "import no_such_middleware"], ids=["whole", "broken"])
def test_settings_of_an_installed_delfin(site: Path, order: tuple[str, str], broken: str) -> None:
    """Whichever module comes first, the settings are registered once, and an array's session id may be a number."""
    for name, text in SETTINGS.items():
        file = site / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("ORDER", order[0]).replace("FIRST", order[1]).replace("BROKEN", broken))
    with host("set_driver:SetDriver", "--path", str(site)) as running:
        assert running.info().load_error == ""
        storage = running.answer("GetStorage", made_up()).storage
        assert (storage.serial_number, storage.name) == ("9", "True")


def test_list_says_what_is_installed_and_what_it_lacks(site: Path) -> None:
    more = {
        "lost box": "lacks_module:LacksModuleDriver",
        "odd": "odd:OddDriver",
        "over ssh": "delfin.drivers.acme.ssh:D",
    }
    installed(site, more, "more-drivers")
    done = adapter("list", "--path", str(site), "--path", str(DRIVERS))
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[:3] for row in rows] == [
        ["acme box, acme tin", "delfin.drivers.acme.acme:AcmeDriver", "4.2"],
        ["lost box", "lacks_module:LacksModuleDriver", "4.2"],
        ["over ssh", "delfin.drivers.acme.ssh:D", "4.2"],
    ]
    assert rows[0][3] == "ok"
    assert "imports no_such_library_of_an_array, which is not installed here" in rows[1][3]
    # What Delfin has for its drivers is not replaced: it lacks a library, as the driver does.
    assert "imports no_such_green_threads, which is not installed here" in rows[2][3]
    assert "delfin.exception is the stand-in's: Delfin's own fails: ModuleNotFoundError" in done.stderr
    assert "The entry point 'odd' is no 'VENDOR MODEL'" in done.stderr


def test_manifests_name_this_environment(site: Path, tmp_path: Path) -> None:
    done = adapter("manifest", "--path", str(site), "--dir", str(tmp_path / "drivers"))
    file = tmp_path / "drivers" / "delfin.acme.box" / "driver.toml"
    assert done.stdout == f"{file}\n"
    manifest = tomllib.loads(file.read_text())
    assert (manifest["name"], manifest["version"]) == ("delfin.acme.box", "4.2")
    assert manifest["serves"] == [{"vendor": "acme", "model": "box"}, {"vendor": "acme", "model": "tin"}]
    command = [sys.executable, "-P", "-m", "delphis.delfin", "run", "delfin.drivers.acme.acme:AcmeDriver"]
    assert manifest["host"]["command"] == [*command, "--path", str(site)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "nobody none"], "No driver of the group delfin.storage.drivers serves 'nobody none'"),
        (["manifest", "x:Y", "--dir", "/nonexistent"], "Say with --vendor and --model what x:Y serves"),
        (["run", "x:Y", "--vendor", "v"], "--vendor and --model go together"),
        (["run", "x:Y", "--endpoint", "unix://x.sock"], "must name the socket by its whole path"),
    ],
)
def test_what_can_not_be_done(arguments: list[str], says: str) -> None:
    done = adapter(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_folders_of_hosts_that_were_killed_are_removed(tmp_path: Path) -> None:
    place = {"TMPDIR": str(tmp_path)}
    with host("complete:CompleteDriver", environment=place) as running:
        [left] = tmp_path.glob("delphis-delfin-work-*")
        running.process.send(signal.SIGKILL)
        assert running.process.wait(60)
    assert left.is_dir()
    os.utime(left, (1, 1))
    with host("complete:CompleteDriver", environment=place):
        [own] = tmp_path.glob("delphis-delfin-work-*")
        assert own != left
        os.utime(own, (1, 1))
        with host("complete:CompleteDriver", environment=place):
            assert own.is_dir()
            assert len(list(tmp_path.glob("delphis-delfin-work-*"))) == 2
