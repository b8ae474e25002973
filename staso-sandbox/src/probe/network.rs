//! The network: what a session can reach.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream};
use std::time::Duration;

use crate::Verb;
use crate::sys::{self, Errno, call, n, number};
use crate::verdict::{Attempt, Failure, Setup as _, argument, number as parse};

pub(crate) const VERBS: &[(&str, Verb)] = &[
    ("tcp", tcp),
    ("udp", udp),
    ("route", route),
    ("unix", unix),
    ("abstract", abstract_socket),
    ("loopback", loopback),
    ("socket", socket),
    ("serve", serve),
];

const PATIENCE: Duration = Duration::from_millis(700);
/// A service of this machine may be slow: without an answer from it nothing went through.
const PATIENCE_WITH_LOOPBACK: Duration = Duration::from_secs(5);
const REFUSED: Errno = Errno(111);

fn address(arguments: &[String]) -> Result<SocketAddr, Failure> {
    argument(arguments, 0)?.parse().map_err(|_| Failure::broken("no address"))
}

/// Connects. That nobody answers from another machine is no refusal: something went out.
fn tcp(arguments: &[String]) -> Attempt {
    let address = address(arguments)?;
    match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(_) => Ok("connected".to_owned()),
        Err(error) if error.kind() == ErrorKind::TimedOut => Ok("sent, and nobody answered".to_owned()),
        Err(error) => Err(error.into()),
    }
}

/// Sends and waits for an answer. Without one it counts as sent, unless it went to this machine's own loopback.
fn udp(arguments: &[String]) -> Attempt {
    let address = address(arguments)?;
    let socket = towards(address)?;
    let patience = if address.ip().is_loopback() { PATIENCE_WITH_LOOPBACK } else { PATIENCE };
    socket.set_read_timeout(Some(patience)).setup("set a time limit")?;
    socket.send(b"staso-probe")?;
    match socket.recv(&mut [0; 64]) {
        Ok(_) => Ok("answered".to_owned()),
        Err(_) if address.ip().is_loopback() => Err(REFUSED.into()),
        Err(_) => Ok("sent, and nobody answered".to_owned()),
    }
}

/// A socket with a peer. That alone sends nothing.
fn towards(address: SocketAddr) -> Result<UdpSocket, Failure> {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    Ok(socket)
}

/// Asks the kernel for the way to an address, as whoever sends there does. Nothing is sent.
fn route(arguments: &[String]) -> Attempt {
    let socket = towards(address(arguments)?)?;
    Ok(format!("from {}", socket.local_addr()?.ip()))
}

/// Connects to a socket by path.
fn unix(arguments: &[String]) -> Attempt {
    UnixStream::connect(argument(arguments, 0)?)?;
    Ok("connected".to_owned())
}

/// Connects to a socket by name.
fn abstract_socket(arguments: &[String]) -> Attempt {
    let name = UnixAddress::from_abstract_name(argument(arguments, 0)?).setup("name the socket")?;
    UnixStream::connect_addr(&name)?;
    Ok("connected".to_owned())
}

/// Talks to itself.
fn loopback(_: &[String]) -> Attempt {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE)?;
    let (mut far, _) = listener.accept()?;
    far.write_all(b"x")?;
    near.read_exact(&mut [0])?;
    Ok(String::new())
}

/// Makes a socket: family, kind, protocol.
fn socket(arguments: &[String]) -> Attempt {
    let fd =
        call(number::SOCKET, [n(parse(arguments, 0)?), n(parse(arguments, 1)?), n(parse(arguments, 2)?)])?;
    sys::close(fd);
    Ok(String::new())
}

/// Is there to be found by another session: by an abstract name, by the key of shared memory, and by a port that it
/// prints. Waits until it is ended.
fn serve(arguments: &[String]) -> Attempt {
    let name = UnixAddress::from_abstract_name(argument(arguments, 0)?).setup("name the socket")?;
    let _named = UnixListener::bind_addr(&name).setup("listen")?;
    crate::kernel::make_segment(arguments.get(1..).unwrap_or_default())?;
    let listener = TcpListener::bind("127.0.0.1:0").setup("listen")?;
    let port = listener.local_addr().setup("know the port")?.port();
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {port}").and_then(|()| out.flush()).setup("say that it runs")?;
    loop {
        drop(listener.accept());
    }
}
