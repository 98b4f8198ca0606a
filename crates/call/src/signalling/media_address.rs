//! Which media address of this node a call gets. Sound of one family of addresses does not reach the other, so it is one
//! of the family that the far end can be reached in; a call keeps its family.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use sip::transport::flow::{Flow, Protocol};
use sip::transport::listeners::Listener;

use crate::sdp::{Family, Offer, Unacceptable};

use super::agent::UserAgent;
use super::call::Call;
use super::response::{Response, of_unacceptable};

impl UserAgent {
    /// Whether there is a media address for a new call with this offer.
    ///
    /// # Errors
    /// This node has no address of a family that the offer names.
    pub(super) fn check_families(&self, offer: Option<&Offer>, flow: Flow) -> Result<(), Response> {
        let families = offer.map(Offer::families).unwrap_or_default();
        match (families.first(), self.of_families(&families, flow)) {
            (Some(family), None) => Err(of_unacceptable(&Unacceptable::Family(*family))),
            (Some(_), Some(_)) | (None, _) => Ok(()),
        }
    }

    /// Whether an offer within a call stays in the family of its addresses.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn check_family(&self, call: &Call, offer: Option<&Offer>) -> Result<(), Response> {
        let checked =
            call.negotiation.as_ref().zip(offer).map(|(negotiation, offer)| negotiation.check(offer));
        checked.unwrap_or(Ok(())).map_err(|fault| of_unacceptable(&fault))
    }

    /// Where the media port of a new call is opened.
    pub(super) fn media_address(&self, call: &Call) -> IpAddr {
        let mut families = call.offer.as_ref().map(Offer::families).unwrap_or_default();
        if families.is_empty() {
            // It names none, or is to take an offer of ours, and is reached by the family of its signalling at least.
            families.push(Family::of(call.flow.local.ip()));
        }
        self.of_families(&families, call.flow).unwrap_or(self.settings.media)
    }

    /// The media address of the first of these families that this node has one of, for a far end at the end of a flow.
    fn of_families(&self, families: &[Family], flow: Flow) -> Option<IpAddr> {
        families.iter().find_map(|family| self.of_family(*family, flow.local.ip()))
    }

    /// The media address of a family: the one that is set, or else the one by which SIP was reached, if SIP listens on all
    /// addresses. A link-local one is none, for a description names no zone.
    pub(super) fn of_family(&self, family: Family, reached: IpAddr) -> Option<IpAddr> {
        let reached = reached.to_canonical();
        let is_link_local = match reached {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        let found = (self.settings.sip.ip().is_unspecified() && !is_link_local).then_some(reached);
        let mut all = self.settings.media_addresses().chain(found).filter(|ip| !ip.is_unspecified());
        all.find(|ip| Family::of(*ip) == family)
    }

    /// As [`Self::own_address`], for a far end at this address: one of a listener for both families calls it from the
    /// media address of its family.
    pub(super) fn own_address_towards(&self, protocol: Protocol, remote: IpAddr) -> Option<SocketAddr> {
        let own = self.own_address(protocol)?;
        let of_protocol = |listener: &&Listener| listener.protocol == protocol;
        let bound = self.listeners().0.iter().find(of_protocol)?.address.ip();
        let is_of_both = bound == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let other = self.of_family(Family::of(remote), bound).filter(|_| is_of_both);
        Some(SocketAddr::new(other.unwrap_or(own.ip()), own.port()))
    }
}
