//! Reads files of messages, in the notation that `messages/rfc4475.txt` explains.

/// The messages of a file by their names.
pub(crate) fn messages(file: &str) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    for line in file.lines().filter(|line| !line.starts_with('#')) {
        if let Some(title) = line.strip_prefix("== ") {
            let name = title.split(' ').next().unwrap_or_default();
            found.push((name.to_owned(), Vec::new()));
            continue;
        }
        let bytes = &mut found.last_mut().expect("a title stands first").1;
        bytes.extend(expanded(line));
        bytes.extend(b"\r\n");
    }
    found
}

/// A line with its notation replaced by what it stands for.
fn expanded(line: &str) -> Vec<u8> {
    for (open, close) in [("<hex>", "</hex>"), ("<repeat count=", "</repeat>"), ("<sdp>", "</sdp>")] {
        let Some((before, rest)) = line.split_once(open) else { continue };
        let (inside, after) = rest.split_once(close).expect("what opens closes");
        let meant = match open {
            "<hex>" => hex(inside),
            "<sdp>" => sdp(inside),
            _ => {
                let (count, text) = inside.split_once('>').expect("a count and a text");
                text.repeat(count.parse().expect("a count")).into_bytes()
            }
        };
        return [expanded(before), meant, expanded(after)].concat();
    }
    line.as_bytes().to_vec()
}

fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).expect("hex digits")).collect()
}

/// A usual session description; the end of its last line is not part of it.
pub(crate) fn sdp(address: &str) -> Vec<u8> {
    format!(
        "v=0\r\no=frontdesk 5208 11 IN IP4 {address}\r\ns=Morning round\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
         m=audio 30240 RTP/AVP 9 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n\
         m=video 30242 RTP/AVP 97\r\na=rtpmap:97 H264/90000"
    )
    .into_bytes()
}
