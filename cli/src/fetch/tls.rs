//! Whose certificates count for a destination: those of the policy's file, else those of the system.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use hostbound::Guard;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use zeroize::Zeroizing;

use super::{FetchError, pins};
use crate::policy::reason;

/// The longest file of certificates, in bytes: more than the roots of all browsers.
const MAX_FILE: u64 = 1024 * 1024;

/// What is needed to know one destination, and to be known to it.
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    roots: Arc<RootCertStore>,
}

impl Tls {
    pub(super) fn new(guard: &Guard, folder: &Path, url: &str) -> Result<Self, FetchError> {
        let roots = match guard.certificate_authorities(url) {
            Some(file) => Arc::new(PemFile::read(folder.join(file))?.roots()?),
            None => system_roots(),
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|_| FetchError::Tls("the versions do not go with the provider"))?
            .with_root_certificates(Arc::clone(&roots));
        let mut config = match guard.client_certificate(url) {
            Some(file) => {
                let file = PemFile::read(folder.join(file))?;
                builder
                    .with_client_auth_cert(file.certificates()?, file.key()?)
                    .map_err(|error| file.refused(error))?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A resumed session would not show its certificates again, and files may have been renewed since.
        config.resumption = Resumption::disabled();
        Ok(Self {
            config: Arc::new(config),
            roots,
        })
    }

    pub(super) async fn handshake(&self, tcp: TcpStream, host: &str) -> Result<TlsStream<TcpStream>, FetchError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| FetchError::Tls("the host is no name that a certificate can have"))?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(name, tcp).await;
        stream.map_err(|error| FetchError::Tls(words(&error)))
    }

    /// The pins of the server's certificate and of its issuers.
    pub(super) fn pins(&self, stream: &TlsStream<TcpStream>) -> Vec<String> {
        let (_, session) = stream.get_ref();
        pins::of_path(session.peer_certificates().unwrap_or_default(), &self.roots)
    }
}

/// Read once. Where there are none, no server is known.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let read = || {
        let mut roots = RootCertStore::empty();
        // One certificate that cannot be read does not make the others unknown.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    };
    Arc::clone(ROOTS.get_or_init(read))
}

/// Our own words, since what the certificate says is the server's.
fn words(error: &io::Error) -> &'static str {
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(certificate)) => match certificate {
            CertificateError::UnknownIssuer => "the issuer of its certificate is not known",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet"
            }
            _ => "its certificate is not valid",
        },
        Some(Error::AlertReceived(_)) => "it refused the handshake",
        Some(_) => "the handshake failed",
        None => "the connection was lost",
    }
}

/// A file of the policy, in PEM. May hold a private key, so it is wiped.
struct PemFile {
    path: PathBuf,
    bytes: Zeroizing<Vec<u8>>,
}

impl PemFile {
    fn read(path: PathBuf) -> Result<Self, FetchError> {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = File::open(&path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
        let why = match read {
            Ok(length) if u64::try_from(length).is_ok_and(|length| length <= MAX_FILE) => {
                return Ok(Self { path, bytes });
            }
            Ok(_) => format!("it is longer than {MAX_FILE} bytes"),
            Err(error) => format!("it cannot be read: {}", reason(&error)),
        };
        Err(FetchError::File { path, why })
    }

    fn roots(&self) -> Result<RootCertStore, FetchError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| self.refused(error))?;
        }
        Ok(roots)
    }

    /// At least one.
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, FetchError> {
        let certificates: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            _ => Err(self.refused("it has no certificate in PEM, or one that is malformed")),
        }
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, FetchError> {
        // The error might quote the file.
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|_| self.refused("it has no private key in PEM"))
    }

    fn refused(&self, why: impl ToString) -> FetchError {
        FetchError::File {
            path: self.path.clone(),
            why: why.to_string(),
        }
    }
}
