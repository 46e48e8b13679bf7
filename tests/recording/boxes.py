"""A simulated array with sessions, and the driver of it, which reads it with the SDK's client."""

from __future__ import annotations

from typing import Any

from delphis.sdk.simulation import Answer, Request, Simulator, by_token, route

SERIAL = "CKM00188301234"
USER, PASSWORD = "sentinel-user-77", "Sentinel/Pass&word 1"
WWN = "60:06:01:60:11:22:33:44:55:66:77:88:99:aa:bb:cc"


class Box(Simulator):
    """Logs in with JSON, gives a token, lists volumes page by page."""

    token_header = "X-Box-Token"

    def __init__(self, *, count: int = 25, **address: Any) -> None:
        super().__init__(**address)
        self.all_volumes = [
            {
                "id": f"vol-{number}",
                "name": f"data {number}",
                "wwn": f"{WWN[:-2]}{number:02x}",
                "size": 1024**3 * number,
            }
            for number in range(count)
        ]

    @route("POST", "/api/login", login=False)
    def log_in(self, request: Request) -> Any:
        given = request.json()
        if (given.get("user"), given.get("password")) != (USER, PASSWORD):
            return Answer(401, {"error": "wrong user or password"})
        token = self.sessions.open(USER)
        if token is None:
            return Answer(429, {"error": "too many sessions"}, {"Retry-After": "1"})
        return Answer(201, {"token": token}, {"Set-Cookie": f"box={token}; Path=/"})

    @route("DELETE", "/api/login")
    def log_out(self, request: Request) -> Answer:
        self.sessions.close(self.token_of(request))
        return Answer(204)

    @route("GET", "/api/system")
    def system(self, request: Request) -> Any:
        return {
            "name": "prod-array-01.corp.acme.com",
            "serialNumber": SERIAL,
            "firmware": "6.5.0.2",
            "managementIp": "10.20.30.40",
            "owner": USER,
        }

    @route("GET", "/api/systems/{serial}/volumes")
    def volumes(self, request: Request, serial: str) -> Any:
        if serial != SERIAL:
            return Answer(404, {"error": f"no system {serial}"})
        part, after = by_token(self.all_volumes, request.query.get("page"), size=int(request.query.get("size", "10")))
        return {"items": part.items, "next": after, "total": part.total}
