//! The table of targets, with the limits that each is run within.

use crate::{enrolment, machine, messages, package, rest, sip, sip_pure, store};

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: of its folder, and on the command line.
    pub name: &'static str,
    /// The longest input, in bytes.
    pub longest: usize,
    /// Takes one input in.
    pub run: fn(&[u8]),
    /// Inputs to start from: real messages and files.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words that inputs are likely to hold.
    pub words: &'static [&'static str],
}

/// All targets. The longest inputs are a few times the largest real one, so that counts and lengths can
/// grow past what is usual; the limits of the product on sizes have tests of their own.
pub const TARGETS: [Target; 10] = [
    // An uploaded package; small ones are 5 KiB.
    Target {
        name: "package",
        longest: 16 << 10,
        run: package::upload,
        seeds: package::upload_seeds,
        words: package::WORDS,
    },
    // A signed manifest of 1.5 KiB.
    Target {
        name: "manifest",
        longest: 8 << 10,
        run: package::manifest,
        seeds: package::manifest_seeds,
        words: package::WORDS,
    },
    // An enrolment file of 850 bytes.
    Target {
        name: "enrolment",
        longest: 4 << 10,
        run: enrolment::file,
        seeds: enrolment::file_seeds,
        words: enrolment::WORDS,
    },
    // What is said for an enrolment, 700 bytes.
    Target {
        name: "identity",
        longest: 4 << 10,
        run: enrolment::identity,
        seeds: enrolment::identity_seeds,
        words: enrolment::WORDS,
    },
    // A whole run of two nodes is 20 messages of 350 bytes.
    Target {
        name: "messages",
        longest: 16 << 10,
        run: messages::run,
        seeds: messages::seeds,
        words: messages::WORDS,
    },
    // A call from its INVITE to its BYE is 7 messages of 600 bytes.
    Target { name: "sip", longest: 8 << 10, run: sip::run, seeds: sip::seeds, words: sip_pure::WORDS },
    // One message, one session description, or a second of sound.
    Target {
        name: "sip-pure",
        longest: 4 << 10,
        run: sip_pure::run,
        seeds: sip_pure::seeds,
        words: sip_pure::WORDS,
    },
    // A few requests to the management API of 300 bytes each.
    Target { name: "rest", longest: 4 << 10, run: rest::run, seeds: rest::seeds, words: rest::WORDS },
    // Patches to a store, or its rows.
    Target { name: "store", longest: 16 << 10, run: store::run, seeds: store::seeds, words: store::WORDS },
    // The largest is the memory of a node, 500 bytes.
    Target {
        name: "machine",
        longest: 4 << 10,
        run: machine::run,
        seeds: machine::seeds,
        words: machine::WORDS,
    },
];

/// The target of this name.
pub fn named(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
