//! Encrypted connections: `wss://`, by rustls with ring.

use std::io::{self, BufReader};
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, InvalidMessage, RootCertStore, SignatureScheme,
};

use super::error::ConnectError;
use super::options::Trust;

/// Makes encrypted connections.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// For servers that are believed by this rule. Reads certificates from files.
    pub(super) fn new(trust: &Trust) -> Result<Self, ConnectError> {
        let provider = Arc::new(ring::default_provider());
        let failed = |error: Error| ConnectError::Options(format!("TLS can't be set up: {error}"));
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(failed)?;
        let config = match trust {
            Trust::System => builder.with_root_certificates(system_roots()?).with_no_client_auth(),
            Trust::File(path) => builder.with_root_certificates(roots_in(path)?).with_no_client_auth(),
            Trust::Anybody => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(BelieveAnybody(provider)))
                .with_no_client_auth(),
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// The handshake with a host, whose name or address its certificate has to be for.
    pub(super) async fn connect(
        &self,
        host: &str,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ConnectError> {
        let failed = |error: io::Error| match speaks_no_tls(&error) {
            true => ConnectError::NoTls(host.to_owned()),
            false => ConnectError::Tls { host: host.to_owned(), error },
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(io::Error::other(error)))?;
        self.0.connect(name, tcp).await.map_err(failed)
    }
}

fn speaks_no_tls(error: &io::Error) -> bool {
    let reason = error.get_ref().and_then(|reason| reason.downcast_ref());
    matches!(reason, Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)))
}

fn system_roots() -> Result<RootCertStore, ConnectError> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!("certificates of this system: {error}");
    }
    let mut roots = RootCertStore::empty();
    let (taken, left) = roots.add_parsable_certificates(found.certs);
    if left > 0 {
        tracing::debug!("{left} certificates of this system can't be used");
    }
    if taken == 0 {
        let text = "this system has no certificates of authorities; name a file with those that count";
        return Err(ConnectError::Options(text.to_owned()));
    }
    Ok(roots)
}

fn roots_in(path: &Path) -> Result<RootCertStore, ConnectError> {
    let failed =
        |reason: String| ConnectError::Options(format!("certificates in {}: {reason}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_reader_iter(BufReader::new(file)) {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() { Err(failed("there are none (PEM is expected)".to_owned())) } else { Ok(roots) }
}

/// Believes every certificate; that the other end has its key is still checked.
#[derive(Debug)]
struct BelieveAnybody(Arc<CryptoProvider>);

impl ServerCertVerifier for BelieveAnybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        tracing::warn!(
            "the certificate of {} is NOT checked: whoever sits in between can read and change everything",
            name.to_str()
        );
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
