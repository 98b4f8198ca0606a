//! A payload that is being fetched into a file. It resumes after an interruption, and only a damaged piece is
//! fetched again. The transfer itself is the caller's.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::Digest as _;

use crate::files::fill;
use crate::hash;
use crate::limits::PIECE_SIZE;
use crate::manifest::Payload;
use crate::pieces::check_piece;
use crate::refusal::Refusal;

/// A partial payload on disk; all of it but the last, incomplete piece is verified.
#[derive(Debug)]
pub struct Download {
    file: fs::File,
    payload: Payload,
    hasher: sha2::Sha256,
    at: u64,
}

impl Download {
    /// Opens or creates the file, keeps the leading pieces that are good and cuts off the rest.
    ///
    /// # Errors
    /// [`Refusal::Io`] when the disk fails.
    pub fn open(file: &Path, payload: &Payload) -> Result<Self, Refusal> {
        let io = || Refusal::io(format!("open {}", file.display()));
        let mut options = fs::OpenOptions::new();
        let mut handle =
            options.read(true).write(true).create(true).truncate(false).open(file).map_err(io())?;
        let at = good_bytes(&mut handle, payload)?;
        let mut download = Self { file: handle, payload: payload.clone(), hasher: sha2::Sha256::new(), at };
        download.cut(at)?;
        Ok(download)
    }

    /// How many bytes are present: the offset from which to request more.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// How many bytes are missing.
    pub fn missing(&self) -> u64 {
        self.payload.size - self.at
    }

    /// Appends received bytes. Bytes after the end of the payload are refused.
    ///
    /// # Errors
    /// [`Refusal::PieceChanged`] when a complete piece is damaged: it is removed again, and [`Download::at`] is the
    /// offset to continue from. [`Refusal::Trailing`] when there is more than the payload.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), Refusal> {
        if bytes.len() as u64 > self.missing() {
            return Err(Refusal::Trailing { what: self.payload.file().into(), found: "more bytes".into() });
        }
        while !bytes.is_empty() {
            let index = (self.at / PIECE_SIZE) as usize;
            let start = index as u64 * PIECE_SIZE;
            let left = self.payload.piece_size(index) - (self.at - start);
            let (now, later) = bytes.split_at(bytes.len().min(left as usize));
            if let Err(source) = self.file.write_all(now) {
                // Some of the bytes may have reached the file: go back to what is known to be good.
                self.cut(start)?;
                return Err(Refusal::Io { doing: format!("write {}", self.payload.file()), source });
            }
            self.hasher.update(now);
            self.at += now.len() as u64;
            bytes = later;
            if now.len() as u64 == left && self.payload.pieces[index] != hash::take(&mut self.hasher) {
                self.cut(start)?;
                return Err(Refusal::PieceChanged { payload: self.payload.file(), piece: index });
            }
        }
        Ok(())
    }

    /// Makes the complete payload durable.
    ///
    /// # Errors
    /// [`Refusal::Truncated`] when bytes are missing, [`Refusal::Io`] when the disk fails.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.missing() > 0 {
            let what = self.payload.file().into();
            return Err(Refusal::Truncated { what, has: self.at, needs: self.payload.size });
        }
        self.file.sync_all().map_err(Refusal::io(format!("write {}", self.payload.file())))
    }

    /// Truncates the file to the start of a piece.
    fn cut(&mut self, at: u64) -> Result<(), Refusal> {
        let io = || Refusal::io(format!("write {}", self.payload.file()));
        self.file.set_len(at).map_err(io())?;
        self.file.seek(SeekFrom::Start(at)).map_err(io())?;
        self.hasher = sha2::Sha256::new();
        self.at = at;
        Ok(())
    }
}

/// How many leading bytes of a partial payload are complete and undamaged pieces.
fn good_bytes(file: &mut (impl Read + Seek), payload: &Payload) -> Result<u64, Refusal> {
    let io = || Refusal::io(format!("read {}", payload.file()));
    file.seek(SeekFrom::Start(0)).map_err(io())?;
    let mut piece = Vec::new();
    let mut good = 0;
    for index in 0..payload.pieces.len() {
        piece.resize(payload.piece_size(index) as usize, 0);
        let got = fill(file, &mut piece).map_err(io())?;
        if !check_piece(payload, index, &piece[..got]) {
            break;
        }
        good += got as u64;
    }
    Ok(good)
}
