//! The addresses that a server listens on: taken first of all, listened on when there is something to serve.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Listener;
use crate::handlers::Endpoint;

/// Connections that the kernel may hold for us before they are accepted.
const ACCEPT_BACKLOG: i32 = 1024;

/// How long whoever holds an address may take to show that it is a broker.
const HOLDER_PATIENCE: Duration = Duration::from_millis(500);

/// Addresses that are taken, so that nobody else gets them, and where clients are refused until there is a server:
/// whoever came while the logs recover would only wait.
#[derive(Debug)]
pub struct Addresses(Vec<BoundListener<Socket>>);

/// A socket, and what clients on it are told.
#[derive(Debug)]
pub(super) struct BoundListener<S> {
    pub(super) socket: S,
    pub(super) endpoint: Arc<Endpoint>,
    /// The listeners of this name, of all nodes.
    pub(super) cluster: Arc<[Arc<Endpoint>]>,
    /// As people write it, `NAME://host:port`.
    shown: String,
}

impl Addresses {
    /// Takes the addresses of the listeners.
    ///
    /// # Errors
    /// The sentence names the listener: its address does not resolve, is taken, or is not ours.
    pub fn take(listeners: &[Listener]) -> io::Result<Addresses> {
        let mut bound = listeners.iter().map(bind_listener).collect::<io::Result<Vec<_>>>()?;
        // With ports that are free, it is known only now where the other nodes are.
        let endpoints: Vec<Arc<Endpoint>> = bound.iter().map(|one| Arc::clone(&one.endpoint)).collect();
        for one in &mut bound {
            let alike = endpoints.iter().filter(|other| other.listener == one.endpoint.listener);
            one.cluster = alike.cloned().collect();
        }
        Ok(Addresses(bound))
    }

    /// Lets clients connect; nobody is accepted yet.
    pub(super) fn listen(self) -> io::Result<Vec<BoundListener<StdListener>>> {
        self.0.into_iter().map(listen_on).collect()
    }
}

fn bind_listener(listener: &Listener) -> io::Result<BoundListener<Socket>> {
    let shown = format!("{}://{}:{}", listener.name, listener.host, listener.port);
    let socket = bound_socket(&listener.host, listener.port).map_err(|source| cannot_listen(&shown, &source))?;
    let port = match listener.advertised_port {
        0 => port_of(&socket)?,
        port => port,
    };
    let host = listener.advertised_host.clone();
    let endpoint = Arc::new(Endpoint { node: listener.node, listener: listener.name.clone(), host, port });
    Ok(BoundListener { socket, endpoint, cluster: Arc::new([]), shown })
}

fn cannot_listen(shown: &str, source: &io::Error) -> io::Error {
    let advice = "choose another address in `listeners`, or stop what holds it";
    io::Error::new(source.kind(), format!("cannot listen on {shown}: {source}; {advice}"))
}

fn bound_socket(host: &str, port: u16) -> io::Result<Socket> {
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match bind(address) {
            Ok(socket) => return Ok(socket),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && speaks_kafka(address) => {
                last_error =
                    io::Error::new(error.kind(), format!("{error} by a broker that speaks the Kafka protocol"));
            }
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted broker takes its port back although old connections linger in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn port_of(socket: &Socket) -> io::Result<u16> {
    Ok(socket.local_addr()?.as_socket().map_or(0, |address| address.port()))
}

fn listen_on(bound: BoundListener<Socket>) -> io::Result<BoundListener<StdListener>> {
    let BoundListener { socket, endpoint, cluster, shown } = bound;
    socket.listen(ACCEPT_BACKLOG).map_err(|source| cannot_listen(&shown, &source))?;
    Ok(BoundListener { socket: socket.into(), endpoint, cluster, shown })
}

/// Whether somebody at this address answers as a broker does. It takes a moment when somebody else holds the port.
fn speaks_kafka(address: SocketAddr) -> bool {
    // ApiVersions, version 0, from a client without a name; and the answer's length, correlation id and error code.
    const QUESTION: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0x51, 0x7e, 0xff, 0xff];
    let ask = || -> io::Result<[u8; 10]> {
        let mut stream = TcpStream::connect_timeout(&address, HOLDER_PATIENCE)?;
        stream.set_read_timeout(Some(HOLDER_PATIENCE))?;
        stream.write_all(&QUESTION)?;
        let mut answer = [0; 10];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer[4..] == [0, 0, 0x51, 0x7e, 0, 0])
}
