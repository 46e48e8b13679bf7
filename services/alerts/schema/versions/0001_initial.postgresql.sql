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
    wanted INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE TABLE alert_sources (
    storage_id BYTEA NOT NULL,
    sources BYTEA NOT NULL,
    read_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE TABLE engine_clocks (
    engine_id BYTEA NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    boots INTEGER DEFAULT 0 NOT NULL,
    time INTEGER DEFAULT 0 NOT NULL,
    received_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (engine_id, owner)
);

CREATE TABLE kept_traps (
    no BIGSERIAL NOT NULL,
    state INTEGER DEFAULT 0 NOT NULL,
    source_address TEXT COLLATE "C" DEFAULT '' NOT NULL,
    received_at BIGINT DEFAULT 0 NOT NULL,
    storage_id BYTEA NOT NULL,
    candidates BYTEA NOT NULL,
    problem TEXT COLLATE "C" DEFAULT '' NOT NULL,
    size INTEGER DEFAULT 0 NOT NULL,
    trap BYTEA NOT NULL,
    PRIMARY KEY (no)
);

CREATE INDEX kept_traps_source ON kept_traps (source_address, no);

CREATE INDEX kept_traps_state ON kept_traps (state, no);

CREATE INDEX kept_traps_storage ON kept_traps (storage_id, no) WHERE length(storage_id) > 0;

CREATE TABLE own_conditions (
    storage_id BYTEA NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    since BIGINT DEFAULT 0 NOT NULL,
    severity INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id, key)
);

CREATE TABLE service (
    no BIGINT NOT NULL,
    installation BYTEA NOT NULL,
    starts INTEGER DEFAULT 0 NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (no)
);

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

CREATE TABLE waiting_traps (
    no BIGSERIAL NOT NULL,
    storage_id BYTEA NOT NULL,
    candidates BYTEA NOT NULL,
    asked INTEGER DEFAULT 0 NOT NULL,
    received_at BIGINT DEFAULT 0 NOT NULL,
    size INTEGER DEFAULT 0 NOT NULL,
    trap BYTEA NOT NULL,
    PRIMARY KEY (no)
);

CREATE INDEX waiting_traps_age ON waiting_traps (received_at, no);

CREATE INDEX waiting_traps_storage ON waiting_traps (storage_id, no);

