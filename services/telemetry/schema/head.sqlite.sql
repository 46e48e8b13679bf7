CREATE TABLE capacities (
    storage_id BLOB NOT NULL,
    kind TEXT DEFAULT '' NOT NULL,
    native_id TEXT DEFAULT '' NOT NULL,
    day INTEGER DEFAULT 0 NOT NULL,
    used BIGINT DEFAULT 0 NOT NULL,
    total BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id, kind, native_id, day)
)
 WITHOUT ROWID;

CREATE TABLE chunks (
    no INTEGER NOT NULL,
    storage_id BLOB NOT NULL,
    kind TEXT DEFAULT '' NOT NULL,
    block INTEGER DEFAULT 0 NOT NULL,
    metrics BLOB NOT NULL,
    "begin" BIGINT DEFAULT 0 NOT NULL,
    step BIGINT DEFAULT 0 NOT NULL,
    steps INTEGER DEFAULT 0 NOT NULL,
    wide INTEGER DEFAULT 0 NOT NULL,
    numbers BLOB NOT NULL,
    PRIMARY KEY (no)
);

CREATE INDEX chunks_by_age ON chunks ("begin");

CREATE UNIQUE INDEX chunks_of_block ON chunks (storage_id, kind, block, "begin", metrics, step, steps);

CREATE TABLE collections (
    storage_id BLOB NOT NULL,
    settings BLOB NOT NULL,
    capabilities BLOB NOT NULL,
    asked_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id)
)
 WITHOUT ROWID;

CREATE TABLE journal (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    storage_id BLOB NOT NULL,
    kind TEXT DEFAULT '' NOT NULL,
    collected_at BIGINT DEFAULT 0 NOT NULL,
    first BIGINT DEFAULT 0 NOT NULL,
    last BIGINT DEFAULT 0 NOT NULL,
    points BIGINT DEFAULT 0 NOT NULL,
    size INTEGER DEFAULT 0 NOT NULL,
    ending BIGINT DEFAULT 0 NOT NULL,
    body BLOB NOT NULL
);

CREATE TABLE kinds (
    storage_id BLOB NOT NULL,
    kind TEXT DEFAULT '' NOT NULL,
    watermark BIGINT DEFAULT 0 NOT NULL,
    newest BIGINT DEFAULT 0 NOT NULL,
    last_success_at BIGINT DEFAULT 0 NOT NULL,
    points BIGINT DEFAULT 0 NOT NULL,
    failures INTEGER DEFAULT 0 NOT NULL,
    failed_at BIGINT DEFAULT 0 NOT NULL,
    failing_since BIGINT DEFAULT 0 NOT NULL,
    error_code TEXT DEFAULT '' NOT NULL,
    error_msg TEXT DEFAULT '' NOT NULL,
    gaps BLOB NOT NULL,
    PRIMARY KEY (storage_id, kind)
)
 WITHOUT ROWID;

CREATE TABLE service (
    no INTEGER NOT NULL,
    starts INTEGER DEFAULT 0 NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (no)
);

CREATE TABLE sinks (
    id BLOB NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    sink BLOB NOT NULL,
    secrets BLOB NOT NULL,
    position BIGINT DEFAULT 0 NOT NULL,
    delivered BIGINT DEFAULT 0 NOT NULL,
    refused BIGINT DEFAULT 0 NOT NULL,
    dropped BIGINT DEFAULT 0 NOT NULL,
    last_success_at BIGINT DEFAULT 0 NOT NULL,
    refusal TEXT DEFAULT '' NOT NULL,
    gaps BLOB NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
)
 WITHOUT ROWID;

CREATE UNIQUE INDEX sinks_by_name ON sinks (name);

CREATE TABLE slots (
    storage_id BLOB NOT NULL,
    kind TEXT DEFAULT '' NOT NULL,
    native_id TEXT DEFAULT '' NOT NULL,
    slot INTEGER DEFAULT 0 NOT NULL,
    gone_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id, kind, native_id)
)
 WITHOUT ROWID;

