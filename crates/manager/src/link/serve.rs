//! Serves HTTP on a listener: what `axum::serve` does, with limits on the time that the head and the body of
//! a request may take, and with an orderly end of requests in progress.

use std::convert::Infallible;
use std::pin::pin;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::debug;

use super::connection::Connection;
use super::linger::{Expects, lend};
use super::min_rate::MinRateBody;
use super::tls::{Limits, Peer, TlsListener};

/// The largest head of a request, in bytes: credentials, a path and a few headers.
const HEAD_BYTES: usize = 32 << 10;

/// Serves every connection of the listener until `stop`, and returns when all requests are answered. Each
/// request carries its [`Peer`] as connect info.
pub async fn serve(mut listener: TlsListener, router: Router, stop: CancellationToken) {
    let (limits, connections) = (listener.limits(), TaskTracker::new());
    loop {
        let (connection, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        connections.spawn(serve_connection(connection, peer, router.clone(), limits, stop.clone()));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn serve_connection(
    connection: Connection,
    peer: Peer,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let address = peer.address;
    let service = service_fn(move |request: Request<Incoming>| {
        let expects = Expects::of(request.headers());
        let (head, body) = request.into_parts();
        let (body, rest) = lend(MinRateBody::new(body, limits.body), expects);
        let mut request = Request::from_parts(head, Body::new(body));
        request.extensions_mut().insert(ConnectInfo(peer.clone()));
        let router = router.clone();
        async move {
            let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            rest.discard().await;
            Ok::<_, Infallible>(response)
        }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(HEAD_BYTES);
    let mut conversation = pin!(server.serve_connection(TokioIo::new(connection), service));
    let ended = tokio::select! {
        ended = conversation.as_mut() => ended,
        () = stop.cancelled() => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
        }
    };
    if let Err(error) = ended {
        debug!(%address, %error, "a connection has ended");
    }
}
