//! What a machine of a platform is: the Management Node or a Conferencing Node.
//!
//! Lies below every other module, since addresses, disks, settings and command lines depend on it.

/// What a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The Management Node.
    Manager,
    /// A Conferencing Node.
    Node,
}

impl Role {
    /// Its name in options of the command line and in names of units.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Node => "node",
        }
    }
}
