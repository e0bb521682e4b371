//! Messages as {{Name}} carries them; pure, so that its tests need no server.

use flux_core::{Bytes, Message, Result};

/// What goes over the wire. Put the client library's own message in its place.
#[derive(Debug)]
pub(crate) struct Native {
    pub(crate) subject: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) payload: Bytes,
}

/// To the wire: headers keep their order and case.
pub(crate) fn encode(message: Message<Bytes>) -> Native {
    let headers = message.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Native { subject: message.subject.to_string(), headers: headers.collect(), payload: message.payload }
}

/// From the wire, where subject and headers are the peer's and may be bad.
pub(crate) fn decode(native: Native) -> Result<Message<Bytes>> {
    let mut message = Message::new(native.subject.as_str(), native.payload)?;
    for (name, value) in &native.headers {
        message.headers.append(name.as_str(), value.as_str())?;
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_wire() {
        let mut message = Message::new("orders.created", Bytes::from_static(b"7")).expect("a valid subject");
        message.headers.append("X-Tag", "one").expect("a valid header");
        message.headers.append("x-tag", "two").expect("a valid header");
        assert_eq!(decode(encode(message.clone())).expect("what was encoded decodes"), message);
    }

    #[test]
    fn a_bad_message_of_the_peer_is_an_error() {
        let native = |subject: &str, name: &str| Native {
            subject: subject.to_owned(),
            headers: vec![(name.to_owned(), "one".to_owned())],
            payload: Bytes::new(),
        };
        assert!(decode(native("orders..created", "X-Tag")).is_err());
        assert!(decode(native("orders.created", "X Tag")).is_err());
    }
}
