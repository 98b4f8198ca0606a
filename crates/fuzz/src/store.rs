//! The Management Node's store as it is found at a start: a file with any bytes, or a valid file with any rows. It is
//! opened, migrated and given to the core, or refused with a reason. There are no backups yet, so none is tested here.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use fleet::node::NodeId;
use fleet::policy::Policy;
use fleet::version::Release;
use manager::layout::Layout;
use manager::start::{ReleaseStatus, open_store, take_over};
use manager::store::StoreError;
use rusqlite::{Connection, params};
use slots::Slot;

use crate::input::{joined, parts, patched};
use crate::scratch::{folder, runtime};

/// The store of the first release, as it was recorded.
const RECORDED: &[u8] = include_bytes!("../../manager/tests/recorded/34/store.db");

pub(crate) const DICTIONARY: &[&str] = &[
    "SQLite format 3",
    "CREATE TABLE",
    "\"release\"",
    "\"version\"",
    "\"build\"",
    "\"epoch\"",
    "\"runs\"",
    "\"policy\"",
    "\"run\"",
    "\"last_run\"",
    "\"installed\"",
    "\"manifest\"",
    "\"source\"",
    "\"progress\"",
    "\"pending\"",
    "\"starting\"",
    "\"preparing\"",
    "\"draining\"",
    "\"installing\"",
    "\"rebooting\"",
    "\"releasing\"",
    "\"upgraded\"",
    "\"failed\"",
    "\"tried\"",
    "\"since\"",
    "\"until\"",
    "\"ending\"",
    "\"contact\"",
    "\"heard\"",
    "\"silent\"",
    "\"lost\"",
    "\"never\"",
    "\"generation\"",
    "\"observed\"",
    "\"assigned\"",
    "\"hold\"",
    "\"woken\"",
    "\"duty\"",
    "\"lock\"",
    "\"manager\"",
    "null",
    "4294967295",
    "18446744073709551615",
    "9223372036854775807",
    "-1",
    "\n%%\n",
];

/// A file, patches to the recorded one, or rows.
pub(crate) fn run(data: &[u8]) {
    let folder = folder();
    let store = Layout::new(folder.path()).store(Slot::A);
    match data.split_first() {
        Some((b'r', rows)) => {
            fs::write(&store, sound()).expect("a store");
            write_rows(&store, &parts(rows));
        }
        Some((b'p', patches)) => fs::write(&store, patched(RECORDED, patches)).expect("a store"),
        Some((_, bytes)) => fs::write(&store, bytes).expect("a store"),
        None => return,
    }
    if let Err(refusal) = runtime().block_on(start(folder.path())) {
        let text = refusal.to_string();
        assert!(!text.is_empty() && text.len() < 4096, "{text}");
    }
}

/// What a start does with the store, up to the first event for the core.
async fn start(root: &Path) -> Result<(), StoreError> {
    let layout = Layout::new(root);
    let connection = open_store(&layout, ReleaseStatus::Confirmed, Slot::A, &mut || {})?;
    let committer =
        take_over(connection, layout.store(Slot::A), Policy::standard(), Release::PRESENT, None).await?;
    committer.read(|fleet, now| {
        for id in fleet.nodes().ids() {
            let _ = (fleet.wanted(id), fleet.status(id), fleet.waits(id, now));
        }
        let _ = (fleet.manager_status(), fleet.manager_wants(), fleet.next_deadline());
    });
    committer.store().close().await;
    Ok(())
}

/// A store of this release.
fn sound() -> &'static [u8] {
    static SOUND: OnceLock<Vec<u8>> = OnceLock::new();
    SOUND.get_or_init(|| {
        let folder = folder();
        let store = Layout::new(folder.path()).store(Slot::A);
        fs::write(&store, RECORDED).expect("a store");
        runtime().block_on(start(folder.path())).expect("the recorded store");
        fs::read(&store).expect("the store")
    })
}

/// Writes the platform, the time and two nodes; an empty row stays as it is.
fn write_rows(store: &Path, rows: &[&[u8]]) {
    let connection = Connection::open(store).expect("a sound store");
    let texts: Vec<String> = rows.iter().map(|row| String::from_utf8_lossy(row).into_owned()).collect();
    let write = |index: usize, sql: &str, id: u32| {
        if let Some(text) = texts.get(index).filter(|text| !text.is_empty()) {
            connection.execute(sql, params![id, text]).expect("a row");
        }
    };
    write(0, "INSERT OR REPLACE INTO platform (id, body) VALUES (?1, ?2)", 1);
    write(1, "INSERT OR REPLACE INTO meta (key, value) SELECT 'time', ?2 WHERE ?1", 1);
    write(2, "INSERT OR REPLACE INTO node (id, body) VALUES (?1, ?2)", NodeId(1).0);
    write(3, "INSERT OR REPLACE INTO node (id, body) VALUES (?1, ?2)", NodeId(2).0);
    write(4, "INSERT OR REPLACE INTO meta (key, value) SELECT 'configuration_revision', ?2 WHERE ?1", 1);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let folder = folder();
    let file = folder.path().join("store.db");
    fs::write(&file, sound()).expect("a store");
    let connection = Connection::open(&file).expect("a store");
    let read = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap_or_default();
    let platform = read("SELECT body FROM platform");
    let node = read("SELECT body FROM node ORDER BY id LIMIT 1");
    let time = read("SELECT value FROM meta WHERE key = 'time'");
    let rows = [platform.as_str(), &time, &node, &node, "7"];
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    vec![
        tagged(b'r', &joined(&rows)),
        tagged(b'r', &joined(&[in_a_run(), time, node_in_a_run(), node])),
        tagged(b'p', &[]),
        tagged(b'p', &[0, 60, 0, 0, 4, 0, 0, 0, 9]),
        tagged(b'p', &[0, 0, 16, 0, 8, 0, 0, 0, 9, 1, 2, 3, 4]),
        tagged(b'f', b""),
        tagged(b'f', &RECORDED[..4096]),
    ]
}

/// A platform in the middle of a run.
fn in_a_run() -> String {
    crate::messages::stored().0
}

fn node_in_a_run() -> String {
    crate::messages::stored().1
}
