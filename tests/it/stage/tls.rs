//! A client that speaks TLS, under terms of its own.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::WebPkiClientVerifier,
    version::TLS13,
};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    PATIENCE,
    client::{Answer, Call, Connection},
    papers::{Paper, Papers},
};

/// How somebody speaks TLS. Sessions are remembered by each clone together.
#[derive(Clone)]
pub struct TlsClient(ClientConfig, Arc<RootCertStore>);

impl TlsClient {
    /// Believes this authority, and speaks every version of TLS that is any good.
    pub fn of(papers: &Papers) -> Self {
        Self::with(papers, rustls::ALL_VERSIONS, None)
    }

    /// The same with fewer versions, or with a certificate of its own.
    pub fn with(
        papers: &Papers,
        versions: &[&'static SupportedProtocolVersion],
        paper: Option<&Paper>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(papers.authority());
        roots.add(authority.expect("PEM")).expect("an authority");
        let roots = Arc::new(roots);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("known versions")
            .with_root_certificates(Arc::clone(&roots));
        let config = match paper {
            None => builder.with_no_client_auth(),
            Some(Paper { cert, key }) => {
                let chain = vec![CertificateDer::from_pem_file(cert).expect("PEM")];
                let key = PrivateKeyDer::from_pem_file(key).expect("PEM");
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        };
        Self(config, roots)
    }

    /// Speaks these protocols, by the names of ALPN.
    pub fn speaking(mut self, protocols: &[&str]) -> Self {
        let names = protocols.iter().map(|name| name.as_bytes().to_vec());
        self.0.alpn_protocols = names.collect();
        self
    }

    /// Does not say whom it wants to reach.
    pub fn without_sni(mut self) -> Self {
        self.0.enable_sni = false;
        self
    }

    /// Agrees on keys in these ways alone.
    pub fn agreeing(mut self, ways: &[&'static dyn SupportedKxGroup]) -> Self {
        let provider = CryptoProvider {
            kx_groups: ways.to_vec(),
            ..aws_lc_rs::default_provider()
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider));
        let builder = builder.with_protocol_versions(&[&TLS13]);
        let builder = builder.expect("a known version");
        self.0 = builder
            .with_root_certificates(Arc::clone(&self.1))
            .with_no_client_auth();
        self
    }

    /// Whether it may send a request along with its first words, after what it was given before.
    pub fn may_be_early(&self, name: &str) -> bool {
        let mut config = self.0.clone();
        config.enable_early_data = true;
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let session = ClientConnection::new(Arc::new(config), name);
        session.expect("a session").early_data().is_some()
    }

    /// Shakes hands with whom it believes to be `name`.
    pub async fn connect(&self, to: SocketAddr, name: &str) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(to).await.expect("a connection");
        self.secure(stream, name).await
    }

    /// The same over a connection that is already there.
    pub async fn secure(&self, stream: TcpStream, name: &str) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let connector = TlsConnector::from(Arc::new(self.0.clone()));
        timeout(PATIENCE, connector.connect(name, stream))
            .await
            .expect("a handshake in time")
    }

    /// A connection for HTTP/1.1.
    pub async fn http1(&self, to: SocketAddr, name: &str) -> io::Result<Connection> {
        let stream = self.connect(to, name).await?;
        Ok(Connection::over(stream).await)
    }

    /// Sends a call on a connection of its own.
    pub async fn send(&self, name: &str, call: Call) -> io::Result<Answer> {
        let mut connection = self.http1(call.to(), name).await?;
        Ok(connection.send(call).await)
    }

    /// Whether the gateway lets it in. In TLS 1.3 a client is through with its handshake before the
    /// other side has judged it, so one word more is waited for.
    pub async fn is_let_in(&self, to: SocketAddr, name: &str) -> bool {
        let Ok(stream) = self.connect(to, name).await else {
            return false;
        };
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.expect("HTTP");
        tokio::spawn(connection);
        let request = http::Request::get("/").header("host", name);
        let request = request.body(Full::<Bytes>::default()).expect("a request");
        sender.send_request(request).await.is_ok()
    }
}

/// How an app speaks TLS: as whom, what then, by the names of ALPN, and to whom, if it asks.
pub fn serving(paper: &Paper, protocols: &[&str], clients: Option<&Papers>) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("known versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(papers) => {
            let mut roots = RootCertStore::empty();
            let authority = CertificateDer::from_pem_file(papers.authority());
            roots.add(authority.expect("PEM")).expect("an authority");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("an authority"))
        }
    };
    let chain = vec![CertificateDer::from_pem_file(&paper.cert).expect("PEM")];
    let key = PrivateKeyDer::from_pem_file(&paper.key).expect("PEM");
    let mut config = builder.with_single_cert(chain, key).expect("a pair");
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    config
}

/// The certificate that was shown.
pub fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().expect("a chain");
    chain.first().expect("a certificate").to_vec()
}

/// What still comes, up to the end, whatever that is.
pub async fn heard(stream: &mut TlsStream<TcpStream>) -> String {
    let mut bytes = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    drop(ended.expect("an end in time"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What still comes, up to the end; an error when the end is not said, as TLS wants it.
pub async fn rest(stream: &mut TlsStream<TcpStream>) -> io::Result<String> {
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text))
        .await
        .expect("an end in time")?;
    Ok(text)
}
