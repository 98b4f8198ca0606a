//! Waits, on a machine that is not enrolled, for the enrolment file of its node: tools that set up nodes post it to the
//! machine. It relies on `enrol` for everything that the file means, and listens only until the machine is enrolled.
//!
//! Whoever reaches the listener before the operator's tool does can make the machine a node of another platform, so it is
//! off unless `bootstrap` in `machine.toml` says where to listen.

mod tls;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use fleet::version::Release;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wire::{ENROLMENT_FILE_BYTES, EnrolmentFile};

use crate::enrol::{EnrolError, Existing, enrol_with};
use crate::files::chain;
use crate::http::RequestError;
use crate::identity::{Identity, IdentityError};
use crate::web::Bounded;
use tls::{SelfSigned, Tls};

/// Where tools post the file.
pub const PATH: &str = "/configuration/bootstrap";

/// How long the tool may take to read the answer before the listener is closed.
const ANSWERED: Duration = Duration::from_secs(2);

/// The machine cannot wait for its enrolment file.
#[derive(Debug, thiserror::Error)]
pub enum CannotWait {
    /// The address cannot be had.
    #[error(
        "cannot wait for the enrolment file on {address}; free the port, or set `bootstrap` in machine.toml to another"
    )]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// No certificate can be made.
    #[error("cannot make a certificate to receive the enrolment file with")]
    Certificate(#[source] rcgen::Error),
    /// The certificate that was made cannot be used.
    #[error("cannot use the certificate that was made to receive the enrolment file with")]
    Tls(#[source] rustls::Error),
}

/// Whether a machine is to wait: it has no identity. A damaged one is for the operator to look at.
pub fn is_needed(root: &Path) -> bool {
    matches!(Identity::load(root), Err(IdentityError::NotEnrolled { .. }))
}

/// A machine that waits.
struct Waiting {
    root: PathBuf,
    release: Release,
    /// Held while a file is tried: one at a time.
    trying: Mutex<()>,
    enrolled: CancellationToken,
}

/// Waits until the machine with this root directory, which runs `release`, is enrolled with a file that was posted.
///
/// # Errors
/// It cannot listen.
pub async fn wait(root: &Path, address: SocketAddr, release: Release) -> Result<(), CannotWait> {
    let listen = TcpListener::bind(address).await.map_err(|source| CannotWait::Listen { address, source });
    let listener = Tls::new(Bounded::new(listen?), &SelfSigned::make(address.ip())?)?;
    info!("this machine is not enrolled; it waits for its enrolment file at https://{address}{PATH}");
    let waiting =
        Waiting { root: root.into(), release, trying: Mutex::default(), enrolled: CancellationToken::new() };
    let waiting = Arc::new(waiting);
    let router = Router::new()
        .route(PATH, post(take))
        .layer(DefaultBodyLimit::max(ENROLMENT_FILE_BYTES))
        .with_state(Arc::clone(&waiting));
    let enrolled = waiting.enrolled.clone().cancelled_owned();
    let served = axum::serve(listener, router).with_graceful_shutdown(enrolled);
    let mut server = tokio::spawn(served.into_future());
    tokio::select! {
        // It ends when the machine is enrolled and nobody is connected any more.
        _ = &mut server => {}
        () = closing_time(&waiting) => server.abort(),
    }
    Ok(())
}

/// Waits until the answer to the file that was accepted has had its time.
async fn closing_time(waiting: &Waiting) {
    waiting.enrolled.cancelled().await;
    tokio::time::sleep(ANSWERED).await;
}

/// Tries a file. It goes on when the tool is gone: the token in it is good for one use.
async fn take(State(waiting): State<Arc<Waiting>>, file: String) -> (StatusCode, String) {
    let tried = tokio::spawn(async move {
        let Ok(_one_at_a_time) = waiting.trying.try_lock() else {
            return (StatusCode::CONFLICT, "another enrolment file is being tried\n".to_string());
        };
        let answer = answer(tried(&waiting, &file).await);
        if answer.0 == StatusCode::OK {
            waiting.enrolled.cancel();
        }
        answer
    });
    tried.await.unwrap_or_else(|_| (StatusCode::INTERNAL_SERVER_ERROR, String::new()))
}

async fn tried(waiting: &Waiting, file: &str) -> Result<Identity, EnrolError> {
    let file = EnrolmentFile::parse(file)?;
    enrol_with(&waiting.root, &file, Existing::Keep, waiting.release).await
}

fn answer(tried: Result<Identity, EnrolError>) -> (StatusCode, String) {
    match tried {
        Ok(identity) => {
            info!(node = identity.node, "the machine was enrolled with a file that was posted");
            (StatusCode::OK, format!("enrolled as {:?}\n", identity.node))
        }
        Err(error) => {
            warn!("an enrolment file that was posted is refused: {}", chain(&error));
            let status = match error {
                EnrolError::File(_) | EnrolError::Unreadable { .. } => StatusCode::BAD_REQUEST,
                EnrolError::Already { .. }
                | EnrolError::Token { .. }
                | EnrolError::Request(RequestError::Refused { .. }) => StatusCode::CONFLICT,
                EnrolError::Request(_) => StatusCode::BAD_GATEWAY,
                EnrolError::Identity(_) | EnrolError::Lost(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (status, format!("{}\n", chain(&error)))
        }
    }
}
