CREATE TABLE service (
    no BIGINT NOT NULL,
    installation BYTEA NOT NULL,
    starts INTEGER DEFAULT 0 NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (no)
);

