//! The commands of the crate's page, run by curl, answer what the page says.

use std::process::Command;

use flux_codec::Json;
use flux_core::{Failure, Message, RemoteError, Result};
use flux_http::HttpServerConfig;
use flux_router::{Route, Router};
use serde::{Deserialize, Serialize};

use crate::{serving, within};

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    id: u64,
    total: f64,
}

#[derive(Serialize, Deserialize)]
struct Ask {
    id: u64,
}

#[derive(Serialize, Deserialize)]
struct Quote {
    price: f64,
}

async fn on_order(order: Message<Order>) -> Result<(), Failure> {
    assert!(order.payload.id > 0 && order.payload.total > 0.0, "an order of the page's");
    Ok(())
}

async fn quote(ask: Message<Ask>) -> Result<Quote, Failure> {
    if ask.payload.id == 0 {
        return Err(RemoteError::new("unknown_order", "no order 0").into());
    }
    Ok(Quote { price: 19.0 })
}

/// Commands and the lines that must be in what they print.
fn commands() -> Vec<(String, Vec<String>)> {
    let page = include_str!("../../README.md");
    let (_, rest) = page.split_once("```console\n").expect("the page has a console block");
    let (block, _) = rest.split_once("```").expect("it ends");
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for line in block.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("$ ") {
            Some(command) => commands.push((command.to_owned(), Vec::new())),
            None => commands.last_mut().expect("a command comes first").1.push(line.to_owned()),
        }
    }
    commands
}

#[tokio::test]
async fn curl_gets_what_the_page_says() -> Result<()> {
    let (server, address) = serving(HttpServerConfig::new()).await;
    let bus = server.typed(Json);
    let router = Router::new().add(Route::receiving("orders.created", &bus, on_order));
    let router = router.add(Route::receiving("orders.grün", &bus, on_order)).respond("quotes.get", &bus, quote);
    let handle = router.handle();
    let running = tokio::spawn(router.run());
    within(handle.ready()).await?;
    let commands = commands();
    assert_eq!(commands.len(), 8, "every command of the page");
    for (command, expected) in commands {
        assert!(!expected.is_empty(), "{command} has no answer on the page");
        let run = command.replace("localhost:8080", &address.to_string()).replacen("curl", "curl -sS --max-time 10", 1);
        let output = tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &run]).output());
        let output = output.await.expect("no panic").expect("a shell");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: is curl installed? {complaint}");
        let printed = String::from_utf8_lossy(&output.stdout);
        let printed: Vec<_> = printed.lines().map(str::trim_end).collect();
        for line in expected {
            assert!(printed.contains(&line.as_str()), "{command} prints {printed:#?} without {line:?}");
        }
    }
    handle.stop();
    within(running).await.expect("no panic")?;
    Ok(())
}
