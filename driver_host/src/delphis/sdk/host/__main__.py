"""`python -m delphis.sdk.host --driver NAME --class module:Class`: how Delphis starts a driver written in Python."""

from __future__ import annotations

import argparse
import gc

gc.disable()  # it finds nothing while modules are loaded, and takes a tenth of the time

from delphis.sdk.host import server  # noqa: E402
from delphis.sdk.host.settings import SettingsError, from_environment  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m delphis.sdk.host",
        description="Serves one storage driver, at the address in DELPHIS_DRIVER_ENDPOINT. Started by Delphis.",
    )
    parser.add_argument("--driver", metavar="NAME", help="the driver's name, such as dev.acme.box")
    parser.add_argument("--class", dest="driver_class", metavar="CLASS", help="module:Class, or path/to/file.py:Class")
    arguments = parser.parse_args()
    try:
        settings = from_environment(arguments.driver, arguments.driver_class)
    except SettingsError as error:
        parser.exit(2, f"{error}\n")
    server.leave(server.main(settings))


if __name__ == "__main__":
    main()
