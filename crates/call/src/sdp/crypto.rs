//! Master keys in descriptions: `a=crypto` (RFC 4568), with the suites that `srtp` has.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::srtp::{MasterKey, Suite};

use super::description::Medium;

/// The attribute.
const NAME: &str = "crypto";
/// The only method there is to name a key (RFC 4568 section 6.1).
const METHOD: &str = "inline:";
/// The longest tag, in digits (RFC 4568 section 9.1).
const TAG_DIGITS: usize = 9;
/// The longest identifier of a master key in packets, in bytes (RFC 4568 section 6.1).
const MAX_MKI: u8 = 128;
/// The most suites that a refusal names.
const MOST_NAMES: usize = 6;

/// Base64 as the RFC has it. Padding is left out by some, also of lengths that need it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A key that the far end names for what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crypto {
    /// Names it in an answer.
    pub(super) tag: u32,
    pub(super) key: MasterKey,
    /// How many bytes of each packet identify the key.
    pub(super) mki: u8,
}

/// A key that this node names for what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// In an answer that of the far end.
    pub(super) tag: u32,
    pub(super) key: MasterKey,
}

impl Named {
    pub(super) fn write(&self, text: &mut String) {
        let Named { tag, key } = self;
        let encoded = BASE64.encode(key.key_and_salt());
        let _ = write!(text, "a={NAME}:{tag} {} {METHOD}{encoded}\r\n", key.suite().name());
    }
}

/// The keys of a media line that can be used, in the far end's order, which is that of its preference.
pub(super) fn usable(medium: Medium<'_>) -> impl Iterator<Item = Crypto> {
    medium.values(NAME).filter_map(read)
}

/// The suites of a media line in words, for whoever reads a refusal.
pub(super) fn names(medium: Medium<'_>) -> String {
    let named = |value: &str| {
        let suite = value.split_ascii_whitespace().nth(1).unwrap_or(value).to_owned();
        // Such as several keys, or packets without encryption.
        if Suite::named(&suite).is_some() { suite + " with parameters that are not" } else { suite }
    };
    let names: Vec<String> = medium.values(NAME).take(MOST_NAMES).map(named).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// Reads `1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^31|1:4 WSH=128`; `None` for what cannot be used.
fn read(value: &str) -> Option<Crypto> {
    let mut fields = value.split_ascii_whitespace();
    let tag = fields.next().filter(|tag| tag.len() <= TAG_DIGITS && is_number(tag))?.parse().ok()?;
    let suite = Suite::named(fields.next()?)?;
    let parameters = fields.next()?;
    let method = parameters.get(..METHOD.len()).filter(|method| method.eq_ignore_ascii_case(METHOD))?;
    // Several keys need an identifier in each packet that says which one it is under; nobody offers them.
    let mut key = parameters[method.len()..].split('|');
    let key_and_salt = BASE64.decode(key.next()?).ok()?;
    let mki = read_rest(key)?;
    fields.all(is_harmless).then_some(Crypto { tag, key: MasterKey::new(suite, &key_and_salt)?, mki })
}

/// What follows a key: how many packets it is for, and how it is identified in them. Returns the bytes of the latter. A
/// far end that comes to the end of its key names another one.
fn read_rest<'a>(mut rest: impl Iterator<Item = &'a str>) -> Option<u8> {
    let is_lifetime = |part: &str| is_number(part.strip_prefix("2^").unwrap_or(part));
    let identifier = match rest.next() {
        Some(part) if is_lifetime(part) => rest.next(),
        part => part,
    };
    let bytes = match identifier.map(|part| part.split_once(':')) {
        None => 0,
        Some(None) => return None,
        Some(Some((_, bytes))) => bytes.parse().ok().filter(|bytes| (1..=MAX_MKI).contains(bytes))?,
    };
    rest.next().is_none().then_some(bytes)
}

/// Whether a session parameter (RFC 4568 section 6.3) changes nothing for a receiver that does not know it: the size of a
/// window, or one that says so by its hyphen. Others leave out encryption, or derive keys anew.
fn is_harmless(parameter: &str) -> bool {
    let window = parameter.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("WSH="));
    window || parameter.starts_with('-')
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
