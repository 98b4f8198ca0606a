//! Prints the result of the demo: a table with a row for each node, and the totals.
//!
//! Formats only; the figures come from `history` and from the callers' log.

use callers::call_log::{CallLog, DrainReport, Totals};
use callers::time::Millis;
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, Table};
use demo::Built;

/// The row of one node.
#[derive(Debug)]
pub(crate) struct Row {
    /// The node's name.
    pub(crate) name: String,
    /// Its version after the run.
    pub(crate) version: String,
    /// How long it waited for its calls to clear.
    pub(crate) drained: Option<Millis>,
    /// The time from the end of its last call until it accepted calls again.
    pub(crate) away: Option<Millis>,
    /// The number of attempts that ended at the drain limit.
    pub(crate) timeouts: usize,
    /// Its calls during the drain.
    pub(crate) drain: DrainReport,
    /// All its calls.
    pub(crate) totals: Totals,
}

/// The table of all nodes.
pub(crate) fn draw(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header([
        "\nNode",
        "\nVersion",
        "waited\nfor calls",
        "\naway",
        "drain\ntimeouts",
        "calls\ncarried",
        "alive in\nthe drain",
        "alive all\nthrough it",
        "refused, then\nput through",
        "calls\nlost",
    ]);
    for row in rows {
        let span = |span: Option<Millis>| span.map_or("-".to_owned(), |span| span.to_string());
        let numbers = [
            span(row.drained),
            span(row.away),
            row.timeouts.to_string(),
            row.totals.placed.to_string(),
            row.drain.carried.to_string(),
            row.drain.lived_through.to_string(),
            row.totals.placed_elsewhere.to_string(),
            row.totals.lost.to_string(),
        ];
        let names = [row.name.clone(), format!("{} → {}", Built::PRESENT.version, row.version)];
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row(names.map(Cell::new).into_iter().chain(numbers.map(right)));
    }
    table.to_string()
}

/// The totals, in sentences.
pub(crate) fn summary(log: &CallLog, lived_through: usize, fewest: usize, out: usize) -> String {
    let totals = log.totals();
    format!(
        "Nodes out of service at one time: {out} at most.\n\
         Calls carried: {}; never fewer than {fewest} at one time, {} at most.\n\
         Calls that lived through the whole drain of their node: {lived_through}.\n\
         Refused by maintenance mode and then placed on another node: {}. Refused by all nodes: {}.\n\
         Longest time a caller did not hear another in its conference: {}.\n\
         Packets of sound that did not arrive: {} of {}.\n\
         Calls lost: {}.",
        totals.placed,
        log.most_alive,
        totals.placed_elsewhere,
        totals.refused_for_good,
        totals.longest_gap,
        totals.packets_lost,
        totals.packets + totals.packets_lost,
        totals.lost,
    )
}
