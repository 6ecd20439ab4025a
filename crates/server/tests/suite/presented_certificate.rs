//! The certificate that a server presents, whoever signed it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// Accepts every certificate.
#[derive(Debug)]
struct AnyCertificate(CryptoProvider);

/// Connects by TLS; returns the certificate that the server presents and the negotiated protocol, or `None`
/// when there is no connection.
pub async fn handshake(
    address: SocketAddr,
    name: &str,
    protocols: &[&str],
) -> Option<(CertificateDer<'static>, Option<Vec<u8>>)> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = connect(address, name, protocols).await?;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates()?.first()?.clone().into_owned();
    Some((certificate, session.alpn_protocol().map(<[u8]>::to_vec)))
}

/// Connects by TLS, whatever certificate the server presents.
pub async fn connect(
    address: SocketAddr,
    name: ServerName<'static>,
    protocols: &[&str],
) -> Option<TlsStream<TcpStream>> {
    let provider = aws_lc_rs::default_provider();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    let tcp = TcpStream::connect(address).await.ok()?;
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, tcp).await.ok()
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // The library verifies none of a certificate with the critical extension of RFC 8737.
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
