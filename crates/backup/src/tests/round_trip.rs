use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn what_is_put_in_comes_out_whatever_its_size() {
    // Around the size of a chunk of age, and of several.
    for store in [0, 1, 65_000, 65_536, 131_072, 300_000] {
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("restore");
        let backup = made(&sources(store));
        let backup = Backup::open(&backup[..], &passphrase()).unwrap();
        assert_eq!(backup.manifest().origin, origin());
        let mut last = Progress { done: 0, total: 0 };
        let manifest = backup.unpack(&into, &mut |progress| last = progress).unwrap();
        let names: Vec<&str> = manifest.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["licences/empty", "state/authority.key", "store.db"]);
        assert_eq!(last, Progress { done: store as u64 + 6, total: store as u64 + 6 });
        assert_eq!(fs::read(into.join("store.db")).unwrap(), noise(store));
        assert_eq!(fs::read(into.join("state/authority.key")).unwrap(), b"secret");
        assert_eq!(fs::read(into.join("licences/empty")).unwrap(), b"");
    }
}

#[test]
fn what_is_unpacked_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("restore");
    Backup::open(&made(&sources(9))[..], &passphrase()).unwrap().unpack(&into, &mut |_| {}).unwrap();
    let mode = |name: &str| fs::metadata(into.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("state"), mode("state/authority.key")), (0o700, 0o700, 0o600));
}

#[test]
fn manifest_is_read_without_the_rest_of_the_backup() {
    let backup = made(&sources(2_000_000));
    let (head, _) = backup.split_at(backup.len() / 4);
    let opened = Backup::open(head, &passphrase()).unwrap();
    assert_eq!(opened.manifest().total(), 2_000_006);
    assert_eq!(opened.manifest().origin.release, Release::PRESENT);
}

#[test]
fn two_backups_of_the_same_have_no_byte_of_ciphertext_in_common() {
    let (one, other) = (made(&sources(100)), made(&sources(100)));
    assert_ne!(one[60..], other[60..]);
    assert!(!one.windows(6).any(|bytes| bytes == b"secret"));
}

#[test]
fn files_are_read_from_the_disk_and_one_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, b"content").unwrap();
    let file = |path| [Source { name: "a".parse().unwrap(), content: Content::File(path) }];
    assert_eq!(check(&made(&file(path))).unwrap().files[0].size, 7);
    let missing = file(dir.path().join("missing"));
    let error = make(Vec::new(), &passphrase(), WorkFactor::QUICK, origin(), &missing).unwrap_err();
    assert!(matches!(error, MakeError::Source { .. }), "{error}");
}

#[test]
fn file_that_changes_meanwhile_is_an_error() {
    // The sizes of what comes through a pipe: the first reading takes it all.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, noise(100_000)).unwrap();
    /// A writer that changes the file as soon as something is written to it.
    struct Changing(std::path::PathBuf, Vec<u8>);
    impl io::Write for Changing {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            fs::write(&self.0, &self.1)?;
            Ok(buffer.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let original = noise(100_000);
    let mut flipped = original.clone();
    flipped[99_999] ^= 1;
    for changed in [flipped, original[..99_999].to_vec(), noise(100_001)] {
        fs::write(&path, &original).unwrap();
        let sources = [Source { name: "a".parse().unwrap(), content: Content::File(path.clone()) }];
        let out = Changing(path.clone(), changed);
        let error = make(out, &passphrase(), WorkFactor::QUICK, origin(), &sources).map(drop).unwrap_err();
        assert!(matches!(error, MakeError::Changed { .. }), "{error}");
    }
}

#[test]
fn what_could_not_be_restored_is_not_made() {
    let refused = |sources: &[Source], origin: Origin| {
        make(Vec::new(), &passphrase(), WorkFactor::QUICK, origin, sources).map(drop).unwrap_err()
    };
    let twice = [source("a", b""), source("a", b"")];
    assert!(matches!(refused(&twice, origin()), MakeError::Refused(Refusal::OtherContents { .. })));
    let within = [source("a", b""), source("a/b", b"")];
    assert!(matches!(refused(&within, origin()), MakeError::Refused(Refusal::OtherContents { .. })));
    let many: Vec<Source> = (0..=limits::MAX_FILES).map(|n| source(&n.to_string(), b"")).collect();
    assert!(matches!(refused(&many, origin()), MakeError::Refused(Refusal::TooLarge { .. })));
    let platform = "p".repeat(limits::MAX_PLATFORM + 1);
    let long = Origin { platform, ..origin() };
    assert!(matches!(refused(&[], long), MakeError::Refused(Refusal::TooLarge { .. })));
}

#[test]
fn as_many_files_as_are_allowed_fit_the_manifest() {
    let name = |n: usize| format!("{}/{n:0>95}", "a".repeat(4));
    let most: Vec<Source> = (0..limits::MAX_FILES).map(|n| source(&name(n), b"")).collect();
    assert_eq!(check(&made(&most)).unwrap().files.len(), limits::MAX_FILES);
}

#[test]
fn directory_that_is_not_empty_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"").unwrap();
    let backup = made(&sources(9));
    let refusal =
        Backup::open(&backup[..], &passphrase()).unwrap().unpack(dir.path(), &mut |_| {}).unwrap_err();
    assert!(matches!(refusal, Refusal::NotEmpty { .. }), "{refusal}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn memory_does_not_grow_with_the_size_of_the_backup() {
    /// The largest buffer that was asked for.
    struct Watched<'b>(&'b [u8], usize);
    impl Read for Watched<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = self.1.max(buffer.len());
            self.0.read(buffer)
        }
    }
    let backup = made(&sources(3_000_000));
    let mut watched = Watched(&backup, 0);
    Backup::open(&mut watched, &passphrase()).unwrap().check(&mut |_| {}).unwrap();
    assert!(watched.1 <= 70_000, "{} bytes at once", watched.1);
}
