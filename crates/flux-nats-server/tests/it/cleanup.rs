//! Nothing stays behind, however the end comes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::panic;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use flux_nats_server::Server;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::{Client, role, started};

/// A folder of a test's own.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        use std::hash::{BuildHasher, Hasher};
        let random = std::hash::RandomState::new().build_hasher().finish();
        let path = std::env::temp_dir().join(format!("flux-nats-server-test-{random:016x}"));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn kill(pid: u32) {
    kill_process(native(pid), Signal::KILL).unwrap();
}

fn native(pid: u32) -> Pid {
    Pid::from_raw(pid.try_into().unwrap()).unwrap()
}

fn is_alive(pid: u32) -> bool {
    test_kill_process(native(pid)).is_ok()
}

/// Returns when it holds, and fails when it does not within a time that a busy machine needs at most.
pub(crate) async fn eventually(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "it never came true");
        tokio::task::yield_now().await;
    }
}

/// Returns when no process has the folder on its command line.
pub(crate) async fn await_no_server_in(folder: &Path) {
    let folder = folder.to_str().unwrap();
    eventually(|| {
        let processes = Command::new("ps").args(["-A", "-o", "args="]).output().unwrap();
        !String::from_utf8_lossy(&processes.stdout).contains(folder)
    })
    .await;
}

/// Where the server keeps what is its own.
fn scratch(server: &Server) -> PathBuf {
    server.log_path().parent().unwrap().to_owned()
}

#[tokio::test]
async fn a_dropped_server_is_gone_with_its_files_but_not_with_yours() {
    let folder = Folder::new();
    let server = started(Server::builder().jetstream(folder.path().join("js"))).await;
    Client::login(server.port(), "").unwrap().create_stream(1);
    let (pid, scratch) = (server.pid().unwrap(), scratch(&server));
    assert!(is_alive(pid) && scratch.is_dir());
    drop(server);
    assert!(!is_alive(pid));
    assert!(!scratch.exists());
    let again = started(Server::builder().jetstream(folder.path().join("js"))).await;
    let info = Client::login(again.port(), "").unwrap().stream_info();
    assert!(info.contains(r#""name":"ORDERS""#), "{info}");
}

#[tokio::test]
async fn a_paused_server_is_gone_when_dropped() {
    let server = started(Server::builder()).await;
    server.pause().await.unwrap();
    let pid = server.pid().unwrap();
    drop(server);
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_store_that_nobody_named_goes_with_its_server() {
    let server = started(Server::builder().with_jetstream()).await;
    let store = server.store_dir().unwrap().to_owned();
    assert!(store.is_dir());
    drop(server);
    assert!(!store.exists());
}

#[test]
fn a_panic_takes_the_server_with_it() {
    let mut seen = None;
    let fall = panic::AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let server = started(Server::builder()).await;
            seen = Some((server.pid().unwrap(), scratch(&server)));
            panic!("a test failed");
        });
    });
    panic::catch_unwind(fall).unwrap_err();
    let (pid, scratch) = seen.unwrap();
    assert!(!is_alive(pid) && !scratch.exists());
}

#[test]
fn a_server_outlives_its_runtime_and_not_its_handle() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let server = runtime.block_on(started(Server::builder()));
    drop(runtime);
    assert_eq!(Client::login(server.port(), "").unwrap().ping(), "PONG");
    let pid = server.pid().unwrap();
    drop(server);
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_server_of_a_killed_process_is_killed() {
    if role::is_other() {
        return hold().await;
    }
    let test = "cleanup::a_server_of_a_killed_process_is_killed";
    let mut other = role::other(&std::env::current_exe().unwrap(), test).spawn().unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    let held = lines.find_map(|line| line.unwrap().strip_prefix("held: ").map(str::to_owned)).unwrap();
    let (pid, scratch) = held.split_once(' ').unwrap();
    let pid = pid.parse().unwrap();
    assert!(is_alive(pid) && Path::new(scratch).is_dir());
    other.kill().unwrap();
    other.wait().unwrap();
    eventually(|| !Path::new(scratch).exists() && !runs(pid)).await;
}

/// The other half: starts one, says so, and waits to be killed.
#[allow(clippy::print_stdout, reason = "how the two halves talk")]
async fn hold() {
    let server = started(Server::builder().with_jetstream()).await;
    server.restart().await.unwrap();
    println!("\nheld: {} {}", server.pid().unwrap(), scratch(&server).display());
    server.wait().await.unwrap();
}

/// Whether it runs; where nobody waits for orphans, a dead one keeps its number.
fn runs(pid: u32) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

#[tokio::test]
async fn a_signal_to_our_group_is_not_the_servers() {
    let server = started(Server::builder()).await;
    let group = rustix::process::getpgid(Some(native(server.pid().unwrap()))).unwrap();
    assert_ne!(group, rustix::process::getpgrp());
}
