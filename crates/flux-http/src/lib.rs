#![doc = include_str!("../README.md")]

mod acker;
mod answering;
mod body;
mod bus;
mod client;
mod config;
pub mod error;
mod inline;
mod problem;
mod publisher;
mod registry;
mod request;
mod serve;
mod server;
mod service;
mod subscriber;
pub mod wire;

pub use acker::HttpAcker;
pub use bus::Http;
pub use client::HttpClient;
pub use config::{HttpClientConfig, HttpServerConfig};
pub use publisher::Accepted;
pub use request::{HttpReply, HttpRequests};
pub use serve::serve;
pub use server::HttpServer;
pub use service::HttpService;
pub use subscriber::HttpDeliveries;
