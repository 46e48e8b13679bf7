CREATE TABLE alert_events (
    position BIGSERIAL NOT NULL,
    alert_seq BIGINT DEFAULT 0 NOT NULL,
    storage_id BYTEA NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    at BIGINT DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (position)
);

CREATE INDEX alert_events_alert ON alert_events (alert_seq, position);

CREATE TABLE alert_labels (
    storage_id BYTEA NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_id, key)
);

CREATE INDEX alert_labels_value ON alert_labels (key, value, storage_id);

CREATE TABLE alert_log (
    no BIGINT NOT NULL,
    forgotten BIGINT DEFAULT 0 NOT NULL,
    swept BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (no)
);

CREATE TABLE alert_polls (
    storage_id BYTEA NOT NULL,
    supported INTEGER DEFAULT 0 NOT NULL,
    driver TEXT COLLATE "C" DEFAULT '' NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    ended_at BIGINT DEFAULT 0 NOT NULL,
    last_success_at BIGINT DEFAULT 0 NOT NULL,
    next_at BIGINT DEFAULT 0 NOT NULL,
    listed BIGINT DEFAULT 0 NOT NULL,
    failures INTEGER DEFAULT 0 NOT NULL,
    error_code TEXT COLLATE "C" DEFAULT '' NOT NULL,
    error_msg TEXT COLLATE "C" DEFAULT '' NOT NULL,
    warnings TEXT COLLATE "C" DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE TABLE alert_settings (
    no BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (no)
);

CREATE TABLE alert_sources (
    storage_id BYTEA NOT NULL,
    sources BYTEA NOT NULL,
    read_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE TABLE alert_storages (
    storage_id BYTEA NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    vendor TEXT COLLATE "C" DEFAULT '' NOT NULL,
    model TEXT COLLATE "C" DEFAULT '' NOT NULL,
    serial_number TEXT COLLATE "C" DEFAULT '' NOT NULL,
    labels TEXT COLLATE "C" DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE TABLE alerts (
    seq BIGINT NOT NULL,
    id BYTEA NOT NULL,
    storage_id BYTEA NOT NULL,
    key BYTEA NOT NULL,
    state INTEGER DEFAULT 0 NOT NULL,
    severity INTEGER DEFAULT 0 NOT NULL,
    category INTEGER DEFAULT 0 NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    origin INTEGER DEFAULT 0 NOT NULL,
    acknowledged INTEGER DEFAULT 0 NOT NULL,
    count BIGINT DEFAULT 0 NOT NULL,
    vendor TEXT COLLATE "C" DEFAULT '' NOT NULL,
    model TEXT COLLATE "C" DEFAULT '' NOT NULL,
    alert_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    alert_name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    sequence_number TEXT COLLATE "C" DEFAULT '' NOT NULL,
    resource_type TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_resource_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    first_raised_at BIGINT DEFAULT 0 NOT NULL,
    last_raised_at BIGINT DEFAULT 0 NOT NULL,
    cleared_at BIGINT DEFAULT 0 NOT NULL,
    occurred_at BIGINT DEFAULT 0 NOT NULL,
    last_listed_at BIGINT DEFAULT 0 NOT NULL,
    last_told_at BIGINT DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX alerts_alert_id ON alerts (state, alert_id, last_raised_at, seq);

CREATE INDEX alerts_cleared ON alerts (cleared_at) WHERE state = 3;

CREATE UNIQUE INDEX alerts_key ON alerts (key) WHERE state = 2;

CREATE INDEX alerts_severity ON alerts (state, severity, last_raised_at, seq);

CREATE INDEX alerts_state ON alerts (state, last_raised_at, seq);

CREATE INDEX alerts_storage ON alerts (state, storage_id, last_raised_at, seq);

CREATE INDEX alerts_vendor ON alerts (state, vendor, last_raised_at, seq);

CREATE TABLE engine_clocks (
    engine_id BYTEA NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    boots INTEGER DEFAULT 0 NOT NULL,
    time INTEGER DEFAULT 0 NOT NULL,
    received_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (engine_id, owner)
);

CREATE TABLE own_conditions (
    storage_id BYTEA NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    since BIGINT DEFAULT 0 NOT NULL,
    severity INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id, key)
);

CREATE TABLE receiver_lanes (
    no BIGSERIAL NOT NULL,
    receiver_id BYTEA NOT NULL,
    ordinal INTEGER DEFAULT 0 NOT NULL,
    position BIGINT DEFAULT 0 NOT NULL,
    delivered BIGINT DEFAULT 0 NOT NULL,
    dropped BIGINT DEFAULT 0 NOT NULL,
    last_success_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (no)
);

CREATE UNIQUE INDEX receiver_lanes_receiver ON receiver_lanes (receiver_id, ordinal);

CREATE TABLE receivers (
    id BYTEA NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    receiver BYTEA NOT NULL,
    secrets BYTEA NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
);

CREATE TABLE service (
    no BIGINT NOT NULL,
    installation BYTEA NOT NULL,
    starts INTEGER DEFAULT 0 NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (no)
);

CREATE TABLE silences (
    id BYTEA NOT NULL,
    match BYTEA NOT NULL,
    starts_at BIGINT DEFAULT 0 NOT NULL,
    ends_at BIGINT DEFAULT 0 NOT NULL,
    reason TEXT COLLATE "C" DEFAULT '' NOT NULL,
    created_by TEXT COLLATE "C" DEFAULT '' NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX silences_end ON silences (ends_at, id);

CREATE TABLE snmp_configs (
    storage_id BYTEA NOT NULL,
    config BYTEA NOT NULL,
    secrets BYTEA NOT NULL,
    reachability INTEGER DEFAULT 0 NOT NULL,
    checked_at BIGINT DEFAULT 0 NOT NULL,
    receiver_state INTEGER DEFAULT 0 NOT NULL,
    receiver_problem TEXT COLLATE "C" DEFAULT '' NOT NULL,
    told BYTEA NOT NULL,
    retry_at BIGINT DEFAULT 0 NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE TABLE spool_reads (
    spool TEXT COLLATE "C" NOT NULL,
    position BYTEA NOT NULL,
    PRIMARY KEY (spool)
);

CREATE TABLE told_alerts (
    lane BIGINT DEFAULT 0 NOT NULL,
    seq BIGINT DEFAULT 0 NOT NULL,
    standing INTEGER DEFAULT 0 NOT NULL,
    identity BYTEA NOT NULL,
    PRIMARY KEY (lane, seq)
);

CREATE TABLE traps (
    seq BIGINT NOT NULL,
    state INTEGER DEFAULT 0 NOT NULL,
    source_address TEXT COLLATE "C" DEFAULT '' NOT NULL,
    received_at BIGINT DEFAULT 0 NOT NULL,
    storage_id BYTEA NOT NULL,
    candidates BYTEA NOT NULL,
    asked INTEGER DEFAULT 0 NOT NULL,
    problem TEXT COLLATE "C" DEFAULT '' NOT NULL,
    size INTEGER DEFAULT 0 NOT NULL,
    trap BYTEA NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX traps_kept ON traps (seq) WHERE state > 2;

CREATE INDEX traps_source ON traps (source_address, seq) WHERE state > 2;

CREATE INDEX traps_state ON traps (state, seq);

CREATE INDEX traps_storage ON traps (storage_id, state, seq);

