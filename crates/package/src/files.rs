//! Reading and writing files durably, for the modules of this crate that touch a disk. Knows no package.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::refusal::Refusal;

/// Bytes that are read, hashed or unpacked at a time: they stay in the processor's cache.
pub(crate) const CHUNK: usize = 128 << 10;

/// Opens a file for reading; the refusal names it.
pub(crate) fn open(file: &Path) -> Result<fs::File, Refusal> {
    fs::File::open(file).map_err(Refusal::io(format!("open {}", file.display())))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    fs::File::open(dir)?.sync_all()
}

/// The path of `file` with `ending` appended: a file beside it.
pub(crate) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_os_string();
    name.push(ending);
    name.into()
}

/// Reads until `buffer` is full or the reader ends; returns the number of bytes read.
pub(crate) fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut at = 0;
    while at < buffer.len() {
        match reader.read(&mut buffer[at..]) {
            Ok(0) => break,
            Ok(count) => at += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader whose reads end in this way, one after the other.
    struct Scripted(Vec<io::Result<u8>>);

    impl Read for Scripted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            buffer[0] = self.0.remove(0)?;
            Ok(1)
        }
    }

    #[test]
    fn interrupted_read_is_repeated_and_any_other_error_is_returned() {
        let mut buffer = [0; 3];
        let interrupted = || Err(io::ErrorKind::Interrupted.into());
        let mut reader = Scripted(vec![Ok(1), interrupted(), Ok(2)]);
        assert_eq!(fill(&mut reader, &mut buffer).unwrap(), 2);
        assert_eq!(buffer, [1, 2, 0]);
        let mut reader = Scripted(vec![Ok(1), Err(io::ErrorKind::TimedOut.into()), Ok(2)]);
        assert_eq!(fill(&mut reader, &mut buffer).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn only_an_existing_directory_is_made_durable() {
        let dir = tempfile::tempdir().unwrap();
        sync_dir(dir.path()).unwrap();
        sync_dir(Path::new("")).unwrap();
        assert!(sync_dir(&dir.path().join("nowhere")).is_err());
    }
}
