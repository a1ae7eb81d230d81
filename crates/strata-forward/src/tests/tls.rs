//! A receiver that wants to see a certificate, and files that hold none. The certificate of both sides
//! is valid for 127.0.0.1, until 2126; its key guards nothing.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use strata_model::told::causes;

use super::*;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tests/certificates").join(name)
}

/// A server on a thread of its own that answers whoever shows the certificate.
fn server() -> String {
    let certificate = CertificateDer::from_pem_file(file("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            let mut got = vec![0; 4096];
            // Who shows none is hung up on here.
            if stream.read(&mut got).is_ok() {
                let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                drop(stream.write_all(answer).and_then(|()| stream.flush()));
            }
        }
    });
    url
}

fn trusting(url: &str) -> ForwardOptions {
    ForwardOptions { ca_file: Some(file("certificate.pem")), ..to(url) }
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_certificate_is_shown_it() {
    let url = server();
    let showing = ForwardOptions {
        client_certificate_file: Some(file("certificate.pem")),
        client_key_file: Some(file("key.pem")),
        ..trusting(&url)
    };
    let known = forwarder(&showing);
    known.requests(&requests(1));
    let state = settled(&known, 1).await;
    assert_eq!((state.sent, state.trouble), (1, None));
    let nobody = forwarder(&ForwardOptions { give_up_after: "1ms".to_owned(), ..trusting(&url) });
    nobody.requests(&requests(1));
    let state = settled(&nobody, 1).await;
    assert_eq!((state.sent, state.dropped), (0, 1), "{:?}", state.trouble);
}

/// Why there is no forwarder with these options.
fn refused(options: &ForwardOptions) -> String {
    drop(rustls::crypto::ring::default_provider().install_default());
    let settings = options.validate().unwrap().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test's own clock")]
    let clock = Arc::new(TestClock(Instant::now()));
    let started = Forwarder::start(settings, Arc::new(|_: &str| None), clock, &Meter::default());
    causes(&started.err().unwrap())
}

#[tokio::test]
async fn a_broken_file_tells_its_cause() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let of = |path: PathBuf| ForwardOptions { ca_file: Some(path), ..to("https://127.0.0.1:9") };
    let said = refused(&of(write("empty.pem", "no certificate at all")));
    assert!(said.ends_with("empty.pem holds no certificates"), "{said}");
    let cut = "-----BEGIN CERTIFICATE-----\nMIIB!!!\n-----END CERTIFICATE-----\n";
    let said = refused(&of(write("broken.pem", cut)));
    assert!(
        said.contains("cannot read the certificates in") && said.contains("broken.pem"),
        "{said}"
    );
    assert!(said.matches(": ").count() >= 1, "with the cause: {said}");
    let said = refused(&of(dir.path().join("absent.pem")));
    assert!(
        said.contains("cannot read the authorities in") && said.contains("No such file"),
        "{said}"
    );
    let alone = ForwardOptions {
        client_certificate_file: Some(file("certificate.pem")),
        client_key_file: Some(write("key.pem", "none")),
        ..trusting("https://127.0.0.1:9")
    };
    let said = refused(&alone);
    assert!(said.contains("are no certificate with its key"), "{said}");
}
