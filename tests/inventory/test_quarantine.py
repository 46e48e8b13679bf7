"""Arrays that end their driver's host when somebody logs in: known by their address, and kept away from the others."""

from __future__ import annotations

import functools

from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.registry.v1 import registry_pb2
from delphis.type.v1 import storage_pb2
from tests.inventory.core import INVENTORY, PASSWORD, Core, refusal, registration, rest

REGISTRY = "/delphis.registry.v1.RegistryService/"


async def quarantines(core: Core) -> list[registry_pb2.Quarantine]:
    request = registry_pb2.ListQuarantinesRequest()
    return list(
        (await core.call(REGISTRY + "ListQuarantines", request, registry_pb2.ListQuarantinesResponse)).quarantines
    )


async def test_an_array_that_ends_hosts_at_registration_is_quarantined(delphis: Core) -> None:
    sibling = await delphis.synced(2)
    killer = registration(1, fail="storage:exit")
    errors = []
    for _ in range(4):
        errors.append(await refusal(delphis.call(INVENTORY + "RegisterStorage", killer, storage_pb2.Storage)))
        # Nobody else notices: neither who is registered nor who is about to be.
        await delphis.ended(await delphis.sync(sibling.id))
        assert (await delphis.get(sibling.id)).sync_outcome == storage_pb2.SYNC_OUTCOME_OK
    error = errors[-1]
    assert errors[0].reason == "DRIVER_HOST_UNAVAILABLE"
    assert [error.reason for error in errors[2:]] == ["ARRAY_QUARANTINED"] * 2
    assert "array at 127.9.0.1:1 is in quarantine" in error.message
    assert error.retry_after is not None
    assert (await delphis.synced(3)).sync_outcome == storage_pb2.SYNC_OUTCOME_OK
    (found,) = await quarantines(delphis)
    assert (found.storage_id, found.state) == ("login@127.9.0.1:1", registry_pb2.QUARANTINE_STATE_QUARANTINED)
    assert error.metadata["storage_id"] == found.storage_id
    assert PASSWORD not in str(found)
    deaths = found.deaths
    # An access info that names it is refused as well, and ends no host.
    request = pb.UpdateAccessInfoRequest(storage_id=sibling.id, rest=rest(1))
    assert (
        await refusal(delphis.call(INVENTORY + "UpdateAccessInfo", request, storage_pb2.Storage))
    ).reason == "ARRAY_QUARANTINED"
    assert (await quarantines(delphis))[0].deaths == deaths


async def test_a_released_array_that_is_mended_can_be_registered(delphis: Core) -> None:
    killer = registration(1, fail="storage:exit")
    call = functools.partial(delphis.call, INVENTORY + "RegisterStorage", killer, storage_pb2.Storage)
    for _ in range(2):
        await refusal(call())
    error = await refusal(call())
    assert error.reason == "ARRAY_QUARANTINED"
    release = registry_pb2.ReleaseQuarantineRequest(storage_id=error.metadata["storage_id"])
    await delphis.call(REGISTRY + "ReleaseQuarantine", release, registry_pb2.Quarantine)
    assert (await delphis.synced(1)).sync_outcome == storage_pb2.SYNC_OUTCOME_OK
