//! A package from the parts of an input: its manifest is adapted to the payloads and signed, as a publisher with a
//! broken build or with bad intent could do it.

use package::{MANIFEST_FILE, PIECE_SIZE, Role, SIGNATURE_FILE};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::release::release;

/// The form of the node's payload in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// The compressed payload.
    Compressed,
    /// The archive, to be compressed here.
    Archive,
}

/// Bytes of a tar block.
const BLOCK: usize = 512;

/// The package of a manifest, the manager's payload and the node's. A missing part is taken from the valid package.
pub(super) fn package(parts: &[&[u8]], node: Node) -> Vec<u8> {
    let good = release();
    let part = |index: usize, good: &[u8]| parts.get(index).map_or(good, |part| *part).to_vec();
    let [manager, good_node] = &good.payloads;
    let archive = |bytes: Vec<u8>| zstd::encode_all(bytes.as_slice(), 1).expect("compressed");
    let payloads = [
        part(1, manager),
        match node {
            Node::Compressed => part(2, good_node),
            Node::Archive => archive(part(2, &[])),
        },
    ];
    let manifest = fitted(&part(0, &good.manifest), &payloads);
    let signature = good.sign(&manifest);
    let mut bytes = Vec::new();
    entry(&mut bytes, MANIFEST_FILE, &manifest);
    entry(&mut bytes, SIGNATURE_FILE, signature.as_bytes());
    for (role, payload) in Role::ALL.into_iter().zip(&payloads) {
        entry(&mut bytes, role.payload_file(), payload);
    }
    bytes.extend([0; 2 * BLOCK]);
    bytes
}

/// The manifest with the sizes and pieces of the payloads, where it has fields for them.
fn fitted(manifest: &[u8], payloads: &[Vec<u8>; 2]) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(manifest) else { return manifest.to_vec() };
    for (role, payload) in Role::ALL.into_iter().zip(payloads) {
        let Some(Value::Object(listed)) = value.pointer_mut(&format!("/payloads/{role}")) else { continue };
        let pieces = payload.chunks(PIECE_SIZE as usize);
        let pieces: Vec<_> =
            pieces.map(|piece| fleet::version::Sha256(Sha256::digest(piece).into()).to_string()).collect();
        listed.insert("size".into(), json!(payload.len()));
        listed.insert("pieces".into(), json!(pieces));
    }
    value.to_string().into_bytes()
}

/// An entry of a plain tar, as the product writes it.
fn entry(to: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
    to.extend(header);
    to.extend(content);
    to.resize(to.len().next_multiple_of(BLOCK), 0);
}

#[cfg(test)]
mod tests {
    use package::verify;

    use super::*;

    #[test]
    fn valid_parts_make_a_valid_package() {
        let good = release();
        let verified = verify(package(&[], Node::Compressed).as_slice(), &good.trusted).unwrap();
        assert_eq!(verified.manifest().version.to_string(), "34.2");
    }
}
