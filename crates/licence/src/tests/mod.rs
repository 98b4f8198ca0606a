//! Tests of the whole library: licences that are signed, read, changed and added up.

mod adding;
mod reading;

use std::fs;

use fleet::time::Wall;
use fleet::version::Version;
use package::{SigningKey, TrustedKeys, generate_key};
use tempfile::TempDir;

use crate::*;

/// A key that signs licences, and the directory with its public half.
struct Kit {
    dir: TempDir,
    key: SigningKey,
    trusted: TrustedKeys,
}

impl Kit {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let pair = generate_key("a key for licences").unwrap();
        pair.write(dir.path(), "licences").unwrap();
        let trusted = TrustedKeys::load(dir.path()).unwrap();
        Self { dir, key: pair.signing, trusted }
    }

    fn read(&self, text: &str) -> Result<Licence, Refusal> {
        Licence::read(text, &self.trusted)
    }
}

/// Terms of 10 calls and 5 rooms in versions 34 to 36.
fn terms(id: &str) -> Terms {
    Terms {
        id: id.into(),
        customer: "Example Ltd".into(),
        counts: Counts { port: Amount::Of(10), vmr: Amount::Of(5) },
        features: ["customlayouts".to_string()].into(),
        not_before: None,
        expires: None,
        versions: Versions { from: 34, to: Some(36) },
    }
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}
