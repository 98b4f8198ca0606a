//! The header: four lines that name the format, the recipient, the wrapped key, and the authentication of all of them.

use std::io::{self, Read, Write};

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::fill;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::keys::{FILE_KEY, FileKey, SALT, WRAPPED, WorkFactor};
use crate::limits::{MAX_LINE, MAX_WORK};
use crate::passphrase::Passphrase;
use crate::refusal::Refusal;

const VERSION: &str = "age-encryption.org/v1";
const RECIPIENT: &str = "-> ";
const SCRYPT: &str = "scrypt";
const MAC: &str = "---";

/// Writes the header of a new file and returns the key of the file.
pub(super) fn write(to: &mut impl Write, passphrase: &Passphrase, work: WorkFactor) -> io::Result<FileKey> {
    let mut key = FileKey([0; FILE_KEY]);
    let text = text(&mut key, passphrase, work).map_err(io::Error::other)?;
    to.write_all(text.as_bytes())?;
    Ok(key)
}

fn text(key: &mut FileKey, passphrase: &Passphrase, work: WorkFactor) -> Result<String, Unspecified> {
    let mut salt = [0; SALT];
    fill(&mut key.0)?;
    fill(&mut salt)?;
    let wrapped = key.wrap(passphrase, &salt, work)?;
    let (salt, wrapped) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(wrapped));
    let authenticated = format!("{VERSION}\n{RECIPIENT}{SCRYPT} {salt} {}\n{wrapped}\n{MAC}", work.0);
    let mac = hmac::sign(&key.header_key()?, authenticated.as_bytes());
    Ok(format!("{authenticated} {}\n", STANDARD_NO_PAD.encode(mac)))
}

/// Reads a header and returns the key of the file.
pub(super) fn read(from: &mut impl Read, passphrase: &Passphrase) -> Result<FileKey, Refusal> {
    let mut lines = Lines { from, text: String::new() };
    if lines.next()? != VERSION {
        return Err(Refusal::NotABackup);
    }
    let (salt, work) = recipient(&lines.next()?)?;
    let wrapped: [u8; WRAPPED] = decoded(&lines.next()?).ok_or_else(|| lines.damaged())?;
    let last = lines.next()?;
    if last.starts_with(RECIPIENT) {
        // A passphrase must be the only recipient.
        return Err(Refusal::OtherRecipient);
    }
    let mac = last.strip_prefix(MAC).and_then(|rest| decoded::<32>(rest.strip_prefix(' ')?));
    let mac = mac.ok_or_else(|| lines.damaged())?;
    let key = FileKey::unwrap(&wrapped, passphrase, &salt, work).ok_or(Refusal::WrongPassphrase)?;
    let authenticated = lines.text.len() - last.len() - 1 + MAC.len();
    let header_key = key.header_key().map_err(|_| lines.damaged())?;
    hmac::verify(&header_key, &lines.text.as_bytes()[..authenticated], &mac).map_err(|_| lines.damaged())?;
    Ok(key)
}

/// The salt and the work factor in the line of the recipient.
fn recipient(line: &str) -> Result<([u8; SALT], WorkFactor), Refusal> {
    let arguments: Vec<&str> = line.split(' ').collect();
    let ["->", SCRYPT, salt, work] = arguments.as_slice() else { return Err(Refusal::OtherRecipient) };
    let salt = decoded(salt).ok_or(Refusal::OtherRecipient)?;
    let is_number = !work.starts_with('0') && work.bytes().all(|byte| byte.is_ascii_digit());
    let work = work.parse().ok().filter(|_| is_number).ok_or(Refusal::OtherRecipient)?;
    if work > MAX_WORK { Err(Refusal::TooMuchWork { work }) } else { Ok((salt, WorkFactor(work))) }
}

/// So many bytes in the one form of base64 that age writes.
fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// The lines of a header, and all that was read of it.
struct Lines<'r, R> {
    from: &'r mut R,
    text: String,
}

impl<R: Read> Lines<'_, R> {
    /// The next line, without its end.
    fn next(&mut self) -> Result<String, Refusal> {
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            let count =
                crate::contents::fill(&mut *self.from, &mut byte).map_err(Refusal::io("read the backup"))?;
            match byte {
                _ if count == 0 => return Err(self.ended(&line)),
                [b'\n'] => break,
                _ if line.len() == MAX_LINE => return Err(self.strange()),
                [byte] => line.push(byte),
            }
        }
        let line = String::from_utf8(line).map_err(|_| self.strange())?;
        self.text.push_str(&line);
        self.text.push('\n');
        Ok(line)
    }

    /// The refusal of a file that ends within a line. One that is no beginning of a header is no backup.
    fn ended(&self, line: &[u8]) -> Refusal {
        let is_beginning =
            !self.text.is_empty() || (!line.is_empty() && VERSION.as_bytes().starts_with(line));
        if is_beginning {
            Refusal::Cut { at: (self.text.len() + line.len()) as u64 }
        } else {
            Refusal::NotABackup
        }
    }

    /// The refusal of a line that age does not write.
    fn strange(&self) -> Refusal {
        if self.text.is_empty() { Refusal::NotABackup } else { self.damaged() }
    }

    fn damaged(&self) -> Refusal {
        Refusal::Damaged { at: self.text.len() as u64 }
    }
}
