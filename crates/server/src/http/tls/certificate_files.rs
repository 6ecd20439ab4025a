//! Reads a certificate chain and its private key from PEM files (RFC 7468), and says what is wrong
//! with a file that cannot be used, and what to do.

use std::path::{Path, PathBuf};

use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::error::TlsError;

/// Key that names the chain.
const CERT: &str = "tls_cert";

/// Key that names the private key.
const KEY: &str = "tls_key";

/// Beginning of a block, before its label.
const BEGIN: &str = "-----BEGIN ";

/// First byte of binary certificates and keys (DER, X.690 §8.9).
const DER_SEQUENCE: u8 = 0x30;

/// What is wrong with a key that TLS does not accept.
const UNUSABLE_KEY: &str = "has a key that is damaged, or of a kind that TLS does not use: make one of RSA \
    (2048 bits or more), ECDSA (P-256, P-384) or Ed25519";

/// Byte order mark of UTF-8.
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// Byte order marks of UTF-16.
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// Paths of a certificate chain and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// File of the chain.
    cert: PathBuf,
    /// File of the key.
    key: PathBuf,
}

/// Contents of both files.
pub struct Contents {
    /// The chain.
    pub cert: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
}

impl CertificateFiles {
    /// Names the files.
    pub const fn new(cert: PathBuf, key: PathBuf) -> Self {
        Self { cert, key }
    }

    /// Returns the file of the chain.
    pub fn cert(&self) -> &Path {
        &self.cert
    }

    /// Reads both files.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(&self) -> Result<Contents, TlsError> {
        let read = |key, path: &Path| {
            std::fs::read(path)
                .map_err(|error| problem(key, path, format!("cannot be read: {error}")))
        };
        Ok(Contents {
            cert: read(CERT, &self.cert)?,
            key: read(KEY, &self.key)?,
        })
    }

    /// Parses both files and checks that they belong together.
    ///
    /// # Errors
    /// A file cannot be used; the error says why.
    pub fn parse(&self, contents: &Contents) -> Result<CertifiedKey, TlsError> {
        let in_cert = |text: String| problem(CERT, &self.cert, text);
        let in_key = |text: String| problem(KEY, &self.key, text);
        check_cert(&contents.cert).map_err(in_cert)?;
        check_key(&contents.key).map_err(in_key)?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&contents.cert)
            .collect::<Result<_, _>>()
            .map_err(|error| in_cert(damage(&error)))?;
        let key =
            PrivateKeyDer::from_pem_slice(&contents.key).map_err(|error| in_key(damage(&error)))?;
        let provider = aws_lc_rs::default_provider();
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|_| in_key(UNUSABLE_KEY.to_owned()))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // A key whose public half is not known cannot be compared.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
                Ok(certified)
            }
            Err(rustls::Error::InconsistentKeys(_)) => Err(self.mismatch(&certified)),
            Err(error) if format!("{error:?}").contains("UnsupportedCertVersion") => Err(in_cert(
                "has a certificate of X.509 version 1, which browsers refuse: make one of version 3, \
                 with the extension subjectAltName"
                    .to_owned(),
            )),
            Err(rustls::Error::InvalidCertificate(_)) => {
                Err(in_cert("is damaged: a certificate in it cannot be read".to_owned()))
            }
            Err(error) => Err(in_cert(format!("has a certificate that cannot be used: {error}"))),
        }
    }

    /// Returns the error for a key that does not belong to the first certificate.
    fn mismatch(&self, certified: &CertifiedKey) -> TlsError {
        let is_later = certified.cert.iter().skip(1).any(|cert| {
            let alone = CertifiedKey::new(vec![cert.clone()], certified.key.clone());
            alone.keys_match().is_ok()
        });
        if is_later {
            let text =
                "has its certificates in the wrong order: that of the server must be the first";
            return problem(CERT, &self.cert, text.to_owned());
        }
        let cert = self.cert.display();
        let text = format!("is not the key of the certificate in {cert} (`tls_cert`)");
        problem(KEY, &self.key, text)
    }
}

fn problem(key: &'static str, path: &Path, problem: String) -> TlsError {
    TlsError::File {
        key,
        path: path.to_owned(),
        problem,
    }
}

