//! CSeq (RFC 3261 section 20.16) and RAck (RFC 3262 section 7.2).

use crate::error::Malformed;
use crate::lex::{Cursor, is_space, number};
use crate::method::Method;
use crate::value::Value;

/// CSeq: the order of the requests of one side of a dialog.
///
/// RFC 3261 requires numbers below 2^31; every number of 32 bits is read, for it can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The number.
    pub number: u32,
    /// The method.
    pub method: Method<'a>,
}

/// RAck: which provisional response a PRACK acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck<'a> {
    /// The RSeq of the response.
    pub response: u32,
    /// The CSeq of the response.
    pub cseq: CSeq<'a>,
}

/// A number and the white space behind it.
fn number_and_space(cursor: &mut Cursor<'_>) -> Result<u32, Malformed> {
    cursor.space();
    let digits = cursor.over(|byte| !is_space(byte));
    let number = number(digits).ok_or(Malformed("its number is not one of 32 bits"))?;
    if cursor.over(is_space).is_empty() { Err(Malformed("it ends behind its number")) } else { Ok(number) }
}

impl<'a> Value<'a> for CSeq<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        let number = number_and_space(cursor)?;
        Ok(Self { number, method: Method::read(cursor)? })
    }
}

impl<'a> Value<'a> for RAck<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        let response = number_and_space(cursor)?;
        Ok(Self { response, cseq: CSeq::read(cursor)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_is_a_number_and_a_method() {
        let cseq = CSeq::whole(b" 0009 \r\n  INVITE ").unwrap();
        assert_eq!(cseq, CSeq { number: 9, method: Method::Invite });
        let rack = RAck::whole(b"31017 1\tINVITE").unwrap();
        assert_eq!(rack, RAck { response: 31_017, cseq: CSeq { number: 1, method: Method::Invite } });
        for wrong in
            [&b""[..], b"1", b"1 ", b"INVITE", b"-1 INVITE", b"18446744073709551617 INVITE", b"1 IN VITE"]
        {
            assert!(CSeq::whole(wrong).is_err(), "{:?}", wrong.escape_ascii());
        }
    }
}
