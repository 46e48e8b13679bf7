"""The cluster that the tests of the Ceph driver share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.ceph.cluster import CephCluster, missing


@pytest.fixture(scope="session")
def ceph_cluster() -> Iterator[CephCluster]:
    """A healthy cluster with a pool `rbd` and a filesystem `cephfs`. Starting it takes about 20 seconds."""
    if reason := missing():
        if os.environ.get("CI"):
            pytest.fail(f"CI lacks what marker 'ceph' needs: {reason}", pytrace=False)
        pytest.skip(f"ceph: {reason}")
    with CephCluster() as cluster:
        yield cluster
