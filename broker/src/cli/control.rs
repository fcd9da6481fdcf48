//! Talks to a running broker over the control socket in its data folder.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use cutaway::clock::Clock;
use cutaway::config::limits::{CONTROL_ANSWER_MAX_BYTES, CONTROL_TIMEOUT_MS};
use cutaway::storage::disk::Disk;
use cutaway::web::{self, Status};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;

/// What the broker on a folder says of itself; `None` when none runs there.
pub(crate) async fn status(folder: &Path) -> anyhow::Result<Option<Status>> {
    let Some((_, body)) = ask(Method::GET, "/status", folder).await? else { return Ok(None) };
    let status = serde_json::from_slice(&body);
    Ok(Some(status.with_context(|| format!("the broker on {} is of another version", folder.display()))?))
}

/// Asks the broker on a folder to stop; false when none runs there.
pub(crate) async fn stop(folder: &Path) -> anyhow::Result<bool> {
    match ask(Method::POST, "/stop", folder).await? {
        None => Ok(false),
        Some((StatusCode::ACCEPTED, _)) => Ok(true),
        Some((status, _)) => bail!("the broker on {} answered {status} to a stop", folder.display()),
    }
}

/// One request and its answer; `None` when nobody listens.
async fn ask(method: Method, path: &str, folder: &Path) -> anyhow::Result<Option<(StatusCode, Bytes)>> {
    let stream = match web::connect(&Disk::default(), folder).await {
        Ok(stream) => stream,
        Err(error) if error.is_permission_denied() => {
            bail!("{error}; the folder belongs to somebody else, and only they can ask its broker")
        }
        Err(_) => return Ok(None),
    };
    let process = stream.peer_cred().ok().and_then(|peer| peer.pid());
    let (clock, limit) = (Clock::system(), Duration::from_millis(CONTROL_TIMEOUT_MS));
    let answer = tokio::select! {
        answer = converse(method, path, TokioIo::new(stream)) => answer,
        () = clock.sleep(limit) => bail!("{}", silent(folder, limit, process)),
    };
    answer.map(Some).with_context(|| format!("the broker on {} broke off its answer", folder.display()))
}

/// The kernel knows whose socket it is, also when that process does not answer.
fn silent(folder: &Path, limit: Duration, process: Option<i32>) -> String {
    let (shown, told) = (folder.display(), process.map_or(String::new(), |pid| format!(", process {pid},")));
    let advice = process.map_or(String::new(), |pid| {
        format!("; if it was suspended (Ctrl-Z, SIGSTOP), this lets it go on: kill -CONT {pid}")
    });
    format!("the broker on {shown}{told} did not answer in {limit:?}{advice}")
}

async fn converse(
    method: Method,
    path: &str,
    stream: TokioIo<tokio::net::UnixStream>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(hyper::header::HOST, "cutaway")
        .header(hyper::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), CONTROL_ANSWER_MAX_BYTES).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
    connection.abort();
    Ok((status, body))
}
