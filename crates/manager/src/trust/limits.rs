//! The limits of certificates and keys that an operator brings. They bound memory and time before and after OpenSSL
//! reads anything.

/// Most bytes of a text with certificates (512 KiB). The roots that browsers trust, all in one file, have 230 KB.
pub const MAX_TEXT: usize = 512 << 10;

/// Most certificates in one text. The roots that browsers trust are some 150.
pub const MAX_CERTIFICATES: usize = 200;

/// Most bytes of one certificate as DER (16 KiB). One with a key of 4096 bits and a hundred names has 5 KB.
pub const MAX_CERTIFICATE: usize = 16 << 10;

/// Most certificates of a chain, with the leaf. The authorities of the public web have two or three below their root.
pub const MAX_CHAIN: usize = 10;

/// Most bytes of a text with a private key: that of the compatible interface. A key of 4096 bits has 3.3 KB.
pub const MAX_KEY_TEXT: usize = 12_288;

/// Longest passphrase of a private key, in bytes: what OpenSSL's command line takes for one.
pub const MAX_PASSPHRASE: usize = 1_024;

/// Most rounds of the derivation of a key from a passphrase by PBKDF2 and its predecessors. PKCS#8 states the number in
/// the file: OpenSSL writes 2,048 and others up to some hundred thousand; two million take about a second, and the
/// largest number that fits would take a quarter of an hour.
pub const MAX_ROUNDS: u32 = 2_000_000;

/// Largest product of the three parameters of scrypt: 32 times that of OpenSSL's own, which takes about two seconds.
/// OpenSSL bounds the memory by itself, but not how often it is gone through.
pub const MAX_SCRYPT: u64 = 1 << 22;

/// Bits of the largest RSA key. A handshake with 4096 bits takes milliseconds, and the time grows with the third power.
pub const MAX_RSA_BITS: u32 = 4_096;

/// Bits of the smallest RSA key with which this platform proves who it is (CA/Browser Forum, Baseline Requirements
/// section 6.1.5). Shorter ones are refused by TLS here and by most clients. Roots may have shorter ones.
pub const MIN_RSA_BITS: u32 = 2_048;

/// Most names of a signing request, besides its subject.
pub const MAX_NAMES: usize = 100;

/// Longest name of a signing request, in bytes: that of a host name in DNS (RFC 1035 section 2.3.4).
pub const MAX_NAME: usize = 253;

/// Longest text of a subject, in bytes: that of the compatible interface.
pub const MAX_SUBJECT: usize = 250;

/// Most attributes of a subject.
pub const MAX_ATTRIBUTES: usize = 20;
