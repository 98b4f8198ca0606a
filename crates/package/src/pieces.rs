//! Pieces: a payload is verified 4 MiB at a time, so that a download can resume and only a damaged piece is
//! fetched again. A payload has no other hash than the list of its pieces. Relies on a verified manifest.

use std::io::{self, BufRead, Read};

use crate::files::fill;
use crate::hash::sha256;
use crate::limits::PIECE_SIZE;
use crate::manifest::Payload;
use crate::refusal::Refusal;

/// Whether `bytes` are the piece of `payload` at `index`.
pub fn check_piece(payload: &Payload, index: usize, bytes: &[u8]) -> bool {
    payload.piece_size(index) == bytes.len() as u64
        && payload.pieces.get(index).is_some_and(|piece| *piece == sha256(bytes))
}

/// Reads a payload piece by piece and returns only verified bytes. A refusal is the inner error of an
/// `io::Error`; [`Refusal::unwrapped`] extracts it.
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

    /// Reads and verifies the next piece; the buffer is empty after the last one.
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
