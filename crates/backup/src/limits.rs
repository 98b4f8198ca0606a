//! The limits of a backup. Whoever restores one may have been given another file: nothing of it is allocated, read or
//! written beyond these limits.

/// The number of the manifest's format that this program reads and writes.
pub const FORMAT: u32 = 1;

/// Longest line of the header of age, in bytes. The longest that is read has 64.
pub const MAX_LINE: usize = 128;

/// The largest work factor of a passphrase that is read, as a power of two: 18 is that of the stock tool. It takes
/// 256 MiB of memory and about a second, and each step more twice of both.
pub const MAX_WORK: u8 = 18;

/// Largest `manifest.json`, in bytes (256 KiB): [`MAX_FILES`] files of 220 bytes of text each.
pub const MAX_MANIFEST: u64 = 256 << 10;

/// Most files of a backup. That of a platform is its store, its authority, and a file for each certificate and licence.
pub const MAX_FILES: usize = 1_000;

/// Largest file of a backup, in bytes (4 GiB): ten times the store of the largest platform that was measured, and small
/// enough for the size field of a plain tar header.
pub const MAX_FILE: u64 = 4 << 30;

/// Most bytes of all files of a backup together (8 GiB). It bounds what a bad backup may do to a disk, next to the sizes
/// that the manifest states.
pub const MAX_TOTAL: u64 = 8 << 30;

/// Longest name of a file, in bytes: what the name field of a plain tar header holds, so that no extension header is
/// ever needed or accepted.
pub const MAX_NAME: usize = 100;

/// Most parts of a name.
pub const MAX_NAME_DEPTH: usize = 4;

/// Longest passphrase, in bytes: the 1,000 characters of the compatible interface, in any script.
pub const MAX_PASSPHRASE: usize = 4_000;

/// Longest text that names a platform, in bytes.
pub const MAX_PLATFORM: usize = 100;

/// The window of the compression as a power of two: 23 is 8 MiB, the largest that the stock tool uses by itself. It is
/// also the memory that reading takes at most for it.
pub const WINDOW_LOG: u32 = 23;
