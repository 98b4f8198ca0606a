//! The plain tar of a backup. There is exactly one way to write an entry: its header is a function of name and size, so
//! a header is checked by writing it again and comparing. Links, devices, extensions and other paths are refused because
//! their headers differ. Works on bytes in memory.

/// Bytes of a tar block.
pub(crate) const BLOCK: usize = 512;

/// Bytes of the end of a tar: two empty blocks.
pub(crate) const END: usize = 2 * BLOCK;

/// The mode of every file: backups hold keys.
const MODE: u32 = 0o600;

/// The header of a file. `name` is at most 100 bytes and `size` under 8 GiB, which [`crate::limits`] ensures.
pub(crate) fn header(name: &str, size: u64) -> [u8; BLOCK] {
    let mut header = tar::Header::new_ustar();
    let length = name.len().min(header.as_old().name.len());
    header.as_old_mut().name[..length].copy_from_slice(&name.as_bytes()[..length]);
    header.set_size(size);
    header.set_mode(MODE);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    *header.as_bytes()
}

/// The size in a header, if it is octal as we write it.
pub(crate) fn size(block: &[u8; BLOCK]) -> Option<u64> {
    let digits = std::str::from_utf8(&block[124..135]).ok()?;
    u64::from_str_radix(digits, 8).ok()
}

/// Zero bytes after a content of `size` bytes, up to the next block.
pub(crate) fn padding(size: u64) -> usize {
    (size.next_multiple_of(BLOCK as u64) - size) as usize
}
