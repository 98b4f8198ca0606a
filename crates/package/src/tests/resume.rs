//! Downloads that are interrupted, and pieces that arrive damaged.

use std::fs;
use std::io::{BufWriter, Read as _};

use crate::pieces::CheckedPieces;
use crate::*;

use super::*;

/// A release whose node payload has three pieces, the last one short, with the payload's bytes.
fn three_pieces() -> (Kit, Verified, Vec<u8>) {
    let kit = Kit::with_node_program(&noise(10 << 20));
    let (package, built) = kit.build();
    assert_eq!(built.payload(Role::Node).pieces.len(), 3);
    extract_payload(&package, &built, Role::Node, &kit.at("served")).unwrap();
    let served = fs::read(kit.at("served")).unwrap();
    (kit, built, served)
}

#[test]
fn download_resumes_after_its_last_good_piece() {
    let (kit, built, served) = three_pieces();
    let (payload, partial) = (built.payload(Role::Node), kit.at("partial"));
    let piece = PIECE_SIZE as usize;
    let check = |bytes: &[u8], expected: usize| {
        fs::write(&partial, bytes).unwrap();
        assert_eq!(Download::open(&partial, payload).unwrap().at(), expected as u64);
        assert_eq!(fs::read(&partial).unwrap(), served[..expected], "what is kept must be good");
    };
    check(&[], 0);
    check(&served[..piece - 1], 0);
    check(&served[..piece], piece);
    check(&served[..2 * piece + 5], 2 * piece);
    check(&served, served.len());
    check(&[served.as_slice(), b"too much"].concat(), served.len());
    let mut bad = served.clone();
    bad[piece + 7] ^= 1;
    check(&bad, piece);
    bad[0] ^= 1;
    check(&bad, 0);
}

#[test]
fn download_in_odd_portions_with_interruptions_yields_the_payload() {
    let (kit, built, served) = three_pieces();
    let (payload, partial) = (built.payload(Role::Node), kit.at("partial"));
    for stop in [3_000_000, 7_000_000, served.len()] {
        let mut download = Download::open(&partial, payload).unwrap();
        let rest = &served[download.at() as usize..stop];
        rest.chunks(77_777).for_each(|portion| download.write(portion).unwrap());
        assert_eq!(download.missing(), (served.len() - stop) as u64);
        if stop < served.len() {
            assert!(refused(download.finish()).contains("ends after"));
        } else {
            download.finish().unwrap();
        }
    }
    assert_eq!(fs::read(&partial).unwrap(), served);
    let slot = kit.unpack(&partial, payload).unwrap();
    check_slot(&slot, payload).unwrap();
}

#[test]
fn only_a_damaged_piece_is_fetched_again() {
    let (kit, built, served) = three_pieces();
    let mut download = Download::open(&kit.at("partial"), built.payload(Role::Node)).unwrap();
    let mut bad = served.clone();
    bad[PIECE_SIZE as usize + 100] ^= 1;
    let refusal = download.write(&bad);
    assert!(matches!(refusal, Err(Refusal::PieceChanged { piece: 1, .. })), "{refusal:?}");
    assert_eq!(download.at(), PIECE_SIZE);
    download.write(&served[PIECE_SIZE as usize..]).unwrap();
    assert!(matches!(download.write(b"x"), Err(Refusal::Trailing { .. })));
    download.finish().unwrap();
    assert_eq!(fs::read(kit.at("partial")).unwrap(), served);
}

#[test]
fn damaged_piece_is_found_when_it_is_complete_in_whatever_portions_it_arrives() {
    let (kit, built, mut served) = three_pieces();
    let (piece, portion) = (PIECE_SIZE as usize, 77_777);
    served[100] ^= 1;
    let mut download = Download::open(&kit.at("partial"), built.payload(Role::Node)).unwrap();
    let refused = served.chunks(portion).position(|portion| download.write(portion).is_err());
    assert_eq!((refused, download.at()), (Some(piece / portion), 0));
}

#[test]
fn piece_is_verified_with_its_position_and_length() {
    let (_kit, built, served) = three_pieces();
    let payload = built.payload(Role::Node);
    let pieces: Vec<&[u8]> = served.chunks(PIECE_SIZE as usize).collect();
    for (index, piece) in pieces.iter().enumerate() {
        assert!(check_piece(payload, index, piece));
        assert!(!check_piece(payload, index + 1, piece));
        assert!(!check_piece(payload, index, &piece[1..]));
    }
}

#[test]
fn verified_payload_is_read_to_its_end_in_any_portions() {
    let (_kit, built, served) = three_pieces();
    let mut pieces = CheckedPieces::new(&served[..], built.payload(Role::Node));
    let mut read = vec![0; 7];
    pieces.read_exact(&mut read).unwrap();
    pieces.read_to_end(&mut read).unwrap();
    assert!(read == served);
}

#[test]
fn name_of_a_payload_depends_on_every_piece() {
    let (_kit, built, _) = three_pieces();
    let mut payload = built.payload(Role::Node).clone();
    let name = payload.name();
    payload.pieces.swap(0, 1);
    assert_ne!(payload.name(), name);
}

#[test]
fn payload_truncated_in_a_later_piece_is_refused_with_the_bytes_that_there_are() {
    let (kit, built, served) = three_pieces();
    let payload = built.payload(Role::Node);
    fs::write(kit.at("partial"), &served[..PIECE_SIZE as usize + 5]).unwrap();
    let said = refused(kit.unpack(&kit.at("partial"), payload));
    let expected = format!("payload-node.tar.zst ends after 4194309 of {}", payload.size);
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn pieces_are_cut_at_4_mib_and_an_empty_write_adds_none() {
    let check = |length: u64, expected: usize| {
        let mut writer = PieceWriter::new(std::io::sink());
        assert_eq!(writer.write(&[]).unwrap(), 0);
        writer.write_all(&vec![0; length as usize]).unwrap();
        let (size, pieces) = writer.finish().unwrap();
        assert_eq!((size, pieces.len()), (length, expected));
    };
    check(0, 0);
    check(1, 1);
    check(PIECE_SIZE, 1);
    check(PIECE_SIZE + 1, 2);
}

#[test]
fn flush_reaches_the_disk_below() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut writer = PieceWriter::new(BufWriter::new(full));
    writer.write_all(b"x").unwrap();
    assert!(writer.flush().is_err());
}
