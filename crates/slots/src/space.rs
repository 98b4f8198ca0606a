//! How much of a disk is used and free.

use std::fs;
use std::io;
use std::path::Path;

/// What is free for programs without privileges on the disk of a folder, in bytes.
///
/// # Errors
/// The disk does not say.
pub fn free_space(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The bytes of all files below a folder. What cannot be looked at counts nothing.
pub fn size_of_folder(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(it) if it.is_dir() => size_of_folder(&entry.path()),
        Ok(it) => it.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_of_a_folder_counts_all_its_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        fs::write(dir.path().join("slot.json"), "1234").unwrap();
        fs::write(dir.path().join("bin/program"), "123456").unwrap();
        assert_eq!(size_of_folder(dir.path()), 10);
        assert_eq!(size_of_folder(&dir.path().join("nowhere")), 0);
        assert!(free_space(dir.path()).unwrap() > 0);
    }
}
