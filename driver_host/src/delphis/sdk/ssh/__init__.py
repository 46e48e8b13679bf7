"""A client for arrays with a command line over SSH: commands, dialogues with a shell, host keys, limits.

    from delphis.sdk.ssh import SshSession
    from delphis.sdk.text import key_values

    class AcmeBox(StorageDriver):
        def __init__(self, access_info):
            super().__init__(access_info)
            self.ssh = SshSession(access_info.ssh)

        def connect(self, context):
            self.ssh.open(context)

        def close(self):
            self.ssh.close()

        def get_storage(self, context):
            shown = key_values(self.ssh.run(context, "show system", idempotent=True).text)
            return Storage(serial_number=shown["Serial number"], model=shown["Model"])

It needs the extra `ssh` (`pip install 'delphis-driver-sdk[ssh]'`). The library, paramiko, is loaded with the first
connection, not with this package.
"""

from delphis.sdk.ssh.output import CommandOutput
from delphis.sdk.ssh.session import SshSession
from delphis.sdk.ssh.shell import Shell

__all__ = ["CommandOutput", "Shell", "SshSession"]
