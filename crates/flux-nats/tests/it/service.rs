//! Micro services as the official client sees them.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use flux_codec::Json;
use flux_core::{ErrorKind, Failure, Message, RemoteError, Requester, Responder, Result, next};
use flux_nats::{Endpoint, Nats, NatsConfig, NatsService, Service};
use flux_nats_server::Server;
use flux_router::Router;
use serde_json::Value;

use super::{connect, server, text, within};

/// The release that `cargo xtask tools` fetches.
const CLIENT: &str = "tools/nats-py-2.16.0";

async fn pricing(bus: &Nats) -> Result<NatsService> {
    bus.service(Service::new("pricing", "1.4.0")?.with_description("Quotes").with_metadata("team", "rates")).await
}

/// Answers twice the number; zero fails.
async fn double(request: Message<u64>) -> Result<u64, Failure> {
    match request.payload {
        0 => Err(Failure::permanent(RemoteError::new("404", "nothing to double"))),
        number => Ok(number * 2),
    }
}

/// Asks until somebody is there.
async fn ask(bus: &Nats, subject: &str, body: &'static str) -> Result<Bytes> {
    within(async {
        loop {
            match bus.request(subject, text(body)).await {
                Err(error) if error.kind() == ErrorKind::NoResponder => tokio::task::yield_now().await,
                answer => return answer,
            }
        }
    })
    .await
}

/// What the official client heard, by subject.
async fn heard(server: &Server) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/service.py");
    let mut python = Command::new("python3");
    python.arg(script).args([server.url(), "pricing"]).env("PYTHONPATH", client());
    let output = tokio::task::spawn_blocking(move || python.output()).await.expect("no panic");
    let output = output.expect("python3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

fn client() -> PathBuf {
    let program = std::env::current_exe().expect("a test knows its program");
    let beside = program.ancestors().map(|folder| folder.join(CLIENT));
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(CLIENT);
    let found = beside.chain([ours]).find(|folder| folder.is_dir());
    found.expect("no nats-py: run `cargo xtask tools`")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_sees_names_versions_endpoints_and_counts() -> Result<()> {
    let server = server().await?;
    let (bus, other) = (connect(&server).await?, connect(&server).await?);
    let (one, two) = (pricing(&bus).await?, pricing(&other).await?);
    let endpoint = one.endpoint(Endpoint::new("quote")?.with_group("quoting").with_metadata("unit", "EUR"));
    let quoting = tokio::spawn(async move { endpoint.typed(Json).serve("quotes.get", double).await });
    let listing = two.clone();
    let listing = tokio::spawn(async move { listing.typed(Json).serve("lists.*", double).await });
    for body in ["1", "2", "0", "not json"] {
        let _ = ask(&bus, "quotes.get", body).await;
    }
    ask(&bus, "lists.a", "3").await?;

    let heard = heard(&server).await;
    for verb in ["PING", "INFO", "STATS"] {
        for subject in [format!("$SRV.{verb}"), format!("$SRV.{verb}.pricing")] {
            for id in [one.id(), two.id()] {
                let answer = of(&heard[subject.as_str()], id);
                assert_eq!(answer["name"], "pricing");
                assert_eq!(answer["version"], "1.4.0");
                assert_eq!(answer["metadata"]["team"], "rates");
                assert_eq!(answer["type"], format!("io.nats.micro.v1.{}_response", verb.to_lowercase()));
            }
        }
        let by_id = &heard[format!("$SRV.{verb}.id")][0]["raw"]["id"];
        assert!(by_id == one.id() || by_id == two.id());
    }
    let info = of(&heard["$SRV.INFO"], one.id());
    assert_eq!(info["description"], "Quotes");
    let expected = serde_json::json!([
        { "name": "quote", "subject": "quotes.get", "queue_group": "quoting", "metadata": { "unit": "EUR" } }
    ]);
    assert_eq!(info["endpoints"], expected);
    let info = of(&heard["$SRV.INFO"], two.id());
    let found = &info["endpoints"][0];
    assert_eq!(
        (&found["name"], &found["subject"], &found["queue_group"]),
        (&"lists-_".into(), &"lists.*".into(), &"q".into())
    );

    let stats = &of(&heard["$SRV.STATS"], one.id())["endpoints"][0];
    assert_eq!((&stats["num_requests"], &stats["num_errors"]), (&4.into(), &2.into()), "{stats}");
    assert!(stats["last_error"].as_str().is_some_and(|error| error.starts_with("400:")), "{stats}");
    let (total, average) = (stats["processing_time"].as_u64(), stats["average_processing_time"].as_u64());
    assert!(total > Some(0) && average == total.map(|total| total / 4), "{stats}");
    assert_eq!(of(&heard["$SRV.STATS"], two.id())["endpoints"][0]["num_requests"], 1);
    quoting.abort();
    listing.abort();
    Ok(())
}

/// The answer of one instance.
fn of<'h>(answers: &'h Value, id: &str) -> &'h Value {
    let answers = answers.as_array().expect("a list").iter();
    let mut raw = answers.filter_map(|answer| answer.get("raw"));
    raw.find(|raw| raw.get("id").is_some_and(|found| found == id)).expect("each instance answers")
}

