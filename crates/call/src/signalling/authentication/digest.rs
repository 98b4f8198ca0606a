//! The hash that answers a challenge (RFC 7616 section 3.4.1), for both sides.

use sip::method::Method;

use super::algorithm::Algorithm;

/// What a challenge was answered with, beside the secret.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) nonce: &'a [u8],
    pub(super) uri: &'a [u8],
    pub(super) quality: Quality<'a>,
}

/// `qop`, with what it brings.
#[derive(Clone, Copy, Debug)]
pub(super) enum Quality<'a> {
    /// `auth`: the number of requests with this nonce, in eight digits, and a nonce of the client.
    Auth { count: &'a [u8], cnonce: &'a [u8] },
    /// None, as servers of RFC 2069 have it (RFC 3261 section 22.4).
    Absent,
}

impl Answered<'_> {
    /// The `response` for a secret, in hexadecimal digits. `ha1` is the hash of username, realm and password.
    pub(super) fn response(&self, ha1: &str, method: Method<'_>) -> String {
        let target = self.algorithm.hash(&[method.as_str().as_bytes(), self.uri]);
        let (ha1, target) = (ha1.as_bytes(), target.as_bytes());
        match self.quality {
            Quality::Auth { count, cnonce } => {
                self.algorithm.hash(&[ha1, self.nonce, count, cnonce, b"auth", target])
            }
            Quality::Absent => self.algorithm.hash(&[ha1, self.nonce, target]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The response of RFC 7616 section 3.9 to these values.
    fn check(algorithm: Algorithm, who: [&str; 3], of: [&str; 3], expected: &str) {
        let [nonce, cnonce, uri] = of.map(str::as_bytes);
        let ha1 = algorithm.hash(&who.map(str::as_bytes));
        let quality = Quality::Auth { count: b"00000001", cnonce };
        let answered = Answered { algorithm, nonce, uri, quality };
        assert_eq!(answered.response(&ha1, Method::Other("GET")), expected, "{algorithm}");
    }

    #[test]
    fn responses_are_those_of_rfc_7616() {
        let who = ["Mufasa", "http-auth@example.org", "Circle of Life"];
        let of = [
            "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "/dir/index.html",
        ];
        check(Algorithm::Md5, who, of, "8ca523f5e9506fed4657c9700eebdbec");
        let expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        check(Algorithm::Sha256, who, of, expected);
        // As corrected by erratum 4897: the RFC has a SHA-512 that was cut.
        let who = ["J\u{e4}s\u{f8}n Doe", "api@example.org", "Secret, or not?"];
        let of = [
            "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
            "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
            "/doe.json",
        ];
        let expected = "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5";
        check(Algorithm::Sha512Over256, who, of, expected);
    }
    #[test]
    fn response_without_quality_is_that_of_rfc_2069() {
        // The example of its section 2.4, as corrected by erratum 749.
        let algorithm = Algorithm::Md5;
        let ha1 = algorithm.hash(&[b"Mufasa", b"testrealm@host.com", b"CircleOfLife"]);
        let nonce = b"dcd98b7102dd2f0e8b11d0f600bfb0c093";
        let answered = Answered { algorithm, nonce, uri: b"/dir/index.html", quality: Quality::Absent };
        assert_eq!(answered.response(&ha1, Method::Other("GET")), "1949323746fe6a43ef61f9606e7febea");
    }
}
