//! Request-URI and Route of a request within a dialog (RFC 3261 section 12.2.1.1), and where it goes.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::address::Address;
use crate::dialog::state::Dialog;
use crate::error::FieldError;
use crate::escape;
use crate::name::Name;
use crate::transport::next_hop::{NextHop, Unroutable};
use crate::uri::Uri;
use crate::value::Value;

/// Request-URI and Route.
pub(crate) struct Path {
    pub(crate) uri: String,
    pub(crate) routes: Vec<Vec<u8>>,
}

impl Path {
    /// The path of the next request. A strict router expects to find itself in the Request-URI, and the target as
    /// the last Route.
    pub(crate) fn of(dialog: &Dialog) -> Self {
        let first = dialog.routes.first().and_then(|route| Address::whole(route).ok()?.uri.sip());
        match first {
            Some(router) if !router.is_loose() => {
                let mut routes = dialog.routes[1..].to_vec();
                routes.push(format!("<{}>", dialog.target).into_bytes());
                Self { uri: as_request_uri(Uri::Sip(router)), routes }
            }
            Some(_) | None => Self { uri: dialog.target.clone(), routes: dialog.routes.clone() },
        }
    }
}

impl Dialog {
    /// The Request-URI of its next request: the target, or a strict router before it.
    pub fn request_uri(&self) -> String {
        let uri = Path::of(self).uri;
        let without_headers = Uri::new(uri.as_bytes()).map(|read| read.without_headers().to_string());
        without_headers.unwrap_or(uri)
    }

    /// Where its requests go: to the first router, else to the target.
    ///
    /// # Errors
    /// They cannot be sent anywhere.
    pub fn next_hop(&self) -> Result<NextHop<'_>, Unroutable> {
        let of_field = |name| move |why| Unroutable::Route(FieldError { name, why });
        match self.routes.first() {
            Some(route) => NextHop::of(Address::whole(route).map_err(of_field(Name::RecordRoute))?.uri),
            None => NextHop::of(Uri::new(self.target.as_bytes()).map_err(of_field(Name::Contact))?),
        }
    }
}

/// A URI without `method`, which a Request-URI must not have (section 19.1.1, table 1). Nor may it have headers, which
/// [`crate::draft::Draft::request`] leaves out.
fn as_request_uri(uri: Uri<'_>) -> String {
    let text = uri.as_str();
    // A user part may hold semicolons of its own.
    let host = text.find('@').map_or(0, |at| at + 1);
    let (user, rest) = text.split_at(host);
    let mut parts = rest.split(';');
    let start = user.to_string() + parts.next().unwrap_or_default();
    parts.filter(|param| !is_method(param)).fold(start, |uri, param| uri + ";" + param)
}

fn is_method(param: &str) -> bool {
    let name = param.split_once('=').map_or(param, |(name, _)| name);
    escape::same_in_any_case(name, "method")
}
