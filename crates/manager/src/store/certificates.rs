//! The certificates that an operator has brought, as they are used. As objects of the management API they are in
//! [`super::objects`].

use std::collections::{BTreeMap, BTreeSet};

use fleet::node::NodeId;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{StoreError, objects};
use crate::resources::Resource;
use crate::resources::configuration::ca_certificate::CA_CERTIFICATE;
use crate::resources::configuration::tls_certificate::TLS_CERTIFICATE;
use crate::trust::{Certificate, Kind, read_certificates};

/// The certificates, each with its key, that a machine of this name is to show.
///
/// # Errors
/// The database reports an error.
pub(crate) fn shown_by(connection: &Connection, name: &str) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT body ->> 'certificate', body ->> 'private_key' FROM tls_certificate
               WHERE lower(?1) IN (SELECT lower(value) FROM json_each(tls_certificate.body, '$.nodes')) ORDER BY id";
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(connection.prepare_cached(sql)?.query_map([name], row)?.collect::<Result<_, _>>()?)
}

/// The certificates in every object that has some: its resource, its number, and the text.
///
/// # Errors
/// The database reports an error.
pub(crate) fn all(connection: &Connection) -> Result<Vec<(&'static Resource, i64, String)>, StoreError> {
    let mut all = Vec::new();
    for of in [&TLS_CERTIFICATE, &CA_CERTIFICATE] {
        let sql = format!("SELECT id, body ->> 'certificate' FROM {} ORDER BY id", of.name);
        let row = |row: &Row<'_>| Ok((of, row.get(0)?, row.get(1)?));
        let rows = connection.prepare_cached(&sql)?.query_map([], row)?.collect::<Result<Vec<_>, _>>()?;
        all.extend(rows);
    }
    Ok(all)
}

/// Certificates, each with its key, and those that complete their chains.
type Completed = (Vec<(String, String)>, Vec<Certificate>);

/// The same, with the certificates that complete their chains.
///
/// # Errors
/// The database reports an error.
pub(crate) fn shown_with_authorities(connection: &Connection, name: &str) -> Result<Completed, StoreError> {
    Ok((shown_by(connection, name)?, intermediates(connection)?))
}

/// The certificates of authorities between servers and a root, which complete chains that lack them.
///
/// # Errors
/// The database reports an error.
pub(crate) fn intermediates(connection: &Connection) -> Result<Vec<Certificate>, StoreError> {
    let sql = "SELECT body ->> 'certificate' FROM ca_certificate ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let texts = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    // What was stored was checked before.
    let all = texts.iter().filter_map(|text| read_certificates(text).ok()).flatten();
    Ok(all.filter(|one| one.kind() == Kind::Intermediate).collect())
}

/// What Conferencing Nodes show. It has keys, so it is never printed.
pub(crate) struct ShownByNodes {
    /// The certificates by their number, each with its key.
    pub(crate) pairs: BTreeMap<i64, (String, String)>,
    /// The certificates that complete their chains.
    pub(crate) authorities: Vec<Certificate>,
    /// The number of the certificate of each node that has one.
    pub(crate) nodes: BTreeMap<NodeId, i64>,
}

/// The certificates that Conferencing Nodes are to show.
///
/// # Errors
/// The database reports an error.
pub(crate) fn shown_by_nodes(connection: &Connection) -> Result<ShownByNodes, StoreError> {
    let of_each = of_nodes(connection)?;
    let sql = "SELECT body ->> 'certificate', body ->> 'private_key' FROM tls_certificate WHERE id = ?1";
    let mut pairs = BTreeMap::new();
    for id in of_each.iter().flat_map(|of_one| &of_one.certificates) {
        if !pairs.contains_key(id) {
            let pair = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let found = connection.prepare_cached(sql)?.query_row([id], pair).optional()?;
            pairs.extend(found.map(|found| (*id, found)));
        }
    }
    // A store that names a certificate which is not there has to open all the same.
    let there = |id: &i64| pairs.contains_key(id);
    let nodes = of_each
        .iter()
        .filter_map(|of_one| Some((of_one.node, *of_one.certificates.first().filter(|id| there(id))?)));
    let nodes = nodes.collect();
    Ok(ShownByNodes { pairs, authorities: intermediates(connection)?, nodes })
}

/// The certificates that one node is named for.
#[derive(Debug)]
pub(crate) struct OfNode {
    /// The node.
    pub(crate) node: NodeId,
    /// Its name.
    pub(crate) name: String,
    /// The numbers of the certificates. More than one is refused when it is written.
    pub(crate) certificates: BTreeSet<i64>,
}

/// The nodes that are named by a certificate, by their name or by host name and domain, or that name one themselves.
///
/// # Errors
/// The database reports an error.
pub(crate) fn of_nodes(connection: &Connection) -> Result<Vec<OfNode>, StoreError> {
    let (mut named, mut of_nodes) = (BTreeMap::<String, BTreeSet<i64>>::new(), Vec::new());
    if objects::count(connection, &TLS_CERTIFICATE)? == 0 {
        // The usual case, in which 10,000 nodes need not be read.
        return Ok(of_nodes);
    }
    let sql = "SELECT lower(value), tls_certificate.id FROM tls_certificate, json_each(body, '$.nodes')";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        named.entry(row.get(0)?).or_default().insert(row.get(1)?);
    }
    let sql = "SELECT id, name, lower(name), lower((body ->> 'hostname') || '.' || (body ->> 'domain')),
               body ->> 'tls_certificate' FROM worker_vm
               WHERE ?1 OR body ->> 'tls_certificate' IS NOT NULL ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![!named.is_empty()])?;
    while let Some(row) = rows.next()? {
        let (id, name) = (row.get::<_, u32>(0)?, row.get(1)?);
        let names = [row.get::<_, String>(2)?, row.get::<_, Option<String>>(3)?.unwrap_or_default()];
        let of_names = names.iter().filter_map(|name| named.get(name)).flatten().copied();
        let certificates: BTreeSet<i64> = of_names.chain(row.get::<_, Option<i64>>(4)?).collect();
        if !certificates.is_empty() {
            of_nodes.push(OfNode { node: NodeId(id), name, certificates });
        }
    }
    Ok(of_nodes)
}

/// Whether a Conferencing Node has this name, or this host name and domain.
///
/// # Errors
/// The database reports an error.
pub(crate) fn is_node(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM worker_vm WHERE lower(?1)
               IN (lower(name), lower((body ->> 'hostname') || '.' || (body ->> 'domain')))";
    Ok(connection.prepare_cached(sql)?.exists([name])?)
}
