//! An HTTPS server on loopback that answers as the test says, and its certificates.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SigningKey};
use ring::digest::{SHA256, digest};
use tokio_rustls::rustls::crypto::ring as provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{
    ALL_VERSIONS, RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
};

/// A certificate authority.
pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(Self::params(name), KeyPair::generate().unwrap()).unwrap())
    }

    /// An authority below this one.
    pub(super) fn below(&self, name: &str) -> Self {
        Self(CertifiedIssuer::signed_by(Self::params(name), KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    /// A certificate for names and addresses, and its key.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        self.issue_by(&CertificateParams::new(names).unwrap())
    }

    pub(super) fn issue_by(&self, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Issued {
            chain: vec![certificate.der().clone()],
            pem: certificate.pem() + &key.serialize_pem(),
            key,
        }
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(super) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(super) fn pin(&self) -> String {
        pin(self.0.key())
    }
}

/// What a server or a client proves itself with.
pub(crate) struct Issued {
    /// What is presented: its own certificate first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Its own certificate and its key.
    pub(super) pem: String,
    key: KeyPair,
}

impl Issued {
    pub(super) fn pin(&self) -> String {
        pin(&self.key)
    }

    /// For a server; with an authority, its clients need a certificate.
    pub(super) fn config(&self, clients: Option<&Ca>, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
        let provider = Arc::new(provider::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                roots.add(ca.der()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        builder.with_single_cert(self.chain.clone(), key).unwrap()
    }

    /// The same, presenting another certificate too.
    pub(super) fn presenting(mut self, ca: &Ca) -> Self {
        self.chain.push(ca.der());
        self
    }
}

/// By rcgen's own encoding of the key, not by the code under test.
fn pin(key: &impl SigningKey) -> String {
    use base64::Engine;
    let digest = digest(&SHA256, &key.subject_public_key_info());
    format!("sha256/{}", base64::engine::general_purpose::STANDARD.encode(digest))
}

pub(crate) type Stream = StreamOwned<ServerConnection, TcpStream>;

/// Answers each connection in turn, and counts them. It ends with the test process.
pub(crate) struct Server {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Presents a certificate, reads the request, and lets `answer` write to the stream.
    pub(crate) fn start(
        issued: &Issued,
        answer: impl Fn(&mut Stream, Vec<u8>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        Self::start_by(issued.config(None, ALL_VERSIONS), answer)
    }

    pub(super) fn start_by(
        config: ServerConfig,
        answer: impl Fn(&mut Stream, Vec<u8>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let config = Arc::new(config);
        Self::start_raw(move |tcp| {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
            let request = read_request(&mut stream)?;
            answer(&mut stream, request)
        })
    }

    /// Without TLS.
    pub(super) fn start_raw(serve: impl Fn(TcpStream) -> io::Result<()> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        thread::spawn(move || {
            for tcp in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                // Clients that go away are what these tests are about.
                let _ = tcp.and_then(&serve);
            }
        });
        Self { address, connections }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there were before one that this makes, so that none is still in the queue.
    pub(crate) fn connections(&self) -> usize {
        let mut last = TcpStream::connect(self.address).unwrap();
        last.shutdown(std::net::Shutdown::Write).unwrap();
        // Ends when the server is done with it.
        let _ = last.read_to_end(&mut Vec::new());
        self.connections.load(Ordering::SeqCst) - 1
    }
}

/// A head, and as much body as it announces.
fn read_request(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.extend(byte);
    }
    let head = String::from_utf8(request.clone()).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body)?;
    request.extend(body);
    Ok(request)
}

/// Writes bytes over and over, a few at a time, until the client has gone.
pub(super) fn dribble(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    stream.sock.set_read_timeout(Some(Duration::from_millis(10)))?;
    loop {
        stream.write_all(bytes)?;
        stream.flush()?;
        match stream.read(&mut [0; 64]) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Nothing to read yet: that is the pause.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes bytes over and over, as fast as they go, until the client has gone.
pub(super) fn flood(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    let many = bytes.repeat(1024);
    loop {
        stream.write_all(&many)?;
    }
}

/// Writes a whole answer and ends TLS as it should be ended.
pub(crate) fn whole(stream: &mut Stream, answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer)?;
    stream.conn.send_close_notify();
    stream.flush()
}
