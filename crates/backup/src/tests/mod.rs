//! Tests of the whole library: small backups that are made, read, damaged, forged, and exchanged with the stock tools.

mod damage;
mod forged;
mod round_trip;
mod stock;

use fleet::time::Wall;
use fleet::version::Release;

use crate::*;

fn passphrase() -> Passphrase {
    Passphrase::new("grandstand").unwrap()
}

fn origin() -> Origin {
    Origin { release: Release::PRESENT, platform: "7f3c".into(), made: Wall(1_796_000_000_000) }
}

fn source(name: &str, content: &[u8]) -> Source {
    Source { name: name.parse().unwrap(), content: Content::Bytes(content.into()) }
}

/// Sources of a store of that many bytes, a key, and an empty file.
fn sources(store: usize) -> Vec<Source> {
    vec![
        source("store.db", &noise(store)),
        source("state/authority.key", b"secret"),
        source("licences/empty", b""),
    ]
}

/// A backup of these sources.
fn made(sources: &[Source]) -> Vec<u8> {
    make(Vec::new(), &passphrase(), WorkFactor::QUICK, origin(), sources).unwrap().0
}

/// Reads a backup to its end.
fn check(bytes: &[u8]) -> Result<Manifest, Refusal> {
    Backup::open(bytes, &passphrase())?.check(&mut |_| {})
}

/// Bytes that do not compress, the same in every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
