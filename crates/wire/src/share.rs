//! What a node may use of the calls that the licences of the platform allow. The manager divides them among the nodes; a
//! node counts by itself, and refuses new calls beyond its share.

use serde::{Deserialize, Serialize};

/// A share of the calls. It limits new calls alone: those that a node has go on whatever their number, and so do those
/// that another process hands over. Since protocol 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallShare {
    /// So many calls there may be with a new one; none is without a limit.
    #[serde(default)]
    pub most: Option<u32>,
}

/// What a node says of its share. Since protocol 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldShare {
    /// The share that it goes by.
    #[serde(flatten)]
    pub share: CallShare,
    /// How many calls it has refused since its start because of its share.
    #[serde(default)]
    pub refused: u64,
}
