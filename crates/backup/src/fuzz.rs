//! Entry points of the fuzz target: contents that are no backup, encrypted, and the contents of one. Only with the feature
//! `fuzz`.

use std::io::{Read, Write};

use crate::age::{Open, Seal, WorkFactor};
use crate::passphrase::Passphrase;

/// A file of age with these contents.
pub fn encrypted(contents: &[u8], passphrase: &Passphrase) -> Vec<u8> {
    let mut seal = Seal::new(Vec::new(), passphrase, WorkFactor::QUICK).expect("memory");
    seal.write_all(contents).expect("memory");
    seal.finish().expect("memory")
}

/// The contents of a valid file of age.
pub fn decrypted(file: &[u8], passphrase: &Passphrase) -> Vec<u8> {
    let mut contents = Vec::new();
    Open::new(file, passphrase).expect("a valid file").read_to_end(&mut contents).expect("a valid file");
    contents
}
