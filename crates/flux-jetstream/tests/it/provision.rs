//! Streams and consumers declared in code: made, compared, never changed unasked.

use std::time::{Duration, Instant, SystemTime};

use async_nats::ConnectOptions;
use flux_core::{ErrorKind, QueueSubscriber as _, Subscriber as _};
use flux_jetstream::{
    Compression, ConsumerConfig, DeliverPolicy, Discard, JetStream, JsStream, OnDifference, Placement, PriorityGroup,
    ReplayPolicy, Republish, Retention, Source, Storage, StreamConfig, Transform,
};
use flux_nats::Nats;
use flux_nats_server::Server;

use crate::{config, jetstream, listen, put, stream, take, text};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn declared_twice_is_the_same_stream() {
    let jetstream = jetstream().await;
    let stream = jetstream.stream(config()).await.unwrap();
    put(&stream, "orders.new", "x").await.unwrap();
    let again = jetstream.stream(config()).await.unwrap();
    assert_eq!(again.info().await.unwrap().messages, 1);
    assert_eq!(jetstream.differences(&config()).await.unwrap(), []);
}

#[tokio::test]
async fn a_difference_is_an_error_that_names_it_and_changes_nothing() {
    let jetstream = jetstream().await;
    jetstream.stream(config()).await.unwrap();
    let other = config().with_max_messages(7).with_max_age(MINUTE);
    let error = jetstream.stream(other.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let text = error.to_string();
    for part in ["`max_msgs` is not set, declared is 7", "`max_age` is not set, declared is 60000000000"] {
        assert!(text.contains(part), "{text}");
    }
    let fields: Vec<_> = jetstream.differences(&other).await.unwrap().into_iter().map(|found| found.field).collect();
    assert_eq!(fields, ["duplicate_window", "max_age", "max_msgs"], "nothing was changed");
}

#[tokio::test]
async fn a_difference_is_fixed_on_request() {
    let jetstream = jetstream().await;
    jetstream.stream(config()).await.unwrap();
    let other = config().with_max_messages(7).with_metadata("team", "blue").with_on_difference(OnDifference::Update);
    jetstream.stream(other.clone()).await.unwrap();
    assert_eq!(jetstream.differences(&other).await.unwrap(), []);
    assert_eq!(jetstream.differences(&config()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_change_the_server_refuses_is_an_error() {
    let jetstream = jetstream().await;
    jetstream.stream(config()).await.unwrap();
    let other = config().with_storage(Storage::Memory).with_on_difference(OnDifference::Update);
    assert_eq!(jetstream.stream(other).await.unwrap_err().kind(), ErrorKind::Rejected);
}

#[tokio::test]
async fn every_setting_reaches_the_server_and_comes_back() {
    let jetstream = jetstream().await;
    jetstream.stream(StreamConfig::new("origin", ["origin.>"])).await.unwrap();
    let source =
        || Source::new("origin").with_start_time(SystemTime::UNIX_EPOCH + Duration::from_millis(1_234_567_890_123));
    let transform = Transform { source: "a.*".into(), destination: "b.{{wildcard(1)}}".into() };
    let republish = Republish { source: "a.>".into(), destination: "copy.>".into(), headers_only: true };
    let base = |name: &str| StreamConfig::new(name, [format!("{name}.>")]);
    let variants: Vec<(&str, StreamConfig)> = vec![
        ("retention", base("a1").with_retention(Retention::WorkQueue)),
        ("retention", base("a2").with_retention(Retention::Interest)),
        ("storage", base("a3").with_storage(Storage::Memory)),
        ("placement", base("a36").with_placement(Placement { cluster: None, tags: vec!["ssd".into()] })),
        ("compression", base("a5").with_compression(Compression::S2)),
        ("discard", base("a6").with_discard(Discard::New)),
        ("discard", base("a7").with_discard(Discard::NewPerSubject).with_max_messages_per_subject(1)),
        ("max_msgs", base("a8").with_max_messages(5)),
        ("max_bytes", base("a9").with_max_bytes(5000)),
        ("max_msg_size", base("a10").with_max_message_bytes(500)),
        ("max_consumers", base("a11").with_max_consumers(3)),
        ("max_age", base("a12").with_max_age(MINUTE)),
        ("duplicate_window", base("a13").with_duplicate_window(MINUTE)),
        ("first_seq", base("a14").with_first_sequence(100)),
        ("deny_delete", base("a15").with_deny_delete()),
        ("deny_purge", base("a16").with_deny_purge()),
        ("allow_rollup_hdrs", base("a17").with_rollup()),
        ("allow_direct", base("a18").with_direct_get()),
        ("sources", base("a19").with_source(source().with_filter("origin.x"))),
        ("sources", base("a4").with_source(Source::new("origin").with_start_sequence(3))),
        ("sources", base("a34").with_source(Source::new("origin").with_transform("origin.*", "a34.{{wildcard(1)}}"))),
        ("sources", base("a35").with_source(Source::new("origin").with_consumer("reader", "deliver.a35"))),
        ("mirror", StreamConfig::new("a20", [""; 0]).with_mirror(source())),
        ("subject_transform", StreamConfig::new("a21", ["a.>"]).with_subject_transform(transform)),
        (
            "republish",
            StreamConfig::new("a22", ["c.>"]).with_republish(Republish { source: "c.>".into(), ..republish }),
        ),
        ("consumer_limits", base("a23").with_consumer_limits(MINUTE, 10)),
        ("allow_msg_ttl", base("a24").with_message_ttl()),
        ("subject_delete_marker_ttl", base("a25").with_delete_marker_ttl(MINUTE)),
        ("allow_atomic", base("a26").with_atomic_publish()),
        ("allow_batched", base("a27").with_batch_publish()),
        ("allow_msg_schedules", base("a28").with_schedules()),
        ("allow_msg_counter", base("a29").with_counters().with_direct_get()),
        ("persist_mode", base("a30").with_async_persistence()),
        ("no_ack", base("a31").with_no_ack()),
        ("description", base("a32").with_description("text")),
        ("metadata", base("a33").with_metadata("k", "v")),
    ];
    for (field, config) in variants {
        let made = jetstream.stream(config.clone()).await;
        assert!(made.is_ok(), "{field}: {made:?}");
        assert_eq!(jetstream.differences(&config).await.unwrap(), [], "{field}");
        // What is declared matters: the plain stream of that name is another one.
        let plain = jetstream.differences(&base(config.name())).await.unwrap();
        let differs = plain.iter().any(|found| found.field.contains(field));
        assert!(differs, "{field} is not among {plain:?}");
    }
}

#[tokio::test]
async fn every_setting_of_a_consumer_reaches_the_server_and_comes_back() {
    let stream = stream().await;
    let name = "g".to_owned();
    let base = |name: &str| ConsumerConfig::durable(name);
    let variants: Vec<(&str, ConsumerConfig)> = vec![
        ("filter", base("c1").with_filter("orders.a")),
        ("filter", base("c2").with_filter("orders.a").with_filter("orders.b")),
        ("deliver_policy", base("c3").with_deliver_policy(DeliverPolicy::Last)),
        ("deliver_policy", base("c4").with_deliver_policy(DeliverPolicy::LastPerSubject).with_filter("orders.>")),
        ("deliver_policy", base("c5").with_deliver_policy(DeliverPolicy::New)),
        ("opt_start_seq", base("c6").with_deliver_policy(DeliverPolicy::FromSequence(5))),
        ("opt_start_time", base("c7").with_deliver_policy(DeliverPolicy::FromTime(SystemTime::now()))),
        ("replay_policy", base("c8").with_replay_policy(ReplayPolicy::Original)),
        ("ack_wait", base("c9").with_ack_wait(MINUTE)),
        ("max_deliver", base("c10").with_max_deliver(5)),
        ("max_ack_pending", base("c11").with_max_ack_pending(5)),
        ("backoff", base("c12").with_backoff([MINUTE, MINUTE * 2])),
        ("headers_only", base("c13").with_headers_only()),
        ("inactive_threshold", base("c14").with_inactive_threshold(MINUTE)),
        ("num_replicas", base("c15").with_replicas(1)),
        ("mem_storage", base("c16").with_memory_storage()),
        ("pause_until", base("c22").with_pause_until(SystemTime::now() + MINUTE * 60)),
        (
            "priority_policy",
            base("c17").with_priority_group(PriorityGroup::Pinned { name: name.clone(), timeout: MINUTE }),
        ),
        (
            "priority_groups",
            base("c18").with_priority_group(PriorityGroup::Overflow {
                name: name.clone(),
                min_pending: 1,
                min_ack_pending: 1,
            }),
        ),
        ("priority_policy", base("c19").with_priority_group(PriorityGroup::Prioritized { name, priority: 1 })),
        ("description", base("c20").with_description("text")),
        ("metadata", base("c21").with_metadata("k", "v")),
    ];
    for (field, config) in variants {
        for time in ["first", "second"] {
            let made = stream.consumer(config.clone()).await;
            assert!(made.is_ok(), "{field} for the {time} time: {made:?}");
        }
        let plain = stream.consumer(base(config.name().unwrap())).await.map(drop).unwrap_err();
        assert!(plain.to_string().contains(field), "{field}: {plain}");
    }
}

#[tokio::test]
async fn a_consumer_that_differs_is_refused_or_fixed() {
    let stream = stream().await;
    stream.consumer(ConsumerConfig::durable("d")).await.unwrap();
    let other = ConsumerConfig::durable("d").with_max_deliver(3).with_filter("orders.a");
    let error = stream.consumer(other.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("`max_deliver` is not set, declared is 3"), "{error}");
    stream.consumer(other.clone().with_on_difference(OnDifference::Update)).await.unwrap();
    stream.consumer(other).await.unwrap();
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_without_asking() {
    let jetstream = jetstream().await;
    for config in [
        StreamConfig::new("", ["a"]),
        StreamConfig::new("a.b", ["a"]),
        StreamConfig::new("a", [""; 0]),
        StreamConfig::new("a", ["a.>", "a.b"]),
        StreamConfig::new("a", ["a"]).with_max_messages(0),
    ] {
        assert_eq!(jetstream.stream(config).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let stream = jetstream.stream(config()).await.unwrap();
    for config in [
        ConsumerConfig::durable("a b"),
        ConsumerConfig::durable("a").with_max_deliver(0),
        ConsumerConfig::durable("a").with_ack_wait(Duration::ZERO),
    ] {
        assert_eq!(stream.consumer(config).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn a_stream_that_is_not_there_is_said_to_be_missing() {
    let jetstream = jetstream().await;
    assert_eq!(jetstream.existing_stream("nowhere").await.unwrap_err().kind(), ErrorKind::Rejected);
    assert!(!jetstream.delete_stream("nowhere").await.unwrap());
    jetstream.stream(config()).await.unwrap();
    assert_eq!(jetstream.existing_stream("orders").await.unwrap().name(), "orders");
    assert!(jetstream.delete_stream("orders").await.unwrap());
}

#[tokio::test]
async fn a_filter_that_matches_nothing_is_refused_by_name() {
    let stream = stream().await;
    let typo = stream.subscribe("order.*").await.unwrap_err();
    let group = stream.subscribe_group("order.*", "workers").await.unwrap_err();
    let config = ConsumerConfig::durable("workers").with_filter("orders.new").with_filter("order.*");
    let second = stream.consumer(config).await.unwrap_err();
    for error in [typo, group, second] {
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Rejected, false));
        let text = error.to_string();
        assert!(text.contains("`order.*`") && text.contains("`orders.>`") && text.contains("`orders`"), "{text}");
    }
    assert_eq!(stream.info().await.unwrap().consumers, 0, "nothing was made");
    // Two patterns overlap without either being within the other.
    for filter in ["*.new", "orders.*.eu", ">"] {
        stream.subscribe(filter).await.unwrap();
    }
}

#[tokio::test]
async fn a_filter_may_match_what_only_the_server_knows_of() {
    let jetstream = jetstream().await;
    let old = jetstream.stream(config()).await.unwrap();
    put(&old, "orders.new", "x").await.unwrap();
    let invoices = StreamConfig::new("orders", ["invoices.>"]).with_on_difference(OnDifference::Update);
    let new = jetstream.stream(invoices).await.unwrap();
    let mut deliveries = new.subscribe("orders.*").await.unwrap();
    assert_eq!(text(&take(&mut deliveries).await), "x", "the stream holds it, though it takes no more of it");
    old.subscribe("invoices.>").await.unwrap();
    new.purge("orders.>").await.unwrap();
    assert_eq!(new.subscribe("orders.*").await.unwrap_err().kind(), ErrorKind::Rejected);

    let copy = StreamConfig::new("copy", ["copies.>"]).with_source(Source::new("orders"));
    jetstream.stream(copy).await.unwrap().subscribe("elsewhere.*").await.unwrap();
}

/// Subject and payload of the first messages of a stream, as they come.
async fn first(stream: &JsStream, messages: usize) -> Vec<(String, String)> {
    let mut deliveries = listen(&stream.consumer(ConsumerConfig::ephemeral()).await.unwrap()).await;
    let mut found = Vec::new();
    for _ in 0..messages {
        let taken = tokio::time::timeout(Duration::from_secs(20), take(&mut deliveries)).await.expect("nothing comes");
        found.push((taken.message.subject.to_string(), text(&taken)));
    }
    found
}

fn pair(subject: &str, text: &str) -> (String, String) {
    (subject.to_owned(), text.to_owned())
}

#[tokio::test]
async fn a_source_begins_where_it_is_told_and_is_renamed() {
    let jetstream = jetstream().await;
    let orders = jetstream.stream(config()).await.unwrap();
    for number in ["1", "2", "3"] {
        put(&orders, "orders.a", number).await.unwrap();
    }
    let from = Source::new("orders").with_start_sequence(2);
    let from = jetstream.stream(StreamConfig::new("from", ["from.>"]).with_source(from)).await.unwrap();
    assert_eq!(first(&from, 2).await, [pair("orders.a", "2"), pair("orders.a", "3")]);
    let renamed = Source::new("orders").with_transform("orders.*", "renamed.{{wildcard(1)}}");
    let renamed = jetstream.stream(StreamConfig::new("renamed", ["other.>"]).with_source(renamed)).await.unwrap();
    assert_eq!(first(&renamed, 1).await, [pair("renamed.a", "1")]);
}

/// Two servers with a JetStream each, the second one a leaf of the first.
async fn hub_and_leaf() -> (Server, Server) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let domain = |name: &str, leafnodes: String| {
        let lines = format!("jetstream {{ domain: {name} }}\nleafnodes {{ {leafnodes} }}");
        Server::builder().with_jetstream().config(&lines)
    };
    let hub = domain("hub", format!("listen: \"127.0.0.1:{port}\"")).start().await.unwrap();
    let leaf = domain("leaf", format!("remotes: [{{ url: \"nats://127.0.0.1:{port}\" }}]")).start().await.unwrap();
    (hub, leaf)
}

#[tokio::test]
async fn a_domain_is_found_by_its_name() {
    let (hub, leaf) = hub_and_leaf().await;
    let at_hub = JetStream::connect(hub.url()).await.unwrap();
    let orders = at_hub.stream(config()).await.unwrap();
    put(&orders, "orders.a", "1").await.unwrap();

    let own = JetStream::connect(leaf.url()).await.unwrap().with_timeout(Duration::from_secs(1));
    let domain = |name: &str| own.clone().with_domain(name);
    assert_eq!(domain("a.b").unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(domain("nowhere").unwrap().stream(config()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    // The leaf takes a moment to connect.
    let through = domain("hub").unwrap();
    let limit = Instant::now() + Duration::from_secs(20);
    let orders = loop {
        match through.existing_stream("orders").await {
            Ok(orders) => break orders,
            Err(error) => assert!(Instant::now() < limit, "{error:?}"),
        }
    };
    assert_eq!(first(&orders, 1).await, [pair("orders.a", "1")]);
    assert_eq!(own.existing_stream("orders").await.unwrap_err().kind(), ErrorKind::Rejected, "the leaf has none");

    let mirror = || StreamConfig::new("copy", [""; 0]).with_mirror(Source::new("orders").with_domain("hub"));
    let copy = own.stream(mirror().with_direct_get().with_mirror_direct_get()).await.unwrap();
    assert_eq!(first(&copy, 1).await, [pair("orders.a", "1")]);
    let without = own.differences(&mirror().with_direct_get()).await.unwrap();
    let fields: Vec<_> = without.into_iter().map(|found| found.field).collect();
    assert_eq!(fields, ["mirror_direct"]);
}

#[tokio::test]
async fn a_source_may_be_in_another_account() {
    let accounts = r#"accounts {
        origin: { jetstream: enabled, users: [{ user: origin, password: pw }], exports: [
            { service: "$JS.API.CONSUMER.>" }, { stream: "deliver.origin.>" }
        ] }
        own: { jetstream: enabled, users: [{ user: own, password: pw }], imports: [
            { service: { account: origin, subject: "$JS.API.CONSUMER.>" }, to: "JS.origin.API.CONSUMER.>" }
            { stream: { account: origin, subject: "deliver.origin.>" } }
        ] }
    }"#;
    let server = Server::builder().with_jetstream().config(accounts).start().await.unwrap();
    let account = async |name: &str| {
        let options = ConnectOptions::with_user_and_password(name.to_owned(), "pw".to_owned());
        JetStream::new(Nats::new(options.connect(server.url()).await.unwrap()))
    };
    let orders = account("origin").await.stream(config()).await.unwrap();
    put(&orders, "orders.a", "1").await.unwrap();
    let own = account("own").await;
    let source = Source::new("orders").with_import("JS.origin.API", "deliver.origin.own");
    let copy = StreamConfig::new("copy", ["copies.>"]).with_source(source);
    assert_eq!(first(&own.stream(copy.clone()).await.unwrap(), 1).await, [pair("orders.a", "1")]);
    assert_eq!(own.differences(&copy).await.unwrap(), []);
}

#[tokio::test]
async fn a_sealed_stream_is_read_and_never_written_again() {
    let jetstream = jetstream().await;
    let stream = jetstream.stream(config()).await.unwrap();
    put(&stream, "orders.a", "1").await.unwrap();
    let sealed = config().with_sealed().with_discard(Discard::New).with_deny_delete().with_deny_purge();
    jetstream.stream(sealed.clone().with_on_difference(OnDifference::Update)).await.unwrap();
    assert_eq!(jetstream.differences(&sealed).await.unwrap(), []);
    assert!(put(&stream, "orders.a", "2").await.is_err());
    assert!(stream.purge(">").await.is_err());
    assert_eq!(first(&stream, 1).await, [pair("orders.a", "1")]);
    let opened = jetstream.stream(config().with_on_difference(OnDifference::Update)).await.unwrap_err();
    assert_eq!(opened.kind(), ErrorKind::Rejected);
}

#[tokio::test]
async fn a_paused_consumer_delivers_when_its_time_has_come() {
    let stream = stream().await;
    put(&stream, "orders.a", "1").await.unwrap();
    let time = SystemTime::now() + Duration::from_secs(2);
    let consumer = stream.consumer(ConsumerConfig::durable("d").with_pause_until(time)).await.unwrap();
    assert_eq!(text(&take(&mut listen(&consumer).await).await), "1");
    let early = time.duration_since(SystemTime::now()).unwrap_or_default();
    assert!(early < Duration::from_millis(100), "it came {early:?} too early");
}
