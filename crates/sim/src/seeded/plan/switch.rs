//! The kinds of faults that a plan can disable, by the names that kept files use.

use super::fault_rates::FaultRates;

/// A kind of fault that can be disabled in a world, so that the others are seen alone. The names stand in kept files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named as the rate that it sets to never")]
pub enum Switch {
    Lost,
    Doubled,
    Late,
    FalseDown,
    Cuts,
    Splits,
    StagingBreaks,
    Rejected,
    FallsBack,
    BadOnNodes,
    ManagerFallsBack,
    Interrupted,
    Crashes,
    Off,
    ManagerCrashes,
    MemoryBack,
    Hangs,
    ManagerHangs,
    FullDisks,
    FailingDisks,
    ManagerDisk,
    ClockJumps,
    ManagerClockJumps,
    Blind,
    Unfit,
    Maintenance,
    Changes,
    Nodes,
    Starts,
    Restarts,
    StartFaults,
    ManagerStartFaults,
    Copies,
    Orders,
}

impl Switch {
    /// All of them.
    pub const ALL: [Self; 34] = [
        Self::Lost,
        Self::Doubled,
        Self::Late,
        Self::FalseDown,
        Self::Cuts,
        Self::Splits,
        Self::StagingBreaks,
        Self::Rejected,
        Self::FallsBack,
        Self::BadOnNodes,
        Self::ManagerFallsBack,
        Self::Interrupted,
        Self::Crashes,
        Self::Off,
        Self::ManagerCrashes,
        Self::MemoryBack,
        Self::Hangs,
        Self::ManagerHangs,
        Self::FullDisks,
        Self::FailingDisks,
        Self::ManagerDisk,
        Self::ClockJumps,
        Self::ManagerClockJumps,
        Self::Blind,
        Self::Unfit,
        Self::Maintenance,
        Self::Changes,
        Self::Nodes,
        Self::Starts,
        Self::Restarts,
        Self::StartFaults,
        Self::ManagerStartFaults,
        Self::Copies,
        Self::Orders,
    ];

    /// The switch of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|switch| format!("{switch:?}") == name)
    }

    pub(crate) fn off(self, rates: &mut FaultRates) {
        let FaultRates { links, machines, operator, .. } = rates;
        match self {
            Self::Lost => links.lost = 0,
            Self::Doubled => links.doubled = 0,
            Self::Late => links.late = 0,
            Self::FalseDown => links.false_down = 0,
            Self::Cuts => links.cut_every = None,
            Self::Splits => links.split_every = None,
            Self::StagingBreaks => machines.staging_breaks = 0,
            Self::Rejected => machines.rejected = 0,
            Self::FallsBack => machines.falls_back = 0,
            Self::BadOnNodes => machines.bad_on_nodes = None,
            Self::ManagerFallsBack => machines.manager_falls_back = 0,
            Self::Interrupted => machines.interrupted = 0,
            Self::Crashes => machines.crash_every = None,
            Self::Off => machines.off_every = None,
            Self::ManagerCrashes => machines.manager_crash_every = None,
            Self::MemoryBack => machines.memory_back_every = None,
            Self::Hangs => machines.hang_every = None,
            Self::ManagerHangs => machines.manager_hang_every = None,
            Self::FullDisks => machines.disk_full_every = None,
            Self::FailingDisks => machines.disk_fails_every = None,
            Self::ManagerDisk => machines.manager_disk_every = None,
            Self::ClockJumps => machines.clock_jumps_every = None,
            Self::ManagerClockJumps => machines.manager_clock_jumps_every = None,
            Self::Blind => machines.blind_every = None,
            Self::Unfit => machines.unfit_every = None,
            Self::Maintenance => operator.maintenance_every = None,
            Self::Changes => operator.change_every = None,
            Self::Nodes => operator.nodes_every = None,
            Self::Starts => operator.start_every = None,
            Self::Restarts => operator.restart_every = None,
            Self::StartFaults => machines.start_fault_every = None,
            Self::ManagerStartFaults => machines.manager_start_fault_every = None,
            Self::Copies => machines.clone_every = None,
            Self::Orders => operator.order_every = None,
        }
    }

    /// Whether faults of this kind are steps: a world whose steps are written down draws none of them.
    pub(crate) fn is_interference(self) -> bool {
        match self {
            Self::Lost
            | Self::Doubled
            | Self::Late
            | Self::FalseDown
            | Self::StagingBreaks
            | Self::Rejected
            | Self::FallsBack
            | Self::BadOnNodes
            | Self::ManagerFallsBack
            | Self::Interrupted => false,
            Self::Cuts
            | Self::Splits
            | Self::Crashes
            | Self::Off
            | Self::ManagerCrashes
            | Self::MemoryBack
            | Self::Hangs
            | Self::ManagerHangs
            | Self::FullDisks
            | Self::FailingDisks
            | Self::ManagerDisk
            | Self::ClockJumps
            | Self::ManagerClockJumps
            | Self::Blind
            | Self::Unfit
            | Self::Maintenance
            | Self::Changes
            | Self::Nodes
            | Self::Starts
            | Self::Restarts
            | Self::StartFaults
            | Self::ManagerStartFaults
            | Self::Copies
            | Self::Orders => true,
        }
    }
}
