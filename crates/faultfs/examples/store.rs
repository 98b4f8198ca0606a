//! A program with a store, for `tests/disk.rs`: `store PATH` adds a row for each line of its standard input
//! and prints the number of rows, or `refused`. A second connection counts them, so that the log is shared.
//! It is a process of its own because the process that serves the disk must not map files of it.

use std::io::stdin;
use std::path::Path;

use rusqlite::Connection;

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS rows (n INTEGER);",
    )?;
    Ok(connection)
}

fn main() {
    let path = std::env::args().nth(1).expect("usage: store PATH");
    let [writer, reader] = [0; 2].map(|_| open(Path::new(&path)).unwrap());
    let healthy: String = reader.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(healthy, "ok");
    for line in stdin().lines() {
        match writer.execute("INSERT INTO rows VALUES (?1)", [line.unwrap()]) {
            Ok(_) => {
                let rows: u32 = reader.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).unwrap();
                println!("{rows}");
            }
            Err(_) => println!("refused"),
        }
    }
}
