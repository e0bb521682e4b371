//! Arguments and files that are refused, and how it says so.

use crate::run;

#[test]
fn bad_arguments_and_files_end_with_two_and_say_which() {
    let nowhere = concat!(env!("CARGO_TARGET_TMPDIR"), "/there-is-no-such-file");
    for (arguments, named) in [
        (&["--colour"][..], "--colour"),
        (&["week.jsonl"], "week.jsonl"),
        (&["--input"], "--input"),
        (&["--transport", "pigeon"], "`pigeon`; there are: mem, stream, nats, jetstream, http"),
        (&["--concurrency", "0"], "--concurrency is at least 1"),
        (&["--concurrency", "-1"], "-1"),
        (&["--concurrency", "many"], "many"),
        (&["--fail-every", "0"], "--fail-every is at least 1"),
        (&["--server", "nats://127.0.0.1:4222"], "--server is for"),
        (&["--json=yes"], "json"),
        (&["--input", nowhere], nowhere),
        (&["--input", env!("CARGO_MANIFEST_DIR")], "is a directory"),
    ] {
        let output = run(arguments, b"");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.starts_with("flights: ") && errors.contains(named), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_is_no_mistake() {
    for option in ["--help", "-h"] {
        let output = run(&[option], b"");
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        for option in ["--input", "--transport", "--concurrency", "--fail-every", "--json"] {
            assert!(text.contains(option), "{text}");
        }
    }
}

/// Opens, and fails as soon as it is read.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_be_read_ends_with_two() {
    let output = run(&["--json", "--input", "/proc/self/mem"], b"");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("cannot read"), "{errors}");
    assert!(output.stdout.is_empty());
}
