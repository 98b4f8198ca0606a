//! What identifies a dialog (RFC 3261 section 12): Call-ID, local tag, remote tag.

use alloc::string::{String, ToString};

use crate::message::{Request, Response};

/// The identification of a dialog. Its order puts the dialogs of one forked INVITE of ours next to each other.
///
/// Tags are tokens, whose case does not count (section 7.3.1): they are kept in lower case. Call-ID is compared byte
/// for byte (section 20.8).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DialogId {
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
    pub(crate) remote_tag: Option<String>,
}

impl DialogId {
    /// The identification from its parts. A peer of RFC 2543 has no tag.
    pub fn new(call_id: &str, local_tag: &str, remote_tag: Option<&str>) -> Self {
        Self {
            call_id: call_id.to_string(),
            local_tag: local_tag.to_ascii_lowercase(),
            remote_tag: remote_tag.map(str::to_ascii_lowercase),
        }
    }

    /// That of a request of the other side; `None` without a tag in To, when it is outside of any dialog.
    pub fn of_request(request: &Request) -> Option<Self> {
        let headers = request.headers();
        Some(Self::new(headers.call_id(), headers.to_tag()?, headers.from_tag()))
    }

    /// That of a response to a request of ours; `None` without a tag in From, which ours always have.
    pub fn of_response(response: &Response) -> Option<Self> {
        let headers = response.headers();
        Some(Self::new(headers.call_id(), headers.from_tag()?, headers.to_tag()))
    }

    /// The Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Our tag, in lower case.
    pub fn local_tag(&self) -> &str {
        &self.local_tag
    }

    /// The tag of the other side, in lower case; `None` for a peer of RFC 2543.
    pub fn remote_tag(&self) -> Option<&str> {
        self.remote_tag.as_deref()
    }
}