/// Returns what is wrong with a PEM file whose blocks cannot be read.
fn damage(error: &pem::Error) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            let label = text(end_marker);
            format!("is damaged: the line `-----END {label}-----` is missing")
        }
        pem::Error::IllegalSectionStart { .. } => {
            format!("is damaged: a line with `{BEGIN}` does not end with `-----`")
        }
        pem::Error::Base64Decode(_) => {
            "is damaged: between its first and last line are other characters than those of Base64"
                .to_owned()
        }
        _ => format!("is damaged: {error}"),
    }
}

/// Checks that a file has certificates in PEM form.
fn check_cert(contents: &[u8]) -> Result<(), String> {
    let convert = "openssl x509 -inform der -in FILE -out NEW";
    let labels = labels(contents, convert)?;
    let has = |label: &str| labels.iter().any(|it| it == label);
    if has("CERTIFICATE") {
        return Ok(());
    }
    if has("TRUSTED CERTIFICATE") || has("X509 CERTIFICATE") {
        return Err(
            "has a certificate in a form of its own of OpenSSL: convert it with `openssl x509 -in FILE \
             -out NEW`"
                .to_owned(),
        );
    }
    Err(match labels.iter().find(|label| !label.is_empty()) {
        Some(label) if label.ends_with("PRIVATE KEY") => {
            "has a private key and no certificate: are `tls_cert` and `tls_key` swapped?".to_owned()
        }
        Some(label) if label.ends_with("CERTIFICATE REQUEST") => {
            "has a certificate request and no certificate: use the file that the authority returned"
                .to_owned()
        }
        _ => format!("has no certificate, only: {}", labels.join(", ")),
    })
}

/// Checks that a file has a private key in PEM form without passphrase.
fn check_key(contents: &[u8]) -> Result<(), String> {
    let convert = "openssl pkey -inform der -in FILE -out NEW";
    let labels = labels(contents, convert)?;
    let text = String::from_utf8_lossy(contents);
    let has = |label: &str| labels.iter().any(|it| it == label);
    if has("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(
            "is encrypted: remove its passphrase with `openssl pkey -in FILE -out NEW`, and let only \
             the server's user read the result"
                .to_owned(),
        );
    }
    if has("PRIVATE KEY") || has("RSA PRIVATE KEY") || has("EC PRIVATE KEY") {
        return Ok(());
    }
    Err(if has("OPENSSH PRIVATE KEY") {
        "is a key of OpenSSH: use the private key that the certificate was made with".to_owned()
    } else if labels.iter().any(|label| label.ends_with("CERTIFICATE")) {
        "has a certificate and no private key: are `tls_cert` and `tls_key` swapped?".to_owned()
    } else {
        format!("has no private key, only: {}", labels.join(", "))
    })
}

