//! Checks whether an engine would start with these settings, without starting one. Opens sockets with the functions
//! of the engine and closes them at once; affects no running engine.

use std::net::{IpAddr, SocketAddr};

use crate::engine::StartError;
use crate::media::ports::{PortError, available};
use crate::settings::{Settings, TlsSettings};
use crate::sockets::{self, TlsListener};

/// For how many calls there must be free media ports, or for as many as the range allows: enough to confirm a
/// release with probes, and for the first callers. How many more there are is the operator's choice of the range.
const CALLS_AT_LEAST: u32 = 8;

/// Where to try sockets that the checking process may hold itself, and would free before the next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Where to open the sockets of SIP: at the address of the settings, or at any port of that address if the
    /// checking process uses that one.
    pub sip: SocketAddr,
    /// The same for SIP over TLS, if the settings have it.
    pub tls: Option<SocketAddr>,
    /// How many media ports the checking process has open: one for each call.
    pub held_ports: u32,
}

/// What would keep an engine from working.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// It would not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It would start, and could carry no calls.
    #[error("no call could be carried: {0}")]
    Media(String),
}

/// Everything that would keep an engine from working. It is called within a tokio runtime.
pub async fn preflight(settings: &Settings, trial: Trial) -> Vec<PreflightError> {
    let mut faults = Vec::new();
    if let Err(error) = settings.check() {
        faults.push(StartError::from(error).into());
        return faults;
    }
    let address = settings.sip;
    if let Err(source) = sockets::bind(trial.sip).await {
        faults.push(StartError::Sip { address, source }.into());
    }
    if let Some(tls) = &settings.tls {
        let tried = TlsSettings { address: trial.tls.unwrap_or(tls.address), ..tls.clone() };
        if let Err(source) = TlsListener::bind(&tried).await {
            faults.push(StartError::Tls { address: tls.address, source: source.into() }.into());
        }
    }
    let media = settings.media_addresses().filter_map(|at| media(settings, at, trial.held_ports).err());
    faults.extend(media.map(PreflightError::Media));
    faults
}

fn media(settings: &Settings, at: IpAddr, held: u32) -> Result<(), String> {
    let free = available(at, &settings.media_ports, CALLS_AT_LEAST);
    let name = if at == settings.media { "media" } else { "media_v6" };
    let named = |address: IpAddr, source: &dyn std::fmt::Display| {
        format!(
            "no UDP port can be opened for sound on {name} = {address}: {source}; set an address of this machine"
        )
    };
    // Any free port shows whether the address is on this machine, even if all ports of the range are in use.
    std::net::UdpSocket::bind((at, 0)).map_err(|error| named(at, &error))?;
    let (first, last) = (*settings.media_ports.start(), *settings.media_ports.end());
    let enough = CALLS_AT_LEAST.min(free.pairs);
    if free.found + held.min(free.taken) >= enough {
        return Ok(());
    }
    let why =
        free.last.map_or_else(|| PortError::Exhausted(first, last).to_string(), |error| error.to_string());
    Err(format!(
        "media_ports {first}-{last} has {} free UDP ports for calls and {enough} are needed at least ({why}); end \
         what holds the others, or set another range",
        free.found
    ))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    fn settings(host: u8) -> Settings {
        let address = [127, 91, 1, host];
        let mut settings = Settings::new((address, 5060).into(), address.into());
        settings.media_ports = 30_000..=30_005;
        settings
    }

    async fn faults_of(settings: &Settings, trial: Trial) -> Vec<String> {
        let chain = |error: PreflightError| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        preflight(settings, trial).await.into_iter().map(chain).collect()
    }

    #[tokio::test]
    async fn free_addresses_are_no_fault_and_are_free_again_afterwards() {
        let settings = settings(1);
        let trial = Trial { sip: settings.sip, tls: None, held_ports: 0 };
        assert_eq!(faults_of(&settings, trial).await, [] as [&str; 0]);
        assert_eq!(faults_of(&settings, trial).await, [] as [&str; 0]);
        let _tcp = TcpListener::bind(settings.sip).expect("it was closed");
    }

    #[tokio::test]
    async fn taken_addresses_are_faults_unless_the_asking_process_holds_them() {
        let settings = settings(2);
        let _sip = UdpSocket::bind(settings.sip).expect("bind");
        let _media: Vec<_> = [30_000, 30_002, 30_004]
            .map(|port| UdpSocket::bind((settings.media, port)).expect("bind"))
            .into();
        let faults = faults_of(&settings, Trial { sip: settings.sip, tls: None, held_ports: 0 }).await;
        assert!(faults.len() == 2 && faults[0].contains("127.91.1.2:5060"), "{faults:?}");
        assert!(faults[1].contains("0 free UDP ports for calls and 3 are needed"), "{faults:?}");
        let held = Trial { sip: (settings.sip.ip(), 0).into(), tls: None, held_ports: 3 };
        assert_eq!(faults_of(&settings, held).await, [] as [&str; 0]);
    }

    #[tokio::test]
    async fn address_that_is_not_on_this_machine_is_a_fault_though_the_asking_process_has_it() {
        let mut settings = settings(3);
        (settings.sip, settings.media) = (([192, 0, 2, 1], 5060).into(), [192, 0, 2, 1].into());
        let held = Trial { sip: (settings.sip.ip(), 0).into(), tls: None, held_ports: 500 };
        let faults = faults_of(&settings, held).await;
        assert!(faults.len() == 2 && faults.iter().all(|fault| fault.contains("192.0.2.1")), "{faults:?}");
    }
}
