//! Signing requests (PKCS#10, RFC 2986): made for a key, read back, and matched with the certificate that an authority
//! has issued for one.

use std::fmt;
use std::net::IpAddr;

use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::extension::{ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509Extension, X509Req, X509ReqBuilder};

use super::certificate::read_certificates;
use super::fault::{Fault, Field};
use super::identity::{self, Identity};
use super::limits::{MAX_CERTIFICATE, MAX_NAME, MAX_NAMES, MAX_TEXT};
use super::name::{self, Subject};
use super::pem;
use super::private_key::PrivateKey;

/// The labels under which requests are written; the second is of Microsoft's tools.
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// The version of a request (RFC 2986 section 4.1): 1, which is encoded as 0.
const VERSION: i32 = 0;

/// What a certificate is asked for.
#[derive(Clone, Debug)]
pub struct Asked<'t> {
    /// The subject.
    pub subject: &'t Subject,
    /// Host names and IP addresses.
    pub names: &'t [&'t str],
    /// Whether it is to be that of a server.
    pub server: bool,
    /// Whether it is to be that of a client.
    pub client: bool,
}

/// A signing request that is signed with its own key and can be shown.
pub struct SigningRequest {
    request: X509Req,
    text: String,
}

impl fmt::Debug for SigningRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningRequest({})", self.subject())
    }
}

impl SigningRequest {
    /// Makes a request for a key.
    ///
    /// # Errors
    /// A name is wrong or there are too many, or [`Fault::NotMade`].
    pub fn make(asked: &Asked<'_>, key: &PrivateKey) -> Result<Self, Fault> {
        let subject = asked.subject.name()?;
        let names = checked(asked.names)?;
        let made = || -> Result<X509Req, ErrorStack> {
            let mut request = X509Req::builder()?;
            request.set_version(VERSION)?;
            request.set_subject_name(&subject)?;
            request.set_pubkey(key.inner())?;
            let extensions = extensions(&request, asked, &names)?;
            request.add_extensions(&extensions)?;
            request.sign(key.inner(), key.digest())?;
            Ok(request.build())
        };
        made().ok().and_then(Self::shown).ok_or(Fault::NotMade)
    }

    /// The request with its text; none when it cannot be printed.
    fn shown(request: X509Req) -> Option<Self> {
        let text = String::from_utf8_lossy(&request.to_text().ok()?).into_owned();
        Some(Self { request, text })
    }

    /// Reads a request, PEM, and checks that it is signed with its own key.
    ///
    /// # Errors
    /// [`Fault::NotARequest`].
    pub fn read(text: &str) -> Result<Self, Fault> {
        let blocks = pem::blocks(text, Field::Request, MAX_TEXT)?;
        let block = blocks.iter().find(|block| LABELS.contains(&block.label)).ok_or(Fault::NotARequest)?;
        let der = block.decoded(Field::Request)?;
        if der.len() > MAX_CERTIFICATE {
            return Err(Fault::NotARequest);
        }
        let request = X509Req::from_der(&der).map_err(|_| Fault::NotARequest)?;
        let key = request.public_key().map_err(|_| Fault::NotARequest)?;
        let is_own = key.bits() <= super::limits::MAX_RSA_BITS && request.verify(&key).unwrap_or(false);
        if is_own { Self::shown(request).ok_or(Fault::NotARequest) } else { Err(Fault::NotARequest) }
    }

    /// The request in PEM.
    pub fn pem(&self) -> String {
        // The encoding that was read or made; nothing can fail but memory.
        String::from_utf8(self.request.to_pem().unwrap_or_default()).unwrap_or_default()
    }

    /// The text of `openssl req -text`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The subject, like `CN=conf.example.com, O=Example`.
    pub fn subject(&self) -> String {
        name::printed(self.request.subject_name())
    }

    /// Whether the request is for this key.
    pub fn is_for(&self, key: &PrivateKey) -> bool {
        self.request.public_key().is_ok_and(|own| own.public_eq(key.inner()))
    }

    /// The identity of the request's `key` and the certificates that the authority has sent for it, PEM.
    ///
    /// # Errors
    /// [`Fault::NotForRequest`] when none of them is for the key of this request, and what [`Identity::of`] finds.
    pub fn issued(&self, certificates: &str, key: PrivateKey) -> Result<Identity, Fault> {
        let certificates = read_certificates(certificates)?;
        let own = self.request.public_key().map_err(|_| Fault::NotARequest)?;
        if !certificates.iter().any(|one| one.is_for(&own)) {
            return Err(Fault::NotForRequest { subjects: identity::subjects(&certificates) });
        }
        Identity::of(certificates, key)
    }
}

/// A name of a request.
enum Name<'t> {
    Host(&'t str),
    Address(IpAddr),
}

/// The names, each a host name, perhaps with a leading `*`, or an address.
fn checked<'t>(names: &[&'t str]) -> Result<Vec<Name<'t>>, Fault> {
    if names.len() > MAX_NAMES {
        return Err(Fault::TooManyNames);
    }
    let check = |name: &&'t str| {
        let name = name.trim();
        match name.parse() {
            Ok(address) => Ok(Name::Address(address)),
            Err(_) if is_host(name) => Ok(Name::Host(name)),
            Err(_) => Err(Fault::Name { name: name::shortened(name) }),
        }
    };
    names.iter().map(check).collect()
}

/// Whether a name can be one of a request: a host name, perhaps with a leading `*`, or an address.
pub fn is_host_or_address(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok() || is_host(name)
}

fn is_host(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| !label.is_empty() && label.len() <= 63 && label.bytes().all(plain);
    let labels = name.strip_prefix("*.").unwrap_or(name);
    name.len() <= MAX_NAME && labels.split('.').all(is_label)
}

fn extensions(
    request: &X509ReqBuilder,
    asked: &Asked<'_>,
    names: &[Name<'_>],
) -> Result<Stack<X509Extension>, ErrorStack> {
    let mut extensions = Stack::new()?;
    extensions.push(KeyUsage::new().critical().digital_signature().key_encipherment().build()?)?;
    if asked.server || asked.client {
        let mut usage = ExtendedKeyUsage::new();
        if asked.server {
            usage.server_auth();
        }
        if asked.client {
            usage.client_auth();
        }
        extensions.push(usage.build()?)?;
    }
    if !names.is_empty() {
        let mut alternative = SubjectAlternativeName::new();
        for name in names {
            match name {
                Name::Host(host) => alternative.dns(host),
                Name::Address(address) => alternative.ip(&address.to_string()),
            };
        }
        extensions.push(alternative.build(&request.x509v3_context(None))?)?;
    }
    Ok(extensions)
}
