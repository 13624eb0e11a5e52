-- Times are milliseconds since the Unix epoch, for people to read; what orders things is seq, which never goes back.
-- Texts are as their owners wrote them.

CREATE TABLE meta (
	only INTEGER PRIMARY KEY CHECK (only = 1),
	seq  INTEGER NOT NULL -- of the last fact
) STRICT;
INSERT INTO meta VALUES (1, 0);

CREATE TABLE channels (
	id         TEXT    PRIMARY KEY,
	name       TEXT    NOT NULL,
	topic      TEXT    NOT NULL,
	mode       TEXT    NOT NULL,
	access     TEXT    NOT NULL, -- open, members, invited
	position   INTEGER NOT NULL, -- the smaller, the further up in a list
	capacity   INTEGER NOT NULL, -- 0: the server's
	owner_id   TEXT    NOT NULL, -- '': made by the configuration
	created_at INTEGER NOT NULL,
	keep_count INTEGER,          -- of messages; NULL: as the server does, 0: none
	keep_ms    INTEGER,          -- NULL: as the server does, 0: none
	seq        INTEGER NOT NULL  -- of the fact that changed it last
) STRICT, WITHOUT ROWID;

-- A message that was deleted stays as an empty place, so that what refers to it finds it gone and not strange.
CREATE TABLE messages (
	seq         INTEGER PRIMARY KEY,
	id          TEXT    NOT NULL UNIQUE,
	channel_id  TEXT    NOT NULL,
	author_id   TEXT    NOT NULL,
	author_name TEXT    NOT NULL,
	content     TEXT    NOT NULL, -- '': deleted
	created_at  INTEGER NOT NULL,
	edited_at   INTEGER,
	reply_to    TEXT,            -- the id of another one, which may be gone
	nonce       TEXT             -- the author's own name for it, forgotten after some minutes
) STRICT;
CREATE INDEX messages_of_channel ON messages (channel_id, seq);
CREATE INDEX messages_of_channel_by_age ON messages (channel_id, created_at);
CREATE INDEX messages_by_nonce ON messages (author_id, channel_id, nonce) WHERE nonce IS NOT NULL;

-- The words of each message, as the program cuts them (see search.go). rowid is the message's seq.
CREATE VIRTUAL TABLE words USING fts5 (text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2');

-- Up to where somebody has read.
CREATE TABLE reads (
	user_id    TEXT    NOT NULL,
	channel_id TEXT    NOT NULL,
	seq        INTEGER NOT NULL, -- of the last message read
	PRIMARY KEY (user_id, channel_id)
) STRICT, WITHOUT ROWID;
