//! The plain tar format of packages and payloads. There is exactly one way to write an entry: its header is a
//! function of name, size and mode, so a header is checked by writing it again and comparing. Links, devices,
//! extensions and paths outside the slot are refused because their headers differ. Works on bytes in memory.

/// Bytes of a tar block.
pub(crate) const BLOCK: usize = 512;

/// Bytes of the end of a tar: two empty blocks.
pub(crate) const END: usize = 2 * BLOCK;

/// The header of a regular file. `name` is at most 100 bytes and `size` under 8 GiB, which [`crate::limits`]
/// ensures.
pub(crate) fn header(name: &str, size: u64, mode: u32) -> [u8; BLOCK] {
    let mut header = tar::Header::new_ustar();
    let length = name.len().min(header.as_old().name.len());
    header.as_old_mut().name[..length].copy_from_slice(&name.as_bytes()[..length]);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    *header.as_bytes()
}

/// Zero bytes after a content of `size` bytes, up to the next block.
pub(crate) fn padding(size: u64) -> usize {
    (size.next_multiple_of(BLOCK as u64) - size) as usize
}

/// Bytes that an entry takes: header, content, padding.
pub(crate) fn entry_size(size: u64) -> u64 {
    BLOCK as u64 + size + padding(size) as u64
}

/// A description of a block, for the text of a refusal.
pub(crate) fn describe(block: &[u8; BLOCK]) -> String {
    if block.iter().all(|byte| *byte == 0) {
        return "the end of the archive".into();
    }
    let header = tar::Header::from_byte_slice(block);
    if !is_intact(header) {
        return "data that is no entry".into();
    }
    let name = name(block);
    let kind = header.entry_type();
    if kind.is_symlink() {
        format!("the symbolic link {name:?}")
    } else if kind.is_hard_link() {
        format!("the hard link {name:?}")
    } else if kind.is_dir() {
        format!("the directory {name:?}")
    } else if kind.is_file() {
        format!(
            "the file {name:?} of {} bytes, mode {:o}",
            size(block).unwrap_or(0),
            header.mode().unwrap_or(0)
        )
    } else {
        format!("the special entry {name:?}")
    }
}

/// Whether a block is a header with the right checksum.
pub(crate) fn is_header(block: &[u8; BLOCK]) -> bool {
    is_intact(tar::Header::from_byte_slice(block))
}

fn is_intact(header: &tar::Header) -> bool {
    let bytes = header.as_bytes();
    let sum: u32 = bytes
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    header.cksum().is_ok_and(|claimed| claimed == sum)
}

/// The name in a header, cut to its field.
pub(crate) fn name(block: &[u8; BLOCK]) -> String {
    let field = &block[..100];
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

/// The size in a header, if it is octal as we write it.
pub(crate) fn size(block: &[u8; BLOCK]) -> Option<u64> {
    let digits = std::str::from_utf8(&block[124..135]).ok()?;
    u64::from_str_radix(digits, 8).ok()
}
