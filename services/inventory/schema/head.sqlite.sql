CREATE TABLE access_endpoints (
    storage_no INTEGER NOT NULL,
    block TEXT NOT NULL,
    host TEXT DEFAULT '' NOT NULL,
    port INTEGER DEFAULT 0 NOT NULL,
    selector TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_no, block)
)
 WITHOUT ROWID;

CREATE INDEX access_endpoints_address ON access_endpoints (host, port);

CREATE TABLE access_infos (
    storage_no INTEGER NOT NULL,
    revision BIGINT DEFAULT 0 NOT NULL,
    key_id TEXT DEFAULT '' NOT NULL,
    ciphertext BLOB NOT NULL,
    plain BLOB NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_no)
);

CREATE TABLE array_evictions (
    server_id TEXT NOT NULL,
    storage_id TEXT NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    since BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (server_id, storage_id)
);

CREATE TABLE array_owners (
    storage_id TEXT NOT NULL,
    server_id TEXT DEFAULT '' NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    since BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE INDEX array_owners_since ON array_owners (since);

CREATE TABLE audit_entries (
    no INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at BIGINT DEFAULT 0 NOT NULL,
    caller TEXT DEFAULT '' NOT NULL,
    method TEXT DEFAULT '' NOT NULL,
    resource_id TEXT DEFAULT '' NOT NULL,
    code TEXT DEFAULT '' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    request_id TEXT DEFAULT '' NOT NULL,
    peer TEXT DEFAULT '' NOT NULL
);

CREATE INDEX audit_entries_at ON audit_entries (at);

CREATE TABLE change_blocks (
    no INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    storage_no INTEGER NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    kind TEXT DEFAULT '' NOT NULL,
    at BIGINT DEFAULT 0 NOT NULL,
    body BLOB NOT NULL
);

CREATE UNIQUE INDEX change_blocks_last ON change_blocks (storage_no, last);

CREATE TABLE change_positions (
    storage_no INTEGER NOT NULL,
    storage_id BLOB NOT NULL,
    position BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_no)
);