async fn info(bus: &Nats) -> Result<Value> {
    let answer = bus.request("$SRV.INFO.pricing", text("")).await?;
    Ok(serde_json::from_slice(&answer).expect("it is JSON"))
}

#[tokio::test]
async fn an_endpoint_is_there_while_it_listens_and_a_service_while_it_is_held() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let service = pricing(&bus).await?;
    assert_eq!(info(&bus).await?["endpoints"], serde_json::json!([]));
    let mut requests = service.listen("quotes.get").await?;
    assert_eq!(info(&bus).await?["endpoints"][0]["name"], "quotes-get");

    // A responder keeps its service running, and a request that is dropped counts as an error.
    drop(service);
    let asking = bus.clone();
    let asked = tokio::spawn(async move { asking.request("quotes.get", text("x")).await.map(|_: Bytes| ()) });
    drop(within(next(pin!(&mut requests))).await.expect("it lives")?);
    assert!(within(asked).await.expect("no panic").is_err());
    let stats: Bytes = bus.request("$SRV.STATS.pricing", text("")).await?;
    let stats: Value = serde_json::from_slice(&stats).expect("it is JSON");
    assert_eq!(stats["endpoints"][0]["num_errors"], 1);

    drop(requests);
    // A question that meets the service on its way out gets no answer, as with every service.
    let config = NatsConfig::new().with_request_timeout(Duration::from_millis(200));
    let bus = Nats::connect(server.url(), config).await?;
    within(async {
        while info(&bus).await.map_err(|error| error.kind()) != Err(ErrorKind::NoResponder) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn routes_answer_as_a_service_and_as_an_endpoint_of_it() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let service = pricing(&bus).await?;
    let quote = service.endpoint(Endpoint::new("quote")?.with_group("quoting")).typed(Json);
    let all = service.clone().typed(Json);
    let router = Router::new().respond("quotes.get", &quote, double).respond("lists.a", &all, double);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    within(handle.ready()).await?;
    let requester = bus.clone().typed(Json);
    for (subject, asked) in [("quotes.get", 1_u64), ("quotes.get", 0), ("lists.a", 2)] {
        let answer: Result<u64> = within(requester.request(subject, asked)).await;
        match answer {
            Ok(answer) => assert_eq!(answer, asked * 2),
            Err(error) => assert_eq!((error.kind(), asked), (ErrorKind::Remote, 0)),
        }
    }
    let stats: Bytes = bus.request("$SRV.STATS.pricing", text("")).await?;
    let stats: Value = serde_json::from_slice(&stats).expect("it is JSON");
    let found: Vec<_> = stats["endpoints"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|endpoint| {
            let text = |field: &str| endpoint[field].as_str().unwrap_or_default().to_owned();
            let number = |field: &str| endpoint[field].as_u64();
            (text("name"), text("queue_group"), number("num_requests"), number("num_errors"))
        })
        .collect();
    let expected = [("quote", "quoting", Some(2), Some(1)), ("lists-a", "q", Some(1), Some(0))];
    let expected =
        expected.map(|(name, group, requests, errors)| (name.to_owned(), group.to_owned(), requests, errors));
    let sorted = |mut endpoints: Vec<_>| {
        endpoints.sort();
        endpoints
    };
    assert_eq!(sorted(found), sorted(expected.into()), "{stats}");
    handle.stop();
    let report = within(running).await.expect("no panic")?;
    assert!(report.is_drained());
    let gone = within(requester.request("quotes.get", 1_u64)).await.map(|_: u64| ()).expect_err("the routes are gone");
    assert_eq!(gone.kind(), ErrorKind::NoResponder);
    Ok(())
}

#[tokio::test]
async fn several_answers_are_one_request_to_the_counters() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let service = pricing(&bus).await?;
    let mut requests = service.listen("many").await?;
    let asking = bus.clone();
    let asked = tokio::spawn(async move { asking.request("many", text("x")).await.map(|_: Bytes| ()) });
    let request = within(next(pin!(&mut requests))).await.expect("it lives")?;
    for _ in 0..3 {
        request.acker.send(request.message.clone()).await?;
    }
    request.acker.finish().await?;
    within(asked).await.expect("no panic")?;
    let stats: Bytes = bus.request("$SRV.STATS.pricing", text("")).await?;
    let stats: Value = serde_json::from_slice(&stats).expect("it is JSON");
    assert_eq!((&stats["endpoints"][0]["num_requests"], &stats["endpoints"][0]["num_errors"]), (&1.into(), &0.into()));
    Ok(())
}

#[cfg(feature = "schema")]
#[tokio::test]
async fn schemas_are_in_the_metadata() -> Result<()> {
    let server = server().await?;
    let bus = connect(&server).await?;
    let service = pricing(&bus).await?;
    let _requests = service.endpoint(Endpoint::new("quote")?.with_schema::<u64, String>()).listen("quotes.get").await?;
    let metadata = &info(&bus).await?["endpoints"][0]["metadata"];
    let schema = |key: &str| -> Value {
        serde_json::from_str(metadata[key].as_str().expect("it is there")).expect("it is JSON")
    };
    assert_eq!(schema("request_schema")["type"], "integer");
    assert_eq!(schema("response_schema")["type"], "string");
    Ok(())
}
