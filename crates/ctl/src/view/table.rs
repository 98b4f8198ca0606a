//! Plain tables for lists: columns without rules between them, wrapped to the width of the terminal.

use comfy_table::{ContentArrangement, Table};
use console::measure_text_width;

use super::Canvas;

/// Between two columns.
const GAP: u16 = 2;

/// A table with these headings and rows, as lines.
pub(crate) fn table(canvas: Canvas, headings: &[&str], rows: Vec<Vec<String>>) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).force_no_tty().set_header(headings);
    match canvas.width.columns().and_then(|columns| u16::try_from(columns).ok()) {
        Some(columns) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table.lines().map(|line| line.trim_end().to_string()).collect()
}

/// The width of such a table without line breaks, with the gap after its last column.
pub(crate) fn width(headings: &[&str], rows: &[Vec<String>]) -> usize {
    let widest = |(column, heading): (usize, &&str)| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| measure_text_width(cell));
        cells.fold(measure_text_width(heading), usize::max) + usize::from(GAP)
    };
    headings.iter().enumerate().map(widest).sum()
}
