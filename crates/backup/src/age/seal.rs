//! Encrypts what is written through it.

use std::io::{self, Write};

use aws_lc_rs::aead::{Aad, LessSafeKey};
use aws_lc_rs::rand::fill;

use super::keys::{WorkFactor, chunk_nonce};
use super::{CHUNK, PAYLOAD_NONCE, Position, TAG, header};
use crate::passphrase::Passphrase;

/// A writer of an encrypted file. Without [`Seal::finish`] the file is one that was cut off.
pub(crate) struct Seal<W> {
    to: W,
    key: LessSafeKey,
    number: u64,
    /// The plain text of the next chunk.
    chunk: Vec<u8>,
}

impl<W: Write> Seal<W> {
    /// Writes the header, and is ready for the contents.
    pub(crate) fn new(mut to: W, passphrase: &Passphrase, work: WorkFactor) -> io::Result<Self> {
        let file_key = header::write(&mut to, passphrase, work)?;
        let mut nonce = [0; PAYLOAD_NONCE];
        fill(&mut nonce).map_err(io::Error::other)?;
        to.write_all(&nonce)?;
        let key = file_key.payload_key(&nonce).map_err(io::Error::other)?;
        Ok(Self { to, key, number: 0, chunk: Vec::with_capacity(CHUNK + TAG) })
    }

    fn write_chunk(&mut self, position: Position) -> io::Result<()> {
        let nonce = chunk_nonce(self.number, position);
        self.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut self.chunk).map_err(io::Error::other)?;
        self.to.write_all(&self.chunk)?;
        self.chunk.clear();
        self.number += 1;
        Ok(())
    }

    /// Writes the last chunk and returns the writer.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.write_chunk(Position::Last)?;
        self.to.flush()?;
        Ok(self.to)
    }
}

impl<W: Write> Write for Seal<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        // A full chunk waits until more comes: the last one is written otherwise.
        if self.chunk.len() == CHUNK && !buffer.is_empty() {
            self.write_chunk(Position::Within)?;
        }
        let count = buffer.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::age::Open;
    use crate::refusal::Refusal;

    #[test]
    fn full_chunk_is_the_last_one_and_no_empty_one_follows_it() {
        let passphrase = Passphrase::new("x").unwrap();
        let opened = |file: &[u8]| {
            let mut plain = Vec::new();
            let read = Open::new(file, &passphrase).unwrap().read_to_end(&mut plain);
            read.map(|_| plain).map_err(|error| Refusal::unwrapped(error, Refusal::io("read")))
        };
        let sealing = || {
            let mut seal = Seal::new(Vec::new(), &passphrase, WorkFactor::QUICK).unwrap();
            seal.write_all(&[7; CHUNK]).unwrap();
            seal
        };
        assert_eq!(opened(&sealing().finish().unwrap()).unwrap(), [7; CHUNK]);
        let mut followed = sealing();
        followed.write_chunk(Position::Within).unwrap();
        let refusal = opened(&followed.finish().unwrap()).unwrap_err();
        assert!(matches!(refusal, Refusal::Damaged { .. }), "{refusal}");
        // A file without any contents is one empty chunk.
        let empty = Seal::new(Vec::new(), &passphrase, WorkFactor::QUICK).unwrap();
        assert_eq!(opened(&empty.finish().unwrap()).unwrap(), [0; 0]);
    }
}
