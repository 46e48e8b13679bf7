"""The kinds of resources, and how many of each an array has unless told otherwise."""

from __future__ import annotations

DEFAULT_COUNTS = {
    "storage_pools": 4,
    "volumes": 120,
    "controllers": 2,
    "ports": 8,
    "disks": 24,
    "filesystems": 4,
    "qtrees": 8,
    "quotas": 8,
    "shares": 8,
    "storage_hosts": 12,
    "storage_host_initiators": 24,
    "storage_host_groups": 3,
    "port_groups": 2,
    "volume_groups": 6,
    "masking_views": 8,
}

KINDS = tuple(DEFAULT_COUNTS)

MAX_ALERTS = 100_000

# Native ids of volumes hold seven digits.
MAX_COUNT = 9_999_999
