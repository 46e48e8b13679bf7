CREATE TABLE alert_events (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    alert_seq BIGINT DEFAULT 0 NOT NULL,
    storage_id BLOB NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    at BIGINT DEFAULT 0 NOT NULL,
    body BLOB NOT NULL
);

CREATE INDEX alert_events_alert ON alert_events (alert_seq);

CREATE TABLE alert_labels (
    storage_id BLOB NOT NULL,
    "key" TEXT NOT NULL,
    value TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_id, "key")
)
 WITHOUT ROWID;

CREATE INDEX alert_labels_value ON alert_labels ("key", value, storage_id);

CREATE TABLE alert_log (
    no INTEGER NOT NULL,
    forgotten BIGINT DEFAULT 0 NOT NULL,
    swept BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (no)
);

CREATE TABLE alert_polls (
    storage_id BLOB NOT NULL,
    supported INTEGER DEFAULT 0 NOT NULL,
    driver TEXT DEFAULT '' NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    ended_at BIGINT DEFAULT 0 NOT NULL,
    last_success_at BIGINT DEFAULT 0 NOT NULL,
    next_at BIGINT DEFAULT 0 NOT NULL,
    listed BIGINT DEFAULT 0 NOT NULL,
    failures INTEGER DEFAULT 0 NOT NULL,
    error_code TEXT DEFAULT '' NOT NULL,
    error_msg TEXT DEFAULT '' NOT NULL,
    warnings TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE TABLE alert_settings (
    no INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (no)
);

CREATE TABLE alert_sources (
    storage_id BLOB NOT NULL,
    sources BLOB NOT NULL,
    read_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE TABLE alert_storages (
    storage_id BLOB NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    vendor TEXT DEFAULT '' NOT NULL,
    model TEXT DEFAULT '' NOT NULL,
    serial_number TEXT DEFAULT '' NOT NULL,
    labels TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE TABLE alerts (
    seq INTEGER NOT NULL,
    id BLOB NOT NULL,
    storage_id BLOB NOT NULL,
    "key" BLOB NOT NULL,
    state INTEGER DEFAULT 0 NOT NULL,
    severity INTEGER DEFAULT 0 NOT NULL,
    category INTEGER DEFAULT 0 NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    origin INTEGER DEFAULT 0 NOT NULL,
    acknowledged INTEGER DEFAULT 0 NOT NULL,
    count BIGINT DEFAULT 0 NOT NULL,
    vendor TEXT DEFAULT '' NOT NULL,
    model TEXT DEFAULT '' NOT NULL,
    alert_id TEXT DEFAULT '' NOT NULL,
    alert_name TEXT DEFAULT '' NOT NULL,
    sequence_number TEXT DEFAULT '' NOT NULL,
    resource_type TEXT DEFAULT '' NOT NULL,
    native_resource_id TEXT DEFAULT '' NOT NULL,
    first_raised_at BIGINT DEFAULT 0 NOT NULL,
    last_raised_at BIGINT DEFAULT 0 NOT NULL,
    cleared_at BIGINT DEFAULT 0 NOT NULL,
    occurred_at BIGINT DEFAULT 0 NOT NULL,
    last_listed_at BIGINT DEFAULT 0 NOT NULL,
    last_told_at BIGINT DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX alerts_alert_id ON alerts (state, alert_id, last_raised_at);

CREATE INDEX alerts_cleared ON alerts (cleared_at) WHERE state = 3;

CREATE UNIQUE INDEX alerts_key ON alerts ("key") WHERE state = 2;

CREATE INDEX alerts_severity ON alerts (state, severity, last_raised_at);

CREATE INDEX alerts_state ON alerts (state, last_raised_at);

CREATE INDEX alerts_storage ON alerts (state, storage_id, last_raised_at);

CREATE INDEX alerts_vendor ON alerts (state, vendor, last_raised_at);

CREATE TABLE engine_clocks (
    engine_id BLOB NOT NULL,
    owner TEXT NOT NULL,
    boots INTEGER DEFAULT 0 NOT NULL,
    time INTEGER DEFAULT 0 NOT NULL,
    received_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (engine_id, owner)
)
 WITHOUT ROWID;

CREATE TABLE own_conditions (
    storage_id BLOB NOT NULL,
    "key" TEXT NOT NULL,
    since BIGINT DEFAULT 0 NOT NULL,
    severity INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id, "key")
)
 WITHOUT ROWID;

CREATE TABLE receiver_lanes (
    no INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    receiver_id BLOB NOT NULL,
    ordinal INTEGER DEFAULT 0 NOT NULL,
    position BIGINT DEFAULT 0 NOT NULL,
    delivered BIGINT DEFAULT 0 NOT NULL,
    dropped BIGINT DEFAULT 0 NOT NULL,
    last_success_at BIGINT DEFAULT 0 NOT NULL
);

CREATE UNIQUE INDEX receiver_lanes_receiver ON receiver_lanes (receiver_id, ordinal);

CREATE TABLE receivers (
    id BLOB NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    receiver BLOB NOT NULL,
    secrets BLOB NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
);

CREATE TABLE service (
    no INTEGER NOT NULL,
    installation BLOB NOT NULL,
    starts INTEGER DEFAULT 0 NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (no)
);

CREATE TABLE silences (
    id BLOB NOT NULL,
    "match" BLOB NOT NULL,
    starts_at BIGINT DEFAULT 0 NOT NULL,
    ends_at BIGINT DEFAULT 0 NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    created_by TEXT DEFAULT '' NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX silences_end ON silences (ends_at);

CREATE TABLE snmp_configs (
    storage_id BLOB NOT NULL,
    config BLOB NOT NULL,
    secrets BLOB NOT NULL,
    reachability INTEGER DEFAULT 0 NOT NULL,
    checked_at BIGINT DEFAULT 0 NOT NULL,
    receiver_state INTEGER DEFAULT 0 NOT NULL,
    receiver_problem TEXT DEFAULT '' NOT NULL,
    told BLOB NOT NULL,
    retry_at BIGINT DEFAULT 0 NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE TABLE spool_reads (
    spool TEXT NOT NULL,
    position BLOB NOT NULL,
    PRIMARY KEY (spool)
);

CREATE TABLE told_alerts (
    lane BIGINT DEFAULT 0 NOT NULL,
    seq BIGINT DEFAULT 0 NOT NULL,
    standing INTEGER DEFAULT 0 NOT NULL,
    identity BLOB NOT NULL,
    PRIMARY KEY (lane, seq)
)
 WITHOUT ROWID;

CREATE TABLE traps (
    seq INTEGER NOT NULL,
    state INTEGER DEFAULT 0 NOT NULL,
    source_address TEXT DEFAULT '' NOT NULL,
    received_at BIGINT DEFAULT 0 NOT NULL,
    storage_id BLOB NOT NULL,
    candidates BLOB NOT NULL,
    asked INTEGER DEFAULT 0 NOT NULL,
    problem TEXT DEFAULT '' NOT NULL,
    size INTEGER DEFAULT 0 NOT NULL,
    trap BLOB NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX traps_kept ON traps (seq) WHERE state > 2;

CREATE INDEX traps_source ON traps (source_address, seq) WHERE state > 2;

CREATE INDEX traps_state ON traps (state);

CREATE INDEX traps_storage ON traps (storage_id, state);

