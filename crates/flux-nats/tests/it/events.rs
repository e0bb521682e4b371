//! State events, as a stream and as counters.

use flux_core::{Publisher, Result, SubjectFilter, Subscriber};
use flux_nats::{Monitor, Nats, NatsConfig, NatsEvent};
use flux_nats_server::Server;

use super::{await_event, connect, server, text, within};

#[tokio::test]
async fn a_lost_connection_and_its_return_are_told_and_counted() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let mut events = bus.monitor().events();
    bus.flush().await?;
    server.kill().await?;
    await_event(&mut events, |event| *event == NatsEvent::Disconnected).await;
    server.start().await?;
    await_event(&mut events, |event| *event == NatsEvent::Connected).await;
    let counters = bus.monitor().counters();
    assert_eq!((counters.connected, counters.disconnected), (2, 1));
    Ok(())
}

#[tokio::test]
async fn a_slow_consumer_is_told_and_counted_by_its_filter() -> Result<()> {
    let server = server().await?;
    let bus = Nats::connect(server.url(), NatsConfig::new().with_subscription_capacity(4)).await?;
    let mut events = bus.monitor().events();
    let _slow = bus.subscribe("slow.*").await?;
    let _idle = bus.subscribe("idle").await?;
    for _ in 0..5 {
        bus.publish("slow.a", text("x")).await?;
    }
    let filter = Some(SubjectFilter::new("slow.*")?);
    await_event(&mut events, |event| *event == NatsEvent::SlowConsumer { filter: filter.clone() }).await;
    let counted: Vec<_> = bus.monitor().slow_consumers().into_iter().collect();
    assert_eq!(counted, [(SubjectFilter::new("slow.*")?, 1)]);
    assert_eq!(bus.monitor().counters().slow_consumers, 1);
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_about_to_go_is_told() -> Result<()> {
    let server =
        Server::builder().config("lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"1s\"").start().await?;
    let bus = connect(&server).await?;
    let mut events = bus.monitor().events();
    bus.flush().await?;
    server.lame_duck().await?;
    await_event(&mut events, |event| *event == NatsEvent::LameDuck).await;
    assert_eq!(bus.monitor().counters().lame_duck, 1);
    Ok(())
}

#[tokio::test]
async fn a_missing_permission_is_told() -> Result<()> {
    let permissions = "authorization { users: [{ user: a, password: b, permissions: { publish: [\"_INBOX.>\"] } }] }";
    let server = Server::builder().config(permissions).start().await?;
    let url = server.url().replace("nats://", "nats://a:b@");
    let bus = Nats::connect(&url, NatsConfig::new()).await?;
    let mut events = bus.monitor().events();
    bus.publish("forbidden", text("x")).await?;
    let error = await_event(&mut events, |event| matches!(event, NatsEvent::Error(_))).await;
    assert!(matches!(&error, NatsEvent::Error(text) if text.contains("forbidden")), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_client_of_the_callers_own_reports_to_a_monitor() -> Result<()> {
    let server = server().await?;
    let monitor = Monitor::new();
    let observer = monitor.clone();
    let options = async_nats::ConnectOptions::new().event_callback(move |event| {
        observer.observe(event);
        std::future::ready(())
    });
    let mut events = monitor.events();
    let client = within(options.connect(server.url())).await.expect("there is a server");
    let bus = Nats::new(client).with_monitor(monitor);
    await_event(&mut events, |event| *event == NatsEvent::Connected).await;
    assert_eq!(bus.monitor().counters().connected, 1);
    Ok(())
}

#[cfg(feature = "telemetry")]
#[tokio::test]
async fn events_are_a_metric_of_opentelemetry() -> Result<()> {
    use opentelemetry_sdk::metrics::data::{
        AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics, SumDataPoint,
    };
    use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

    let exporter = InMemoryMetricExporter::default();
    let meters = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
    opentelemetry::global::set_meter_provider(meters.clone());
    let server = server().await?;
    let bus = Nats::connect(server.url(), NatsConfig::new().with_subscription_capacity(1)).await?;
    let mut events = bus.monitor().events();
    let _slow = bus.subscribe("metric.*").await?;
    for _ in 0..2 {
        bus.publish("metric.a", text("x")).await?;
    }
    await_event(&mut events, |event| matches!(event, NatsEvent::SlowConsumer { .. })).await;
    let monitor = Monitor::new();
    for _ in 0..1000 {
        monitor.observe(async_nats::Event::LameDuckMode);
    }
    meters.force_flush().expect("in memory");
    let exported = exporter.get_finished_metrics().expect("in memory");
    // How often the metric counted what has these attributes and no others.
    let counted = |attributes: &[(&str, &str)]| -> u64 {
        let metrics = exported.iter().flat_map(ResourceMetrics::scope_metrics).flat_map(ScopeMetrics::metrics);
        let metrics = metrics.filter(|metric| metric.name() == "flux.nats.connection.events");
        let exact = |point: &&SumDataPoint<u64>| {
            let found = |(key, value): &(&str, &str)| {
                point.attributes().any(|kv| kv.key.as_str() == *key && kv.value.as_str() == *value)
            };
            point.attributes().count() == attributes.len() && attributes.iter().all(found)
        };
        let counts = metrics.map(|metric| {
            let AggregatedMetrics::U64(MetricData::Sum(sum)) = metric.data() else { panic!("a counter") };
            sum.data_points().filter(exact).map(SumDataPoint::value).sum()
        });
        counts.max().unwrap_or_default()
    };
    let slow = [("flux.event", "slow_consumer"), ("messaging.destination.template", "metric.*")];
    assert_eq!(counted(&[slow[0], slow[1], ("messaging.system", "nats")]), 1);
    // Other tests of this process may lose a server, too.
    assert!(counted(&[("flux.event", "lame_duck"), ("messaging.system", "nats")]) >= 1000);
    Ok(())
}
