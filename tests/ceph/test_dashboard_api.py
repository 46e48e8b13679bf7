"""The session with a dashboard: login, versions, errors. Against a recording."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from delphis.sdk import AccessInfo, Context, RestAccess, errors
from drivers.ceph.driver import CephDriver
from tests.ceph.dashboard import Recorded, recorded
from tests.sdk_http.server import Says, closed_port, serving


@pytest.fixture
def cluster() -> Iterator[Recorded]:
    with recorded() as one:
        yield one


def test_logs_in_once_and_out(cluster: Recorded) -> None:
    cluster.driver.connect(cluster.context)
    cluster.driver.get_storage(cluster.context)
    cluster.driver.close()
    assert cluster.paths() == [
        *("/api/auth", "/api/monitor", "/api/health/minimal", "/api/summary", "/api/auth/logout"),
    ]


def test_wrong_password(cluster: Recorded) -> None:
    cluster.driver.access_info.rest.password = "another"
    with pytest.raises(errors.InvalidUsernameOrPassword, match="monitor") as raised:
        cluster.driver.connect(cluster.context)
    assert "another" not in str(raised.value)


def test_a_token_that_expires_between_two_pages(cluster: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.ceph.image_list.AT_A_TIME", 2)
    volumes = cluster.driver.list_volumes(cluster.context)
    first = next(volumes)
    cluster.dashboard.expire()
    assert len([first, *volumes]) == 6
    assert cluster.paths().count("/api/auth") == 2
    assert cluster.context.is_complete


def test_a_newer_minor_version_is_taken(cluster: Recorded) -> None:
    cluster.dashboard.versions = {"/api/block/image": "2.1", "/api/osd": "1.2"}
    assert len(list(cluster.driver.list_disks(cluster.context))) == 4
    assert len(list(cluster.driver.list_volumes(cluster.context))) == 6
    before = len(cluster.server.asked)
    list(cluster.driver.list_disks(cluster.context))
    assert len(cluster.server.asked) == before + 1, "the version is remembered"


def test_another_major_version_is_refused(cluster: Recorded) -> None:
    cluster.dashboard.versions["/api/osd"] = "3.0"
    with pytest.raises(errors.BadResponse, match=r"version 3\.0") as raised:
        list(cluster.driver.list_disks(cluster.context))
    assert raised.value.metadata["version"] == "3.0"


def test_the_password_must_be_changed_first(cluster: Recorded) -> None:
    cluster.dashboard.login = {"pwdUpdateRequired": True}
    with pytest.raises(errors.ArrayPermissionDenied, match="change the password"):
        cluster.driver.connect(cluster.context)


def test_a_standby_manager(cluster: Recorded) -> None:
    cluster.dashboard.says["/api/auth"] = Says({}, 303, {"Location": "https://10.0.0.8:8443/?secret=1"})
    with pytest.raises(errors.ArrayUnreachable, match=r"https://10\.0\.0\.8:8443/\.") as raised:
        cluster.driver.connect(cluster.context)
    assert raised.value.metadata == {"active": "https://10.0.0.8:8443/"}


@pytest.mark.parametrize(
    "says",
    [
        Says(b"<html>another server</html>", 404),
        Says(b"", 405),
        Says(b"<html>welcome</html>", 200),
        Says({"token": 7}, 201),
        Says([], 201),
    ],
)
def test_what_answers_is_no_dashboard(says: Says) -> None:
    with serving(lambda _: says) as server:
        driver = CephDriver(AccessInfo(rest=server.access(password="p")))
        with pytest.raises(errors.InvalidIpOrPort):
            driver.connect(Context(timeout=60))


def test_nothing_answers() -> None:
    driver = CephDriver(AccessInfo(rest=RestAccess(host="127.0.0.1", port=closed_port())))
    with pytest.raises(errors.InvalidIpOrPort):
        driver.connect(Context(timeout=60))


@pytest.mark.parametrize(
    ("says", "raised"),
    [
        (Says({"detail": "You don't have permissions to access that resource"}, 403), errors.ArrayPermissionDenied),
        (Says({"detail": "[errno 110] error", "code": "110", "component": "osd"}, 400), errors.StorageBackendException),
        (Says({"detail": "unexpected"}, 500), errors.StorageBackendException),
        (Says({"detail": "x" * 100_000}, 500), errors.StorageBackendException),
        (Says(b"oops", 500), errors.StorageBackendException),
        (Says({"detail": "no"}, 400), errors.BadResponse),
        (Says({}, 503, {"Retry-After": "600"}), errors.ArrayBusy),
        (Says(b"<html>", 200), errors.BadResponse),
        (Says({"not": "a list"}, 200), errors.BadResponse),
    ],
)
def test_failures(cluster: Recorded, says: Says, raised: type[errors.DriverError]) -> None:
    cluster.dashboard.says["/api/osd"] = says
    with pytest.raises(raised) as caught:
        list(cluster.driver.list_disks(cluster.context))
    assert type(caught.value) is raised
    assert len(str(caught.value)) < 1000
