//! The limits of a package. A package comes from outside: nothing of it is allocated, read or written beyond
//! these limits, and the cost before the signature is verified is bounded by the first two.

/// The number of the manifest's format that this program reads and writes.
pub const FORMAT: u32 = 1;

/// Largest `manifest.json`, in bytes (1 MiB). Two payloads with [`MAX_FILES`] files of 290 bytes of
/// text each and [`MAX_PAYLOAD`] in pieces of 75 bytes of text each reach just under that.
pub const MAX_MANIFEST: u64 = 1 << 20;

/// Largest signature entry, in bytes. A minisign signature has 4 lines and about 350 bytes; its
/// trusted comment is the only part that can grow.
pub const MAX_SIGNATURE: u64 = 2 << 10;

/// Bytes of a piece (4 MiB): small enough to fetch again without thought, large enough that the
/// list of pieces stays short.
pub const PIECE_SIZE: u64 = 4 << 20;

/// Largest compressed payload, in bytes (2 GiB): twenty times the whole operating system image that
/// was measured, and small enough for the size field of a plain tar header.
pub const MAX_PAYLOAD: u64 = 2 << 30;

/// Most bytes that all files of one payload hold unpacked (4 GiB). It bounds what a bad package may
/// do to the disk of a machine, next to the sizes that the manifest states.
pub const MAX_UNPACKED: u64 = 4 << 30;

/// Most files in one payload. A release is a handful of programs and their assets; this many still
/// fit the manifest with every path at full length.
pub const MAX_FILES: usize = 1_500;

/// Longest path in a slot, in bytes: what the name field of a plain tar header holds, so that no
/// extension header is ever needed or accepted.
pub const MAX_PATH: usize = 100;

/// Most components of a path in a slot; a release is a shallow tree.
pub const MAX_PATH_DEPTH: usize = 8;

/// The window of the compression as a power of two: 27 is 128 MiB, which was measured as the best
/// trade for a release of this size. It is also the memory that unpacking takes at most, on every node.
pub const WINDOW_LOG: u32 = 27;

/// Largest public or secret key file, in bytes. Minisign's own are under 300.
pub const MAX_KEY_FILE: u64 = 4 << 10;

/// Most public keys on one machine: a handful, and some more during a change of keys.
pub const MAX_KEYS: usize = 64;

/// Shortest passphrase of a secret key, in bytes: below eight, scrypt at some tenth of a second for each
/// guess does not keep a stolen file for a day.
pub const MIN_PASSPHRASE: usize = 8;

/// Longest passphrase of a secret key, in bytes: that of minisign.
pub const MAX_PASSPHRASE: usize = 1024;
