//! The stock `age` opens what is made here, and what it makes is opened here.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

/// Runs `age` with the passphrase typed so many times: it takes one from a terminal only, which `script` gives it.
fn age(dir: &Path, arguments: &str, typed: usize) -> (bool, String) {
    let mut command = Command::new("script");
    command.args(["-q", "-e", "-c", &format!("age {arguments}"), "/dev/null"]).current_dir(dir);
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("script must be installed: {error}"));
    // Kept open until the end: script takes its end for that of the terminal.
    let mut input = child.stdin.take().unwrap();
    input.write_all("grandstand\n".repeat(typed).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(input);
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn stock_age_and_zstd_and_tar_read_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("backup"), made(&sources(200_000))).unwrap();
    let (is_done, said) = age(dir.path(), "-d -o contents backup", 1);
    assert!(is_done, "age must be installed, and open the backup: {said}");
    let tar = zstd::decode_all(&fs::read(dir.path().join("contents")).unwrap()[..]).unwrap();
    fs::write(dir.path().join("tar"), tar).unwrap();
    let listed = Command::new("tar").arg("-tf").arg(dir.path().join("tar")).output().unwrap();
    let names = "manifest.json\nlicences/empty\nstate/authority.key\nstore.db\n";
    assert_eq!(String::from_utf8_lossy(&listed.stdout), names);
}

#[test]
fn stock_age_refuses_a_backup_that_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let mut backup = made(&sources(200_000));
    let last = backup.len() - 1;
    backup[last] ^= 1;
    fs::write(dir.path().join("backup"), backup).unwrap();
    assert!(!age(dir.path(), "-d -o contents backup", 1).0);
}

#[test]
fn backup_that_stock_age_has_encrypted_is_read() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("backup"), made(&sources(200_000))).unwrap();
    assert!(age(dir.path(), "-d -o contents backup", 1).0);
    let (is_done, said) = age(dir.path(), "-p -o again contents", 2);
    assert!(is_done, "{said}");
    let again = fs::read(dir.path().join("again")).unwrap();
    assert!(String::from_utf8_lossy(&again[..64]).contains(" 18\n"), "the work factor of age has changed");
    assert_eq!(check(&again).unwrap().files.len(), 3);
}
