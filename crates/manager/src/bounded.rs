//! Tables of a bounded size: what unauthenticated peers cause is remembered without filling the memory.

use std::collections::BTreeMap;

/// Makes room for `key` in a table of at most `most` entries: when it is full, the entry with the least `age`
/// is removed.
pub(crate) fn make_room<K: Ord + Clone, V, A: Ord>(
    table: &mut BTreeMap<K, V>,
    most: usize,
    key: &K,
    age: impl Fn(&V) -> A,
) {
    if table.len() < most || table.contains_key(key) {
        return;
    }
    if let Some(oldest) = table.iter().min_by_key(|(_, value)| age(value)).map(|(key, _)| key.clone()) {
        table.remove(&oldest);
    }
}