CREATE TABLE controllers (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX controllers_name ON controllers (storage_no, name);

CREATE UNIQUE INDEX controllers_native ON controllers (storage_no, native_id);

CREATE INDEX controllers_storage ON controllers (storage_no);

CREATE TABLE disks (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    physical_type INTEGER DEFAULT 0 NOT NULL,
    logical_type INTEGER DEFAULT 0 NOT NULL,
    serial_number TEXT DEFAULT '' NOT NULL,
    native_disk_group_id TEXT DEFAULT '' NOT NULL,
    capacity BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX disks_name ON disks (storage_no, name);

CREATE UNIQUE INDEX disks_native ON disks (storage_no, native_id);

CREATE INDEX disks_storage ON disks (storage_no);

CREATE TABLE driver_leases (
    id BLOB NOT NULL,
    driver TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    version TEXT DEFAULT '' NOT NULL,
    serves TEXT DEFAULT '' NOT NULL,
    certificate_sha256 TEXT DEFAULT '' NOT NULL,
    server_id TEXT DEFAULT '' NOT NULL,
    caller TEXT DEFAULT '' NOT NULL,
    first_at BIGINT DEFAULT 0 NOT NULL,
    acquired_at BIGINT DEFAULT 0 NOT NULL,
    expires_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
);

CREATE UNIQUE INDEX driver_leases_place ON driver_leases (driver, endpoint);

CREATE TABLE driver_preferences (
    vendor TEXT NOT NULL,
    model TEXT NOT NULL,
    driver TEXT DEFAULT '' NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (vendor, model)
);

CREATE TABLE driver_spawners (
    driver TEXT NOT NULL,
    process INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (driver)
);

CREATE TABLE filesystems (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    security_mode INTEGER DEFAULT 0 NOT NULL,
    native_pool_id TEXT DEFAULT '' NOT NULL,
    total_capacity BIGINT DEFAULT 0 NOT NULL,
    used_capacity BIGINT DEFAULT 0 NOT NULL,
    free_capacity BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX filesystems_name ON filesystems (storage_no, name);

CREATE UNIQUE INDEX filesystems_native ON filesystems (storage_no, native_id);

CREATE INDEX filesystems_native_pool_id ON filesystems (storage_no, native_pool_id);

CREATE INDEX filesystems_storage ON filesystems (storage_no);

CREATE TABLE jobs (
    id BLOB NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    state INTEGER DEFAULT 0 NOT NULL,
    storage_no INTEGER DEFAULT 0 NOT NULL,
    storage_id BLOB NOT NULL,
    batch_id BLOB NOT NULL,
    attempt INTEGER DEFAULT 0 NOT NULL,
    cancelled INTEGER DEFAULT 0 NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    ended_at BIGINT DEFAULT 0 NOT NULL,
    requested_by TEXT DEFAULT '' NOT NULL,
    error_code TEXT DEFAULT '' NOT NULL,
    error_msg TEXT DEFAULT '' NOT NULL,
    kinds BLOB NOT NULL,
    deaths INTEGER DEFAULT 0 NOT NULL,
    owner INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX jobs_batch ON jobs (batch_id, created_at);

CREATE INDEX jobs_created ON jobs (created_at);

CREATE INDEX jobs_state ON jobs (state, created_at);

CREATE INDEX jobs_storage ON jobs (storage_no, created_at);

CREATE TABLE kind_states (
    storage_no INTEGER NOT NULL,
    kind TEXT NOT NULL,
    generation BIGINT DEFAULT 0 NOT NULL,
    loaded INTEGER DEFAULT 0 NOT NULL,
    outcome INTEGER DEFAULT 0 NOT NULL,
    total BIGINT DEFAULT 0 NOT NULL,
    added BIGINT DEFAULT 0 NOT NULL,
    changed BIGINT DEFAULT 0 NOT NULL,
    removed BIGINT DEFAULT 0 NOT NULL,
    missing BIGINT DEFAULT 0 NOT NULL,
    missing_answers INTEGER DEFAULT 0 NOT NULL,
    missing_since BIGINT DEFAULT 0 NOT NULL,
    error_code TEXT DEFAULT '' NOT NULL,
    error_msg TEXT DEFAULT '' NOT NULL,
    warnings TEXT DEFAULT '' NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    ended_at BIGINT DEFAULT 0 NOT NULL,
    last_success_at BIGINT DEFAULT 0 NOT NULL,
    answer TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_no, kind)
)
 WITHOUT ROWID;

CREATE TABLE masking_views (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    native_storage_host_group_id TEXT DEFAULT '' NOT NULL,
    native_volume_group_id TEXT DEFAULT '' NOT NULL,
    native_port_group_id TEXT DEFAULT '' NOT NULL,
    native_storage_host_id TEXT DEFAULT '' NOT NULL,
    native_volume_id TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX masking_views_name ON masking_views (storage_no, name);

CREATE UNIQUE INDEX masking_views_native ON masking_views (storage_no, native_id);

CREATE INDEX masking_views_native_port_group_id ON masking_views (storage_no, native_port_group_id);

CREATE INDEX masking_views_native_storage_host_group_id ON masking_views (storage_no, native_storage_host_group_id);

CREATE INDEX masking_views_native_storage_host_id ON masking_views (storage_no, native_storage_host_id);

CREATE INDEX masking_views_native_volume_group_id ON masking_views (storage_no, native_volume_group_id);

CREATE INDEX masking_views_native_volume_id ON masking_views (storage_no, native_volume_id);

CREATE INDEX masking_views_storage ON masking_views (storage_no);

CREATE TABLE members (
    storage_no INTEGER NOT NULL,
    relation TEXT NOT NULL,
    native_id TEXT NOT NULL,
    member TEXT NOT NULL,
    PRIMARY KEY (storage_no, relation, native_id, member)
)
 WITHOUT ROWID;

CREATE INDEX members_member ON members (storage_no, relation, member, native_id);

CREATE TABLE port_groups (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX port_groups_name ON port_groups (storage_no, name);

CREATE UNIQUE INDEX port_groups_native ON port_groups (storage_no, native_id);

CREATE INDEX port_groups_storage ON port_groups (storage_no);

CREATE TABLE ports (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    connection_status INTEGER DEFAULT 0 NOT NULL,
    health_status INTEGER DEFAULT 0 NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    logical_type INTEGER DEFAULT 0 NOT NULL,
    wwn TEXT DEFAULT '' NOT NULL,
    native_parent_id TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX ports_name ON ports (storage_no, name);

CREATE UNIQUE INDEX ports_native ON ports (storage_no, native_id);

CREATE INDEX ports_native_parent_id ON ports (storage_no, native_parent_id);

CREATE INDEX ports_storage ON ports (storage_no);

CREATE INDEX ports_wwn ON ports (storage_no, wwn);

CREATE TABLE qtrees (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    state TEXT DEFAULT '' NOT NULL,
    security_mode INTEGER DEFAULT 0 NOT NULL,
    native_filesystem_id TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX qtrees_name ON qtrees (storage_no, name);

CREATE UNIQUE INDEX qtrees_native ON qtrees (storage_no, native_id);

CREATE INDEX qtrees_native_filesystem_id ON qtrees (storage_no, native_filesystem_id);

CREATE INDEX qtrees_storage ON qtrees (storage_no);

CREATE TABLE quotas (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    native_filesystem_id TEXT DEFAULT '' NOT NULL,
    native_qtree_id TEXT DEFAULT '' NOT NULL,
    user_group_name TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX quotas_name ON quotas (storage_no, name);

CREATE UNIQUE INDEX quotas_native ON quotas (storage_no, native_id);

CREATE INDEX quotas_native_filesystem_id ON quotas (storage_no, native_filesystem_id);

CREATE INDEX quotas_native_qtree_id ON quotas (storage_no, native_qtree_id);

CREATE INDEX quotas_storage ON quotas (storage_no);

CREATE TABLE request_ids (
    request_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    storage_id BLOB NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (request_id)
);

CREATE INDEX request_ids_created ON request_ids (created_at);

CREATE TABLE settings (
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE shares (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    protocol INTEGER DEFAULT 0 NOT NULL,
    native_filesystem_id TEXT DEFAULT '' NOT NULL,
    native_qtree_id TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX shares_name ON shares (storage_no, name);

CREATE UNIQUE INDEX shares_native ON shares (storage_no, native_id);

CREATE INDEX shares_native_filesystem_id ON shares (storage_no, native_filesystem_id);

CREATE INDEX shares_native_qtree_id ON shares (storage_no, native_qtree_id);

CREATE INDEX shares_storage ON shares (storage_no);

CREATE TABLE storage_host_groups (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX storage_host_groups_name ON storage_host_groups (storage_no, name);

CREATE UNIQUE INDEX storage_host_groups_native ON storage_host_groups (storage_no, native_id);

CREATE INDEX storage_host_groups_storage ON storage_host_groups (storage_no);

CREATE TABLE storage_host_initiators (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    wwn TEXT DEFAULT '' NOT NULL,
    native_storage_host_id TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX storage_host_initiators_name ON storage_host_initiators (storage_no, name);

CREATE UNIQUE INDEX storage_host_initiators_native ON storage_host_initiators (storage_no, native_id);

CREATE INDEX storage_host_initiators_native_storage_host_id ON storage_host_initiators (storage_no, native_storage_host_id);

CREATE INDEX storage_host_initiators_storage ON storage_host_initiators (storage_no);

CREATE INDEX storage_host_initiators_wwn ON storage_host_initiators (storage_no, wwn);

CREATE TABLE storage_hosts (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    os_type INTEGER DEFAULT 0 NOT NULL,
    ip_address TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX storage_hosts_name ON storage_hosts (storage_no, name);

CREATE UNIQUE INDEX storage_hosts_native ON storage_hosts (storage_no, native_id);

CREATE INDEX storage_hosts_storage ON storage_hosts (storage_no);

CREATE TABLE storage_labels (
    storage_no INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    value TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_no, "key")
)
 WITHOUT ROWID;

CREATE INDEX storage_labels_value ON storage_labels ("key", value, storage_no);

CREATE TABLE storage_pools (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    storage_type INTEGER DEFAULT 0 NOT NULL,
    total_capacity BIGINT DEFAULT 0 NOT NULL,
    used_capacity BIGINT DEFAULT 0 NOT NULL,
    free_capacity BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX storage_pools_name ON storage_pools (storage_no, name);

CREATE UNIQUE INDEX storage_pools_native ON storage_pools (storage_no, native_id);

CREATE INDEX storage_pools_storage ON storage_pools (storage_no);

CREATE TABLE storages (
    no INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL,
    driver_vendor TEXT DEFAULT '' NOT NULL,
    driver_model TEXT DEFAULT '' NOT NULL,
    serial_number TEXT DEFAULT '' NOT NULL,
    pending_serial_number TEXT DEFAULT '' NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    vendor TEXT DEFAULT '' NOT NULL,
    model TEXT DEFAULT '' NOT NULL,
    firmware_version TEXT DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    driver_part BLOB NOT NULL,
    display_name TEXT DEFAULT '' NOT NULL,
    sync_interval BIGINT DEFAULT 0 NOT NULL,
    pause_reason TEXT DEFAULT '' NOT NULL,
    pause_since BIGINT DEFAULT 0 NOT NULL,
    pause_until BIGINT DEFAULT 0 NOT NULL,
    paused INTEGER DEFAULT 0 NOT NULL,
    labels BLOB NOT NULL,
    sync_status INTEGER DEFAULT 0 NOT NULL,
    sync_outcome INTEGER DEFAULT 0 NOT NULL,
    sync_error TEXT DEFAULT '' NOT NULL,
    last_success_at BIGINT DEFAULT 0 NOT NULL,
    next_sync_at BIGINT DEFAULT 0 NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    deleted_at BIGINT DEFAULT 0 NOT NULL,
    UNIQUE (id)
);

CREATE INDEX storages_created ON storages (created_at);

CREATE INDEX storages_deleted ON storages (no) WHERE deleted_at > 0;

CREATE INDEX storages_serial ON storages (driver_vendor, driver_model, serial_number);

CREATE TABLE tokens (
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    scopes TEXT DEFAULT '' NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    expires_at BIGINT DEFAULT 0 NOT NULL,
    last_used_at BIGINT DEFAULT 0 NOT NULL,
    driver TEXT DEFAULT '' NOT NULL,
    serves TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name),
    UNIQUE (secret_hash)
);

CREATE TABLE tombstones (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    kind TEXT NOT NULL,
    native_id TEXT NOT NULL,
    identity TEXT DEFAULT '' NOT NULL,
    id BLOB NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    removed_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX tombstones_id ON tombstones (id);

CREATE INDEX tombstones_native ON tombstones (storage_no, kind, native_id);

CREATE INDEX tombstones_removed ON tombstones (removed_at);

CREATE TABLE volume_groups (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX volume_groups_name ON volume_groups (storage_no, name);

CREATE UNIQUE INDEX volume_groups_native ON volume_groups (storage_no, native_id);

CREATE INDEX volume_groups_storage ON volume_groups (storage_no);

CREATE TABLE volumes (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    wwn TEXT DEFAULT '' NOT NULL,
    native_storage_pool_id TEXT DEFAULT '' NOT NULL,
    total_capacity BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX volumes_name ON volumes (storage_no, name);

CREATE UNIQUE INDEX volumes_native ON volumes (storage_no, native_id);

CREATE INDEX volumes_native_storage_pool_id ON volumes (storage_no, native_storage_pool_id, status);

CREATE INDEX volumes_storage ON volumes (storage_no);

CREATE INDEX volumes_wwn ON volumes (storage_no, wwn);

