"""What a one-node Ceph cluster reads before it starts: its configuration, its keys, its first monitor map."""

from __future__ import annotations

import subprocess
from pathlib import Path

OSD_BYTES = 4 * 2**30  # a sparse file: it takes what is written
OSD_COUNT = 3

# Who may do what. The monitor takes these keys over when its store is made, so that no daemon must ask for one.
CAPABILITIES: dict[str, dict[str, str]] = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *", "mds": "allow *", "mgr": "allow *"},
    "mgr.x": {"mon": "allow profile mgr", "osd": "allow *", "mds": "allow *"},
    "mds.a": {"mon": "allow profile mds", "osd": "allow *", "mds": "allow", "mgr": "allow profile mds"},
    **{
        f"osd.{number}": {"mon": "allow profile osd", "mgr": "allow profile osd", "osd": "allow *"}
        for number in range(OSD_COUNT)
    },
}


def configuration(folder: Path, *, fsid: str, monitor_port: int) -> str:
    """The text of ceph.conf. Everything listens on loopback and stays in the folder."""
    socket = folder / "run" / "$name.asok"
    settings: dict[str, dict[str, object]] = {
        "global": {
            "fsid": fsid,
            "mon host": f"v2:127.0.0.1:{monitor_port}",
            "mon initial members": "a",
            "public addr": "127.0.0.1",
            "cluster addr": "127.0.0.1",
            "public network": "127.0.0.0/8",
            "cluster network": "127.0.0.0/8",
            "ms bind msgr1": "false",
            "keyring": folder / "client.admin.keyring",
            "run dir": folder / "run",
            "log file": folder / "log" / "$name.log",
            "crash dir": folder / "crash",
            # Two copies on disks of one machine.
            "osd pool default size": 2,
            "osd pool default min size": 1,
            "osd pool default pg num": 8,
            "osd pool default pg autoscale mode": "off",
            "osd crush chooseleaf type": 0,
            # All disks are on one host: one of them must be believed when it says that another is gone.
            "mon osd min down reporters": 1,
            "mon allow pool delete": "true",
            "mon data avail warn": 2,
            "mon data avail crit": 1,
            "mon warn on insecure global id reclaim allowed": "false",
            "auth allow insecure global id reclaim": "false",
            "mgr initial modules": "dashboard prometheus",
            "osd objectstore": "bluestore",
            "osd memory target": 939524096,
            "bluestore block size": OSD_BYTES,
            "bluestore block db size": 0,
            "bluestore block wal size": 0,
        },
        # Daemons only: clients that run at the same time would quarrel about theirs.
        "mon": {"mon data": folder / "mon", "admin socket": socket},
        "mgr": {"mgr data": folder / "mgr", "admin socket": socket},
        "mds": {"mds data": folder / "mds", "admin socket": socket},
        "osd": {"osd data": folder / "osd$id", "admin socket": socket},
    }
    lines: list[str] = []
    for section, entries in settings.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {value}" for key, value in entries.items()]
    return "\n".join(lines) + "\n"


def lay_out(folder: Path, *, fsid: str, monitor_port: int) -> None:
    """Makes the folders, ceph.conf, the keys, and the monitor's store."""
    for name in ("mon", "mgr", "mds", "run", "log", "crash/posted", *(f"osd{number}" for number in range(OSD_COUNT))):
        (folder / name).mkdir(parents=True)
    conf = folder / "ceph.conf"
    conf.write_text(configuration(folder, fsid=fsid, monitor_port=monitor_port))
    everyone = folder / "initial.keyring"
    everyone.touch(mode=0o600)
    for entity, capabilities in CAPABILITIES.items():
        keyring = folder / f"{entity}.keyring"
        grants = [word for service, grant in capabilities.items() for word in ("--cap", service, grant)]
        _run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "--name", entity, *grants)
        _run("ceph-authtool", everyone, "--import-keyring", keyring)
    monitor_map = folder / "monmap"
    address = f"[v2:127.0.0.1:{monitor_port}]"
    _run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, monitor_map)
    _run("ceph-mon", "--conf", conf, "--id", "a", "--mkfs", "--monmap", monitor_map, "--keyring", everyone)


def _run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=60)
