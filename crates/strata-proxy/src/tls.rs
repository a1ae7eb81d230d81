//! TLS to upstreams: whom the proxy trusts, and what it shows of itself.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt as _;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::settings::ProxySettings;

/// A file of certificates, or of a key, is small.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot set up TLS with the certificates of this system")]
    Config(#[source] rustls::Error),
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot read the PEM in {path}")]
    Pem { path: PathBuf, source: pem::Error },
    #[error("{path} holds no certificates")]
    NoCertificates { path: PathBuf },
    #[error("cannot use the certificates in {path}")]
    Unfit { path: PathBuf, source: rustls::Error },
}

/// TLS with the certificates of this system, or with those of a file; without any where no upstream
/// needs them, since small containers have none.
pub(crate) fn config(settings: &ProxySettings) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Config)?;
    let https = settings.upstreams.iter().any(|one| one.url.scheme_str() == Some("https"));
    let builder = match &settings.upstream_ca_file {
        Some(path) => builder.with_root_certificates(authorities(path)?),
        None if https => builder.try_with_platform_verifier().map_err(TlsError::Config)?,
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    let Some((certificate, key)) = &settings.upstream_identity else {
        return Ok(builder.with_no_client_auth());
    };
    let (chain, key_der) = (certificates(certificate)?, private_key(key)?);
    let unfit = |source| TlsError::Unfit { path: certificate.clone(), source };
    builder.with_client_auth_cert(chain, key_der).map_err(unfit)
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        let unfit = |source| TlsError::Unfit { path: path.to_owned(), source };
        roots.add(certificate).map_err(unfit)?;
    }
    Ok(roots)
}

/// The certificates of a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let all = all.map_err(|source| TlsError::Pem { path: path.to_owned(), source })?;
    if all.is_empty() { Err(TlsError::NoCertificates { path: path.to_owned() }) } else { Ok(all) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let key = PrivateKeyDer::from_pem_slice(&read(path)?);
    key.map_err(|source| TlsError::Pem { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let fail = |source| TlsError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "bounded by take")]
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fail)?;
    // Half of a bundle would be trusted without a word.
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(fail(std::io::Error::other("it is larger than 1 MiB")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use strata_model::told::causes;

    use super::*;
    use crate::{ProxyOptions, UpstreamOptions};

    const CERTIFICATE: &str =
        include_str!("../../strata-forward/src/tests/certificates/certificate.pem");
    const KEY: &str = include_str!("../../strata-forward/src/tests/certificates/key.pem");

    /// Of files with these texts: authorities, certificate, key.
    fn check(files: [Option<&str>; 3], expected: Result<(), &str>) {
        let dir = tempfile::tempdir().unwrap();
        let [ca, certificate, key] = ["ca.pem", "certificate.pem", "key.pem"];
        let [ca, certificate, key] = [(ca, files[0]), (certificate, files[1]), (key, files[2])]
            .map(|(name, text)| {
                let path = dir.path().join(name);
                std::fs::write(&path, text?).unwrap();
                Some(path.display().to_string())
            });
        let url = "https://127.0.0.1:9".to_owned();
        let options = ProxyOptions {
            listen: Some("127.0.0.1:0".to_owned()),
            upstreams: vec![UpstreamOptions { name: None, url, health: None, weight: 1.0 }],
            upstream_ca_file: ca,
            upstream_certificate_file: certificate,
            upstream_key_file: key,
            ..ProxyOptions::default()
        };
        let made = config(&options.validate().unwrap().unwrap());
        match (made, expected) {
            (Ok(made), Ok(())) => {
                assert_eq!(made.client_auth_cert_resolver.has_certs(), files[1].is_some());
            }
            (Err(error), Err(words)) => {
                assert!(causes(&error).contains(words), "{}", causes(&error));
            }
            (made, _) => panic!("{:?}", made.map(|_| ())),
        }
    }

    #[test]
    fn files_are_used_or_tell_what_is_wrong_with_them() {
        check([Some(CERTIFICATE), None, None], Ok(()));
        check([Some(CERTIFICATE), Some(CERTIFICATE), Some(KEY)], Ok(()));
        check([Some("nothing"), None, None], Err("ca.pem holds no certificates"));
        let broken = "-----BEGIN CERTIFICATE-----\nMIIB!!\n-----END CERTIFICATE-----\n";
        check([Some(broken), None, None], Err("cannot read the PEM in"));
        let empty = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        check([Some(empty), None, None], Err("cannot use the certificates in"));
        check([Some(CERTIFICATE), Some(CERTIFICATE), Some("none")], Err("key.pem"));
    }
}
