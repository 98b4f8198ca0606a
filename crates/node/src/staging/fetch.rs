//! Fetches a package from the Management Node: manifest and signature first, then the payload, which is resumed where
//! it broke off and verified piece by piece. It relies on [`package`] for what is verified, and unpacks nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use fleet::desired::Assignment;
use package::limits::{MAX_MANIFEST, MAX_SIGNATURE};
use package::{
    Download, MANIFEST_FILE, Payload, Refusal, Role, SIGNATURE_FILE, TrustedKeys, Verified, verify_manifest,
};
use reqwest::{Response, StatusCode, header};
use slots::{free_space, size_of_folder};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Stager;
use super::disk_space::DiskSpace;
use super::pace::Pace;
use super::retry_policy::Failure;
use super::unpack::refusal_failure;
use crate::files::chain;
use crate::http::{self, RequestError};

/// How long a manifest may take: at most 1 MiB.
const SMALL_FILE: Duration = Duration::from_secs(60);

/// The name under which the Management Node serves the payload of a Conferencing Node.
const PAYLOAD: &str = "payload";

/// How much is collected before it is written, in bytes: a quarter of a piece, so that a disk that is
/// asked less often still shows progress.
const WRITE: usize = 1 << 20;

/// One package on its way to this node.
pub(super) struct Fetch<'a> {
    pub(super) stager: &'a Stager,
    pub(super) software: Assignment,
    pub(super) keys: TrustedKeys,
}

impl Fetch<'_> {
    /// Fetches all of it; afterwards the payload lies complete and checked in `part`. What has arrived when
    /// it fails stays there, and the next attempt resumes after the last good piece.
    pub(super) async fn run(&self, part: &Path) -> Result<Verified, Failure> {
        let verified = self.manifest().await?;
        let payload = verified.payload(Role::Node);
        let download = self.open(part, payload).await?;
        self.check_disk_space(download.missing(), payload).await?;
        self.report(&download, payload).await;
        let download = if download.missing() > 0 { self.stream(download, payload).await? } else { download };
        blocking(move || download.finish()).await?.map_err(refusal_failure)?;
        Ok(verified)
    }

    /// The signed manifest, if it is the assigned one and fits this node.
    async fn manifest(&self) -> Result<Verified, Failure> {
        let manifest = self.small(MANIFEST_FILE, MAX_MANIFEST).await?;
        let signature = self.small(SIGNATURE_FILE, MAX_SIGNATURE).await?;
        let verified = verify_manifest(&manifest, &signature, &self.keys)
            .map_err(|refusal| Failure::Unverified(chain(&refusal)))?;
        let assigned = &self.software;
        if verified.hash() != assigned.manifest {
            return Err(Failure::Unverified(format!(
                "the Management Node sent the manifest of package {} for package {}",
                verified.hash(),
                assigned.manifest
            )));
        }
        let brings = verified.manifest().release();
        if brings != assigned.release {
            return Err(Failure::Unfit(format!(
                "the package brings {brings}, and this node was to get {}",
                assigned.release
            )));
        }
        let admitted = verified.admits(self.stager.running, self.stager.running_package);
        admitted.map_err(|refusal| Failure::Unfit(refusal.to_string()))?;
        Ok(verified)
    }

    async fn small(&self, name: &str, limit: u64) -> Result<Vec<u8>, Failure> {
        let session = &self.stager.session;
        let (client, path) = (session.client(), self.path(name));
        let limits = (SMALL_FILE, limit as usize);
        let managers = session.managers();
        let got = managers.in_turn(|address| {
            let (client, path) = (&client, &path);
            async move { http::get(client, &address, path, limits).await }
        });
        got.await.map_err(Failure::Link)
    }

    fn path(&self, name: &str) -> String {
        format!("/node/v1/packages/{}/{name}", self.software.manifest)
    }

    async fn open(&self, part: &Path, payload: &Payload) -> Result<Download, Failure> {
        let (part, payload) = (part.to_path_buf(), payload.clone());
        blocking(move || Download::open(&part, &payload)).await?.map_err(refusal_failure)
    }

    /// Refuses what does not fit on the disk, before any of it arrives.
    async fn check_disk_space(&self, missing: u64, payload: &Payload) -> Result<(), Failure> {
        let root = self.stager.machine.root().to_path_buf();
        let inactive = self.stager.machine.slot_dir(self.stager.slot.other());
        let unpacked = payload.unpacked_size;
        let lacking = blocking(move || {
            let (given_back, free) = (size_of_folder(&inactive), free_space(&root)?);
            Ok::<_, std::io::Error>(DiskSpace { missing, unpacked, given_back, free }.lacking())
        });
        match lacking.await? {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(Failure::Local(why)),
            Err(error) => Err(Failure::Local(format!("the disk does not say how much is free: {error}"))),
        }
    }

    /// Fetches from where the download is until it is complete, a piece is bad or the connection breaks.
    async fn stream(&self, mut download: Download, payload: &Payload) -> Result<Download, Failure> {
        let (address, mut answer) = self.ask(download.at(), payload).await.map_err(Failure::Link)?;
        let mut pace = Pace::begin(Instant::now());
        let mut collected = Vec::with_capacity(WRITE);
        loop {
            let chunk = answer.chunk().await;
            let ended = !matches!(chunk, Ok(Some(_)));
            if let Ok(Some(chunk)) = &chunk {
                collected.extend_from_slice(chunk);
                let rate = *self.stager.rate.borrow();
                sleep(pace.arrived(chunk.len(), rate, Instant::now())).await;
            }
            if collected.len() >= WRITE || ended {
                let (back, written) = write(download, std::mem::take(&mut collected)).await?;
                download = back;
                self.report(&download, payload).await;
                written.map_err(refusal_failure)?;
            }
            if ended {
                return match chunk {
                    Ok(_) if download.missing() == 0 => Ok(download),
                    Ok(_) => Err(Failure::Link(cut_short(&address))),
                    Err(error) => Err(Failure::Link(RequestError::sort(&address, error))),
                };
            }
        }
    }

    /// Asks for the payload from `at` on.
    async fn ask(&self, at: u64, payload: &Payload) -> Result<(String, Response), RequestError> {
        let session = &self.stager.session;
        let (client, path) = (session.client(), self.path(PAYLOAD));
        let size = payload.size;
        let managers = session.managers();
        managers
            .in_turn(|address| {
                let request = client
                    .get(format!("https://{address}{path}"))
                    .header(header::RANGE, format!("bytes={at}-"));
                async move {
                    let answer = request.send().await.map_err(|error| RequestError::sort(&address, error))?;
                    let answer = http::accepted(&address, answer).await?;
                    let range = answer.headers().get(header::CONTENT_RANGE);
                    let range = range.and_then(|range| range.to_str().ok());
                    match begins_at(at, size, answer.status(), range) {
                        Ok(()) => Ok((address, answer)),
                        Err(why) => Err(RequestError::Malformed { address, why }),
                    }
                }
            })
            .await
    }

    async fn report(&self, download: &Download, payload: &Payload) {
        let percent = download.at().saturating_mul(100) / payload.size.max(1);
        let percent = u8::try_from(percent).unwrap_or(100);
        self.stager.report_progress(self.software.manifest, percent).await;
    }
}

