"""Start a driver host as Delphis does, and call it: for tests of drivers, in whatever language they are written."""

from delphis.sdk.testing.client import HostClient, Reply, TlsFiles
from delphis.sdk.testing.host_process import HostEnded, HostProcess

__all__ = ["HostClient", "HostEnded", "HostProcess", "Reply", "TlsFiles"]
