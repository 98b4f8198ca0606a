//! The tables, as numbered migrations. What a release has published is never edited: a change is a
//! new migration at the end.

/// Migrates a store from the version before to this one, in one transaction.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// What it adds, for the log.
    pub title: &'static str,
    /// The statements.
    pub sql: &'static str,
}

/// Every migration of this release, in order. A store of version `n` has had the first `n`.
pub const MIGRATIONS: &[Migration] = &[
    Migration { title: "the platform, its nodes and its history", sql: PLATFORM },
    Migration { title: "the configuration", sql: CONFIGURATION },
    Migration { title: "when each node's release started", sql: NODE_BOOT },
    Migration { title: "a history under limits of its own, and whose uploads there are", sql: LIMITS },
    Migration { title: "the registration that each certificate belongs to", sql: REGISTRATION },
    Migration { title: "all fields of nodes, locations and rooms", sql: FIELDS },
    Migration { title: "roles of accounts, and who changed what", sql: ROLES },
    Migration { title: "clients that log in with an assertion", sql: OAUTH2_CLIENTS },
    Migration { title: "certificates of the operator", sql: CERTIFICATES },
    Migration { title: "assertions that were used", sql: ASSERTIONS },
    Migration { title: "how accounts and clients prove who they are", sql: AUTHENTICATION },
    Migration { title: "companion systems", sql: COMPANION_SYSTEMS },
    Migration { title: "sessions of people", sql: SESSIONS },
    Migration { title: "settings of the whole platform", sql: GLOBAL },
    Migration { title: "licences", sql: LICENCES },
    Migration { title: "the schedule of backups", sql: AUTOBACKUP },
    Migration { title: "certificates of authorities, and signing requests", sql: AUTHORITIES },
    Migration { title: "past conferences and participants", sql: PAST_CALLS },
    Migration { title: "alarms", sql: ALARMS },
    Migration { title: "what has happened to nodes", sql: NODE_EVENTS },
];

