"""Which driver has a vendor and model."""

from __future__ import annotations

import pytest

from services.calls.errors import CallError
from services.registry.catalogue import Catalogue
from services.registry.discovery import Found
from services.registry.manifest import CommandHost, Manifest, Pair, Source

BOX = Pair("acme", "box")


def driver(name: str, *pairs: Pair, rank: int = 0, command: str = "x", version: str = "1") -> Manifest:
    return Manifest(name, version, pairs or (BOX,), CommandHost((command,)), Source.MANIFEST, f"{name}/{command}", rank)


def update(catalogue: Catalogue, *manifests: Manifest) -> None:
    catalogue.update([Found(manifests, ())])


def reason(catalogue: Catalogue, pair: Pair) -> str:
    with pytest.raises(CallError) as caught:
        catalogue.find(pair)
    return f"{caught.value.reason}: {caught.value.message}"


def test_vendor_and_model_match_exactly() -> None:
    catalogue = Catalogue()
    update(catalogue, driver("a"))
    assert [found.name for found in catalogue.find(BOX)] == ["a"]
    assert "Did you mean 'acme box'?" in reason(catalogue, Pair("acme", "Box"))
    assert reason(catalogue, Pair("acme", "Box")).startswith("STORAGE_DRIVER_NOT_FOUND")
    assert "Did you mean" not in reason(catalogue, Pair("zzz", "qqq"))


def test_the_same_name_is_a_replica() -> None:
    catalogue = Catalogue()
    update(catalogue, driver("a", command="x"), driver("a", command="y", version="2"), driver("a", command="x"))
    assert [found.version for found in catalogue.find(BOX)] == ["1", "2"]
    assert catalogue.rivals(BOX) == ["a"]


def test_another_name_does_not_take_a_served_pair() -> None:
    catalogue = Catalogue()
    update(catalogue, driver("a", rank=0), driver("b", rank=1))
    assert catalogue.in_use(BOX) == "a"
    assert catalogue.rivals(BOX) == ["a", "b"]
    catalogue.prefer(BOX, "b")
    assert [found.name for found in catalogue.find(BOX)] == ["b"]
    update(catalogue, driver("a", rank=0), driver("b", rank=1))
    assert catalogue.in_use(BOX) == "b"
    update(catalogue, driver("a", rank=0))
    assert catalogue.in_use(BOX) == "a"


def test_among_equals_nobody_is_guessed() -> None:
    catalogue = Catalogue()
    update(catalogue, driver("a"), driver("b"))
    assert catalogue.in_use(BOX) is None
    assert reason(catalogue, BOX).startswith("DRIVER_CONFLICT")
    assert "a, b" in reason(catalogue, BOX)
    update(catalogue, driver("b"))
    assert catalogue.in_use(BOX) == "b"
    update(catalogue, driver("a"), driver("b"))
    assert catalogue.in_use(BOX) == "b"  # the newcomer doesn't take it


def test_a_stored_preference_holds_from_the_start() -> None:
    catalogue = Catalogue({BOX: "b"})
    update(catalogue, driver("a"), driver("b"))
    assert catalogue.in_use(BOX) == "b"
