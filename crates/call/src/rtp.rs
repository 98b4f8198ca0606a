//! The RTP header (RFC 3550 section 5.1): read from a datagram, written before a payload.
//!
//! Knows nothing of codecs, packet order or sockets.

/// Bytes of a header without contributing sources and extension.
pub const HEADER_BYTES: usize = 12;
const VERSION: u8 = 2;

/// What a receiver needs of an RTP header. Contributing sources and extensions are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// 0 is PCMU, 8 is PCMA, 96 to 127 are agreed in the session description.
    pub payload_type: u8,
    /// For audio: the first packet after a silence.
    pub marker: bool,
    /// Counts packets; wraps.
    pub sequence: u16,
    /// Counts samples; wraps.
    pub timestamp: u32,
    /// The sender of the stream.
    pub ssrc: u32,
}

impl Header {
    /// The header and the payload of a datagram; `None` if it is not RTP (wrong version, truncated, padding longer
    /// than the payload).
    #[must_use]
    pub fn parse(datagram: &[u8]) -> Option<(Header, &[u8])> {
        let (header, rest) = Header::split(datagram)?;
        let is_padded = datagram.first().is_some_and(|flags| flags & 0x20 != 0);
        Some((header, if is_padded { strip_padding(rest)? } else { rest }))
    }

    /// The header of a datagram and all that is behind it with its padding, which is what SRTP encrypts; `None` if it is
    /// not RTP (wrong version, truncated).
    #[must_use]
    pub fn split(datagram: &[u8]) -> Option<(Header, &[u8])> {
        let (fixed, mut rest) = datagram.split_first_chunk::<HEADER_BYTES>()?;
        let [flags, kind, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *fixed;
        if flags >> 6 != VERSION {
            return None;
        }
        rest = rest.get(usize::from(flags & 0x0f) * 4..)?;
        if flags & 0x10 != 0 {
            rest = skip_extension(rest)?;
        }
        let header = Header {
            payload_type: kind & 0x7f,
            marker: kind & 0x80 != 0,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        };
        Some((header, rest))
    }

    /// Replaces the contents of `datagram` by this header and `payload`.
    pub fn write(&self, payload: &[u8], datagram: &mut Vec<u8>) {
        datagram.clear();
        datagram.push(VERSION << 6);
        datagram.push((u8::from(self.marker) << 7) | (self.payload_type & 0x7f));
        datagram.extend_from_slice(&self.sequence.to_be_bytes());
        datagram.extend_from_slice(&self.timestamp.to_be_bytes());
        datagram.extend_from_slice(&self.ssrc.to_be_bytes());
        datagram.extend_from_slice(payload);
    }
}

fn skip_extension(rest: &[u8]) -> Option<&[u8]> {
    let (head, body) = rest.split_first_chunk::<4>()?;
    let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
    body.get(words * 4..)
}

fn strip_padding(rest: &[u8]) -> Option<&[u8]> {
    let padding = usize::from(*rest.last()?);
    if padding == 0 {
        return None;
    }
    rest.get(..rest.len().checked_sub(padding)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header =
        Header { payload_type: 8, marker: true, sequence: 0xfffe, timestamp: 0x0102_0304, ssrc: 0xdead_beef };

    fn datagram() -> Vec<u8> {
        let mut datagram = Vec::new();
        HEADER.write(b"sound", &mut datagram);
        datagram
    }

    #[test]
    fn written_packet_is_read_back() {
        assert_eq!(Header::parse(&datagram()), Some((HEADER, &b"sound"[..])));
    }

    #[test]
    fn contributing_sources_extension_and_padding_are_skipped() {
        let mut datagram = datagram();
        datagram[0] |= 0x30 | 2;
        let inserted = [[1; 4], [2; 4], [0xbe, 0xde, 0, 1], [3; 4]].concat();
        datagram.splice(HEADER_BYTES..HEADER_BYTES, inserted);
        datagram.extend([0, 0, 3]);
        assert_eq!(Header::parse(&datagram), Some((HEADER, &b"sound"[..])));
    }

    #[test]
    fn malformed_rtp_is_refused() {
        let check = |change: fn(&mut Vec<u8>)| {
            let mut datagram = datagram();
            change(&mut datagram);
            assert_eq!(Header::parse(&datagram), None, "{datagram:?}");
        };
        check(|d| d.truncate(HEADER_BYTES - 1));
        check(|d| d[0] = 0x40);
        check(|d| d[0] |= 0x0f);
        check(|d| d[0] |= 0x10);
        check(|d| {
            d[0] |= 0x20;
            d.push(200);
        });
        check(|d| {
            d[0] |= 0x20;
            d.push(0);
        });
    }
}
