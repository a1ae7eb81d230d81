//! The client that connects to receivers: whom it trusts, and what it shows of itself.

use std::path::Path;

use reqwest::{Certificate, Client, Identity};

use crate::options::ForwardSettings;

/// A token or a certificate is a small file.
const SMALL_FILE_BYTES_MAX: u64 = 1 << 20;

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    #[error("cannot read the authorities in {path}")]
    ReadAuthorities { path: String, source: std::io::Error },
    #[error("{path} holds no certificates")]
    NoCertificates { path: String },
    #[error("cannot read the certificates in {path}")]
    BadCertificates { path: String, source: reqwest::Error },
    #[error("cannot read the client's {what} in {path}")]
    ReadIdentity { what: &'static str, path: String, source: std::io::Error },
    #[error("{certificate} and {key} are no certificate with its key")]
    BadIdentity { certificate: String, key: String, source: reqwest::Error },
    #[error("cannot set up the HTTP client")]
    Build { source: reqwest::Error },
}

pub(crate) fn client(settings: &ForwardSettings) -> Result<Client, ForwardError> {
    let mut builder = Client::builder()
        .user_agent(concat!("stratascope/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(settings.timeout)
        .no_proxy();
    if let Some(path) = &settings.ca_file {
        let name = path.display().to_string();
        let pem = small_file(path)
            .map_err(|source| ForwardError::ReadAuthorities { path: name.clone(), source })?;
        let authorities = Certificate::from_pem_bundle(&pem)
            .map_err(|source| ForwardError::BadCertificates { path: name.clone(), source })?;
        // A text without a certificate in it is read as a bundle of none.
        if authorities.is_empty() {
            return Err(ForwardError::NoCertificates { path: name });
        }
        builder = builder.tls_certs_only(authorities);
    } else if settings.lanes.iter().all(|lane| lane.url.starts_with("http:")) {
        // Loading the system's certificates takes milliseconds and a megabyte; HTTP needs none.
        builder = builder.tls_certs_only([]);
    }
    if let Some((certificate, key)) = &settings.client_identity {
        builder = builder.identity(identity(certificate, key)?);
    }
    builder.build().map_err(|source| ForwardError::Build { source })
}

/// What this client shows of itself: a certificate, those that sign it, and its key.
fn identity(certificate: &Path, key: &Path) -> Result<Identity, ForwardError> {
    let read = |what: &'static str, path: &Path| {
        let name = path.display().to_string();
        small_file(path).map_err(|source| ForwardError::ReadIdentity { what, path: name, source })
    };
    let mut pem = read("certificate", certificate)?;
    pem.push(b'\n');
    pem.extend(read("key", key)?);
    Identity::from_pem(&pem).map_err(|source| ForwardError::BadIdentity {
        certificate: certificate.display().to_string(),
        key: key.display().to_string(),
        source,
    })
}

/// A file that is no larger than what it should hold.
pub(crate) fn small_file(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
    std::fs::File::open(path)?.take(SMALL_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SMALL_FILE_BYTES_MAX {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    Ok(bytes)
}
