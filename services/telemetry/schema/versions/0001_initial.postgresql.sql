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

CREATE UNIQUE INDEX chunks_of_block ON chunks (storage_id, kind, block, begin, metrics);

CREATE TABLE slots (
    storage_id BYTEA NOT NULL,
    kind TEXT COLLATE "C" DEFAULT '' NOT NULL,
    slot INTEGER DEFAULT 0 NOT NULL,
    native_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_id, kind, slot)
);

