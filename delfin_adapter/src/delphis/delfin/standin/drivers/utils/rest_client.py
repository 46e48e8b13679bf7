"""`delfin.drivers.utils.rest_client`: a session with an array's HTTPS API; failures have the interface's names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from delphis.delfin.standin import cryptor, exception, ssl_utils
else:
    from delfin import cryptor, exception, ssl_utils

TIMEOUT = 10
_NOBODY_THERE = ("Failed to establish a new connection", "Name or service not known", "Connection refused")


class RestClient:
    """A session; `session` is requests' own. The block `rest` of the access info says where."""

    def __init__(self, **kwargs: Any) -> None:
        access = kwargs.get("rest")
        if not access:
            raise exception.InvalidInput("the access info has no block `rest`")
        self.rest_host = access.get("host")
        self.rest_port = access.get("port")
        self.rest_username = access.get("username")
        self.rest_password = access.get("password")
        self.san_address = f"https://{self.rest_host}:{self.rest_port}"
        self.verify = kwargs.get("verify", False)
        self.rest_auth_token: Any = None
        self.session: Any = None

    def init_http_head(self) -> None:
        """Begins a new session that speaks JSON."""
        if self.session is not None:
            self.session.close()
        self.session = requests.Session()
        self.session.headers.update({"Accept": "application/json", "Content-Type": "application/json"})
        self.session.trust_env = False
        self.session.verify = self.verify
        self.session.mount("https://", ssl_utils.get_host_name_ignore_adapter())

    @property
    def plain_password(self) -> str:
        """The password, decoded."""
        return str(cryptor.decode(self.rest_password))

    def do_call(self, url: str, data: Any, method: str, calltimeout: float = TIMEOUT) -> requests.Response:
        """One request. `url` may be a path; `data` is sent as JSON, None sends nothing."""
        if self.session is None:
            self.init_http_head()
        session: Any = self.session
        address = url if url.startswith("http") else self.san_address + url
        body = json.dumps(data) if data is not None and not isinstance(data, (str, bytes)) else data
        try:
            answer: requests.Response = session.request(
                method.upper(), address, data=body, timeout=calltimeout, verify=self.verify
            )
        except requests.exceptions.RequestException as error:
            raise self._named(error) from error
        return answer

    @staticmethod
    def _named(error: requests.exceptions.RequestException) -> Exception:
        text = str(error)
        if isinstance(error, requests.exceptions.SSLError):
            refused = "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text
            return exception.SSLCertificateFailed() if refused else exception.SSLHandshakeFailed()
        if isinstance(error, requests.exceptions.ConnectTimeout) or any(words in text for words in _NOBODY_THERE):
            return exception.InvalidIpOrPort()
        if isinstance(error, requests.exceptions.ReadTimeout):
            return exception.StorageBackendException("the array doesn't answer in time")
        return exception.BadResponse()
