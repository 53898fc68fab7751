/** The tables. `user_version` counts incompatible changes; a newer database is refused, never guessed at. */

/** "icep" in ASCII; tells the database from any other SQLite file. */
export const APPLICATION_ID = 0x69636570;
export const STORE_VERSION = 2;

/** What brings a database of version 1 to version 2. */
export const FROM_VERSION_1 = 'ALTER TABLE files ADD COLUMN edited TEXT; PRAGMA user_version = 2';

export const SCHEMA = `
CREATE TABLE root (id INTEGER PRIMARY KEY CHECK (id = 1), arch TEXT NOT NULL) STRICT;
CREATE TABLE world (position INTEGER PRIMARY KEY, dependency TEXT NOT NULL) STRICT;
CREATE TABLE holds (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE pins (name TEXT PRIMARY KEY, source TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE packages (
  name TEXT PRIMARY KEY,
  record TEXT NOT NULL,
  repository TEXT,
  number INTEGER NOT NULL,
  requested INTEGER NOT NULL,
  header BLOB NOT NULL
) STRICT;
CREATE TABLE files (
  path TEXT NOT NULL,
  package TEXT NOT NULL,
  type TEXT NOT NULL,
  mode INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  gid INTEGER NOT NULL,
  size INTEGER NOT NULL,
  sha256 TEXT,
  target TEXT,
  config INTEGER NOT NULL,
  deviation TEXT,
  edited TEXT,
  PRIMARY KEY (path, package)
) STRICT, WITHOUT ROWID;
CREATE INDEX files_package ON files (package);
CREATE TABLE history (
  number INTEGER PRIMARY KEY,
  time TEXT NOT NULL,
  description TEXT NOT NULL,
  user TEXT NOT NULL,
  world_before TEXT NOT NULL,
  world_after TEXT NOT NULL,
  undoable INTEGER NOT NULL
) STRICT;
CREATE TABLE changes (
  number INTEGER NOT NULL REFERENCES history,
  position INTEGER NOT NULL,
  action TEXT NOT NULL,
  name TEXT NOT NULL,
  arch TEXT NOT NULL,
  old_version TEXT,
  new_version TEXT,
  repository TEXT,
  reason TEXT NOT NULL,
  PRIMARY KEY (number, position)
) STRICT, WITHOUT ROWID;
-- A package as it was before transaction "number"; "state" is null where it was not installed.
CREATE TABLE states (
  number INTEGER NOT NULL REFERENCES history,
  name TEXT NOT NULL,
  state BLOB,
  header BLOB,
  PRIMARY KEY (number, name)
) STRICT;
CREATE TABLE undo (
  number INTEGER NOT NULL REFERENCES history,
  path TEXT NOT NULL,
  prior TEXT NOT NULL,
  mode INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  gid INTEGER NOT NULL,
  written TEXT,
  PRIMARY KEY (number, path)
) STRICT, WITHOUT ROWID;
CREATE TABLE journal (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${STORE_VERSION};
`;
