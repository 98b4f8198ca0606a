//! The call engine's G.711 and RTP header against the third-party crates that the callers use. Tones are detected in
//! spite of a wrong byte, so that a call does not show one; these tests compare every byte, every sample and every bit.

use call::audio::g711;
use call::rtp::Header;
use callers::Codec;
use rtp_rs::{RtpPacketBuilder, RtpReader, Seq};

/// The engine's functions of one codec.
struct Law {
    codec: Codec,
    decode: fn(u8) -> i16,
    encode: fn(i16) -> u8,
}

const LAWS: [Law; 2] = [
    Law { codec: Codec::Pcmu, decode: g711::decode_ulaw, encode: g711::encode_ulaw },
    Law { codec: Codec::Pcma, decode: g711::decode_alaw, encode: g711::encode_alaw },
];

/// The bytes that a decoder and the independent codec decode differently.
fn wrong_bytes(codec: Codec, decode: impl Fn(u8) -> i16) -> Vec<u8> {
    let expected = |byte| codec.decode(&[byte]).next().expect("one sample for each byte");
    (0..=u8::MAX).filter(|byte| decode(*byte) != expected(*byte)).collect()
}

/// The samples that an encoder and the independent codec encode differently. Where two steps of mu-law meet, both are
/// equally near to a negative sample: an encoder may choose either, as the independent one does for the next sample.
fn wrong_samples(codec: Codec, encode: impl Fn(i16) -> u8) -> Vec<i16> {
    let expected = |sample: i16| codec.encode(&[sample])[0];
    let is_right = |sample: i16| {
        let byte = encode(sample);
        byte == expected(sample)
            || (codec == Codec::Pcmu && sample < 0 && byte == expected(sample.saturating_sub(1)))
    };
    (i16::MIN..=i16::MAX).filter(|sample| !is_right(*sample)).collect()
}

#[test]
fn engine_decodes_every_byte_as_the_independent_codec() {
    for Law { codec, decode, .. } in LAWS {
        assert_eq!(wrong_bytes(codec, decode), [0; 0], "{codec:?}");
    }
}

#[test]
fn engine_encodes_every_sample_as_the_independent_codec() {
    for Law { codec, encode, .. } in LAWS {
        assert_eq!(wrong_samples(codec, encode), [0; 0], "{codec:?}");
    }
}

/// Canary: the comparison finds a single wrong byte of a decoder, and a single wrong sample of an encoder.
#[test]
fn wrong_byte_of_a_codec_is_found() {
    for Law { codec, decode, encode } in LAWS {
        for wrong in 0..=u8::MAX {
            let found = wrong_bytes(codec, |byte| decode(byte) ^ i16::from(byte == wrong));
            assert_eq!(found, [wrong], "{codec:?}");
        }
        for wrong in [i16::MIN, -1000, -1, 0, 1, 1000, i16::MAX] {
            let found = wrong_samples(codec, |sample| encode(sample) ^ (u8::from(sample == wrong) << 4));
            assert_eq!(found, [wrong], "{codec:?}");
        }
    }
}

const HEADER: Header =
    Header { payload_type: 8, marker: true, sequence: 0xfedc, timestamp: 0x0123_4567, ssrc: 0x89ab_cdef };
const PAYLOAD: [u8; 160] = [0xd5; 160];

/// What the independent crate reads in a packet; `None` if it is no RTP.
fn independent(datagram: &[u8]) -> Option<(Header, Vec<u8>)> {
    let packet = RtpReader::new(datagram).ok()?;
    let header = Header {
        payload_type: packet.payload_type(),
        marker: packet.mark(),
        sequence: packet.sequence_number().into(),
        timestamp: packet.timestamp(),
        ssrc: packet.ssrc(),
    };
    Some((header, packet.payload().to_owned()))
}

fn written_by_the_engine() -> Vec<u8> {
    let mut datagram = Vec::new();
    HEADER.write(&PAYLOAD, &mut datagram);
    datagram
}

#[test]
fn independent_crate_reads_what_the_engine_writes() {
    assert_eq!(independent(&written_by_the_engine()), Some((HEADER, PAYLOAD.to_vec())));
}

#[test]
fn engine_reads_what_the_independent_crate_writes() {
    let datagram = RtpPacketBuilder::new()
        .payload_type(HEADER.payload_type)
        .marked(HEADER.marker)
        .sequence(Seq::from(HEADER.sequence))
        .timestamp(HEADER.timestamp)
        .ssrc(HEADER.ssrc)
        .add_csrc(1)
        .extension(0xbede, &[1, 2, 3, 4])
        .padded(rtp_rs::Pad::round_to(16))
        .payload(&PAYLOAD)
        .build()
        .unwrap();
    assert_eq!(Header::parse(&datagram), Some((HEADER, &PAYLOAD[..])));
}

/// Canary: no bit of the header and no byte of the payload can be wrong without being found.
#[test]
fn wrong_bit_of_a_header_is_found() {
    let right = written_by_the_engine();
    for bit in 0..8 * right.len() {
        let mut wrong = right.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(independent(&wrong), independent(&right), "bit {bit}");
    }
}
