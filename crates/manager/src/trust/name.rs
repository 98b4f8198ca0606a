//! Names in certificates: how a distinguished name is printed, and the subject of a signing request, read from text
//! (RFC 4514, but in the order in which it is written).

use openssl::x509::{X509Name, X509NameRef};

use super::fault::Fault;
use super::limits::{MAX_ATTRIBUTES, MAX_SUBJECT};

/// Most characters of a name in a message.
const MAX_SHOWN: usize = 120;

/// The attributes that a subject may have: how they are written, in any case, and OpenSSL's name for them.
const ATTRIBUTES: [(&str, &str); 15] = [
    ("CN", "CN"),
    ("O", "O"),
    ("OU", "OU"),
    ("C", "C"),
    ("ST", "ST"),
    ("S", "ST"),
    ("L", "L"),
    ("STREET", "street"),
    ("DC", "DC"),
    ("UID", "UID"),
    ("E", "emailAddress"),
    ("EMAILADDRESS", "emailAddress"),
    ("SERIALNUMBER", "serialNumber"),
    ("GN", "GN"),
    ("SN", "SN"),
];

/// A distinguished name as people read it: `CN=conf.example.com, O=Example`.
pub(super) fn printed(name: &X509NameRef) -> String {
    let part = |entry: &openssl::x509::X509NameEntryRef| {
        let kind = entry.object().nid().short_name().unwrap_or("UNKNOWN");
        let value = entry.data().to_string().map_or_else(
            |_| entry.data().as_slice().iter().map(|byte| format!("{byte:02x}")).collect(),
            |text| escaped(&text),
        );
        format!("{kind}={value}")
    };
    name.entries().map(part).collect::<Vec<_>>().join(", ")
}

/// A value with the characters escaped that would end it, and without control characters.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=') {
            text.push('\\');
        }
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

/// A name that fits into a message.
pub(super) fn shortened(name: &str) -> String {
    if name.is_empty() {
        return "an empty subject".into();
    }
    let mut text: String = name.chars().take(MAX_SHOWN).collect();
    if text.len() < name.len() {
        text.push('…');
    }
    text
}

/// The subject of a signing request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(Vec<(&'static str, String)>);

impl Subject {
    /// The subject that is a common name only.
    ///
    /// # Errors
    /// [`Fault::Subject`] when the name is empty or too long.
    pub fn common_name(name: &str) -> Result<Self, Fault> {
        Ok(Self(vec![("CN", value(name.trim())?)]))
    }

    /// Reads a subject like `CN=conf.example.com, O=Example, C=GB`. A comma within a value is written `\,`.
    ///
    /// # Errors
    /// [`Fault::Subject`] with the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > MAX_SUBJECT {
            return Err(fault(text, "it is too long"));
        }
        let parts = parts(text)?;
        if parts.len() > MAX_ATTRIBUTES {
            return Err(Fault::SubjectTooLong);
        }
        let attributes = parts.iter().map(|part| attribute(part)).collect::<Result<Vec<_>, _>>()?;
        let subject = Self(attributes);
        // OpenSSL knows the length of each attribute: a country has two letters.
        subject.name().map(|_| subject)
    }

    /// The name as OpenSSL holds it.
    pub(super) fn name(&self) -> Result<X509Name, Fault> {
        let mut name = X509Name::builder().map_err(|_| Fault::NotMade)?;
        for (kind, value) in &self.0 {
            let refused = |_| fault(&format!("{kind}={value}"), "it is too long or too short");
            name.append_entry_by_text(kind, value).map_err(refused)?;
        }
        Ok(name.build())
    }
}

fn fault(part: &str, why: &'static str) -> Fault {
    Fault::Subject { part: shortened(part), why }
}

/// The text between the commas that are not escaped, with what was escaped as it is meant.
fn parts(text: &str) -> Result<Vec<String>, Fault> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let last = parts.len() - 1;
        match character {
            ',' => parts.push(String::new()),
            '\\' => match characters.next() {
                Some(escaped) if !escaped.is_ascii_alphanumeric() => parts[last].push(escaped),
                Some(_) | None => {
                    return Err(fault(text, "a backslash stands before a special character only"));
                }
            },
            '+' | '"' | ';' => return Err(fault(text, "write + \" and ; with a backslash before them")),
            other => parts[last].push(other),
        }
    }
    Ok(parts)
}

fn attribute(part: &str) -> Result<(&'static str, String), Fault> {
    let (kind, text) = part.split_once('=').ok_or_else(|| fault(part, "it has no equals sign"))?;
    let kind = kind.trim().to_ascii_uppercase();
    let known = ATTRIBUTES.iter().find(|(written, _)| *written == kind);
    let (_, name) = known.ok_or_else(|| fault(part, "its attribute is unknown"))?;
    Ok((name, value(text.trim()).map_err(|_| fault(part, "its value is empty or has control characters"))?))
}

fn value(text: &str) -> Result<String, Fault> {
    if text.is_empty() || text.len() > MAX_SUBJECT || text.chars().any(char::is_control) {
        return Err(fault(text, "it is empty, too long, or has control characters"));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_keeps_its_order_and_repeated_attributes() {
        let subject =
            Subject::parse("cn=conf.example.com , O=Smith\\, Jones \\+ Co,DC=example,DC=com,C=GB").unwrap();
        let name = printed(&subject.name().unwrap());
        assert_eq!(name, "CN=conf.example.com, O=Smith\\, Jones \\+ Co, DC=example, DC=com, C=GB");
        assert_eq!(Subject::parse(&name).unwrap(), subject, "what is printed can be read again");
        assert_eq!(Subject::common_name("Straße, 1").unwrap(), Subject::parse("CN=Straße\\, 1").unwrap());
    }

    #[test]
    fn wrong_part_of_a_subject_is_named() {
        let check = |text: &str, expected: &str| {
            let refused = Subject::parse(text);
            let Err(Fault::Subject { part, why }) = refused else { panic!("{text}: {refused:?}") };
            assert!(why.contains(expected), "{part}: {why}");
        };
        check("conf.example.com", "equals sign");
        check("CN=a, XX=b", "unknown");
        check("CN=a, O=", "empty");
        check("CN=a, C=Britain", "too long or too short");
        check("CN=a+O=b", "backslash before");
        check("CN=a\\", "special character");
        check(&format!("CN={}", "a".repeat(MAX_SUBJECT)), "too long");
        assert_eq!(Subject::parse(&vec!["O=a"; MAX_ATTRIBUTES + 1].join(",")), Err(Fault::SubjectTooLong));
        assert!(Subject::common_name("").is_err());
    }

    #[test]
    fn name_in_a_message_is_short_and_on_one_line() {
        assert_eq!(shortened(""), "an empty subject");
        assert_eq!(shortened(&"ä".repeat(500)).chars().count(), MAX_SHOWN + 1);
        assert_eq!(escaped("a\nb\u{1b}[2J"), "a\\nb\\u{1b}[2J");
    }
}
