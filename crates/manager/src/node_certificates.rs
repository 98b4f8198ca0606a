//! The certificates of the operator that Conferencing Nodes show to callers, ready to be sent: each to the nodes that it
//! is for, and to no other. They are kept in memory beside the store, so that 10,000 nodes do not each read them.
//!
//! It relies on the store for who shows what. A node that says nothing of certificates is of a release that cannot show
//! them, and is sent none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet::node::NodeId;
use fleet::version::Sha256;
use parking_lot::RwLock;
use sha2::Digest as _;
use tracing::warn;
use wire::{CertificateToShow, NodeCertificate, ShownCertificate};

use crate::store::{Store, StoreError, certificates};
use crate::trust::{Certificate, Given, Identity};

/// The certificates by node.
type ByNode = BTreeMap<NodeId, Arc<NodeCertificate>>;

/// What every node is to show. Cheap to clone; all clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeCertificates(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// None before the store was read: nothing is said to a node then, so that none gives up what it shows.
    by_node: RwLock<Option<ByNode>>,
    /// Held while the store is read, so that an earlier state does not replace a later one.
    reading: tokio::sync::Mutex<()>,
}

impl NodeCertificates {
    /// Takes over what is stored now; returns the nodes for which that is another certificate than before.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn reload(&self, store: &Store) -> Result<BTreeSet<NodeId>, StoreError> {
        let _one_at_a_time = self.0.reading.lock().await;
        let now = store.read(|connection| certificates::shown_by_nodes(connection).map(by_node)).await?;
        let before = self.0.by_node.write().replace(now.clone()).unwrap_or_default();
        let nodes = before.keys().chain(now.keys()).copied();
        Ok(nodes.filter(|id| before.get(id) != now.get(id)).collect())
    }

    /// What a node is to show, when it shows something else.
    pub(crate) fn for_node(&self, id: NodeId, shown: Option<ShownCertificate>) -> Option<CertificateToShow> {
        let by_node = self.0.by_node.read();
        let wanted = by_node.as_ref()?.get(&id);
        let is_shown = match (shown?, wanted) {
            (ShownCertificate::Own, None) => true,
            (ShownCertificate::Operators(shown), Some(wanted)) => shown == wanted.id,
            (ShownCertificate::Own, Some(_)) | (ShownCertificate::Operators(_), None) => false,
        };
        (!is_shown).then(|| match wanted {
            None => CertificateToShow::Own,
            Some(certificate) => CertificateToShow::Operators((**certificate).clone()),
        })
    }
}

fn by_node(stored: certificates::ShownByNodes) -> ByNode {
    let certificates::ShownByNodes { pairs, authorities, nodes } = stored;
    let ready = pairs.into_iter().filter_map(|(id, (chain, key))| match ready(&chain, &key, &authorities) {
        Ok(certificate) => Some((id, Arc::new(certificate))),
        Err(why) => {
            warn!(id, why, "a TLS certificate cannot be used, and its nodes show their own");
            None
        }
    });
    let ready: BTreeMap<i64, _> = ready.collect();
    nodes.into_iter().filter_map(|(node, id)| Some((node, ready.get(&id)?.clone()))).collect()
}

fn ready(chain: &str, key: &str, authorities: &[Certificate]) -> Result<NodeCertificate, String> {
    let given = Given { certificate: chain, private_key: key, passphrase: "" };
    let identity = Identity::read(&given).map_err(|fault| fault.to_string())?.completed(authorities);
    let (chain, key) = (identity.chain_pem(), identity.key().to_pem());
    let id = sha2::Sha256::new().chain_update(&chain).chain_update(&key).finalize();
    Ok(NodeCertificate { id: Sha256(id.into()), subject: identity.leaf().subject(), chain, key })
}
