//! TLS and nkeys.

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
use std::path::PathBuf;

#[cfg(any(feature = "nkeys", not(any(feature = "ring", feature = "aws-lc-rs"))))]
use flux_core::ErrorKind;
use flux_core::Result;
use flux_nats::{Nats, NatsConfig, Tls};
use flux_nats_server::Server;

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
use super::within;

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
}

/// A server that shows its certificate and wants to see ours.
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
async fn server(more: &str) -> Result<Server> {
    let tls = flux_nats_server::Tls::new(file("server.pem"), file("server.key")).with_client_ca(file("ca.pem"));
    Server::builder().tls(tls).config(more).start().await
}

#[cfg(all(feature = "ring", feature = "aws-lc-rs"))]
fn install_provider() {
    // Another test may have been faster.
    let _ = async_nats::rustls::crypto::ring::default_provider().install_default();
}

#[cfg(not(all(feature = "ring", feature = "aws-lc-rs")))]
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
fn install_provider() {}

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
#[tokio::test]
async fn both_sides_show_certificates() -> Result<()> {
    install_provider();
    let server = server("").await?;
    let trusting = Tls::new().with_root(file("ca.pem"));
    let known = trusting.clone().with_client(file("client.pem"), file("client.key"));
    let connect = async |tls: Tls| {
        let config = NatsConfig::new().with_tls(tls).with_connect_timeout(std::time::Duration::from_secs(2));
        within(Nats::connect(server.url(), config)).await
    };
    connect(known).await?.flush().await?;
    assert!(connect(trusting).await.is_err(), "the server wants a certificate");
    assert!(connect(Tls::new()).await.is_err(), "the system does not trust our authority");
    let lost = connect(Tls::new().with_root(file("missing.pem"))).await.expect_err("there is no such file");
    assert_eq!(lost.operation(), Some("connect"));
    Ok(())
}

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
#[tokio::test]
async fn a_handshake_can_come_first() -> Result<()> {
    install_provider();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls");
    let lines = format!(
        "tls {{ cert_file: {0:?}, key_file: {1:?}, handshake_first: true }}",
        folder.join("server.pem"),
        folder.join("server.key")
    );
    let server = Server::builder().config(&lines).start().await?;
    let tls = Tls::new().with_root(file("ca.pem")).with_handshake_first();
    within(Nats::connect(server.url(), NatsConfig::new().with_tls(tls))).await?.flush().await.map(drop)
}

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
#[tokio::test]
async fn without_a_provider_tls_is_refused_and_not_a_panic() -> Result<()> {
    let server = Server::builder().start().await?;
    for (url, config) in [
        (server.url().to_owned(), NatsConfig::new().with_tls(Tls::new())),
        (server.url().replace("nats://", "tls://"), NatsConfig::new()),
    ] {
        let error = Nats::connect(&url, config).await.expect_err("there is no TLS");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("feature `ring`"), "{error}");
    }
    Ok(())
}

#[cfg(feature = "nkeys")]
#[tokio::test]
async fn an_nkey_lets_in() -> Result<()> {
    use flux_nats::Credentials;
    // The pair of the server's own documentation.
    const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
    const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    let lines = format!("authorization {{ users: [{{ nkey: {PUBLIC} }}] }}");
    let server = Server::builder().config(&lines).start().await?;
    let config = NatsConfig::new().with_credentials(Credentials::Nkey(SEED.to_owned()));
    assert!(!format!("{config:?}").contains(SEED));
    Nats::connect(server.url(), config).await?.flush().await?;
    let error = Nats::connect(server.url(), NatsConfig::new()).await.expect_err("nobody in particular");
    assert_eq!(error.kind(), ErrorKind::Rejected);

    let missing = NatsConfig::new().with_credentials(Credentials::File("missing.creds".into()));
    let error = Nats::connect(server.url(), missing).await.expect_err("there is no such file");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("missing.creds"), "{error}");
    Ok(())
}
