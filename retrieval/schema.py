"""The tables of the library's file, and what each version of the file added to the one before.

It opens no file: `retrieval.database` does.
"""

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,       -- absolute, as the user's system writes it
    sha256 TEXT NOT NULL,            -- of the file's bytes
    size_bytes INTEGER NOT NULL,
    modified_s REAL NOT NULL,        -- the file's mtime when it was read
    added_s REAL NOT NULL,
    format TEXT NOT NULL,
    title TEXT NOT NULL,
    source TEXT NOT NULL,            -- the source text: citations are spans of it
    marks TEXT NOT NULL,             -- JSON: headings and pages
    lines TEXT NOT NULL,             -- JSON: offset-to-line map, or null where text lines are file lines
    notes TEXT NOT NULL              -- JSON: what could not be read
);
CREATE TABLE failures (path TEXT PRIMARY KEY, reason TEXT NOT NULL, at_s REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE records (
    id TEXT PRIMARY KEY,
    tier TEXT NOT NULL,
    kind TEXT NOT NULL,              -- turn or episode
    thread TEXT NOT NULL,
    text TEXT NOT NULL,              -- what it is found by: a user's words
    payload TEXT NOT NULL,           -- JSON: the rest of it
    created_s REAL NOT NULL,
    used_s REAL NOT NULL,
    uses INTEGER NOT NULL            -- verified uses
) WITHOUT ROWID;
CREATE INDEX records_by_thread ON records (thread, kind, created_s);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,          -- within the range of its tier
    document_id INTEGER REFERENCES documents ON DELETE CASCADE,
    record_id TEXT REFERENCES records ON DELETE CASCADE,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    heading TEXT NOT NULL,
    page INTEGER,
    text TEXT NOT NULL
);
CREATE INDEX chunks_by_document ON chunks (document_id, start);
CREATE INDEX chunks_by_record ON chunks (record_id);
CREATE TABLE vectors (chunk_id INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE, vector BLOB NOT NULL);
CREATE TABLE changes (               -- what an index written at an earlier generation has to catch up with
    generation INTEGER PRIMARY KEY AUTOINCREMENT, chunk_id INTEGER NOT NULL, removed INTEGER NOT NULL
);
CREATE TABLE threads (id TEXT PRIMARY KEY, created_s REAL NOT NULL, used_s REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
    id TEXT PRIMARY KEY, thread TEXT NOT NULL, question TEXT NOT NULL, outcome TEXT NOT NULL,
    created_s REAL NOT NULL, payload TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_by_time ON runs (created_s);
CREATE VIRTUAL TABLE lexicon USING fts5(heading, body, tokenize="ascii tokenchars '._'");
"""
_CHECKPOINTS = """
CREATE TABLE checkpoints (           -- of unfinished runs; serialised by whoever writes them
    run_id TEXT NOT NULL, space TEXT NOT NULL, id TEXT NOT NULL, parent TEXT,
    kind TEXT NOT NULL, checkpoint BLOB NOT NULL, metadata_kind TEXT NOT NULL, metadata BLOB NOT NULL,
    PRIMARY KEY (run_id, space, id)
) WITHOUT ROWID;
CREATE TABLE checkpoint_writes (     -- what tasks wrote after a checkpoint
    run_id TEXT NOT NULL, space TEXT NOT NULL, checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL,
    place INTEGER NOT NULL, task_path TEXT NOT NULL, channel TEXT NOT NULL,
    kind TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (run_id, space, checkpoint_id, task_id, place)
) WITHOUT ROWID;
"""
_METADATA = """
-- What a document says of itself, ISO 8601
ALTER TABLE documents ADD COLUMN date TEXT NOT NULL DEFAULT '';
-- JSON: its own, without their #
ALTER TABLE documents ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
-- 0: added before all of this was kept
ALTER TABLE documents ADD COLUMN described INTEGER NOT NULL DEFAULT 0;
CREATE TABLE messages (              -- what of a chunk is whose; none where nobody is known to speak
    chunk_id INTEGER NOT NULL REFERENCES chunks ON DELETE CASCADE,
    start INTEGER NOT NULL,          -- where it begins in the source text, within the chunk
    who TEXT NOT NULL,               -- sender or speaker as written, or ''
    at TEXT NOT NULL,                -- ISO 8601 as far as it is known, or ''
    PRIMARY KEY (chunk_id, start)
) WITHOUT ROWID;
CREATE INDEX messages_by_who ON messages (who);
CREATE INDEX messages_by_time ON messages (at);
"""

_KEPT = """
-- A hash of the text that was embedded; null where none was.
ALTER TABLE chunks ADD COLUMN embedded BLOB;
CREATE INDEX chunks_by_embedded ON chunks (embedded) WHERE embedded IS NOT NULL;
-- failed or skipped
ALTER TABLE failures ADD COLUMN kind TEXT NOT NULL DEFAULT 'failed';
-- Where a document is that was at a path before: records and runs name it as it was.
CREATE TABLE moved (path TEXT PRIMARY KEY, now TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX documents_by_sha256 ON documents (sha256);
"""

_FACES = """
CREATE TABLE texts (                 -- documents that came as texts, with what their owner says of them
    document_id INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
    metadata TEXT NOT NULL           -- JSON
);
CREATE TABLE next_vectors (          -- of the embedder that takes over when every chunk has one
    chunk_id INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE,
    vector BLOB                      -- null where that embedder is blind
);
CREATE TABLE items (                 -- of the LangGraph store
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,         -- its labels, each with a full stop behind it
    key TEXT NOT NULL,
    value TEXT NOT NULL,             -- JSON
    created_s REAL NOT NULL,
    updated_s REAL NOT NULL,
    ttl_minutes REAL,
    expires_s REAL,
    UNIQUE (namespace, key)
);
CREATE INDEX items_by_expiry ON items (expires_s) WHERE expires_s IS NOT NULL;
CREATE TABLE item_vectors (
    item_id INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
    field TEXT NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (item_id, field)
) WITHOUT ROWID;
"""

_NAMES = """
-- A count of the changes to the names of documents, which every question reads.
INSERT INTO meta VALUES ('names', '0');
CREATE TRIGGER documents_named AFTER INSERT ON documents
BEGIN UPDATE meta SET value = value + 1 WHERE key = 'names'; END;
CREATE TRIGGER documents_renamed AFTER UPDATE OF path, title ON documents
BEGIN UPDATE meta SET value = value + 1 WHERE key = 'names'; END;
CREATE TRIGGER documents_unnamed AFTER DELETE ON documents
BEGIN UPDATE meta SET value = value + 1 WHERE key = 'names'; END;
"""

_TAGGED = """
-- What the server of a page calls the version that was read, or ''
ALTER TABLE documents ADD COLUMN etag TEXT NOT NULL DEFAULT '';
"""

_TIERS = """
-- What a question is looked up by when it is asked again, a digest; empty for what is not.
ALTER TABLE records ADD COLUMN key TEXT NOT NULL DEFAULT '';
-- Separate days with a verified use
ALTER TABLE records ADD COLUMN days INTEGER NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
-- When it ceased to hold; null while it holds
ALTER TABLE records ADD COLUMN ended_s REAL;
-- The id of the record that it took the place of, or empty
ALTER TABLE records ADD COLUMN replaces TEXT NOT NULL DEFAULT '';
CREATE INDEX records_by_key ON records (key) WHERE key <> '';
CREATE INDEX records_by_kind ON records (kind, created_s);
"""

VERSIONS = (
    _SCHEMA,
    _CHECKPOINTS,
    _METADATA,
    _KEPT,
    _FACES,
    _NAMES,
    _TAGGED,
    _TIERS,
)  # what each version added to the one before
SCHEMA_VERSION = len(VERSIONS)
