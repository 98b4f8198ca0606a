//! Decrypts what is read through it, and returns nothing that is not authentic.

use std::io::{self, Read};

use aws_lc_rs::aead::{Aad, LessSafeKey};

use super::keys::chunk_nonce;
use super::{CHUNK, PAYLOAD_NONCE, Position, TAG, header};
use crate::contents::fill;
use crate::passphrase::Passphrase;
use crate::refusal::Refusal;

/// Bytes of a whole chunk in the file.
const SEALED: usize = CHUNK + TAG;

/// A reader of an encrypted file. A refusal is the inner error of an `io::Error`.
pub(crate) struct Open<R> {
    from: Counted<R>,
    key: LessSafeKey,
    number: u64,
    /// What was read of the file and not decrypted: a chunk and the first byte behind it.
    sealed: Vec<u8>,
    /// The plain text of a chunk, of which `used` bytes were returned.
    plain: Vec<u8>,
    used: usize,
    is_last: bool,
}

impl<R: Read> Open<R> {
    /// Reads the header, and is ready to read the contents.
    pub(crate) fn new(from: R, passphrase: &Passphrase) -> Result<Self, Refusal> {
        let mut from = Counted { from, at: 0 };
        let file_key = header::read(&mut from, passphrase)?;
        let mut nonce = [0; PAYLOAD_NONCE];
        let got = fill(&mut from, &mut nonce).map_err(Refusal::io("read the backup"))?;
        if got < nonce.len() {
            return Err(Refusal::Cut { at: from.at });
        }
        let key = file_key.payload_key(&nonce).map_err(|_| Refusal::Damaged { at: from.at })?;
        let sealed = Vec::with_capacity(SEALED + 1);
        Ok(Self { from, key, number: 0, sealed, plain: Vec::new(), used: 0, is_last: false })
    }

    /// Decrypts the next chunk.
    fn advance(&mut self) -> io::Result<()> {
        let kept = self.sealed.len();
        self.sealed.resize(SEALED + 1, 0);
        let got = kept + fill(&mut self.from, &mut self.sealed[kept..])?;
        let position = if got > SEALED { Position::Within } else { Position::Last };
        let chunk = &mut self.sealed[..got.min(SEALED)];
        self.plain.clear();
        self.used = 0;
        match opened(&self.key, self.number, position, chunk) {
            Some(plain) => self.plain.extend_from_slice(plain),
            None => return Err(self.refusal(position, got).into()),
        }
        if position == Position::Last && self.plain.is_empty() && self.number > 0 {
            // Whoever writes age ends a full chunk as the last one.
            return Err(Refusal::Damaged { at: self.from.at }.into());
        }
        let behind = self.sealed[SEALED];
        self.sealed.clear();
        if position == Position::Within {
            self.sealed.push(behind);
        }
        self.is_last = position == Position::Last;
        self.number += 1;
        Ok(())
    }

    /// Why a chunk cannot be decrypted. What ends without being the last chunk was cut off, or its end was changed.
    fn refusal(&self, position: Position, got: usize) -> Refusal {
        match position {
            Position::Within => Refusal::Damaged { at: self.from.at - (got - SEALED) as u64 },
            Position::Last => Refusal::Cut { at: self.from.at },
        }
    }
}

/// The plain text of a chunk, if it is authentic in this place.
fn opened<'c>(key: &LessSafeKey, number: u64, position: Position, chunk: &'c mut [u8]) -> Option<&'c [u8]> {
    let plain = key.open_in_place(chunk_nonce(number, position), Aad::empty(), chunk).ok()?;
    Some(plain)
}

impl<R: Read> Read for Open<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used == self.plain.len() && !self.is_last {
            self.advance()?;
        }
        let count = buffer.len().min(self.plain.len() - self.used);
        buffer[..count].copy_from_slice(&self.plain[self.used..self.used + count]);
        self.used += count;
        Ok(count)
    }
}

/// Counts what is read through it.
struct Counted<R> {
    from: R,
    at: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}
