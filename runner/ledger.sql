-- Version 3. An item's id is its target's number shifted left by 24 bits plus its place there, so that ids ascend in plan
-- order, a run is one range of ids, and no index has to be kept while a run is written.
CREATE TABLE run (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    plan TEXT NOT NULL,          -- JSON: name, path, sha256, description, metadata
    rules TEXT NOT NULL,         -- JSON: guards, window, limit: what a resume has to hold to as well
    dry_run INTEGER NOT NULL,
    sandbox INTEGER NOT NULL,
    rollback_of TEXT,
    reason TEXT,
    started_at REAL NOT NULL,
    finished_at REAL,
    ending TEXT,
    signal INTEGER,
    command TEXT,                -- what somebody else wants of the process at work: pause, unpause, stop
    command_reason TEXT,
    notes TEXT NOT NULL DEFAULT '[]',
    tabs TEXT,                   -- JSON: how many items of each target stand alike, counted when a process left the run
    version TEXT NOT NULL,
    host TEXT NOT NULL,
    user TEXT NOT NULL
) STRICT;

CREATE TABLE target (
    no INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run,
    account TEXT NOT NULL,
    provider TEXT NOT NULL,
    target TEXT,
    whole INTEGER NOT NULL,      -- 1: every number attached when the pre-check looks, 2: the pre-check has looked
    if_missing INTEGER NOT NULL  -- 1: it may be gone already
) STRICT;
CREATE INDEX target_of_run ON target (run);

CREATE TABLE step (
    old TEXT NOT NULL,
    new TEXT NOT NULL,
    PRIMARY KEY (old, new)
) STRICT, WITHOUT ROWID;

CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    number TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'planned',
    seen INTEGER NOT NULL DEFAULT 0,  -- 1: the newest pre-check saw it attached to its target; in a rollback: free
    before TEXT,                      -- JSON: what that look saw; in a rollback: where it is put back
    confirmed_by TEXT,
    reason TEXT,
    error_code TEXT,
    error_message TEXT,
    http_status INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    marked INTEGER NOT NULL DEFAULT 0,  -- 1: it was in flight when an earlier process ended, which may have sent it
    finished_at REAL,
    verified INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TRIGGER item_begins_planned BEFORE INSERT ON item
WHEN NEW.state <> 'planned'
BEGIN SELECT RAISE(ABORT, 'step refused: an item begins as planned'); END;

CREATE TRIGGER item_steps BEFORE UPDATE OF state ON item
WHEN OLD.state <> NEW.state AND NOT EXISTS (SELECT 1 FROM step WHERE old = OLD.state AND new = NEW.state)
BEGIN SELECT RAISE(ABORT, 'step refused: this step is not in the table of allowed steps'); END;

CREATE TRIGGER item_sent_only_when_seen BEFORE UPDATE OF state ON item
WHEN NEW.state = 'in_flight' AND OLD.state <> 'in_flight' AND OLD.seen = 0
BEGIN SELECT RAISE(ABORT, 'step refused: only a number that a look saw to need it may be sent'); END;

CREATE TABLE attempt (
    item INTEGER NOT NULL,
    at REAL NOT NULL,
    latency_ms REAL NOT NULL,
    http_status INTEGER,
    error_code TEXT                   -- null: the documented success
) STRICT;

CREATE INDEX attempt_of_item ON attempt (item);

CREATE TRIGGER attempt_stays BEFORE UPDATE ON attempt
BEGIN SELECT RAISE(ABORT, 'step refused: attempts are only ever added'); END;
CREATE TRIGGER attempt_remains BEFORE DELETE ON attempt
BEGIN SELECT RAISE(ABORT, 'step refused: attempts are only ever added'); END;

-- How long numbers that are moved were attached to nothing stands in `gap`: entries.py makes it, in older ledgers too.

CREATE TABLE lease (
    account TEXT PRIMARY KEY,
    run TEXT NOT NULL,
    session TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process TEXT NOT NULL,            -- tells a process from a later one with the same pid
    expires_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lane (
    run INTEGER NOT NULL REFERENCES run,
    session TEXT NOT NULL,            -- one process working on the run
    account TEXT NOT NULL,
    rate REAL NOT NULL,
    tally TEXT NOT NULL,              -- JSON: what the process counted on this lane
    waiting TEXT,                     -- why it sends nothing at the moment
    PRIMARY KEY (run, session, account)
) STRICT, WITHOUT ROWID;
