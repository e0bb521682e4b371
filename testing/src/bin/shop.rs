//! A shop that is observed: an HTTP request becomes an order, which two handlers work on, and whose answer comes back.
//!
//! `shop <mem|mem-stream|nats|jetstream|http> [url of the server]` serves one request of its own and prints its trace's id. The argument is
//! what carries the orders behind the door, which speaks HTTP in each case. With `ORDERS=n` it serves n, and prints each.
#![allow(clippy::print_stdout, reason = "the tests read it")]

use std::collections::HashMap;
use std::error::Error;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use flux_codec::Json;
use flux_core::{Bytes, Failure, Message, Publisher, Result, Subscriber};
use flux_http::{Http, HttpClient, HttpClientConfig, HttpServer, serve};
use flux_jetstream::{ConsumerConfig, DeliverPolicy, JetStream, StreamConfig};
use flux_mem::{Mem, StreamConfig as MemConfig};
use flux_nats::{Nats, NatsConfig};
use flux_router::{Router, State};
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::{SpanKind, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, global};
use opentelemetry_http::HeaderInjector;
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

/// Places an order and waits for what becomes of it.
async fn order<B: Publisher<Order>>(order: Message<Order>, State(shop): State<Shop<B>>) -> Result<Order, Failure> {
    let (answer, answered) = oneshot::channel();
    shop.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(order.payload.id, answer);
    shop.bus.publish("orders.placed", order.payload).await?;
    Ok(answered.await?)
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

/// Where requests come in.
struct Door {
    server: HttpServer,
    listener: TcpListener,
    url: String,
}

impl Door {
    async fn open() -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self { server: HttpServer::default(), listener, url })
    }
}

/// Sends one request as a client would that knows OpenTelemetry and not flux: the trace's id and the answer.
async fn ask(url: &str, id: u64) -> Result<(String, String), Box<dyn Error>> {
    let tracer = global::tracer("shop");
    let span = tracer.span_builder("POST").with_kind(SpanKind::Client).start(&tracer);
    let context = Context::new().with_span(span);
    let order = serde_json::to_vec(&Order { id, note: "ordered".to_owned() })?;
    let request = Request::post(format!("{url}/orders")).header(CONTENT_TYPE, "application/json");
    let mut request = request.body(Full::new(Bytes::from(order)))?;
    let mut headers = HeaderInjector(request.headers_mut());
    global::get_text_map_propagator(|known| known.inject_context(&context, &mut headers));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await?.into_body().collect().await?.to_bytes();
    context.span().end();
    let answer: Order = serde_json::from_slice(&answer)?;
    Ok((context.span().span_context().trace_id().to_string(), answer.note))
}

async fn run<B>(Door { server, listener, url }: Door, bus: B) -> Result<(), Box<dyn Error>>
where
    B: Publisher<Order> + Subscriber<Order, Deliveries: 'static> + Clone + 'static,
{
    let router = Router::new()
        .with_state(Shop { bus: bus.clone(), waiting: Arc::default() })
        .respond("orders", &server.clone().typed(Json), order::<B>)
        .route("orders.placed", &bus, price::<B>)
        .route("orders.priced", &bus, pack::<B>)
        .route("orders.packed", &bus, answer::<B>);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    handle.ready().await?;
    let serving = tokio::spawn(async move { serve(listener, &server, pending()).await });
    let orders = orders()?;
    for id in 0..orders {
        let (trace, answer) = ask(&url, id).await?;
        println!("{trace} {answer}");
    }
    handle.stop();
    running.await??;
    serving.abort();
    Ok(())
}

fn orders() -> Result<u64, Box<dyn Error>> {
    Ok(std::env::var("ORDERS").ok().map_or(Ok(1), |orders| orders.parse())?)
}

/// On one thread, where a flush that blocks it would wait for itself, were it not for the thread that telemetry has.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let _telemetry = flux_telemetry::init("shop")?;
    let door = Door::open().await?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["mem"] => run(door, Mem::new()).await,
        ["mem-stream"] => run(door, Mem::stream(MemConfig::new("orders", ["orders.>"]))?.typed(Json)).await,
        ["nats", url] => run(door, Nats::connect(url, NatsConfig::new()).await?.typed(Json)).await,
        ["jetstream", url] => {
            let stream = JetStream::connect(url).await?.stream(StreamConfig::new("orders", ["orders.>"])).await?;
            // The orders of an earlier run are none of this one's.
            let new = ConsumerConfig::ephemeral().with_deliver_policy(DeliverPolicy::New);
            run(door, stream.with_consumer_defaults(new).typed(Json)).await
        }
        ["http"] => {
            let client = HttpClient::new(&door.url, HttpClientConfig::new())?;
            let bus = Http::new(client, door.server.clone()).typed(Json);
            run(door, bus).await
        }
        _ => Err("usage: shop <mem|mem-stream|nats|jetstream|http> [url]".into()),
    }
}
