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
    wanted INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE TABLE alert_sources (
    storage_id BLOB NOT NULL,
    sources BLOB NOT NULL,
    read_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE TABLE engine_clocks (
    engine_id BLOB NOT NULL,
    owner TEXT NOT NULL,
    boots INTEGER DEFAULT 0 NOT NULL,
    time INTEGER DEFAULT 0 NOT NULL,
    received_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (engine_id, owner)
)
 WITHOUT ROWID;

CREATE TABLE kept_traps (
    no INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    state INTEGER DEFAULT 0 NOT NULL,
    source_address TEXT DEFAULT '' NOT NULL,
    received_at BIGINT DEFAULT 0 NOT NULL,
    storage_id BLOB NOT NULL,
    candidates BLOB NOT NULL,
    problem TEXT DEFAULT '' NOT NULL,
    size INTEGER DEFAULT 0 NOT NULL,
    trap BLOB NOT NULL
);

CREATE INDEX kept_traps_source ON kept_traps (source_address);

CREATE INDEX kept_traps_state ON kept_traps (state);

CREATE INDEX kept_traps_storage ON kept_traps (storage_id, no) WHERE length(storage_id) > 0;

CREATE TABLE own_conditions (
    storage_id BLOB NOT NULL,
    "key" TEXT NOT NULL,
    since BIGINT DEFAULT 0 NOT NULL,
    severity INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id, "key")
)
 WITHOUT ROWID;

CREATE TABLE service (
    no INTEGER NOT NULL,
    installation BLOB NOT NULL,
    starts INTEGER DEFAULT 0 NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (no)
);

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

CREATE TABLE waiting_traps (
    no INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    storage_id BLOB NOT NULL,
    candidates BLOB NOT NULL,
    asked INTEGER DEFAULT 0 NOT NULL,
    received_at BIGINT DEFAULT 0 NOT NULL,
    size INTEGER DEFAULT 0 NOT NULL,
    trap BLOB NOT NULL
);

CREATE INDEX waiting_traps_age ON waiting_traps (received_at);

CREATE INDEX waiting_traps_storage ON waiting_traps (storage_id);

