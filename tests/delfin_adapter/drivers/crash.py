"""A driver that ends its process, and fails in every other way that the access info names (`bad`)."""

import os
import time

import requests
from delfin import exception
from delfin.drivers import driver


class Stray(exception.StorageBackendException):
    """A class of the driver's own."""


def by_a_dead_network(_):
    try:
        raise ConnectionRefusedError(111, "refused")
    except ConnectionRefusedError:
        raise exception.InvalidCredential()  # noqa: B904 - as such drivers do


def raising(error):
    def fail(_):
        raise error

    return fail


DEEDS = {
    "exit": lambda _: os._exit(3),
    "hang": lambda driver: time.sleep(600),
    "key": lambda driver: {}["key"],
    "secret": lambda driver: raising(ValueError("password is " + driver.password))(driver),
    "own": raising(Stray("array says 7")),
    "class": raising(exception.InvalidIpOrPort),
    "message": raising(exception.InvalidResults(message="no serial")),
    "absent": raising(exception.ControllerNotFound("c1")),
    "forbidden": raising(exception.NotAuthorized()),
    "reset": raising(requests.exceptions.ConnectionError("Connection reset by peer")),
    "network": by_a_dead_network,
    "lacks": raising(NotImplementedError()),
    "json": lambda driver: requests.models.complexjson.loads("<html>"),
}


class CrashDriver(driver.StorageDriver):
    logins = 0

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.bad = kwargs["extra_attributes"].get("bad", "")
        from delfin import cryptor

        self.password = cryptor.decode(kwargs["rest"]["password"])
        CrashDriver.logins += 1
        self.login = CrashDriver.logins

    def reset_connection(self, context, **kwargs):
        pass

    def get_storage(self, context):
        return {"serial_number": "crash-" + self.bad, "name": f"login {self.login}"}

    def list_storage_pools(self, context):
        return []

    def list_volumes(self, context):
        if self.bad:
            DEEDS[self.bad](self)
        return [{"native_volume_id": "1", "name": "one"}]

    def add_trap_config(self, context, trap_config):
        raise NotImplementedError

    def remove_trap_config(self, context, trap_config):
        raise NotImplementedError()

    def list_alerts(self, context, query_para):
        """Not yet."""
        raise NotImplementedError("not yet")

    def clear_alert(self, context, sequence_number):
        """Nothing to do."""
