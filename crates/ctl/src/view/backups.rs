//! Backups as a table.

use super::Canvas;
use super::table::table;
use crate::api::Backup;
use crate::text::bytes;

/// The backups in a table, in the order of the list.
pub(crate) fn table_of(backups: &[Backup], canvas: Canvas) -> Vec<String> {
    if backups.is_empty() {
        return vec!["The Management Node keeps no backup. Make one: pitlane backup create".into()];
    }
    let row = |backup: &Backup| {
        vec![
            backup.filename.clone(),
            backup.date.to_string(),
            format!("{} ({})", backup.version, backup.build),
            bytes(backup.size),
            backup.made_by.clone(),
        ]
    };
    table(canvas, &["BACKUP", "MADE", "RELEASE", "SIZE", "BY"], backups.iter().map(row).collect())
}
