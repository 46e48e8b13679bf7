CREATE TABLE service (
    no INTEGER NOT NULL,
    installation BLOB NOT NULL,
    starts INTEGER DEFAULT 0 NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (no)
);

