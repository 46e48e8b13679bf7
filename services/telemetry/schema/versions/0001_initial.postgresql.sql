CREATE TABLE capacities (
    storage_id BYTEA NOT NULL,
    kind TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    day INTEGER DEFAULT 0 NOT NULL,
    used BIGINT DEFAULT 0 NOT NULL,
    total BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id, kind, native_id, day)
);

CREATE TABLE chunks (
    no BIGSERIAL NOT NULL,
    storage_id BYTEA NOT NULL,
    kind TEXT COLLATE "C" DEFAULT '' NOT NULL,
    block INTEGER DEFAULT 0 NOT NULL,
    metrics BYTEA NOT NULL,
    begin BIGINT DEFAULT 0 NOT NULL,
    step BIGINT DEFAULT 0 NOT NULL,
    steps INTEGER DEFAULT 0 NOT NULL,
    wide INTEGER DEFAULT 0 NOT NULL,
    numbers BYTEA NOT NULL,
    PRIMARY KEY (no)
);

CREATE INDEX chunks_by_age ON chunks (begin);

CREATE UNIQUE INDEX chunks_of_block ON chunks (storage_id, kind, block, begin, metrics, step, steps);

CREATE TABLE collections (
    storage_id BYTEA NOT NULL,
    settings BYTEA NOT NULL,
    capabilities BYTEA NOT NULL,
    asked_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id)
);

CREATE TABLE journal (
    position BIGSERIAL NOT NULL,
    storage_id BYTEA NOT NULL,
    kind TEXT COLLATE "C" DEFAULT '' NOT NULL,
    collected_at BIGINT DEFAULT 0 NOT NULL,
    first BIGINT DEFAULT 0 NOT NULL,
    last BIGINT DEFAULT 0 NOT NULL,
    points BIGINT DEFAULT 0 NOT NULL,
    size INTEGER DEFAULT 0 NOT NULL,
    ending BIGINT DEFAULT 0 NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (position)
);

CREATE TABLE kinds (
    storage_id BYTEA NOT NULL,
    kind TEXT COLLATE "C" DEFAULT '' NOT NULL,
    watermark BIGINT DEFAULT 0 NOT NULL,
    newest BIGINT DEFAULT 0 NOT NULL,
    last_success_at BIGINT DEFAULT 0 NOT NULL,
    points BIGINT DEFAULT 0 NOT NULL,
    failures INTEGER DEFAULT 0 NOT NULL,
    failed_at BIGINT DEFAULT 0 NOT NULL,
    failing_since BIGINT DEFAULT 0 NOT NULL,
    error_code TEXT COLLATE "C" DEFAULT '' NOT NULL,
    error_msg TEXT COLLATE "C" DEFAULT '' NOT NULL,
    gaps BYTEA NOT NULL,
    PRIMARY KEY (storage_id, kind)
);

CREATE TABLE service (
    no BIGINT NOT NULL,
    starts INTEGER DEFAULT 0 NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (no)
);

CREATE TABLE sinks (
    id BYTEA NOT NULL,
    name TEXT COLLATE "C" DEFAULT '' NOT NULL,
    sink BYTEA NOT NULL,
    secrets BYTEA NOT NULL,
    position BIGINT DEFAULT 0 NOT NULL,
    delivered BIGINT DEFAULT 0 NOT NULL,
    refused BIGINT DEFAULT 0 NOT NULL,
    dropped BIGINT DEFAULT 0 NOT NULL,
    last_success_at BIGINT DEFAULT 0 NOT NULL,
    refusal TEXT COLLATE "C" DEFAULT '' NOT NULL,
    gaps BYTEA NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
);

CREATE UNIQUE INDEX sinks_by_name ON sinks (name);

CREATE TABLE slots (
    storage_id BYTEA NOT NULL,
    kind TEXT COLLATE "C" DEFAULT '' NOT NULL,
    native_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    slot INTEGER DEFAULT 0 NOT NULL,
    gone_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id, kind, native_id)
);

