//! HTTPS with a certificate that only this test trusts (valid for 127.0.0.1, until 2126; its key
//! guards nothing).

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use strata_model::FaultCode;

use super::*;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/scrape/tests/certificates").join(name)
}

/// A server on a thread of its own that answers `connections` connections.
fn serve_tls(connections: usize) -> String {
    let certificate = CertificateDer::from_pem_file(file("certificate.pem")).expect("a fixture");
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).expect("a fixture");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = listener.local_addr().expect("a bound port").to_string();
    std::thread::spawn(move || {
        for _ in 0..connections {
            let Ok((stream, _)) = listener.accept() else { return };
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a good config");
            let mut stream = StreamOwned::new(connection, stream);
            let mut request = [0; 4096];
            // A client that does not trust us hangs up here.
            if stream.read(&mut request).is_ok() {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na 1\n";
                drop(stream.write_all(answer).and_then(|()| stream.flush()));
            }
        }
    });
    address
}

#[tokio::test]
async fn certificates_are_checked_unless_told_otherwise() {
    let address = serve_tls(3);
    let https = ScrapeOptions { scheme: "https".to_owned(), ..options(&address) };
    let error = scrape(&https).await.expect_err("nobody vouches for the certificate");
    assert_eq!(error.fault.code, FaultCode::Tls, "{}", error.fault.message);

    let trusting = TlsOptions { ca_file: Some(file("certificate.pem")), ..TlsOptions::default() };
    let harvest = scrape(&ScrapeOptions { tls: trusting, ..https.clone() }).await;
    assert_eq!(harvest.expect("the authority is known").batch.samples.len(), 1);

    let careless = TlsOptions { insecure_skip_verify: true, ..TlsOptions::default() };
    let harvest = scrape(&ScrapeOptions { tls: careless, ..https.clone() }).await;
    assert_eq!(harvest.expect("anyone is trusted").batch.samples.len(), 1);

    let wrong = TlsOptions { ca_file: Some(file("absent.pem")), ..TlsOptions::default() };
    let settings = ScrapeOptions { tls: wrong, ..https }.validate().expect("files are not touched");
    let error =
        Job::new(settings, nothing(), SourceRules::default()).err().map(|error| error.to_string());
    assert!(error.is_some_and(|text| text.contains("absent.pem")));
}
