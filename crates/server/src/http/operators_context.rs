//! State of the operators' page besides rooms: the log, certificates, and limits of the configuration.

use std::sync::Arc;

use watersmeet_conference::ConferenceLimits;

use super::tls::current_certificate::CurrentCertificate;
use crate::config::Config;
use crate::listeners::BoundListener;
use crate::logging::LogControl;

/// Origin of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateSource {
    /// Obtained and renewed by ACME.
    Acme,
    /// Read from files, and again when they change.
    Files,
    /// Generated at start.
    SelfSigned,
}

/// Certificate of a listener.
#[derive(Debug)]
pub struct ListenerCertificate {
    /// Port of the listener.
    pub port: u16,
    /// Origin of the certificate.
    pub source: CertificateSource,
    /// Certificate that new connections get.
    pub current: Arc<CurrentCertificate>,
}

/// State of the operators' page besides rooms.
#[derive(Debug)]
pub struct OperatorsContext {
    /// Filter and latest lines of the log.
    pub log: Arc<LogControl>,
    /// Certificates of all listeners with HTTPS.
    pub certificates: Vec<ListenerCertificate>,
    /// Limits of the conference.
    pub limits: ConferenceLimits,
    /// Upper bound of allocations of the embedded TURN server; `None` where it is off.
    pub turn_allocations_max: Option<u32>,
}

impl OperatorsContext {
    /// Takes the limits of the configuration and the certificates of listeners.
    pub fn new(config: &Config, log: Arc<LogControl>, listeners: &[BoundListener]) -> Self {
        let certificates = listeners.iter().filter_map(|listener| {
            let source = match (listener.config.tls_acme, &listener.certificate) {
                (true, _) => CertificateSource::Acme,
                (false, Some(_)) => CertificateSource::Files,
                (false, None) => CertificateSource::SelfSigned,
            };
            let address = listener.addresses().first().copied();
            Some(ListenerCertificate {
                port: address.map_or(listener.config.port, |it| it.port()),
                source,
                current: Arc::clone(listener.current.as_ref()?),
            })
        });
        Self {
            log,
            certificates: certificates.collect(),
            limits: config.caps.clone(),
            turn_allocations_max: config
                .has_turn_server()
                .then_some(config.turn_allocations_max),
        }
    }
}
