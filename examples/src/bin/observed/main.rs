//! A service that can be watched: `cargo run -p flux-examples --bin observed -- --listen 127.0.0.1:9464`.
//!
//! Orders come in faster than they are packed from time to time, some fail, and some are given up. Prometheus reads the metrics at
//! `/metrics`; traces and metrics go to a collector on this machine, if there is one; logs go to standard error.
#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flux::mem::{Mem, StreamConfig};
use flux::otel::{LogLines, Prometheus, Redact, Setup};
use flux::prelude::*;
use flux::stage::{CircuitBreaker, CircuitConfig, GuardError, Metered};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::time::{interval, sleep};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    id: u64,
    total: f64,
}

/// Packs an order, slowly; every tenth call fails, and every fiftieth order is hopeless.
async fn pack(order: Message<Order>, State(calls): State<Arc<AtomicU64>>) -> Result<(), Failure> {
    let Order { id, total } = order.payload;
    sleep(Duration::from_millis(4)).await;
    if id.is_multiple_of(50) {
        return Err(Failure::permanent("there is no such article"));
    }
    if calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(10) {
        return Err(Failure::retry("the printer is out of paper"));
    }
    tracing::info!(id, total, headers = %Redact::default().headers(&order.headers), "packed");
    Ok(())
}

/// A bank that is down for a hundred orders in five hundred.
async fn charge(order: u64) -> Result<(), GuardError<&'static str>> {
    if order % 500 < 100 { Err(GuardError::Stage("the bank does not answer")) } else { Ok(()) }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = listen()?;
    let prometheus = Prometheus::new();
    let _telemetry = Setup::new("observed").with_prometheus(&prometheus).install()?;
    tracing_subscriber::registry().with(LogLines::text().with_filter(LevelFilter::WARN)).init();

    let bus = Mem::stream(StreamConfig::new("orders", ["orders.>", "dlq.>"]).with_max_messages(10_000))?.typed(Json);
    let router =
        Router::new().with_state(Arc::<AtomicU64>::default()).add(Route::new("orders.*", &bus, pack).named("pack"));
    let handle = router.handle();
    let running = tokio::spawn(router.run_until(shutdown_signal()));
    handle.ready().await?;

    let bank =
        CircuitBreaker::new(charge, CircuitConfig::new().with_failures(2).with_reset_after(Duration::from_millis(100)));
    let bank = Metered::new("bank", bank);
    let listener = TcpListener::bind(listen).await?;
    println!("metrics at http://{}/metrics", listener.local_addr()?);
    tokio::spawn(serve(listener, prometheus));
    tokio::spawn(async move {
        let mut ticks = interval(Duration::from_millis(5));
        for id in 1.. {
            ticks.tick().await;
            // What a bank says is counted; the order goes on all the same.
            let _ = bank.process(id).await;
            if bus.publish("orders.created", Order { id, total: 9.5 }).await.is_err() {
                return;
            }
        }
    });
    running.await??;
    Ok(())
}

/// Answers every path with the metrics; a service has its own server, and gives them one path of it.
async fn serve(listener: TcpListener, prometheus: Prometheus) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = TowerToHyperService::new(prometheus.clone());
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

fn listen() -> Result<SocketAddr, Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => Ok(SocketAddr::from(([127, 0, 0, 1], 9464))),
        ["--listen", address] => Ok(address.parse()?),
        _ => Err("usage: observed [--listen <address>:<port>]".into()),
    }
}
