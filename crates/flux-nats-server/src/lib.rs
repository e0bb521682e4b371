#![doc = include_str!("../README.md")]

mod blocking;
mod builder;
mod cluster;
mod config;
mod failure;
mod guard;
mod launch;
mod port;
mod probe;
mod program;
mod run;
mod scratch;
mod server;
mod signal;

pub use builder::ServerBuilder;
pub use cluster::{Cluster, ClusterBuilder};
pub use config::Tls;
pub use server::Server;
