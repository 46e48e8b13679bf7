CREATE SEQUENCE writer_numbers;

CREATE TABLE access_endpoints (
    storage_no INTEGER NOT NULL,
    block TEXT COLLATE "C" NOT NULL,
    host TEXT COLLATE "C" DEFAULT '' NOT NULL,
    port INTEGER DEFAULT 0 NOT NULL,
    selector TEXT COLLATE "C" DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_no, block)
);

CREATE INDEX access_endpoints_address ON access_endpoints (host, port);

CREATE TABLE access_infos (
    storage_no INTEGER NOT NULL,
    revision BIGINT DEFAULT 0 NOT NULL,
    key_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    ciphertext BYTEA NOT NULL,
    plain BYTEA NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_no)
);

CREATE TABLE array_evictions (
    server_id TEXT COLLATE "C" NOT NULL,
    storage_id TEXT COLLATE "C" NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    since BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (server_id, storage_id)
);

CREATE TABLE array_owners (
    storage_id TEXT COLLATE "C" NOT NULL,
    server_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    since BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE INDEX array_owners_since ON array_owners (since);

CREATE TABLE audit_entries (
    no BIGSERIAL NOT NULL,
    at BIGINT DEFAULT 0 NOT NULL,
    caller TEXT COLLATE "C" DEFAULT '' NOT NULL,
    method TEXT COLLATE "C" DEFAULT '' NOT NULL,
    resource_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    code TEXT COLLATE "C" DEFAULT '' NOT NULL,
    reason TEXT COLLATE "C" DEFAULT '' NOT NULL,
    request_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    peer TEXT COLLATE "C" DEFAULT '' NOT NULL,
    PRIMARY KEY (no)
);

CREATE INDEX audit_entries_at ON audit_entries (at);

CREATE TABLE change_blocks (
    no BIGSERIAL NOT NULL,
    storage_no INTEGER NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    kind TEXT COLLATE "C" DEFAULT '' NOT NULL,
    at BIGINT DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (no)
);

CREATE UNIQUE INDEX change_blocks_last ON change_blocks (storage_no, last);

CREATE TABLE change_positions (
    storage_no INTEGER NOT NULL,
    storage_id BYTEA NOT NULL,
    position BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_no)
);

