//! The Unix socket in the data folder, whose path may be longer than a socket's address holds.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixStream;

use crate::storage::disk::Disk;
use crate::storage::{Error, Result};

/// The socket's name in the data folder.
pub const SOCKET_FILE: &str = "control.sock";

/// What `sockaddr_un` holds on Linux, its final zero included; the least of the systems that are in use has 104.
const ADDRESS_BYTES: usize = 104;

/// Commands that wait to be accepted.
const BACKLOG: i32 = 16;

/// A path that fits a socket's address, valid as long as this is held.
struct Reachable {
    path: PathBuf,
    _folder: Option<OwnedFd>,
}

/// Listens in a folder, in place of what a killed broker left there. The caller holds the folder's lock.
pub(super) fn listen(disk: &Disk, folder: &Path) -> Result<UnixListener> {
    let shown = folder.join(SOCKET_FILE);
    disk.remove_file(&shown)?;
    let reachable = reachable(disk, folder)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(Error::io("make", &shown))?;
    disk.restrict_to_owner(socket.as_fd(), &shown)?;
    let address = SockAddr::unix(&reachable.path).map_err(Error::io("name", &shown))?;
    socket.bind(&address).map_err(Error::io("listen on", &shown))?;
    socket.listen(BACKLOG).map_err(Error::io("listen on", &shown))?;
    socket.set_nonblocking(true).map_err(Error::io("listen on", &shown))?;
    Ok(UnixListener::from(OwnedFd::from(socket)))
}

/// Connects to the broker that runs on a folder.
///
/// # Errors
/// When there is none: the folder or the socket is not there, or nobody listens on it any more.
pub async fn connect(disk: &Disk, folder: &Path) -> Result<UnixStream> {
    let reachable = reachable(disk, folder)?;
    UnixStream::connect(&reachable.path).await.map_err(Error::io("connect to", &folder.join(SOCKET_FILE)))
}

fn reachable(disk: &Disk, folder: &Path) -> Result<Reachable> {
    let path = folder.join(SOCKET_FILE);
    if path.as_os_str().len() < ADDRESS_BYTES {
        return Ok(Reachable { path, _folder: None });
    }
    let folder = disk.open_dir(folder)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET_FILE}", folder.as_raw_fd()));
    Ok(Reachable { path, _folder: Some(folder) })
}