/// Returns the labels of all PEM blocks.
///
/// # Errors
/// The file has none; says what it has instead.
fn labels(contents: &[u8], convert: &str) -> Result<Vec<String>, String> {
    if contents.trim_ascii().is_empty() {
        return Err("is empty".to_owned());
    }
    if contents.starts_with(UTF8_MARK) {
        return Err(
            "begins with a byte order mark (BOM): save it again without, for example with \
             `sed -i '1s/^\\xef\\xbb\\xbf//' FILE`"
                .to_owned(),
        );
    }
    if UTF16_MARKS.iter().any(|mark| contents.starts_with(mark)) {
        return Err("is text in UTF-16 (byte order mark): save it as plain ASCII".to_owned());
    }
    let text = String::from_utf8_lossy(contents);
    let lines = || text.split(['\n', '\r']);
    let labels: Vec<_> = lines()
        .filter_map(|line| Some(line.strip_prefix(BEGIN)?.split_once("-----")?.0.to_owned()))
        .collect();
    if !labels.is_empty() {
        return Ok(labels);
    }
    if lines().any(|line| line.trim_start().starts_with(BEGIN)) {
        return Err(format!(
            "is indented: its lines must have nothing before `{BEGIN}`"
        ));
    }
    Err(match contents.first() {
        Some(&DER_SEQUENCE) => format!("is in binary form (DER or PKCS #12), not PEM: `{convert}`"),
        _ => format!("is not PEM: it has no line `{BEGIN}…-----`"),
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as Generated, generate_simple_self_signed};

    use super::*;

    fn generate() -> Generated<rcgen::KeyPair> {
        generate_simple_self_signed(vec!["meet.example".to_owned()]).unwrap()
    }

    fn parse(cert: &[u8], key: &[u8]) -> Result<CertifiedKey, String> {
        let files = CertificateFiles::new("/c.pem".into(), "/k.pem".into());
        let contents = Contents {
            cert: cert.to_vec(),
            key: key.to_vec(),
        };
        files.parse(&contents).map_err(|error| error.to_string())
    }

    /// Returns the certificate with another version: 2 for version 3, as in the encoding.
    fn with_version(der: &[u8], version: u8) -> Vec<u8> {
        let explicit_version = [0xa0, 0x03, 0x02, 0x01, 0x02];
        let at = der
            .windows(explicit_version.len())
            .position(|it| it == explicit_version)
            .unwrap();
        let mut changed = der.to_vec();
        changed[at + explicit_version.len() - 1] = version;
        changed
    }

    fn pem(label: &str, der: &[u8]) -> String {
        use base64::Engine as _;
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    #[test]
    fn chain_with_its_key_is_accepted() {
        let made = generate();
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        assert!(parse(cert.as_bytes(), key.as_bytes()).is_ok());
        let both = format!("{key}{cert}");
        assert!(parse(both.as_bytes(), both.as_bytes()).is_ok());
    }

    #[test]
    fn unusable_file_is_named_with_its_problem() {
        let made = generate();
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let encrypted = pem("ENCRYPTED PRIVATE KEY", b"x");
        let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAA==\n";
        let other = generate().signing_key.serialize_pem();
        let mark = |text: &str| format!("\u{feff}{text}");
        let first_version = pem("CERTIFICATE", &with_version(made.cert.der(), 0));
        let chain = format!("{}{cert}", generate().cert.pem());
        let request = pem("CERTIFICATE REQUEST", b"x");
        let public = pem("PUBLIC KEY", b"x");
        let (marked_cert, marked_key) = (mark(&cert), mark(&key));
        let key_der = made.signing_key.serialize_der();
        let trusted = pem("TRUSTED CERTIFICATE", made.cert.der());
        let indent = |text: &str| text.replace("-----BEGIN", "    -----BEGIN");
        let (indented_cert, indented_key) = (indent(&cert), indent(&key));
        let without_end = cert.replace("-----END CERTIFICATE-----", "");
        let damaged_begin = cert.replace("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE-----x");
        let damaged_body = cert.replace("MII", "M*I");
        let damaged_der = pem("CERTIFICATE", b"abc");
        let unusable = pem("PRIVATE KEY", b"abc");
        let (cert, key) = (cert.as_bytes(), key.as_bytes());
        let cases: [(&[u8], &[u8], &str, &str); 24] = [
            (trusted.as_bytes(), key, "/c.pem", "openssl x509"),
            (indented_cert.as_bytes(), key, "/c.pem", "indented"),
            (cert, indented_key.as_bytes(), "/k.pem", "indented"),
            (without_end.as_bytes(), key, "/c.pem", "END CERTIFICATE"),
            (damaged_begin.as_bytes(), key, "/c.pem", "does not end"),
            (damaged_body.as_bytes(), key, "/c.pem", "Base64"),
            (damaged_der.as_bytes(), key, "/c.pem", "cannot be read"),
            (cert, unusable.as_bytes(), "/k.pem", "2048 bits"),
            (cert, encrypted.as_bytes(), "/k.pem", "encrypted"),
            (cert, legacy.as_bytes(), "/k.pem", "encrypted"),
            (made.cert.der(), key, "/c.pem", "DER"),
            (cert, &key_der, "/k.pem", "DER"),
            (key, cert, "/c.pem", "swapped"),
            (cert, cert, "/k.pem", "swapped"),
            (marked_cert.as_bytes(), key, "/c.pem", "byte order mark"),
            (cert, marked_key.as_bytes(), "/k.pem", "byte order mark"),
            (b"\xff\xfe-\0", key, "/c.pem", "UTF-16"),
            (first_version.as_bytes(), key, "/c.pem", "version 1"),
            (cert, other.as_bytes(), "/k.pem", "not the key"),
            (chain.as_bytes(), key, "/c.pem", "wrong order"),
            (b" \n", key, "/c.pem", "empty"),
            (b"hello", key, "/c.pem", "not PEM"),
            (request.as_bytes(), key, "/c.pem", "request"),
            (cert, public.as_bytes(), "/k.pem", "PUBLIC KEY"),
        ];
        for (cert, key, file, problem) in cases {
            let Err(error) = parse(cert, key) else {
                panic!("{problem} was accepted")
            };
            assert!(error.contains(file) && error.contains(problem), "{error}");
        }
    }
}
