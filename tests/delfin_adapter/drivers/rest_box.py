"""A driver as people write them for Delfin: an array with an HTTPS API, a session token, and answers in JSON."""

from delfin import cryptor, exception
from delfin.common import constants
from delfin.drivers import driver
from delfin.drivers.utils.rest_client import RestClient
from delfin.i18n import _

STATUS = {"OK": constants.StorageStatus.NORMAL, "FAILED": constants.StorageStatus.ABNORMAL}
GIB = 1024**3


class RestBoxHandler(RestClient):
    def login(self):
        self.init_http_head()
        body = {"user": self.rest_username, "password": cryptor.decode(self.rest_password)}
        answer = self.do_call("/api/session", body, "POST")
        if answer.status_code == 401:
            raise exception.InvalidUsernameOrPassword()
        if answer.status_code != 201:
            raise exception.BadResponse()
        self.session.headers["X-Token"] = answer.json()["token"]

    def logout(self):
        self.do_call("/api/session", None, "DELETE")

    def get(self, what):
        answer = self.do_call("/api/" + what, None, "GET")
        if answer.status_code == 401:
            self.login()
            answer = self.do_call("/api/" + what, None, "GET")
        if answer.status_code != 200:
            raise exception.StorageBackendException(_("%s gives %s") % (what, answer.status_code))
        return answer.json()


class RestBoxDriver(driver.StorageDriver):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.handler = RestBoxHandler(**kwargs)
        self.handler.login()

    def reset_connection(self, context, **kwargs):
        self.handler.logout()
        self.handler.login()

    def close_connection(self):
        self.handler.logout()

    def get_storage(self, context):
        system = self.handler.get("system")
        total, used = system["total_gib"] * GIB, system["used_gib"] * GIB
        return {
            "name": system["name"],
            "vendor": "RestBox",
            "description": "",
            "model": system["type"],
            "status": STATUS.get(system["health"], constants.StorageStatus.UNKNOWN),
            "serial_number": system["serial"],
            "firmware_version": system["version"],
            "location": None,
            "raw_capacity": total,
            "total_capacity": total,
            "used_capacity": used,
            "free_capacity": total - used,
        }

    def list_storage_pools(self, context):
        return [
            {
                "name": pool["name"],
                "storage_id": self.storage_id,
                "native_storage_pool_id": str(pool["id"]),
                "description": None,
                "status": constants.StoragePoolStatus.NORMAL,
                "storage_type": constants.StorageType.BLOCK,
                "total_capacity": pool["gib"] * GIB,
                "used_capacity": pool["used"] * GIB,
                "free_capacity": (pool["gib"] - pool["used"]) * GIB,
            }
            for pool in self.handler.get("pools")
        ]

    def list_volumes(self, context):
        return [
            {
                "name": volume["name"],
                "storage_id": self.storage_id,
                "description": "",
                "status": "normal",
                "native_volume_id": str(volume["id"]),
                "native_storage_pool_id": str(volume["pool"]),
                "wwn": volume["wwn"],
                "type": constants.VolumeType.THIN,
                "total_capacity": volume["gib"] * GIB,
                "used_capacity": volume["used"] * GIB,
                "free_capacity": (volume["gib"] - volume["used"]) * GIB,
                "compressed": True,
                "deduplicated": False,
            }
            for volume in self.handler.get("volumes")
        ]

    def list_ports(self, context):
        return [
            {
                "native_port_id": port["id"],
                "name": port["id"],
                "storage_id": self.storage_id,
                "location": port["place"],
                "connection_status": constants.PortConnectionStatus.CONNECTED,
                "health_status": constants.PortHealthStatus.NORMAL,
                "type": constants.PortType.FC,
                "logical_type": "",
                "speed": port["gbit"] * 1000**3,
                "max_speed": 32 * 1000**3,
                "native_parent_id": None,
                "wwn": port["wwn"],
                "mac_address": None,
                "ipv4": None,
            }
            for port in self.handler.get("ports")
        ]

    def add_trap_config(self, context, trap_config):
        pass

    def remove_trap_config(self, context, trap_config):
        pass

    def list_alerts(self, context, query_para):
        raise NotImplementedError("RestBox does not list alerts")

    def clear_alert(self, context, sequence_number):
        pass
