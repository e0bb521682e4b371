//! Options of both ends.

mod client;
mod server;

pub use client::HttpClientConfig;
pub use server::HttpServerConfig;
