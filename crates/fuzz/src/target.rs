//! The table of fuzz targets, each with its longest input.

use crate::{
    backup, certificates, enrolment, licence, machine, messages, package, rest, sip, sip_pure, store, tokens,
};

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also that of its folder.
    pub name: &'static str,
    /// The longest input, in bytes.
    pub longest: usize,
    /// Runs one input.
    pub run: fn(&[u8]),
    /// Inputs to start from: real messages and files.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Tokens that inputs are likely to contain, for the mutator.
    pub dictionary: &'static [&'static str],
}

/// All targets. The longest inputs are a few times the largest real one, so that counts and lengths can
/// grow past what is usual; the limits of the product on sizes have tests of their own.
pub const TARGETS: [Target; 14] = [
    // An uploaded package; small ones are 5 KiB.
    Target {
        name: "package",
        longest: 16 << 10,
        run: package::upload,
        seeds: package::upload_seeds,
        dictionary: package::DICTIONARY,
    },
    // A signed manifest of 1.5 KiB.
    Target {
        name: "manifest",
        longest: 8 << 10,
        run: package::manifest,
        seeds: package::manifest_seeds,
        dictionary: package::DICTIONARY,
    },
    // An enrolment file of 850 bytes.
    Target {
        name: "enrolment",
        longest: 4 << 10,
        run: enrolment::file,
        seeds: enrolment::file_seeds,
        dictionary: enrolment::DICTIONARY,
    },
    // The messages of an enrolment, 700 bytes.
    Target {
        name: "identity",
        longest: 4 << 10,
        run: enrolment::identity,
        seeds: enrolment::identity_seeds,
        dictionary: enrolment::DICTIONARY,
    },
    // A whole run of two nodes is 20 messages of 350 bytes.
    Target {
        name: "messages",
        longest: 16 << 10,
        run: messages::run,
        seeds: messages::seeds,
        dictionary: messages::DICTIONARY,
    },
    // A call from its INVITE to its BYE is 7 messages of 600 bytes.
    Target {
        name: "sip",
        longest: 8 << 10,
        run: sip::run,
        seeds: sip::seeds,
        dictionary: sip_pure::DICTIONARY,
    },
    // One message, one session description, or a second of sound.
    Target {
        name: "sip-pure",
        longest: 4 << 10,
        run: sip_pure::run,
        seeds: sip_pure::seeds,
        dictionary: sip_pure::DICTIONARY,
    },
    // A few requests to the management API of 300 bytes each.
    Target {
        name: "rest",
        longest: 4 << 10,
        run: rest::run,
        seeds: rest::seeds,
        dictionary: rest::DICTIONARY,
    },
    // Patches to a store, or its rows.
    Target {
        name: "store",
        longest: 16 << 10,
        run: store::run,
        seeds: store::seeds,
        dictionary: store::DICTIONARY,
    },
    // The largest file is the persistent state of a node, 500 bytes.
    Target {
        name: "machine",
        longest: 4 << 10,
        run: machine::run,
        seeds: machine::seeds,
        dictionary: machine::DICTIONARY,
    },
    // A leaf with its key and its issuer has 2 KB.
    Target {
        name: "certificates",
        longest: 8 << 10,
        run: certificates::run,
        seeds: certificates::seeds,
        dictionary: certificates::DICTIONARY,
    },
    // A small backup has 700 bytes, its archive 5 KB.
    Target {
        name: "backup",
        longest: 16 << 10,
        run: backup::run,
        seeds: backup::seeds,
        dictionary: backup::DICTIONARY,
    },
    // A licence of 700 bytes.
    Target {
        name: "licence",
        longest: 4 << 10,
        run: licence::run,
        seeds: licence::seeds,
        dictionary: licence::DICTIONARY,
    },
    // The claims of an assertion, 250 bytes.
    Target {
        name: "tokens",
        longest: 4 << 10,
        run: tokens::run,
        seeds: tokens::seeds,
        dictionary: tokens::DICTIONARY,
    },
];

/// The target of this name.
pub fn named(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
