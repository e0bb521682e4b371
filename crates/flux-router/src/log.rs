//! What an operator should hear of, as events of `tracing`: no payloads, nor texts that may quote them.

use std::error::Error as _;

use flux_core::{Error, ErrorKind};

use crate::event::Event;

/// The target that filters go by.
const TARGET: &str = "flux";

pub(crate) fn log(route: &str, event: &Event<'_>) {
    match event {
        Event::Live => tracing::info!(target: TARGET, route, "subscription is live"),
        Event::Lost { error: None } => tracing::warn!(target: TARGET, route, "subscription ended, rebuilding it"),
        Event::Lost { error: Some(error) } => {
            tracing::warn!(target: TARGET, route, error = causes(error), "subscription lost, rebuilding it");
        }
        // What a codec says of a payload may quote it; the error's own line does not.
        Event::Broken { error } => {
            tracing::error!(target: TARGET, route, %error, "a delivery could not be made sense of");
        }
        Event::Failed { subject, class, reason } => {
            tracing::error!(target: TARGET, route, subject = subject.as_str(), class, reason, "the handler failed");
        }
        Event::DeadLettered { subject, class: class @ "undecodable", .. } => {
            tracing::warn!(target: TARGET, route, subject = subject.as_str(), class, "became a dead letter");
        }
        Event::DeadLettered { subject, class, reason } => {
            tracing::warn!(target: TARGET, route, subject = subject.as_str(), class, reason, "became a dead letter");
        }
        Event::NotDeadLettered { subject, error: None } => {
            tracing::error!(target: TARGET, route, subject = subject.as_str(), "given up; the route has no dead letters");
        }
        Event::NotDeadLettered { subject, error: Some(error) } => {
            let (subject, error) = (subject.as_str(), causes(error));
            tracing::error!(target: TARGET, route, subject, error, "given up, and could not become a dead letter");
        }
        Event::Unsettled { error } => {
            tracing::warn!(target: TARGET, route, error = causes(error), "a settlement did not reach the transport");
        }
    }
}

/// The error with what caused it; an error of a codec alone, because its cause may quote the payload.
fn causes(error: &Error) -> String {
    let mut text = error.to_string();
    if error.kind() == ErrorKind::Codec {
        return text;
    }
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
