//! The functions that statements call: comparisons of text that the database does not have, or makes otherwise than the
//! lists that are filtered in memory.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};

use crate::resources::Case;
use crate::resources::filter::{Like, Position};

const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC);

/// What a text has to be like: the first argument of `is_like`.
pub(super) const EQUALS: i64 = 0;
pub(super) const MATCHES: i64 = 1;

/// Adds the functions to a connection.
///
/// # Errors
/// The database reports an error.
pub(crate) fn add(connection: &Connection) -> Result<()> {
    connection.create_scalar_function("folded", 1, FLAGS, |context| Ok(text(context, 0).to_lowercase()))?;
    connection.create_scalar_function("is_like", 3, FLAGS, |context| is_like(context))
}

/// `is_like(kind, wanted, text)`; null is an empty text.
fn is_like(context: &Context<'_>) -> Result<bool> {
    let kind: i64 = context.get(0)?;
    if kind == MATCHES {
        let pattern = context.get_or_create_aux(1, |wanted| {
            let pattern = wanted.as_str().map_err(Box::<dyn std::error::Error + Send + Sync>::from)?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(regex::Regex::new(pattern)?)
        })?;
        return Ok(pattern.is_match(&text(context, 2)));
    }
    let wanted = text(context, 1);
    let like = match contains(kind) {
        Some((position, case)) => Like::Contains(position, case, wanted),
        None => Like::Equals(wanted),
    };
    Ok(like.matches(&text(context, 2)))
}

const POSITIONS: [Position; 3] = [Position::Anywhere, Position::Start, Position::End];
const CASES: [Case; 2] = [Case::Sensitive, Case::Insensitive];

/// The number of a search for a part of a text.
pub(super) fn number(position: Position, case: Case) -> i64 {
    let all = POSITIONS.iter().flat_map(|position| CASES.map(|case| (*position, case)));
    let at = all.zip(MATCHES + 1..).find(|(one, _)| *one == (position, case));
    at.map_or(EQUALS, |(_, number)| number)
}

fn contains(number: i64) -> Option<(Position, Case)> {
    let all = POSITIONS.iter().flat_map(|position| CASES.map(|case| (*position, case)));
    all.zip(MATCHES + 1..).find(|(_, of)| *of == number).map(|(one, _)| one)
}

fn text(context: &Context<'_>, at: usize) -> String {
    match context.get_raw(at) {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
    }
}
