//! What stands around a run and is none of its business: files, processes, sockets, another repository.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use staso_examples::environment::Environment;
use tempfile::TempDir;

use super::canary::Tag;

/// A machine with canaries in it.
pub(crate) struct Host {
    /// Stands in every canary of the host.
    pub(crate) tag: Tag,
    outside: PathBuf,
    home: Option<TempDir>,
    tcp: TcpListener,
    udp: UdpSocket,
    socket: UnixListener,
    abstract_socket: UnixListener,
    abstract_name: String,
    neighbour: Child,
    before: Vec<Tree>,
}

/// The files of a directory: mode, and content or target of a link.
pub(crate) type Tree = BTreeMap<PathBuf, (u32, Vec<u8>)>;

impl Host {
    /// Plants canaries in `outside`, in the user's home and around it.
    pub(crate) fn plant(outside: &Path) -> Self {
        let tag = Tag::new();
        fs::create_dir_all(outside.join("deeper")).unwrap();
        for name in ["token", "deeper/id_ed25519", "known_hosts"] {
            fs::write(outside.join(name), tag.canary("file")).unwrap();
            fs::set_permissions(outside.join(name), fs::Permissions::from_mode(0o644)).unwrap();
        }
        let home = tempfile::Builder::new().prefix(".staso-test-").tempdir_in(Environment::read().home).ok();
        if let Some(home) = &home {
            fs::write(home.path().join("credentials"), tag.canary("home")).unwrap();
        }
        let tcp = TcpListener::bind("0.0.0.0:0").unwrap();
        let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
        let socket = UnixListener::bind(outside.join("socket")).unwrap();
        // No canary: the attacker has to know the name.
        let abstract_name = Tag::new().canary("abstract");
        let name = UnixAddress::from_abstract_name(&abstract_name).unwrap();
        let abstract_socket = UnixListener::bind_addr(&name).unwrap();
        tcp.set_nonblocking(true).unwrap();
        udp.set_nonblocking(true).unwrap();
        socket.set_nonblocking(true).unwrap();
        abstract_socket.set_nonblocking(true).unwrap();
        let neighbour = Command::new("sleep")
            .arg("600")
            .env("CANARY", tag.canary("environment"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut host = Self {
            tag,
            outside: outside.to_owned(),
            home,
            tcp,
            udp,
            socket,
            abstract_socket,
            abstract_name,
            neighbour,
            before: Vec::new(),
        };
        host.before = host.trees();
        host
    }

    /// A directory beside the checkout.
    pub(crate) fn outside(&self) -> &Path {
        &self.outside
    }

    /// A file with a canary.
    pub(crate) fn token(&self) -> String {
        self.outside.join("token").display().to_string()
    }

    /// A directory with a canary in the user's home, where there could be one.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_ref().map(TempDir::path)
    }

    pub(crate) fn tcp_port(&self) -> u16 {
        self.tcp.local_addr().unwrap().port()
    }

    pub(crate) fn udp_address(&self) -> SocketAddr {
        self.udp.local_addr().unwrap()
    }

    /// The name of a socket that is no file.
    pub(crate) fn abstract_name(&self) -> &str {
        &self.abstract_name
    }

    /// A process whose environment holds a canary.
    pub(crate) fn neighbour(&self) -> u32 {
        self.neighbour.id()
    }

    fn trees(&self) -> Vec<Tree> {
        [Some(self.outside.as_path()), self.home()].into_iter().flatten().map(tree).collect()
    }

    /// Nobody called, and every file is what it was.
    pub(crate) fn assert_untouched(&self, name: &str) {
        assert_eq!(self.trees(), self.before, "{name}: files of the host changed");
        let nobody = |error: std::io::Error| error.kind() == ErrorKind::WouldBlock;
        assert!(self.tcp.accept().is_err_and(nobody), "{name}: somebody connected");
        assert!(self.socket.accept().is_err_and(nobody), "{name}: somebody connected to the socket");
        assert!(self.abstract_socket.accept().is_err_and(nobody), "{name}: the abstract socket was reached");
        assert!(self.udp.recv(&mut [0; 16]).is_err_and(nobody), "{name}: a datagram came");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.neighbour.kill());
        drop(self.neighbour.wait());
    }
}

/// All files below a directory.
pub(crate) fn tree(directory: &Path) -> Tree {
    let mut found = Tree::new();
    let mut open = vec![directory.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let content = match meta.file_type() {
                kind if kind.is_dir() => {
                    open.push(path.clone());
                    Vec::new()
                }
                kind if kind.is_file() => fs::read(&path).unwrap(),
                kind if kind.is_symlink() => {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                }
                _ => b"special".to_vec(),
            };
            found.insert(path, (meta.permissions().mode(), content));
        }
    }
    found
}
