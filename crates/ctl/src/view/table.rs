//! Plain tables for lists: columns of words, no lines between them.

use comfy_table::{ContentArrangement, Table};

use super::Canvas;

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
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_string()).collect()
}
