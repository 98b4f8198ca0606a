//! Pieces: a payload is checked 4 MiB at a time, so that a broken download resumes and a bad piece
//! costs only itself. A payload has no other hash; the list of its pieces is its definition.

use std::io::{self, BufRead, Read};

use fleet::version::Sha256;
use sha2::Digest as _;

use crate::container::fill;
use crate::manifest::Payload;
use crate::refusal::Refusal;

/// Bytes of a piece (4 MiB): small enough to fetch again without thought, large enough that the
/// list of pieces stays short.
pub const PIECE_SIZE: u64 = 4 << 20;

/// The SHA-256 of bytes in memory.
pub(crate) fn sha256(bytes: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(bytes).into())
}

/// The hash that a running computation comes to; the computation begins anew.
pub(crate) fn take(hasher: &mut sha2::Sha256) -> Sha256 {
    Sha256(hasher.finalize_reset().into())
}

/// Whether `bytes` are the piece of `payload` at `index`.
pub fn check_piece(payload: &Payload, index: usize, bytes: &[u8]) -> bool {
    payload.piece_size(index) == bytes.len() as u64
        && payload.pieces.get(index).is_some_and(|piece| *piece == sha256(bytes))
}

/// Reads a payload piece by piece and passes on only bytes that were checked. A refusal travels as
/// the inner error of an `io::Error`; [`Refusal::unwrapped`] takes it out.
pub(crate) struct CheckedPieces<'p, R> {
    reader: R,
    payload: &'p Payload,
    next: usize,
    piece: Vec<u8>,
    used: usize,
}

impl<'p, R: Read> CheckedPieces<'p, R> {
    pub(crate) fn new(reader: R, payload: &'p Payload) -> Self {
        Self { reader, payload, next: 0, piece: Vec::new(), used: 0 }
    }

    /// Reads and checks the next piece; leaves nothing to pass on after the last one.
    fn advance(&mut self) -> io::Result<()> {
        let size = self.payload.piece_size(self.next) as usize;
        self.used = 0;
        self.piece.resize(size, 0);
        let got = fill(&mut self.reader, &mut self.piece)?;
        let refusal = if got < size {
            let has = self.next as u64 * PIECE_SIZE + got as u64;
            Refusal::Truncated { what: self.payload.file().into(), has, needs: self.payload.size }
        } else if size > 0 && !check_piece(self.payload, self.next, &self.piece) {
            Refusal::PieceChanged { payload: self.payload.file(), piece: self.next }
        } else if size == 0 && fill(&mut self.reader, &mut [0])? > 0 {
            Refusal::Trailing { what: self.payload.file().into(), found: "more bytes".into() }
        } else {
            self.next += 1;
            return Ok(());
        };
        self.piece.clear();
        Err(io::Error::other(refusal))
    }
}

impl<R: Read> BufRead for CheckedPieces<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.piece.len() {
            self.advance()?;
        }
        Ok(&self.piece[self.used..])
    }

    fn consume(&mut self, count: usize) {
        self.used = (self.used + count).min(self.piece.len());
    }
}

impl<R: Read> Read for CheckedPieces<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