/// The state of the core. `body` is the JSON of its own types.
const PLATFORM: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE platform (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL);
CREATE TABLE node (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    run INTEGER,
    body TEXT NOT NULL
);
CREATE INDEX journal_of_run ON journal (run, seq) WHERE run IS NOT NULL;
CREATE TABLE run (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE enrolment (
    node_id INTEGER PRIMARY KEY,
    token_sha256 TEXT NOT NULL UNIQUE,
    expires_at INTEGER NOT NULL,
    public_key_sha256 TEXT
);
";

/// What the operator configures and uploads; the management API reads and writes these tables.
const CONFIGURATION: &str = "
CREATE TABLE system_location (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    description TEXT NOT NULL DEFAULT ''
);
CREATE TABLE worker_vm (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    system_location INTEGER REFERENCES system_location (id),
    body TEXT NOT NULL
);
CREATE TABLE conference (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    description TEXT NOT NULL DEFAULT ''
);
CREATE TABLE conference_alias (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    alias TEXT NOT NULL UNIQUE COLLATE NOCASE,
    conference INTEGER NOT NULL REFERENCES conference (id) ON DELETE CASCADE,
    description TEXT NOT NULL DEFAULT ''
);
CREATE INDEX conference_alias_of_conference ON conference_alias (conference);
CREATE TABLE account (name TEXT PRIMARY KEY, password_hash TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE upload (
    uuid TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    total_size INTEGER NOT NULL,
    received INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    manifest TEXT,
    error TEXT
) WITHOUT ROWID;
CREATE TABLE package (manifest TEXT PRIMARY KEY, uploaded_at INTEGER NOT NULL) WITHOUT ROWID;
";

/// Release 34.1 shows when each node's release started.
const NODE_BOOT: &str = "
CREATE TABLE node_boot (node_id INTEGER PRIMARY KEY, started_at INTEGER NOT NULL);
";

/// Release 34.1 keeps the history of runs apart from what callers and nodes cause. Reports without
/// consequences are removed. A run whose beginning was displaced by calls is marked as incomplete.
///
/// An upload belongs to an account, has a last activity, and the hash of the beginning of its file.
const LIMITS: &str = "
ALTER TABLE journal ADD COLUMN kind TEXT NOT NULL DEFAULT 'run';
DELETE FROM journal WHERE json_array_length(body, '$.facts') = 0
    AND json_extract(body, '$.entry.event.event') IN ('report', 'link_down', 'deadline_passed');
UPDATE journal SET kind = CASE
    WHEN json_extract(body, '$.entry.entry') = 'policy' THEN 'operator'
    WHEN json_extract(body, '$.entry.event.event')
        IN ('node_added', 'node_changed', 'node_removed', 'maintenance') THEN 'operator'
    ELSE 'platform' END
    WHERE run IS NULL;
CREATE INDEX journal_of_kind ON journal (kind, seq);
ALTER TABLE run ADD COLUMN evicted INTEGER NOT NULL DEFAULT 0;
UPDATE run SET evicted = 1 WHERE NOT EXISTS (SELECT 1 FROM journal
    WHERE journal.run = run.id AND json_extract(body, '$.entry.entry') = 'start');
ALTER TABLE upload ADD COLUMN owner TEXT;
ALTER TABLE upload ADD COLUMN active_at INTEGER;
ALTER TABLE upload ADD COLUMN head_sha256 TEXT;
";

/// Release 34.1 distinguishes the registrations of one number. Those of release 34 are named after their
/// token, which was random: two migrations of the same store give them the same names, so a node that has
/// such a name in its certificate already is recognised after the store was restored.
const REGISTRATION: &str = "
CREATE TABLE registration (
    node_id INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    earlier_key TEXT,
    earlier_since INTEGER
);
INSERT INTO registration (node_id, id, earlier_key, earlier_since)
    SELECT node_id, substr(token_sha256, 1, 32), public_key_sha256, expires_at - 604800000 FROM enrolment;
ALTER TABLE enrolment ADD COLUMN registration TEXT NOT NULL DEFAULT '';
UPDATE enrolment SET registration = substr(token_sha256, 1, 32);
";

/// Release 34.1 has more fields for what is configured: those that no statement needs stand in `body`, as they did for
/// nodes before. A room from before has the time of the migration. A new node is compared with all others through an
/// index; the values are unique because the writer checks them, so a store that has the same one twice can be opened.
const FIELDS: &str = "
ALTER TABLE system_location ADD COLUMN body TEXT NOT NULL DEFAULT '{}';
ALTER TABLE conference ADD COLUMN body TEXT NOT NULL DEFAULT '{}';
ALTER TABLE conference_alias ADD COLUMN body TEXT NOT NULL DEFAULT '{}';
UPDATE conference SET body = json_object('creation_time', CAST(strftime('%s', 'now') AS INTEGER) * 1000);
UPDATE conference_alias SET body = json_object('creation_time', CAST(strftime('%s', 'now') AS INTEGER) * 1000);
CREATE INDEX worker_vm_of_system_location ON worker_vm (system_location);
CREATE INDEX worker_vm_hostname ON worker_vm (lower(body ->> 'hostname'));
CREATE INDEX worker_vm_address ON worker_vm (body ->> 'address');
CREATE INDEX worker_vm_ipv6_address ON worker_vm (body ->> 'ipv6_address');
";

/// Release 34.1 has several accounts with roles, and notes who changed what. `account.password` is the hash. The accounts
/// of earlier releases may do everything, as before.
const ROLES: &str = "
CREATE TABLE permission (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    codename TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL DEFAULT '{}'
);
INSERT INTO permission (id, codename, name) VALUES
    (1, 'use_api', 'May use the management API'),
    (2, 'view_platform', 'May see nodes, locations, rooms, upgrades and alarms'),
    (3, 'change_platform', 'May change nodes, locations and rooms'),
    (4, 'view_calls', 'May see conferences and participants'),
    (5, 'control_calls', 'May disconnect, mute and dial participants'),
    (6, 'change_trust', 'May change certificates and licences'),
    (7, 'upgrade', 'May upload packages and start upgrades'),
    (8, 'backup', 'May make, download and restore backups'),
    (9, 'accounts', 'May see and change accounts and roles'),
    (10, 'audit', 'May see who changed what');
CREATE TABLE role (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    body TEXT NOT NULL DEFAULT '{}'
);
INSERT INTO role (id, name, body) VALUES
    (1, 'Administrator', '{\"permissions\":[1,2,3,4,5,6,7,8,9,10]}'),
    (2, 'Operator', '{\"permissions\":[1,2,3,4,5,7,8]}'),
    (3, 'Viewer', '{\"permissions\":[1,2,4]}');
ALTER TABLE account RENAME TO account_before;
CREATE TABLE account (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    role INTEGER NOT NULL REFERENCES role (id),
    body TEXT NOT NULL DEFAULT '{}'
);
INSERT INTO account (name, password, role) SELECT name, password_hash, 1 FROM account_before ORDER BY name;
DROP TABLE account_before;
CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX audit_time ON audit (time);
";

/// Release 34.1 has clients that prove who they are with a key of their own, of which the public half is kept.
const OAUTH2_CLIENTS: &str = "
CREATE TABLE oauth2_client (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    client_name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    client_id TEXT UNIQUE,
    role INTEGER NOT NULL REFERENCES role (id),
    algorithm TEXT,
    public_key BLOB,
    token_key BLOB,
    body TEXT NOT NULL DEFAULT '{}'
);
";

/// Release 34.1 shows certificates that the operator brings.
const CERTIFICATES: &str = "
CREATE TABLE tls_certificate (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL DEFAULT '{}');
";

/// Release 34.1 remembers over a restart which assertions of OAuth2 clients were used. `id` is the SHA-256 of theirs.
const ASSERTIONS: &str = "
CREATE TABLE oauth2_assertion (client TEXT NOT NULL, id BLOB NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (client, id))
    WITHOUT ROWID;
CREATE INDEX oauth2_assertion_expires ON oauth2_assertion (expires);
";

/// Release 34.1 has settings of logins: one object, whose fields have their initial values until they are written.
const AUTHENTICATION: &str = "
CREATE TABLE authentication (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL DEFAULT '{}');
INSERT INTO authentication (id) VALUES (1);
";

/// Release 34.1 knows systems beside the platform that have to run its version.
const COMPANION_SYSTEMS: &str = "
CREATE TABLE companion_system (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    body TEXT NOT NULL DEFAULT '{}'
);
";

/// Release 34.1 has sessions. `token` is the SHA-256 of theirs; `began` and `used` are times of the platform. Whichever
/// statement changes what an account may do or how it proves who it is, ends its sessions.
const SESSIONS: &str = "
CREATE TABLE session (
    token BLOB PRIMARY KEY,
    account INTEGER NOT NULL,
    began INTEGER NOT NULL,
    used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_of_account ON session (account);
CREATE TRIGGER session_ends_with_its_account AFTER DELETE ON account BEGIN
    DELETE FROM session WHERE account = old.id;
END;
CREATE TRIGGER session_ends_with_a_change AFTER UPDATE ON account
WHEN old.password <> new.password OR old.role <> new.role OR NOT coalesce(new.body ->> 'is_active', 1) BEGIN
    DELETE FROM session WHERE account = old.id;
END;
";

/// Release 34.1 has settings of the whole platform: one object.
const GLOBAL: &str = "
CREATE TABLE global (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL DEFAULT '{}');
INSERT INTO global (id) VALUES (1);
";

/// Release 34.1 counts calls against licences. `name` is the id that a licence gives itself, `text` the whole of it as it was
/// signed, `signed_with` the number of the key; `installed_at` is in milliseconds since 1970-01-01 UTC.
const LICENCES: &str = "
CREATE TABLE licence (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    text TEXT NOT NULL,
    signed_with TEXT NOT NULL,
    installed_at INTEGER NOT NULL
);
";

/// Release 34.1 makes backups by itself: one object, whose fields have their initial values until they are written.
const AUTOBACKUP: &str = "
CREATE TABLE autobackup (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL DEFAULT '{}');
INSERT INTO autobackup (id) VALUES (1);
";

/// Release 34.1 keeps certificates of authorities, and makes signing requests.
const AUTHORITIES: &str = "
CREATE TABLE ca_certificate (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL DEFAULT '{}');
CREATE TABLE certificate_signing_request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL DEFAULT '{}'
);
";

/// Release 34.1 has a history of calls. `seq` is the order in which they ended. The identifiers are those that nodes have
/// given; a participant names a conference that may not be over yet.
/// `interrupted_call` is the JSON of the calls under way when the Management Node ended.
const PAST_CALLS: &str = "
CREATE TABLE past_conference (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    start_time INTEGER NOT NULL,
    end_time INTEGER NOT NULL,
    duration INTEGER NOT NULL,
    participant_count INTEGER NOT NULL,
    body TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX past_conference_start_time ON past_conference (start_time);
CREATE INDEX past_conference_end_time ON past_conference (end_time);
CREATE TABLE past_participant (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    conference TEXT NOT NULL,
    conference_name TEXT NOT NULL,
    conference_began INTEGER NOT NULL,
    start_time INTEGER NOT NULL,
    end_time INTEGER NOT NULL,
    duration INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX past_participant_conference ON past_participant (conference);
CREATE INDEX past_participant_start_time ON past_participant (start_time);
CREATE INDEX past_participant_end_time ON past_participant (end_time);
CREATE TABLE interrupted_call (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
";

/// Release 34.1 shows alarms. One that is over keeps its number.
const ALARMS: &str = "
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    node_id INTEGER,
    time_raised INTEGER NOT NULL,
    body TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE past_alarm (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    time_raised INTEGER NOT NULL,
    time_lowered INTEGER NOT NULL,
    body TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX past_alarm_time_lowered ON past_alarm (time_lowered);
";

/// Release 34.1 lists what has changed the status of nodes, by node and time.
const NODE_EVENTS: &str = "
CREATE TABLE workervm_status_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_type TEXT NOT NULL,
    time_changed INTEGER NOT NULL,
    workervm_configuration_id INTEGER NOT NULL,
    body TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX workervm_status_event_node ON workervm_status_event (workervm_configuration_id, id);
";
