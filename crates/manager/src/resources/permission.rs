//! What accounts may do. The numbers and codenames never change: roles refer to them.

/// A permission, which a role gives to its accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Permission {
    /// Use the management API at all.
    UseApi,
    /// See nodes, locations, rooms, upgrades and alarms.
    ViewPlatform,
    /// Change nodes, locations and rooms.
    ChangePlatform,
    /// See conferences and participants.
    ViewCalls,
    /// Disconnect, mute and dial participants.
    ControlCalls,
    /// Change certificates and licences.
    ChangeTrust,
    /// Upload packages and start upgrades.
    Upgrade,
    /// Make, download and restore backups.
    Backup,
    /// See and change accounts and roles.
    Accounts,
    /// See who changed what.
    Audit,
}

impl Permission {
    /// Every permission, in the order of the numbers, which begin at 1.
    pub(crate) const ALL: [Self; 10] = [
        Self::UseApi,
        Self::ViewPlatform,
        Self::ChangePlatform,
        Self::ViewCalls,
        Self::ControlCalls,
        Self::ChangeTrust,
        Self::Upgrade,
        Self::Backup,
        Self::Accounts,
        Self::Audit,
    ];

    /// Its number.
    pub(crate) fn id(self) -> i64 {
        self as i64 + 1
    }

    /// Its identifier.
    pub(crate) const fn codename(self) -> &'static str {
        match self {
            Self::UseApi => "use_api",
            Self::ViewPlatform => "view_platform",
            Self::ChangePlatform => "change_platform",
            Self::ViewCalls => "view_calls",
            Self::ControlCalls => "control_calls",
            Self::ChangeTrust => "change_trust",
            Self::Upgrade => "upgrade",
            Self::Backup => "backup",
            Self::Accounts => "accounts",
            Self::Audit => "audit",
        }
    }

    /// What it allows, for the operator.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::UseApi => "May use the management API",
            Self::ViewPlatform => "May see nodes, locations, rooms, upgrades and alarms",
            Self::ChangePlatform => "May change nodes, locations and rooms",
            Self::ViewCalls => "May see conferences and participants",
            Self::ControlCalls => "May disconnect, mute and dial participants",
            Self::ChangeTrust => "May change certificates and licences",
            Self::Upgrade => "May upload packages and start upgrades",
            Self::Backup => "May make, download and restore backups",
            Self::Accounts => "May see and change accounts and roles",
            Self::Audit => "May see who changed what",
        }
    }
}
