//! Splits the bytes of an input into parts at separators, and applies patches to a valid file. Both survive mutation:
//! inserted and removed bytes do not shift the other parts.

/// The separator of parts: a line that no real message contains.
pub(crate) const SEPARATOR: &[u8] = b"\n%%\n";

/// The most parts that are used; more would find nothing more and only take longer.
const PARTS: usize = 24;

/// The parts of an input.
pub(crate) fn parts(mut data: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while parts.len() < PARTS {
        let at = data.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
        let Some(at) = at else {
            parts.push(data);
            break;
        };
        parts.push(&data[..at]);
        data = &data[at + SEPARATOR.len()..];
    }
    parts
}

/// The input that has these parts.
pub(crate) fn joined<T: AsRef<[u8]>>(parts: &[T]) -> Vec<u8> {
    let parts: Vec<&[u8]> = parts.iter().map(AsRef::as_ref).collect();
    parts.join(SEPARATOR)
}

/// Applies patches to a valid file. A patch is five bytes (kind, position, length) and the new bytes.
pub(crate) fn patched(good: &[u8], mut patches: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    while let [what, low, middle, high, length, rest @ ..] = patches {
        let at = u32::from_le_bytes([*low, *middle, *high, 0]) as usize % (bytes.len() + 1);
        let length = usize::from(*length) % 64;
        let new = &rest[..rest.len().min(length)];
        patches = &rest[new.len()..];
        let end = bytes.len().min(at + length);
        match what % 4 {
            0 => bytes[at..].iter_mut().zip(new).for_each(|(old, new)| *old = *new),
            1 => drop(bytes.splice(at..at, new.iter().copied())),
            2 => drop(bytes.drain(at..end)),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_input_are_what_was_joined() {
        let check = |all: &[&[u8]]| assert_eq!(parts(&joined(all)), all);
        check(&[b"one"]);
        check(&[b"", b"two\n", b""]);
        assert_eq!(parts(&joined(&[b"x"; PARTS + 9])).len(), PARTS);
    }

    #[test]
    fn a_patch_replaces_inserts_removes_or_cuts() {
        let check = |patch: &[u8], expected: &[u8]| assert_eq!(patched(b"abcdef", patch), expected);
        check(&[], b"abcdef");
        check(&[0, 1, 0, 0, 2, b'X', b'Y'], b"aXYdef");
        check(&[1, 1, 0, 0, 2, b'X', b'Y'], b"aXYbcdef");
        check(&[2, 1, 0, 0, 2], b"adef");
        check(&[3, 2, 0, 0, 0], b"ab");
        check(&[3, 2, 0, 0, 0, 1, 9, 0, 0, 1, b'Z'], b"Zab");
    }
}
