//! `status/v1/worker_vm/` and `status/v1/management_vm/`: the machines of the platform, with the names of the compatible
//! API.

use serde::{Deserialize, Serialize};

use crate::UtcTime;

/// A Conferencing Node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerVm {
    /// Its number.
    #[serde(default)]
    pub id: u32,
    /// The same: the number of its configuration.
    #[serde(default)]
    pub configuration_id: u32,
    /// Its name.
    pub name: String,
    /// What it does: it carries calls.
    #[serde(default)]
    pub node_type: String,
    /// The name of its system location.
    #[serde(default)]
    pub system_location: Option<String>,
    /// What it runs; empty if it has never reported.
    #[serde(default)]
    pub version: Option<String>,
    /// One of the eight as a token.
    #[serde(default)]
    pub upgrade_status: String,
    /// The same in words.
    #[serde(default)]
    pub upgrade_status_text: Option<String>,
    /// Whether it has what it should have: `SYNCED`, `SYNCING`, `UNREACHABLE`.
    #[serde(default)]
    pub sync_status: String,
    /// Whether it refuses new calls.
    #[serde(default)]
    pub maintenance_mode: bool,
    /// Why.
    #[serde(default)]
    pub maintenance_mode_reason: Option<String>,
    /// Load in percent; 100 in maintenance mode.
    #[serde(default)]
    pub media_load: Option<u64>,
    /// Calls.
    #[serde(default)]
    pub signaling_count: Option<u32>,
    /// When it last reported.
    #[serde(default)]
    pub last_updated: Option<UtcTime>,
    /// The same.
    #[serde(default)]
    pub last_attempted_contact: Option<UtcTime>,
    /// Its last attempt to connect that was refused, unless it has reported since.
    #[serde(default)]
    pub refused_contact: Option<RefusedContact>,
    /// When its release started.
    #[serde(default)]
    pub boot_time: Option<UtcTime>,
    /// How far its clock is ahead of the Management Node's, in seconds.
    #[serde(default)]
    pub clock_offset: Option<f64>,
    /// The same in words, when it is worth an alarm.
    #[serde(default)]
    pub clock_offset_text: Option<String>,
    /// Why a restart of it would fail, when it would.
    #[serde(default)]
    pub start_fault: Option<String>,
    /// The two machines that report as it, when there are two.
    #[serde(default)]
    pub duplicate: Option<String>,
    /// How many processors it has; 0 when not known.
    #[serde(default)]
    pub cpu_count: u32,
    /// What they are.
    #[serde(default)]
    pub cpu_model: String,
    /// What the machine runs under.
    #[serde(default)]
    pub hypervisor: String,
    /// Its memory in KiB; 0 when not known.
    #[serde(default)]
    pub total_ram: u64,
    /// How many calls it may have; 0 when not known.
    #[serde(default)]
    pub max_audio_calls: u32,
    /// None: there is no video.
    #[serde(default)]
    pub max_sd_calls: u32,
    /// None: there is no video.
    #[serde(default)]
    pub max_hd_calls: u32,
    /// None: there is no video.
    #[serde(default)]
    pub max_full_hd_calls: u32,
    /// Its path in the API.
    #[serde(default)]
    pub resource_uri: String,
}

/// An attempt of a node to connect that the Management Node has refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefusedContact {
    /// Why: a token that never changes.
    #[serde(default)]
    pub reason: String,
    /// Why, and what to do.
    pub text: String,
    /// From where it came.
    pub address: String,
    /// When.
    pub at: UtcTime,
}

/// The Management Node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManagementVm {
    /// Its number: 1.
    pub id: u32,
    /// The same: the number of its configuration.
    pub configuration_id: u32,
    /// Its name.
    pub name: String,
    /// Whether it leads the platform; there is only one.
    pub primary: bool,
    /// What it runs.
    pub version: String,
    /// One of the eight as a token.
    pub upgrade_status: String,
    /// The same in words.
    pub upgrade_status_text: String,
    /// Always `SYNCED`.
    pub sync_status: String,
    /// The present time.
    pub last_updated: UtcTime,
    /// The present time.
    pub last_attempted_contact: UtcTime,
    /// Why a restart of it would fail, when it would.
    pub start_fault: Option<String>,
    /// Its path in the API.
    pub resource_uri: String,
}
