//! Receives and discards the rest of a request body that is refused before it was read (lingering close).
//!
//! A client that reads no answer before it has sent everything would find a broken connection instead of the
//! refusal. What is received is bounded in bytes and time, and never kept.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use hyper::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::EXPECT;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How many bytes are discarded at most: twice the piece that `pitlane upgrade upload` sends at a time.
const DISCARDED: u64 = 8 << 20;

/// How long that may take. Over a link of 1 MB/s, a piece of an upload arrives in this time.
const WITHIN: Duration = Duration::from_secs(5);

/// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 section 10.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expects {
    /// It sends the body without waiting.
    Nothing,
    /// It sends the body once it is asked to, which the first poll of the body does.
    Continue,
}

impl Expects {
    /// Reads it from the head of a request.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(EXPECT) { Self::Continue } else { Self::Nothing }
    }
}

/// Lends a body to the handler of the request, and keeps access to the rest of it.
pub(super) fn lend<B>(body: B, expects: Expects) -> (Lent<B>, Rest<B>)
where
    B: Body<Data = Bytes> + Unpin,
{
    let (back, rest) = oneshot::channel();
    (Lent { body: Some(body), comes: expects == Expects::Nothing, back: Some(back) }, Rest(rest))
}

/// A body that is returned when it is dropped before its end.
#[derive(Debug)]
pub(super) struct Lent<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    /// None once it has ended.
    body: Option<B>,
    /// Whether the client sends it, or was asked to.
    comes: bool,
    back: Option<oneshot::Sender<B>>,
}

impl<B> Body for Lent<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.comes = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B> Drop for Lent<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    fn drop(&mut self) {
        if let (Some(body), Some(back), true) = (self.body.take(), self.back.take(), self.comes) {
            // Nobody waits for it when the request was cancelled.
            drop(back.send(body));
        }
    }
}

/// The rest of a body.
#[derive(Debug)]
pub(super) struct Rest<B>(oneshot::Receiver<B>);

impl<B> Rest<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    /// Receives and discards it. A body that the handler still has is left alone.
    pub(super) async fn discard(mut self) {
        let Ok(mut body) = self.0.try_recv() else { return };
        let mut left = DISCARDED;
        let all = async {
            while left > 0 && !body.is_end_stream() {
                match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                    Some(Ok(frame)) => {
                        let bytes = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                        left = left.saturating_sub(bytes);
                    }
                    Some(Err(_)) | None => break,
                }
            }
        };
        // Whether its end was reached or not, the answer is sent now.
        let _ = timeout(WITHIN, all).await;
    }
}
