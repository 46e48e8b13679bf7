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

CREATE UNIQUE INDEX chunks_of_block ON chunks (storage_id, kind, block, "begin", metrics);

CREATE TABLE slots (
    storage_id BLOB NOT NULL,
    kind TEXT DEFAULT '' NOT NULL,
    slot INTEGER DEFAULT 0 NOT NULL,
    native_id TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_id, kind, slot)
)
 WITHOUT ROWID;

