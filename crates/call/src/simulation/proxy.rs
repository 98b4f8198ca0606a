//! A proxy that keeps no state (RFC 3261 section 16.11): it stays in the path of each call by Record-Route, and can be
//! restarted at any time. By the text of messages alone.

use std::net::SocketAddr;

/// Its address.
pub(super) const PROXY: &str = "192.0.2.200:5060";
/// How it is named in Route and Record-Route.
pub(super) const ROUTE: &str = "<sip:192.0.2.200:5060;lr>";

/// Where a message goes on to, and how it reads then.
///
/// # Errors
/// It should not have come this way.
pub(super) fn forward(text: &str) -> Result<(SocketAddr, String), String> {
    if text.starts_with("SIP/2.0 ") { response(text) } else { request(text) }
}

/// Whether a message of a caller behind it goes to the proxy: each request, and the response to what it has forwarded.
pub(super) fn forwards(text: &str) -> bool {
    let via = value(text, "Via").unwrap_or_default();
    !text.starts_with("SIP/2.0 ") || via.starts_with(&format!("SIP/2.0/UDP {PROXY};"))
}

/// Takes its own Via from a response, which goes to the one below.
fn response(text: &str) -> Result<(SocketAddr, String), String> {
    let own = format!("Via: SIP/2.0/UDP {PROXY};");
    let via = text.lines().find(|line| line.starts_with("Via: ")).unwrap_or_default();
    if !via.starts_with(&own) {
        return Err(format!("a response came to the proxy that is not its own: {via}"));
    }
    let rest = text.replacen(&format!("{via}\r\n"), "", 1);
    let next = value(&rest, "Via").and_then(|via| via.split([' ', ';']).nth(1)?.parse().ok());
    Ok((next.ok_or("a response has no further Via")?, rest))
}

/// Adds its Via to a request, takes its own Route away, and records the route of a new call.
fn request(text: &str) -> Result<(SocketAddr, String), String> {
    let (start, headers) = text.split_once("\r\n").ok_or("a request has no headers")?;
    let own = format!("Route: {ROUTE}\r\n");
    if !headers.starts_with(&own) && !headers.contains(&format!("\r\n{own}")) {
        return Err(format!("a request came to the proxy without its Route: {start}"));
    }
    let headers = headers.replacen(&own, "", 1);
    let branch = value(&headers, "Via").and_then(|via| via.split("branch=z9hG4bK").nth(1));
    let branch = branch.and_then(|rest| rest.split(';').next()).ok_or("a request has no branch")?;
    let is_new = value(&headers, "To").is_some_and(|to| !to.contains("tag="));
    let record = if is_new { format!("Record-Route: {ROUTE}\r\n") } else { String::new() };
    // The branch follows from that of the request, so that what belongs together has the same one.
    let via = format!("Via: SIP/2.0/UDP {PROXY};branch=z9hG4bKproxy{branch}\r\n");
    Ok((target(start)?, format!("{start}\r\n{via}{record}{headers}")))
}

/// The address in a Request-URI.
fn target(start: &str) -> Result<SocketAddr, String> {
    let host = start.split(['@', ' ', ';']).nth(2).unwrap_or_default();
    let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:5060") };
    with_port.parse().map_err(|_| format!("the proxy cannot forward {start}"))
}

/// The first value of a header.
fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
