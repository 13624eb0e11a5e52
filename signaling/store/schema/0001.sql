-- Times are milliseconds since the Unix epoch, for people to read; what orders things is seq, which never goes back.
-- Texts are as their owners wrote them.

CREATE TABLE meta (
	only    INTEGER PRIMARY KEY CHECK (only = 1),
	seq     INTEGER NOT NULL, -- of the last fact
	cluster TEXT    NOT NULL, -- whose copy this is; '': the server's, which is alone
	applied INTEGER NOT NULL  -- up to where the cluster's log is in these tables
) STRICT;
INSERT INTO meta VALUES (1, 0, '', 0);

-- What of the log was applied lately: an entry that is there twice happens once.
CREATE TABLE entries (
	idx INTEGER PRIMARY KEY, -- its place
	id  TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE channels (
	id         TEXT    PRIMARY KEY,
	name       TEXT    NOT NULL,
	topic      TEXT    NOT NULL,
	mode       TEXT    NOT NULL,
	access     TEXT    NOT NULL, -- open, members, invited
	speaking   TEXT    NOT NULL, -- who is heard: all, moderators, allowed; '' is all
	position   INTEGER NOT NULL, -- the smaller, the further up in a list
	capacity   INTEGER NOT NULL, -- 0: the server's
	owner_id   TEXT    NOT NULL, -- '': made by the configuration
	created_at INTEGER NOT NULL,
	keep_count INTEGER,          -- of messages; NULL: as the server does, 0: none
	keep_ms    INTEGER,          -- NULL: as the server does, 0: none
	floor      TEXT,             -- how the floor is given, as JSON; NULL, as what is absent there: as the server does
	seq        INTEGER NOT NULL  -- of the fact that changed it last
) STRICT, WITHOUT ROWID;

-- Under which keys the names of channels are taken that people made or named.
CREATE TABLE channel_keys (
	key        TEXT PRIMARY KEY,
	channel_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX channel_keys_of_channel ON channel_keys (channel_id);

-- A message that was deleted stays as an empty place, so that what refers to it finds it gone and not strange. Those of a channel
-- lie beside each other, since they are read together.
CREATE TABLE messages (
	seq         INTEGER NOT NULL,
	id          TEXT    NOT NULL UNIQUE,
	channel_id  TEXT    NOT NULL,
	author_id   TEXT    NOT NULL,
	author_name TEXT    NOT NULL,
	content     TEXT    NOT NULL, -- '': deleted
	created_at  INTEGER NOT NULL,
	edited_at   INTEGER,
	reply_to    TEXT,            -- the id of another one, which may be gone
	nonce       TEXT,            -- the author's own name for it, forgotten after some minutes
	PRIMARY KEY (channel_id, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX messages_by_seq ON messages (seq, author_id); -- and the channel's id, as every index here has
CREATE INDEX messages_by_nonce ON messages (author_id, channel_id, nonce) WHERE nonce IS NOT NULL;

-- The words of each message, and as words of their own its channel and about where its seq is, as the program cuts them (see words.go).
-- Another way of cutting needs a new index, since words are taken out as they were put in. rowid is the message's seq.
CREATE VIRTUAL TABLE words USING fts5 (text, place, content = '', columnsize = 0, tokenize = 'ascii');
INSERT INTO words (words, rank) VALUES ('pgsz', 4000); -- so that a page and what is noted of it is 4 KiB of memory, and not 8
INSERT INTO words (words, rank) VALUES ('automerge', 0); -- the program does it, a bit with each transaction
INSERT INTO words (words, rank) VALUES ('crisismerge', 256); -- and FTS5 all at once when there are so many segments, as in an import
INSERT INTO words (words, rank) VALUES ('secure-delete', 1); -- what is taken out is gone at once, and not with some later merge
CREATE VIRTUAL TABLE places USING fts5vocab (words, instance); -- another reading of the same: each place of each word

-- What was deleted with many others, and is in nobody's sight. It is needed to take its words out of the index, soon and a few at a time.
CREATE TABLE gone (
	seq        INTEGER PRIMARY KEY,
	channel_id TEXT    NOT NULL,
	content    TEXT    NOT NULL
) STRICT;

-- People who were deleted while messages are still theirs here. To who reads they are not; the table of messages follows bit by bit.
CREATE TABLE partings (
	user_id TEXT    PRIMARY KEY,
	alias   TEXT    NOT NULL, -- whose the messages are then
	erase   INTEGER NOT NULL, -- 1: they are deleted, too
	seq     INTEGER NOT NULL  -- of the fact; later messages are somebody else's of the same id
) STRICT, WITHOUT ROWID;

-- Up to where somebody has read.
CREATE TABLE reads (
	user_id    TEXT    NOT NULL,
	channel_id TEXT    NOT NULL,
	seq        INTEGER NOT NULL, -- of the last message read
	PRIMARY KEY (user_id, channel_id)
) STRICT, WITHOUT ROWID;

-- People who are known, that is who came by an invite or were signed in by an issuer.
CREATE TABLE users (
	id         TEXT    PRIMARY KEY,
	name       TEXT    NOT NULL,
	role       TEXT    NOT NULL, -- guest, member, moderator, admin
	created_at INTEGER NOT NULL,
	seen_at    INTEGER NOT NULL, -- 0: never
	seq        INTEGER NOT NULL  -- of the fact that changed it last
) STRICT, WITHOUT ROWID;

-- Whose a name is. A name has one or two keys; names that look the same share one.
CREATE TABLE name_keys (
	key     TEXT PRIMARY KEY,
	user_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX name_keys_of_user ON name_keys (user_id);

-- The browsers on which people stay signed in. The token that each of them keeps names its row.
CREATE TABLE logins (
	id         TEXT    PRIMARY KEY,
	user_id    TEXT    NOT NULL,
	created_at INTEGER NOT NULL,
	used_at    INTEGER NOT NULL,
	until      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX logins_of_user ON logins (user_id);

-- Tokens that are good no more, and people whose tokens up to a moment are. Each is kept until the last of them has expired.
CREATE TABLE revoked_tokens (
	id    TEXT    PRIMARY KEY,
	until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE revoked_users (
	user_id TEXT    PRIMARY KEY,
	up_to   INTEGER NOT NULL,
	until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Links by which somebody becomes a person. The id follows from the secret in the link, which is kept nowhere.
CREATE TABLE invites (
	id         TEXT    PRIMARY KEY,
	role       TEXT    NOT NULL,
	channel_id TEXT    NOT NULL, -- '': none
	user_id    TEXT    NOT NULL, -- whom it signs in; '': it makes people, or lets them in
	uses       INTEGER NOT NULL, -- how often it may be used; 0: any number of times
	used       INTEGER NOT NULL,
	until      INTEGER NOT NULL, -- 0: for good
	by_id      TEXT    NOT NULL, -- '': the operator
	by_name    TEXT    NOT NULL,
	created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who was let into a channel whose access is invited.
CREATE TABLE admissions (
	channel_id TEXT NOT NULL,
	user_id    TEXT NOT NULL,
	PRIMARY KEY (channel_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX admissions_of_user ON admissions (user_id);

-- Who is not let in. A guest is another one for the asking, so a guest's ban holds for where they came from too.
CREATE TABLE bans (
	id         TEXT    PRIMARY KEY,
	user_id    TEXT    NOT NULL,
	user_name  TEXT    NOT NULL,
	network    TEXT    NOT NULL, -- the address, or the /64 of IPv6, from which guests are not let in; '': none
	device     TEXT    NOT NULL, -- the hash of the token of the browser with which guests are not let in; '': none
	until      INTEGER NOT NULL, -- 0: for good
	reason     TEXT    NOT NULL,
	by_id      TEXT    NOT NULL, -- '': the operator
	by_name    TEXT    NOT NULL,
	created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX bans_of_user ON bans (user_id);
CREATE INDEX bans_of_network ON bans (network) WHERE network <> '';
CREATE INDEX bans_of_device ON bans (device) WHERE device <> '';

-- Whom a moderator lets nobody hear, in one channel or, with '', in all.
CREATE TABLE mutes (
	user_id    TEXT    NOT NULL,
	channel_id TEXT    NOT NULL,
	created_at INTEGER NOT NULL,
	PRIMARY KEY (user_id, channel_id)
) STRICT, WITHOUT ROWID;

-- What moderators did.
CREATE TABLE audit (
	seq        INTEGER PRIMARY KEY,
	at         INTEGER NOT NULL,
	action     TEXT    NOT NULL,
	user_id    TEXT    NOT NULL,
	user_name  TEXT    NOT NULL,
	channel_id TEXT    NOT NULL, -- '': none in particular
	by_id      TEXT    NOT NULL, -- '': the operator
	by_name    TEXT    NOT NULL,
	reason     TEXT    NOT NULL,
	role       TEXT    NOT NULL, -- that was given; '': none
	until      INTEGER NOT NULL  -- of a ban; 0: for good
) STRICT;
