//! Values of headers as text: each byte is the character of the same number (ISO 8859-1). ASCII stays readable, and a
//! value that is no UTF-8 survives.

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

/// Writes bytes as text.
pub(super) fn serialize<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    text(value).serialize(serializer)
}

/// Reads bytes from text.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    bytes::<D>(&String::deserialize(deserializer)?)
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn bytes<'de, D: Deserializer<'de>>(text: &str) -> Result<Vec<u8>, D::Error> {
    let byte = |character| u8::try_from(character).map_err(|_| D::Error::custom("it stands for no byte"));
    text.chars().map(byte).collect()
}

/// The same for a list of values.
pub(super) mod list {
    use super::{Deserializer, Serializer, bytes, text};
    use serde::{Deserialize as _, Serialize as _};

    /// Writes each value as text.
    pub(in super::super) fn serialize<S: Serializer>(
        values: &[Vec<u8>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        values.iter().map(|value| text(value)).collect::<Vec<_>>().serialize(serializer)
    }

    /// Reads each value from text.
    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Vec<u8>>, D::Error> {
        Vec::<String>::deserialize(deserializer)?.iter().map(|value| bytes::<D>(value)).collect()
    }
}
