//! A shop that is observed: an HTTP request becomes an order, which two handlers work on, and whose answer comes back.
//!
//! `shop <mem|nats|jetstream> [url of the server]` serves one request of its own and prints its trace's id.
#![allow(clippy::print_stdout, reason = "the tests read it")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use flux_codec::Json;
use flux_core::{Failure, Message, Publisher, Result, Subscriber};
use flux_jetstream::{ConsumerConfig, DeliverPolicy, JetStream, StreamConfig};
use flux_mem::Mem;
use flux_nats::{Nats, NatsConfig};
use flux_router::{Router, State};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{SpanKind, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, global};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    id: u64,
    note: String,
}

/// The shop's bus and who waits for which order.
#[derive(Clone)]
struct Shop<B> {
    bus: B,
    waiting: Arc<Mutex<HashMap<u64, oneshot::Sender<Order>>>>,
}

impl<B: Publisher<Order>> Shop<B> {
    /// Places an order and waits for what becomes of it.
    async fn order(&self, order: Order) -> Result<Order, Box<dyn Error + Send + Sync>> {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(order.id, answer);
        self.bus.publish("orders.placed", order).await?;
        Ok(answered.await?)
    }
}

async fn price<B: Publisher<Order>>(order: Message<Order>, State(shop): State<Shop<B>>) -> Result<(), Failure> {
    let Order { id, note } = order.payload;
    shop.bus.publish("orders.priced", Order { id, note: format!("{note}, priced") }).await?;
    Ok(())
}

async fn pack<B: Publisher<Order>>(order: Message<Order>, State(shop): State<Shop<B>>) -> Result<(), Failure> {
    let Order { id, note } = order.payload;
    shop.bus.publish("orders.packed", Order { id, note: format!("{note}, packed") }).await?;
    Ok(())
}

async fn answer<B: Clone>(order: Message<Order>, State(shop): State<Shop<B>>) -> Result<(), Failure> {
    let waiting = shop.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&order.payload.id);
    // Whoever asked may be gone.
    let _ = waiting.map(|waiting| waiting.send(order.payload));
    Ok(())
}

/// Answers HTTP requests, each in a span that goes on with the client's trace.
async fn serve<B: Publisher<Order> + Clone + 'static>(listener: TcpListener, shop: Shop<B>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shop = shop.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let shop = shop.clone();
            let sender = global::get_text_map_propagator(|known| known.extract(&HeaderExtractor(request.headers())));
            let tracer = global::tracer("shop");
            let builder = tracer.span_builder("POST /orders").with_kind(SpanKind::Server);
            let context = sender.with_span(tracer.build_with_context(builder, &sender));
            async move {
                let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                let answer = match serde_json::from_slice(&body) {
                    Ok(order) => shop.order(order).await.map(|order| order.note),
                    Err(error) => Err(error.into()),
                };
                Context::current().span().end();
                let answer = answer.unwrap_or_else(|error| error.to_string());
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(answer))))
            }
            .with_context(context)
        });
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

/// Sends one request in a trace of its own: the trace's id and the answer.
async fn ask(port: u16) -> Result<(String, String), Box<dyn Error>> {
    let tracer = global::tracer("shop");
    let span = tracer.span_builder("POST").with_kind(SpanKind::Client).start(&tracer);
    let context = Context::new().with_span(span);
    let order = serde_json::to_vec(&Order { id: 1, note: "ordered".to_owned() })?;
    let mut request = Request::post(format!("http://127.0.0.1:{port}/orders")).body(Full::new(Bytes::from(order)))?;
    let mut headers = HeaderInjector(request.headers_mut());
    global::get_text_map_propagator(|known| known.inject_context(&context, &mut headers));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let body = client.request(request).await?.into_body().collect().await?.to_bytes();
    context.span().end();
    Ok((context.span().span_context().trace_id().to_string(), String::from_utf8(body.to_vec())?))
}

async fn run<B>(bus: B) -> Result<(), Box<dyn Error>>
where
    B: Publisher<Order> + Subscriber<Order, Deliveries: 'static> + Clone + 'static,
{
    let shop = Shop { bus: bus.clone(), waiting: Arc::default() };
    let router = Router::new()
        .with_state(shop.clone())
        .route("orders.placed", &bus, price::<B>)
        .route("orders.priced", &bus, pack::<B>)
        .route("orders.packed", &bus, answer::<B>);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let serving = tokio::spawn(serve(listener, shop));
    let (trace, answer) = ask(port).await?;
    println!("{trace} {answer}");
    serving.abort();
    handle.stop();
    running.await??;
    Ok(())
}

/// On one thread, where a flush that blocks it would wait for itself, were it not for the thread that telemetry has.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let _telemetry = flux_telemetry::init("shop")?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["mem"] => run(Mem::new()).await,
        ["nats", url] => run(Nats::connect(url, NatsConfig::new()).await?.typed(Json)).await,
        ["jetstream", url] => {
            let stream = JetStream::connect(url).await?.stream(StreamConfig::new("orders", ["orders.>"])).await?;
            // The orders of an earlier run are none of this one's.
            let new = ConsumerConfig::ephemeral().with_deliver_policy(DeliverPolicy::New);
            run(stream.with_consumer_defaults(new).typed(Json)).await
        }
        _ => Err("usage: shop <mem|nats|jetstream> [url]".into()),
    }
}