CREATE TABLE controllers (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX controllers_name ON controllers (storage_no, name, seq);

CREATE UNIQUE INDEX controllers_native ON controllers (storage_no, native_id);

CREATE INDEX controllers_storage ON controllers (storage_no, seq);

CREATE TABLE disks (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    physical_type INTEGER DEFAULT 0 NOT NULL,
    logical_type INTEGER DEFAULT 0 NOT NULL,
    serial_number TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_disk_group_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    capacity BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX disks_name ON disks (storage_no, name, seq);

CREATE UNIQUE INDEX disks_native ON disks (storage_no, native_id);

CREATE INDEX disks_storage ON disks (storage_no, seq);

CREATE TABLE driver_leases (
    id BYTEA NOT NULL,
    driver TEXT COLLATE "C" NOT NULL,
    endpoint TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" DEFAULT '' NOT NULL,
    serves TEXT COLLATE "C" DEFAULT '' NOT NULL,
    certificate_sha256 TEXT COLLATE "C" DEFAULT '' NOT NULL,
    server_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    caller TEXT COLLATE "C" DEFAULT '' NOT NULL,
    first_at BIGINT DEFAULT 0 NOT NULL,
    acquired_at BIGINT DEFAULT 0 NOT NULL,
    expires_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
);

CREATE UNIQUE INDEX driver_leases_place ON driver_leases (driver, endpoint);

CREATE TABLE driver_preferences (
    vendor TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    driver TEXT COLLATE "C" DEFAULT '' NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (vendor, model)
);

CREATE TABLE driver_spawners (
    driver TEXT COLLATE "C" NOT NULL,
    process INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (driver)
);

CREATE TABLE filesystems (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    security_mode INTEGER DEFAULT 0 NOT NULL,
    native_pool_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    total_capacity BIGINT DEFAULT 0 NOT NULL,
    used_capacity BIGINT DEFAULT 0 NOT NULL,
    free_capacity BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX filesystems_name ON filesystems (storage_no, name, seq);

CREATE UNIQUE INDEX filesystems_native ON filesystems (storage_no, native_id);

CREATE INDEX filesystems_native_pool_id ON filesystems (storage_no, native_pool_id, seq);

CREATE INDEX filesystems_storage ON filesystems (storage_no, seq);

CREATE TABLE jobs (
    id BYTEA NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    state INTEGER DEFAULT 0 NOT NULL,
    storage_no INTEGER DEFAULT 0 NOT NULL,
    storage_id BYTEA NOT NULL,
    batch_id BYTEA NOT NULL,
    attempt INTEGER DEFAULT 0 NOT NULL,
    cancelled INTEGER DEFAULT 0 NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    ended_at BIGINT DEFAULT 0 NOT NULL,
    requested_by TEXT COLLATE "C" DEFAULT '' NOT NULL,
    error_code TEXT COLLATE "C" DEFAULT '' NOT NULL,
    error_msg TEXT COLLATE "C" DEFAULT '' NOT NULL,
    kinds BYTEA NOT NULL,
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
    kind TEXT COLLATE "C" NOT NULL,
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
    error_code TEXT COLLATE "C" DEFAULT '' NOT NULL,
    error_msg TEXT COLLATE "C" DEFAULT '' NOT NULL,
    warnings TEXT COLLATE "C" DEFAULT '' NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    ended_at BIGINT DEFAULT 0 NOT NULL,
    last_success_at BIGINT DEFAULT 0 NOT NULL,
    answer TEXT COLLATE "C" DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_no, kind)
);

CREATE TABLE masking_views (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_storage_host_group_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_volume_group_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_port_group_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_storage_host_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_volume_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX masking_views_name ON masking_views (storage_no, name, seq);

CREATE UNIQUE INDEX masking_views_native ON masking_views (storage_no, native_id);

CREATE INDEX masking_views_native_port_group_id ON masking_views (storage_no, native_port_group_id, seq);

CREATE INDEX masking_views_native_storage_host_group_id ON masking_views (storage_no, native_storage_host_group_id, seq);

CREATE INDEX masking_views_native_storage_host_id ON masking_views (storage_no, native_storage_host_id, seq);

CREATE INDEX masking_views_native_volume_group_id ON masking_views (storage_no, native_volume_group_id, seq);

CREATE INDEX masking_views_native_volume_id ON masking_views (storage_no, native_volume_id, seq);

CREATE INDEX masking_views_storage ON masking_views (storage_no, seq);

CREATE TABLE members (
    storage_no INTEGER NOT NULL,
    relation TEXT COLLATE "C" NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    member TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (storage_no, relation, native_id, member)
);

CREATE INDEX members_member ON members (storage_no, relation, member, native_id);

CREATE TABLE port_groups (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX port_groups_name ON port_groups (storage_no, name, seq);

CREATE UNIQUE INDEX port_groups_native ON port_groups (storage_no, native_id);

CREATE INDEX port_groups_storage ON port_groups (storage_no, seq);

CREATE TABLE ports (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    connection_status INTEGER DEFAULT 0 NOT NULL,
    health_status INTEGER DEFAULT 0 NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    logical_type INTEGER DEFAULT 0 NOT NULL,
    wwn TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_parent_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX ports_name ON ports (storage_no, name, seq);

CREATE UNIQUE INDEX ports_native ON ports (storage_no, native_id);

CREATE INDEX ports_native_parent_id ON ports (storage_no, native_parent_id, seq);

CREATE INDEX ports_storage ON ports (storage_no, seq);

CREATE INDEX ports_wwn ON ports (storage_no, wwn, seq);

CREATE TABLE qtrees (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    state TEXT COLLATE "C" DEFAULT '' NOT NULL,
    security_mode INTEGER DEFAULT 0 NOT NULL,
    native_filesystem_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX qtrees_name ON qtrees (storage_no, name, seq);

CREATE UNIQUE INDEX qtrees_native ON qtrees (storage_no, native_id);

CREATE INDEX qtrees_native_filesystem_id ON qtrees (storage_no, native_filesystem_id, seq);

CREATE INDEX qtrees_storage ON qtrees (storage_no, seq);

CREATE TABLE quotas (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    native_filesystem_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_qtree_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    user_group_name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX quotas_name ON quotas (storage_no, name, seq);

CREATE UNIQUE INDEX quotas_native ON quotas (storage_no, native_id);

CREATE INDEX quotas_native_filesystem_id ON quotas (storage_no, native_filesystem_id, seq);

CREATE INDEX quotas_native_qtree_id ON quotas (storage_no, native_qtree_id, seq);

CREATE INDEX quotas_storage ON quotas (storage_no, seq);

CREATE TABLE request_ids (
    request_id TEXT COLLATE "C" NOT NULL,
    digest BYTEA NOT NULL,
    storage_id BYTEA NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (request_id)
);

CREATE INDEX request_ids_created ON request_ids (created_at);

CREATE TABLE settings (
    name TEXT COLLATE "C" NOT NULL,
    value BYTEA NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE shares (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    protocol INTEGER DEFAULT 0 NOT NULL,
    native_filesystem_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_qtree_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX shares_name ON shares (storage_no, name, seq);

CREATE UNIQUE INDEX shares_native ON shares (storage_no, native_id);

CREATE INDEX shares_native_filesystem_id ON shares (storage_no, native_filesystem_id, seq);

CREATE INDEX shares_native_qtree_id ON shares (storage_no, native_qtree_id, seq);

CREATE INDEX shares_storage ON shares (storage_no, seq);

CREATE TABLE storage_host_groups (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX storage_host_groups_name ON storage_host_groups (storage_no, name, seq);

CREATE UNIQUE INDEX storage_host_groups_native ON storage_host_groups (storage_no, native_id);

CREATE INDEX storage_host_groups_storage ON storage_host_groups (storage_no, seq);

CREATE TABLE storage_host_initiators (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    wwn TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_storage_host_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX storage_host_initiators_name ON storage_host_initiators (storage_no, name, seq);

CREATE UNIQUE INDEX storage_host_initiators_native ON storage_host_initiators (storage_no, native_id);

CREATE INDEX storage_host_initiators_native_storage_host_id ON storage_host_initiators (storage_no, native_storage_host_id, seq);

CREATE INDEX storage_host_initiators_storage ON storage_host_initiators (storage_no, seq);

CREATE INDEX storage_host_initiators_wwn ON storage_host_initiators (storage_no, wwn, seq);

CREATE TABLE storage_hosts (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    os_type INTEGER DEFAULT 0 NOT NULL,
    ip_address TEXT COLLATE "C" DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX storage_hosts_name ON storage_hosts (storage_no, name, seq);

CREATE UNIQUE INDEX storage_hosts_native ON storage_hosts (storage_no, native_id);

CREATE INDEX storage_hosts_storage ON storage_hosts (storage_no, seq);

CREATE TABLE storage_labels (
    storage_no INTEGER NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_no, key)
);

CREATE INDEX storage_labels_value ON storage_labels (key, value, storage_no);

CREATE TABLE storage_pools (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    storage_type INTEGER DEFAULT 0 NOT NULL,
    total_capacity BIGINT DEFAULT 0 NOT NULL,
    used_capacity BIGINT DEFAULT 0 NOT NULL,
    free_capacity BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX storage_pools_name ON storage_pools (storage_no, name, seq);

CREATE UNIQUE INDEX storage_pools_native ON storage_pools (storage_no, native_id);

CREATE INDEX storage_pools_storage ON storage_pools (storage_no, seq);

CREATE TABLE storages (
    no BIGSERIAL NOT NULL,
    id BYTEA NOT NULL,
    driver_vendor TEXT COLLATE "C" DEFAULT '' NOT NULL,
    driver_model TEXT COLLATE "C" DEFAULT '' NOT NULL,
    serial_number TEXT COLLATE "C" DEFAULT '' NOT NULL,
    pending_serial_number TEXT COLLATE "C" DEFAULT '' NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    vendor TEXT COLLATE "C" DEFAULT '' NOT NULL,
    model TEXT COLLATE "C" DEFAULT '' NOT NULL,
    firmware_version TEXT COLLATE "C" DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    driver_part BYTEA NOT NULL,
    display_name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    sync_interval BIGINT DEFAULT 0 NOT NULL,
    pause_reason TEXT COLLATE "C" DEFAULT '' NOT NULL,
    pause_since BIGINT DEFAULT 0 NOT NULL,
    pause_until BIGINT DEFAULT 0 NOT NULL,
    paused INTEGER DEFAULT 0 NOT NULL,
    labels BYTEA NOT NULL,
    sync_status INTEGER DEFAULT 0 NOT NULL,
    sync_outcome INTEGER DEFAULT 0 NOT NULL,
    sync_error TEXT COLLATE "C" DEFAULT '' NOT NULL,
    last_success_at BIGINT DEFAULT 0 NOT NULL,
    next_sync_at BIGINT DEFAULT 0 NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    deleted_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (no),
    UNIQUE (id)
);

CREATE INDEX storages_created ON storages (created_at, no);

CREATE INDEX storages_deleted ON storages (no) WHERE deleted_at > 0;

CREATE INDEX storages_serial ON storages (driver_vendor, driver_model, serial_number);

CREATE TABLE tokens (
    id BYTEA NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    secret_hash BYTEA NOT NULL,
    scopes TEXT COLLATE "C" DEFAULT '' NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    expires_at BIGINT DEFAULT 0 NOT NULL,
    last_used_at BIGINT DEFAULT 0 NOT NULL,
    driver TEXT COLLATE "C" DEFAULT '' NOT NULL,
    serves TEXT COLLATE "C" DEFAULT '' NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name),
    UNIQUE (secret_hash)
);

CREATE TABLE tombstones (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    identity TEXT COLLATE "C" DEFAULT '' NOT NULL,
    id BYTEA NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    removed_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX tombstones_id ON tombstones (id);

CREATE INDEX tombstones_native ON tombstones (storage_no, kind, native_id);

CREATE INDEX tombstones_removed ON tombstones (removed_at);

CREATE TABLE volume_groups (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX volume_groups_name ON volume_groups (storage_no, name, seq);

CREATE UNIQUE INDEX volume_groups_native ON volume_groups (storage_no, native_id);

CREATE INDEX volume_groups_storage ON volume_groups (storage_no, seq);

CREATE TABLE volumes (
    seq BIGINT NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    id BYTEA NOT NULL,
    native_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    wwn TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_storage_pool_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    total_capacity BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
)
 WITH (fillfactor = 75);

CREATE INDEX volumes_name ON volumes (storage_no, name, seq);

CREATE UNIQUE INDEX volumes_native ON volumes (storage_no, native_id);

CREATE INDEX volumes_native_storage_pool_id ON volumes (storage_no, native_storage_pool_id, status, seq);

CREATE INDEX volumes_storage ON volumes (storage_no, seq);

CREATE INDEX volumes_wwn ON volumes (storage_no, wwn, seq);

