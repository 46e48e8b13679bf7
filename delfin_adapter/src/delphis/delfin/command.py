"""`delphis-delfin`: serve drivers of Delfin's interface, and tell Delphis of them."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from delphis.delfin import entry_points, environment, manifests, modules, served
from delphis.delfin.entry_points import Installed
from delphis.delfin.errors import AdapterError
from delphis.sdk.host.settings import PREFIX, HostSettings, Pair, SettingsError, from_environment

OWN_FOLDER = "delphis-delfin-socket-"


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of the script `delphis-delfin`."""
    parser = argparse.ArgumentParser(
        prog="delphis-delfin", description="Run storage drivers that were written for SODA Delfin, unmodified."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    path = argparse.ArgumentParser(add_help=False)
    path.add_argument(
        "--path", metavar="DIR", action="append", default=[], help="a folder to import from; may be repeated"
    )
    one = argparse.ArgumentParser(add_help=False)
    one.add_argument("--vendor", help="vendor that a class serves")
    one.add_argument("--model", help="model that a class serves")
    one.add_argument("--name", help="the driver's name in Delphis; default: delfin.VENDOR.MODEL")

    listing = commands.add_parser("list", parents=[path], help="what is installed, and whether it can be loaded")
    listing.set_defaults(work=_list)
    run = commands.add_parser("run", parents=[path, one], help="serve a driver until interrupted")
    run.add_argument("driver", metavar="DRIVER", help='"VENDOR MODEL" of an installed driver, or module:Class')
    run.add_argument("--endpoint", metavar="ADDRESS", help="unix:///path or tcp://host:port; default: a new socket")
    run.set_defaults(work=_run)
    write = commands.add_parser("manifest", parents=[path, one], help="write driver.toml files for Delphis")
    write.add_argument("driver", metavar="DRIVER", nargs="?", help="as of `run`; default: all that are installed")
    write.add_argument("--dir", metavar="DIR", required=True, help="the folder that `delphis up --drivers` reads")
    write.set_defaults(work=_manifest)

    given = parser.parse_args(arguments)
    sys.path[:0] = [str(Path(place).resolve()) for place in given.path]
    try:
        given.work(given)
    except (AdapterError, SettingsError) as error:
        parser.exit(2, f"delphis-delfin: {error}\n")


def _named(given: argparse.Namespace) -> Installed:
    """The driver that a command line names."""
    text: str = given.driver
    if ":" not in text:
        found = entry_points.named(text)
        if given.vendor or given.model:
            raise AdapterError(f"{text!r} says what it serves; --vendor and --model go with module:Class.")
        return found
    place, _, attribute = text.rpartition(":")
    driver_class = f"{Path(place).resolve()}:{attribute}" if place.endswith(".py") else text
    if bool(given.vendor) != bool(given.model):
        raise AdapterError("--vendor and --model go together.")
    registered = [driver for driver in entry_points.installed() if driver.driver_class == text]
    if given.vendor:
        return Installed(driver_class, "0", (Pair(given.vendor, given.model),))
    return registered[0] if registered else Installed(driver_class, "0", ())


def _list(given: argparse.Namespace) -> None:
    from delphis.delfin import loading
    from delphis.sdk.host.loading import NotADriver

    found = entry_points.installed()
    if not found:
        print(f"No driver is installed here: there is no entry point of the group {entry_points.GROUP}.")
    environment.clean()
    for driver in found:
        try:
            loading.find(driver.driver_class)
            state = "ok"
        except NotADriver as error:
            state = str(error)
        except BaseException as error:  # noqa: BLE001 - a driver's module may raise anything
            state = f"{type(error).__name__}: {error}"
        pairs = ", ".join(f"{vendor} {model}" for vendor, model in driver.serves)
        print(f"{pairs}\t{driver.driver_class}\t{driver.version}\t{state}")
    for wrong in entry_points.misnamed():
        print(f"The entry point {wrong!r} is no 'VENDOR MODEL': left out", file=sys.stderr)
    for name, why in sorted(modules.FINDER.stood_in.items()):
        if why != "it is not installed":
            print(f"{name} is the stand-in's: {why}", file=sys.stderr)


def _manifest(given: argparse.Namespace) -> None:
    chosen = [_named(given)] if given.driver else entry_points.installed()
    if not chosen:
        raise AdapterError(f"No driver is installed here: there is no entry point of the group {entry_points.GROUP}.")
    paths = [str(Path(place).resolve()) for place in given.path]
    for driver in chosen:
        if not driver.serves:
            raise AdapterError(f"Say with --vendor and --model what {driver.driver_class} serves.")
        print(manifests.write(driver, Path(given.dir), name=given.name or driver.name, paths=paths))


def _run(given: argparse.Namespace) -> None:
    driver = _named(given)
    settings = _settings(driver, given.endpoint, given.name)
    served.choose(driver.driver_class)
    environment.clean()
    from delphis.sdk.host import server

    with environment.working_folder():
        code = server.main(settings)
    if settings.endpoint.startswith(f"unix://{tempfile.gettempdir()}/{OWN_FOLDER}"):
        with contextlib.suppress(OSError):
            Path(settings.endpoint.removeprefix("unix://")).parent.rmdir()
    server.leave(code)


def _settings(driver: Installed, endpoint: str | None, name: str | None) -> HostSettings:
    """As for any host; who starts it says the rest by DELPHIS_DRIVER_*."""
    values = dict(os.environ)
    if endpoint is not None:
        values[PREFIX + "ENDPOINT"] = endpoint
    elif not values.get(PREFIX + "ENDPOINT"):
        values[PREFIX + "ENDPOINT"] = f"unix://{tempfile.mkdtemp(prefix=OWN_FOLDER)}/host.sock"
    place = values[PREFIX + "ENDPOINT"].removeprefix("unix://")
    if place != values[PREFIX + "ENDPOINT"] and not place.startswith("/"):
        raise SettingsError(f"The endpoint must name the socket by its whole path, not {place!r}.")
    fallback = driver.name if driver.serves else f"delfin.local.{driver.driver_class.rpartition(':')[2].lower()}"
    settings = from_environment(name or values.get(PREFIX + "NAME") or fallback, served.CLASS, values)
    return replace(settings, version=settings.version or driver.version, serves=settings.serves or driver.serves)
