//! Faults of the node that the oracle must notice.

/// What the node does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sabotage {
    None,
    /// A leg stays in its conference after its call.
    KeepLegs,
    /// A dialog stays after its call.
    KeepDialogs,
    /// The first transaction is kept for ever.
    KeepTransaction,
    /// Packets are as long as is usual, whatever was asked for.
    IgnorePacketTime,
    /// A call that is confirmed sends no sound.
    LoseStart,
    /// A caller's sound is mixed in under another name, so that it hears itself.
    MixOwnSound,
    /// A stranger's BYE is taken for the caller's.
    TrustBye,
    /// Who shares the address of a caller is heard in its place.
    HearNeighbour,
    /// There is no limit of calls, and none for one address.
    AdmitFlood,
    /// A stranger gets the sound of a call.
    SendToStranger,
    /// Maintenance mode ends calls.
    HangUpInMaintenance,
    /// The newest call is not counted.
    CountTooFew,
    /// Calls are counted whose media port is closed: the count never falls.
    CountTooMany,
    /// Maintenance mode admits calls.
    AdmitInMaintenance,
    /// There is no limit of calls.
    AdmitAboveLimit,
    /// A refusal does not say when to try again.
    RefuseForever,
    /// A call that is refused is counted.
    CountRefused,
    /// New calls are refused.
    RefuseCalls,
    /// Its requests go past the proxy of a call.
    PassTheProxy,
    /// Its requests through a proxy do not say that they are to pass it.
    ForgetTheProxy,
    /// It reads each portion of a connection as if it were the first.
    ForgetPortions,
    /// Sound goes to where a caller was before its translator has bound it anew.
    KeepSource,
    /// It answers no PRACK.
    IgnorePrack,
    /// Who is muted is heard.
    HearMuted,
    /// Who has left is shown for ever.
    ForgetRemovals,
}
