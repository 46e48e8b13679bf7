"""A client for arrays with an HTTP API: login and its renewal, retries, paging, TLS, limits of time, rate and size.

    from delphis.sdk.http import RestSession

    class AcmeApi(RestSession):
        def log_in(self, context):
            token = self.post(context, "/login", json={"user": self.access.username, "key": self.access.password})
            self.authorize(token.json()["token"])

    class AcmeBox(StorageDriver):
        def __init__(self, access_info):
            super().__init__(access_info)
            self.api = AcmeApi(access_info.rest)

        def connect(self, context):
            self.api.open(context)

        def close(self):
            self.api.close()

        def list_volumes(self, context):
            for page in by_offset(lambda offset, size: self._volumes(context, offset, size)): ...

The library `requests` is loaded with the first request, not with this package: a host that serves nobody stays small.
"""

from delphis.sdk.http.paging import Page, by_offset, by_token
from delphis.sdk.http.ratelimit import RateLimit
from delphis.sdk.http.reply import Reply
from delphis.sdk.http.retry import Retry
from delphis.sdk.http.session import RestSession

__all__ = ["Page", "RateLimit", "Reply", "RestSession", "Retry", "by_offset", "by_token"]
