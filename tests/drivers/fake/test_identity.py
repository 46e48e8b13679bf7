"""Which array an address is, in this process and in any other."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from delphis.sdk import AccessInfo, CliAccess, Context, RestAccess, SmisAccess, SshAccess, errors
from tests.drivers.fake.arrays import access_info, connected, connected_to, dump, everything, listed, native_id

ROOT = Path(__file__).parents[3]


def serial(**attributes: str) -> str:
    return connected(**attributes).get_storage(Context()).serial_number


def test_the_storage_says_what_fake_arrays_say() -> None:
    storage = connected().get_storage(Context())
    assert (storage.vendor, storage.model, storage.firmware_version, storage.location) == (
        "fake_vendor",
        "fake_model",
        "1.0.0",
        "HK",
    )


def test_another_process_makes_the_same_array() -> None:
    script = (
        "import hashlib\n"
        "from tests.drivers.fake.arrays import connected, dump\n"
        "print(hashlib.sha256(b'|'.join(dump(connected(volumes='700', seed='x')))).hexdigest())\n"
    )
    here = hashlib.sha256(b"|".join(dump(connected(volumes="700", seed="x")))).hexdigest()
    for hash_seed in ("1", "2"):
        other = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert other.stdout.strip() == here


def test_identity_outlives_upgrades() -> None:
    """Who registered an array before an upgrade must find the same one after it."""
    driver = connected_to(access_info(host="127.8.0.9", port=8443))
    assert driver.get_storage(Context()).serial_number == "FAKE63D8ABAAABE0B5B3"
    volume = listed(driver, "volumes")[7]
    assert (volume.native_volume_id, volume.wwn) == ("vol-0000007", "608bf47244c98a9863bcd55400000007")
    assert native_id(listed(driver, "masking_views")[3]) == "mv-0003"


def test_an_array_stays_as_it_is() -> None:
    driver = connected(volumes="600")
    assert dump(driver) == dump(driver)


def test_addresses_are_arrays() -> None:
    serials = {
        connected_to(access_info(host=f"127.8.{third}.{fourth}", port=port)).get_storage(Context()).serial_number
        for third in range(4)
        for fourth in range(4)
        for port in (22, 443)
    }
    assert len(serials) == 32


@pytest.mark.parametrize(
    "info",
    [
        AccessInfo(ssh=SshAccess(host="127.8.0.1", port=443)),
        AccessInfo(cli=CliAccess(host="127.8.0.1", port=443)),
        AccessInfo(smis=SmisAccess(host="127.8.0.1", port=443)),
        AccessInfo(rest=RestAccess(host="127.8.0.1", port=443), ssh=SshAccess(host="other", port=22)),
    ],
)
def test_any_access_block_leads_to_the_array(info: AccessInfo) -> None:
    assert connected_to(info).get_storage(Context()).serial_number == serial()


def test_array_selects_one_of_several_behind_an_address() -> None:
    assert len({serial(), serial(array="a"), serial(array="b")}) == 3


def test_seed_changes_contents_and_not_identity() -> None:
    plain, seeded = connected(), connected(seed="7")
    assert plain.get_storage(Context()).serial_number == seeded.get_storage(Context()).serial_number
    assert dump(plain) != dump(seeded)
    for kind, items in everything(plain).items():
        assert [native_id(item) for item in items] == [native_id(item) for item in listed(seeded, kind)]
    wwns = [volume.wwn for volume in listed(plain, "volumes")]
    assert wwns == [volume.wwn for volume in listed(seeded, "volumes")]


def test_a_count_changes_nothing_that_was_there() -> None:
    few, many = listed(connected(volumes="300"), "volumes"), listed(connected(volumes="3000"), "volumes")
    assert many[:300] == few


def test_wwns_are_unique_over_arrays() -> None:
    drivers = [connected_to(access_info({"volumes": "500"}, port=port)) for port in range(40)]
    wwns = [volume.wwn for driver in drivers for volume in listed(driver, "volumes")]
    assert len(set(wwns)) == len(wwns) == 20_000
    assert all(len(wwn) == 32 and int(wwn, 16) >> 124 == 6 for wwn in wwns)


def test_password_wrong_is_refused() -> None:
    with pytest.raises(errors.InvalidUsernameOrPassword, match="operator"):
        connected_to(access_info(password="wrong"))


def test_token_wrong_is_refused() -> None:
    with pytest.raises(errors.InvalidCredential):
        connected(token="wrong")


def test_an_address_is_needed() -> None:
    with pytest.raises(errors.AccessInfoIncomplete, match="host"):
        connected_to(AccessInfo(storage_id="s"))