/// Whether an answer begins where it was asked to begin.
fn begins_at(at: u64, size: u64, status: StatusCode, range: Option<&str>) -> Result<(), String> {
    if status == StatusCode::PARTIAL_CONTENT {
        let expected = format!("bytes {at}-{}/{size}", size - 1);
        return match range {
            Some(range) if range == expected => Ok(()),
            other => Err(format!("it has the range {other:?} where {expected:?} was asked for")),
        };
    }
    if at == 0 { Ok(()) } else { Err(format!("it begins at 0 where byte {at} was asked for")) }
}

fn cut_short(address: &str) -> RequestError {
    RequestError::Malformed { address: address.into(), why: "it ends before the payload is complete".into() }
}

async fn write(mut download: Download, bytes: Vec<u8>) -> Result<(Download, Result<(), Refusal>), Failure> {
    blocking(move || {
        let written = download.write(&bytes);
        (download, written)
    })
    .await
}

/// Runs what waits for the disk beside the tasks that wait for the network.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    spawn_blocking(work).await.map_err(|error| Failure::Local(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_must_begin_where_the_payload_broke_off() {
        let check = |at, status: StatusCode, range: Option<&str>, taken: bool| {
            assert_eq!(begins_at(at, 100, status, range).is_ok(), taken, "{at}, {status}, {range:?}");
        };
        let partial = StatusCode::PARTIAL_CONTENT;
        check(0, StatusCode::OK, None, true);
        check(0, partial, Some("bytes 0-99/100"), true);
        check(40, partial, Some("bytes 40-99/100"), true);
        check(40, StatusCode::OK, None, false);
        check(40, partial, Some("bytes 0-99/100"), false);
        check(40, partial, Some("bytes 40-99/101"), false);
        check(40, partial, None, false);
    }
}
