//! From an address to a connection that is logged in and leads to the right kind of server; makes one attempt and keeps nothing.

use std::{fmt, future::Future, io, path::PathBuf, time::Duration};

use redis::{
    AsyncConnectionConfig, Cmd, ProtocolVersion, RedisConnectionInfo, aio::MultiplexedConnection,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::{
    super::url::{Address, Login},
    connection::Connection,
    counted::Counted,
    greeting::{self, Expected},
    refusal::NoConnection,
    subscriber::Subscriber,
    tls::Tls,
};

/// Where one server is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// Over the network.
    Tcp(Address),
    /// On this machine.
    Socket(PathBuf),
}

/// Everything that a connection needs besides a place.
#[derive(Debug, Clone)]
pub struct Dialer {
    /// `None` travels in the clear.
    pub tls: Option<Tls>,
    /// Who we are.
    pub login: Option<Login>,
    /// Which database.
    pub database: u32,
    /// How long a server that was asked may say nothing.
    pub patience: Duration,
}

/// The longest that one attempt takes, all round trips together.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Commands that may wait to be written on one connection; more wait for their turn to wait.
const WAITING: usize = 256;

/// A connection with nothing to say is tried by the system, and one that swallows what it is
/// given is ended by it: after these, not after the hours that are usual.
const KEEPALIVE: Duration = Duration::from_secs(5);
const UNACKNOWLEDGED: Duration = Duration::from_secs(2);

enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

impl Dialer {
    /// Connects to `place`, logs in and looks whom it has met.
    pub async fn connect(
        &self,
        place: &Place,
        expected: Expected,
    ) -> Result<Connection, NoConnection> {
        self.in_time(async {
            match self.stream(place).await? {
                Stream::Tcp(stream) => self.connection(stream, place, expected).await,
                Stream::Tls(stream) => self.connection(*stream, place, expected).await,
                Stream::Unix(stream) => self.connection(stream, place, expected).await,
            }
        })
        .await
    }

    /// Connects to `place` to hear what is published there: each message is given to `hear`.
    pub async fn subscriber(
        &self,
        place: &Place,
        hear: impl Fn(&[u8]) + Send + Sync + 'static,
    ) -> Result<Subscriber, NoConnection> {
        let login = self.login_in_resp3();
        self.in_time(async {
            match self.stream(place).await? {
                Stream::Tcp(stream) => Subscriber::start(stream, place, &login, hear).await,
                Stream::Tls(stream) => Subscriber::start(*stream, place, &login, hear).await,
                Stream::Unix(stream) => Subscriber::start(stream, place, &login, hear).await,
            }
        })
        .await
    }

    /// For the library, which can say it in RESP3.
    fn login_in_resp3(&self) -> RedisConnectionInfo {
        let info = RedisConnectionInfo::default()
            .set_skip_set_lib_name()
            .set_protocol(ProtocolVersion::RESP3);
        let Some(login) = &self.login else {
            return info;
        };
        let info = info.set_password(String::from_utf8_lossy(login.password.expose()));
        match &login.user {
            Some(user) => info.set_username(user),
            None => info,
        }
    }

    async fn stream(&self, place: &Place) -> Result<Stream, NoConnection> {
        match (place, &self.tls) {
            (Place::Socket(path), _) => UnixStream::connect(path)
                .await
                .map(Stream::Unix)
                .map_err(NoConnection::unreachable),
            (Place::Tcp(address), None) => tcp(address)
                .await
                .map(Stream::Tcp)
                .map_err(NoConnection::unreachable),
            (Place::Tcp(address), Some(tls)) => {
                let stream = tcp(address).await.map_err(NoConnection::unreachable)?;
                let stream = tls.connect(&address.host, stream).await?;
                Ok(Stream::Tls(Box::new(stream)))
            }
        }
    }

    async fn connection<S>(
        &self,
        stream: S,
        place: &Place,
        expected: Expected,
    ) -> Result<Connection, NoConnection>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // The login is not left to the library: its errors would not tell what was refused.
        let nobody = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(WAITING);
        let stream = Counted::new(stream);
        let traffic = stream.traffic().clone();
        let (wire, driver) = MultiplexedConnection::new_with_config(&nobody, stream, config)
            .await
            .map_err(NoConnection::unreachable)?;
        let connection = Connection::start(wire, driver, traffic, place.clone(), self.patience);
        greeting::exchange(&connection, self, expected).await?;
        Ok(connection)
    }

    async fn in_time<T>(
        &self,
        attempt: impl Future<Output = Result<T, NoConnection>>,
    ) -> Result<T, NoConnection> {
        timeout(ATTEMPT, attempt)
            .await
            .unwrap_or_else(|_| Err(NoConnection::unreachable("does not answer")))
    }

    /// The first command on every connection: who we are, and whom we have met.
    pub fn hello(&self) -> Cmd {
        let mut hello = redis::cmd("HELLO");
        hello.arg(2);
        if let Some(login) = &self.login {
            let user = login.user.as_deref().unwrap_or("default");
            hello.arg("AUTH").arg(user).arg(login.password.expose());
        }
        hello
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

async fn tcp(address: &Address) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(Duration::from_secs(1))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(stream)
}
