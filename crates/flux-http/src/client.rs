//! The end that sends: a pool of connections to one base URL.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flux_core::{Error, ErrorKind, Message, Result, Subject, Telemetry, Typed};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::{HttpClientConfig, error, wire};

/// Posts messages and requests to `{base}/{subject}`.
///
/// Cloning makes another handle of the same connections.
pub struct HttpClient<C = HttpConnector>(Arc<Inner<C>>);

struct Inner<C> {
    client: Client<C, Full<Bytes>>,
    scheme: Scheme,
    authority: Authority,
    /// The base's path, with a slash at its end.
    path: String,
    config: HttpClientConfig,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl HttpClient {
    /// A client of a server without TLS: `http://host:8080`, `http://host/events`. It connects with the first message.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a base that is no URL of HTTP, or has a query. [`ErrorKind::Unsupported`] for `https`: it takes a
    /// connector, see [`with_connector`](Self::with_connector).
    pub fn new(base: &str, config: HttpClientConfig) -> Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(config.connect_timeout));
        connector.set_nodelay(true);
        let client = Self::with_connector(base, connector, config)?;
        if client.0.scheme == Scheme::HTTPS {
            let text = "TLS takes a connector, for example that of hyper-rustls: `HttpClient::with_connector`";
            return Err(Error::new(ErrorKind::Unsupported, text).with_operation("connect"));
        }
        Ok(client)
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> HttpClient<C> {
    /// A client that makes its connections with this connector, for TLS, proxies and sockets of other kinds.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a base that is no URL of HTTP, or has a query.
    pub fn with_connector(base: &str, connector: C, config: HttpClientConfig) -> Result<Self> {
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.pool_idle_timeout)
            .pool_max_idle_per_host(config.pool_max_idle);
        #[cfg(feature = "http2")]
        builder.http2_only(config.http2);
        Self::with_builder(base, &builder, connector, config)
    }

    fn with_builder(base: &str, builder: &Builder, connector: C, config: HttpClientConfig) -> Result<Self> {
        let (scheme, authority, path) = parse(base)?;
        let client = builder.build(connector);
        Ok(Self(Arc::new(Inner { client, scheme, authority, path, config })))
    }

    /// Posts a message, with further fields beside its headers, and reads the whole answer.
    pub(crate) async fn post(&self, message: &Message<Bytes>, fields: HeaderMap, limit: Duration) -> Result<Answer> {
        let mut request = Request::new(Full::new(message.payload.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri(&message.subject)?;
        *request.headers_mut() = fields;
        wire::append(request.headers_mut(), &message.headers)?;
        let exchange = async {
            let response = self.0.client.request(request).await.map_err(error::from_client)?;
            self.read(response).await
        };
        let late = |_| Err(Error::new(ErrorKind::TimedOut, format!("no answer within {limit:?}")));
        tokio::time::timeout(limit, exchange).await.unwrap_or_else(late)
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Answer> {
        let (parts, mut body) = response.into_parts();
        let mut whole = Bytes::new();
        let mut more = BytesMut::new();
        while !body.is_end_stream() {
            let Some(frame) = body.frame().await else { break };
            let Ok(data) = frame.map_err(error::broken_off)?.into_data() else { continue };
            let limit = self.0.config.max_answer;
            if whole.len() + more.len() + data.len() > limit {
                return Err(Error::new(ErrorKind::TooLarge, format!("the answer is over the limit of {limit} bytes")));
            }
            if whole.is_empty() && more.is_empty() {
                whole = data;
            } else {
                more.extend_from_slice(&std::mem::take(&mut whole));
                more.extend_from_slice(&data);
            }
        }
        let body = if more.is_empty() { whole } else { more.freeze() };
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    fn uri(&self, subject: &Subject) -> Result<Uri> {
        let mut path = String::with_capacity(self.0.path.len() + subject.as_str().len());
        path.push_str(&self.0.path);
        wire::append_path(&mut path, subject);
        let invalid = |source: http::Error| Error::new(ErrorKind::InvalidInput, "not a URL").with_source(source);
        let path = PathAndQuery::try_from(path).map_err(|source| invalid(source.into()))?;
        let uri = Uri::builder().scheme(self.0.scheme.clone()).authority(self.0.authority.clone()).path_and_query(path);
        uri.build().map_err(invalid)
    }
}

impl<C> HttpClient<C> {
    pub(crate) fn config(&self) -> &HttpClientConfig {
        &self.0.config
    }

    /// The same client for values.
    pub fn typed<K>(self, codec: K) -> Typed<Self, K> {
        Typed::with_telemetry(self, codec, Telemetry::new("http"))
    }
}

fn parse(base: &str) -> Result<(Scheme, Authority, String)> {
    let refuse = |text: String| Error::new(ErrorKind::InvalidInput, text).with_operation("connect");
    let shown: String = base.split('@').next_back().unwrap_or_default().chars().take(80).collect();
    let shown = shown.escape_debug();
    let uri: Uri = base
        .parse()
        .map_err(|source: http::uri::InvalidUri| refuse(format!("`{shown}` is not a URL")).with_source(source))?;
    let path = uri.path().trim_end_matches('/').to_owned() + "/";
    if uri.query().is_some() {
        return Err(refuse(format!("`{shown}` has a query, and the subject would follow it")));
    }
    match uri.into_parts() {
        http::uri::Parts { scheme: Some(scheme), authority: Some(authority), .. }
            if scheme == Scheme::HTTP || scheme == Scheme::HTTPS =>
        {
            if authority.as_str().contains('@') {
                return Err(refuse(format!(
                    "the URL of `{shown}` names a user; send an `Authorization` header instead"
                )));
            }
            Ok((scheme, authority, path))
        }
        _ => Err(refuse(format!("`{shown}` is not a URL of HTTP: `http://host/path`"))),
    }
}

impl<C> Clone for HttpClient<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for HttpClient<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { scheme, authority, path, .. } = &*self.0;
        f.debug_struct("HttpClient")
            .field("base", &format_args!("{scheme}://{authority}{path}"))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use flux_core::subject;

    use super::*;

    #[test]
    fn the_subject_follows_the_base() -> Result<()> {
        for (base, uri) in [
            ("http://localhost:8080", "http://localhost:8080/orders.created"),
            ("http://localhost/", "http://localhost/orders.created"),
            ("http://[::1]:80/events/", "http://[::1]:80/events/orders.created"),
        ] {
            let client = HttpClient::new(base, HttpClientConfig::new())?;
            assert_eq!(client.uri(&subject!("orders.created"))?.to_string(), uri);
        }
        Ok(())
    }

    #[test]
    fn what_is_no_base_is_refused() {
        for bad in ["", "localhost", "/events", "ftp://x", "http://x/?a=1", "http://user:secret@x/", "http://x y"] {
            let error = HttpClient::new(bad, HttpClientConfig::new()).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let error = HttpClient::new("https://x", HttpClientConfig::new()).expect_err("no TLS");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
