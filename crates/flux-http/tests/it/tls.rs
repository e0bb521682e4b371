//! TLS at both ends: the client by the connector of hyper-rustls, the service mounted in a server that has it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use flux_core::{ErrorKind, Outcome, Publisher as _, Result, Subscriber, next};
use flux_http::{HttpClient, HttpClientConfig, HttpServer};
use futures_util::future::join;
use hyper::server::conn::{http1, http2};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::{listener, within};

/// Serves one connection over TLS: where, whose certificate it has, and what was negotiated.
async fn serving(
    server: &HttpServer,
    offers: &[&str],
) -> (SocketAddr, CertificateDer<'static>, JoinHandle<Option<Vec<u8>>>) {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config =
        ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth();
    let mut config = config.with_single_cert(vec![own.cert.der().clone()], key.into()).expect("a pair");
    config.alpn_protocols = offers.iter().map(|name| name.as_bytes().to_vec()).collect();
    let (acceptor, service) = (TlsAcceptor::from(Arc::new(config)), server.service());
    let (listener, address) = listener().await;
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let stream = acceptor.accept(stream).await.ok()?;
        let spoken = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        // How a connection ends is of no interest here.
        if spoken.as_deref() == Some(b"h2") {
            let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        } else {
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        }
        spoken
    });
    (address, own.cert.der().clone(), serving)
}

fn connector(trusted: Option<CertificateDer<'static>>) -> HttpsConnector<HttpConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted);
    let config =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
    HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_all_versions().build()
}

#[tokio::test]
async fn the_version_is_the_one_that_tls_negotiates() -> Result<()> {
    for (offers, spoken) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1")] {
        let server = HttpServer::default();
        let mut deliveries = Box::pin(Subscriber::<Bytes>::subscribe(&server, "a").await?);
        let (address, certificate, serving) = serving(&server, offers).await;
        let connector = connector(Some(certificate));
        let bus = HttpClient::with_connector(&format!("https://{address}"), connector, HttpClientConfig::new())?;
        let handling = async {
            let delivery = next(deliveries.as_mut()).await.expect("one")?;
            assert_eq!(delivery.message.payload, "1");
            delivery.settle(Outcome::Ack).await
        };
        let (sent, handled) = within(join(bus.publish("a", Bytes::from_static(b"1")), handling)).await;
        handled?;
        assert_eq!(sent?.status, 204);
        drop(bus);
        assert_eq!(within(serving).await.expect("no panic"), Some(spoken.as_bytes().to_vec()));
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_an_error_of_the_connection() -> Result<()> {
    let (address, _, serving) = serving(&HttpServer::default(), &["h2"]).await;
    let bus = HttpClient::with_connector(&format!("https://{address}"), connector(None), HttpClientConfig::new())?;
    let error = within(bus.publish("a", Bytes::new())).await.expect_err("nobody is trusted");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(within(serving).await.expect("no panic"), None);
    Ok(())
}
