"""The dashboard's REST API: its token, its versions, its errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from delphis.sdk import Context, errors
from delphis.sdk.http import Reply, RestSession

LOGIN = "/api/auth"
VERSION = re.compile(r"endpoint is '(\d+)\.(\d+)'")

# Each endpoint has a version of its own, which the request must name. Newer releases raise the second number when they
# add something; then the array says so and is asked again with its own.
DEFAULT_VERSION = (1, 0)
VERSIONS = {"/api/block/image": (2, 0)}


class OtherVersion(errors.BadResponse):
    """The endpoint has another version than the one asked for."""

    def __init__(self, message: str, *, speaks: tuple[int, int], **metadata: object) -> None:
        metadata_of_error: dict[str, Any] = {**metadata, "version": f"{speaks[0]}.{speaks[1]}"}
        super().__init__(message, **metadata_of_error)
        self.speaks = speaks


class DashboardApi(RestSession):
    """The session with the dashboard of one cluster."""

    default_port: ClassVar[int] = 8443

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._versions: dict[str, tuple[int, int]] = {}

    def log_in(self, context: Context) -> None:
        user = self.access.username
        body = {"username": user, "password": self.access.password}
        reply = self.post(context, LOGIN, json=body, headers=_accept(DEFAULT_VERSION))
        try:
            parsed = reply.json()
        except errors.BadResponse:
            parsed = None
        answer: dict[str, Any] = parsed if isinstance(parsed, dict) else {}
        token = answer.get("token")
        if not isinstance(token, str) or not token:
            raise self._no_dashboard("its answer to the login holds no token")
        self.authorize(token)
        if answer.get("pwdUpdateRequired"):
            raise errors.ArrayPermissionDenied(
                f"The dashboard lets its user {user!r} in only to change the password; do that in the dashboard first.",
                user=user,
            )

    def log_out(self, context: Context) -> None:
        self.post(context, f"{LOGIN}/logout", headers=_accept(DEFAULT_VERSION))

    def read(self, context: Context, path: str, params: Mapping[str, Any] | None = None) -> Reply:
        """What an endpoint says, asked for in the version that this cluster has."""
        version = self._versions.get(path) or VERSIONS.get(path, DEFAULT_VERSION)
        try:
            return self.get(context, path, params=params, headers=_accept(version))
        except OtherVersion as other:
            if other.speaks[0] != version[0] or other.speaks == version:
                raise
            self._versions[path] = other.speaks
            return self.get(context, path, params=params, headers=_accept(other.speaks))

    def read_object(self, context: Context, path: str) -> dict[str, Any]:
        """As `read`, for endpoints that answer with an object."""
        answer = self.read(context, path).json()
        if not isinstance(answer, dict):
            raise self._odd(path, "an object")
        return answer

    def read_list(self, context: Context, path: str, params: Mapping[str, Any] | None = None) -> list[Any]:
        """As `read`, for endpoints that answer with a list."""
        answer = self.read(context, path, params).json()
        if not isinstance(answer, list):
            raise self._odd(path, "a list")
        return answer

    def failure(self, reply: Reply) -> errors.DriverError | None:
        if reply.ok:
            return None
        detail, code = _said(reply)
        at = self.endpoint.label
        what: dict[str, Any] = {"path": reply.path, "status": reply.status, "detail": detail}
        if reply.path == LOGIN:
            if reply.status in (400, 401, 403) and code == "invalid_credentials":
                return errors.InvalidUsernameOrPassword(
                    f"The dashboard at {at} refused the user {self.access.username!r} or the password.",
                    user=self.access.username,
                )
            if 300 <= reply.status < 400:
                return self._on_standby(reply)
            if reply.status in (404, 405):
                return self._no_dashboard(f"it answers the login with status {reply.status}")
        found = VERSION.search(detail)
        if reply.status == 415 and found:
            speaks = int(found[1]), int(found[2])
            return OtherVersion(
                f"{reply.path} of the dashboard at {at} has version {found[1]}.{found[2]}, which this driver doesn't"
                " know; it is made for Ceph 16.2 and newer.",
                speaks=speaks,
                path=reply.path,
            )
        if 300 <= reply.status < 400:
            return self._on_standby(reply)
        if reply.status == 500 or (reply.status == 400 and code):
            # 400 with a code is what librados or librbd said, such as "pool not found".
            return errors.StorageBackendException(f"{reply.path} of the dashboard at {at} failed: {detail}", **what)
        return super().failure(reply)

    def _on_standby(self, reply: Reply) -> errors.DriverError:
        active = reply.headers.get("Location", "").split("?")[0][:200]
        return errors.ArrayUnreachable(
            f"The manager at {self.endpoint.label} is on standby; the active one is at {active}.", active=active
        )

    def _no_dashboard(self, why: str) -> errors.DriverError:
        return errors.InvalidIpOrPort(
            f"What answers at {self.endpoint.label} is no Ceph dashboard: {why}.",
            host=self.endpoint.host,
            port=self.endpoint.port,
        )

    def _odd(self, path: str, expected: str) -> errors.DriverError:
        return errors.BadResponse(f"{path} of the dashboard at {self.endpoint.label} is not {expected}.", path=path)


def _accept(version: tuple[int, int]) -> dict[str, str]:
    return {"Accept": f"application/vnd.ceph.api.v{version[0]}.{version[1]}+json"}


def _said(reply: Reply) -> tuple[str, str]:
    """The array's own words about a failure, and its code for it; empty where there are none."""
    try:
        answer = reply.json()
    except errors.BadResponse:
        return "", ""
    if not isinstance(answer, dict):
        return "", ""
    return str(answer.get("detail") or "")[:300], str(answer.get("code") or "")
