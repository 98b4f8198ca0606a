//! What the user of the layer has sent.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::fmt::Write;

use crate::transport::flow::Destination;
use crate::value::Token;
use crate::via::COOKIE;

/// A request of ours.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The whole request as [`crate::draft::Draft`] writes it, but without Via of ours.
    pub bytes: Vec<u8>,
    /// What it is sent over. Datagrams become a connection to the same address when it is too long for one.
    pub destination: Destination,
    /// Its branch. That of an ACK for a 2xx is a new one as well.
    pub branch: Branch,
}

/// A branch of ours (RFC 3261 section 8.1.1.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch(String);

impl Branch {
    /// Of bytes that the shell has drawn at random: whoever can guess them can forge a response.
    pub fn new(random: [u8; 16]) -> Self {
        let mut branch = String::from(COOKIE);
        for byte in random {
            // Writing to a string does not fail.
            let _ = write!(branch, "{byte:02x}");
        }
        Self(branch)
    }

    pub(super) fn token(&self) -> Token<'_> {
        Token::new(&self.0).expect("hexadecimal digits are a token")
    }
}

/// Why a request is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsendable {
    /// There are as many transactions of ours as there may be.
    Full,
    /// The bytes are no request, or one that is too long for any transport.
    NotARequest,
    /// It is a CANCEL, which [`crate::transaction::layer::Layer::cancel`] sends.
    Cancel,
    /// A request of ours has this branch.
    BranchInUse,
    /// The INVITE to cancel has had no provisional response, or has a final one, or was cancelled before (section
    /// 9.1).
    NothingToCancel,
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "there are as many transactions of ours as there may be; try again later",
            Self::NotARequest => "the bytes are no SIP request of at most 65535 bytes",
            Self::Cancel => "a CANCEL is sent by cancelling its INVITE",
            Self::BranchInUse => "a request with this branch was sent before; draw another one",
            Self::NothingToCancel => {
                "an INVITE is cancelled between its first provisional and its final response"
            }
        })
    }
}

impl core::error::Error for Unsendable {}
