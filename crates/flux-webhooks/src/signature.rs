//! Signatures of Standard Webhooks 1.0: HMAC-SHA256 over id, time and payload.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flux_core::{HeaderName, Headers};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::{Secret, Secrets};

pub(crate) const ID: HeaderName = HeaderName::from_static("webhook-id");
pub(crate) const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
pub(crate) const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// The signatures by all secrets, for the header.
pub(crate) fn sign(secrets: &Secrets, id: &str, timestamp: u64, payload: &[u8]) -> String {
    let signed = secrets.all.iter().map(|secret| {
        let mac = mac(secret, id, &timestamp.to_string(), payload);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    });
    signed.collect::<Vec<_>>().join(" ")
}

/// What is wrong with the signature of a message, in words.
pub(crate) fn verify(
    secrets: &Secrets,
    headers: &Headers,
    payload: &[u8],
    now: SystemTime,
) -> Result<(), &'static str> {
    let id = headers.get(&ID).filter(|id| !id.is_empty()).ok_or("`webhook-id` is missing")?;
    let timestamp = headers.get(&TIMESTAMP).ok_or("`webhook-timestamp` is missing")?;
    let signatures = headers.get(&SIGNATURE).ok_or("`webhook-signature` is missing")?;
    let seconds = timestamp.parse().map_err(|_| "`webhook-timestamp` is not a number of seconds")?;
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or("`webhook-timestamp` is out of range")?;
    let apart = now.duration_since(time).unwrap_or_else(|early| early.duration());
    if apart > secrets.tolerance {
        return Err("the signature is too old, or from the future");
    }
    // What was signed is the text as it came, so that no two texts of one number share a signature.
    let macs: Vec<_> = secrets.all.iter().map(|secret| mac(secret, id, timestamp, payload)).collect();
    let given = signatures.split(' ').filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok());
    let is_ours = |signature: Vec<u8>| macs.iter().any(|mac| mac.clone().verify_slice(&signature).is_ok());
    if given.take(MOST).any(is_ours) { Ok(()) } else { Err("no signature is by a secret of ours") }
}

/// More signatures than this are not looked at.
const MOST: usize = 16;

fn mac(secret: &Secret, id: &str, timestamp: &str, payload: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).expect("HMAC takes a key of any length");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", payload] {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: &[u8] = br#"{"test": 2432232314}"#;
    const TIME: u64 = 1_614_265_330;

    fn secrets() -> Secrets {
        Secrets::new(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("valid"))
    }

    fn other() -> Secret {
        Secret::new("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").expect("valid")
    }

    fn headers(id: &str, timestamp: &str, signature: &str) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in [(ID, id), (TIMESTAMP, timestamp), (SIGNATURE, signature)] {
            headers.insert(name, value).expect("valid");
        }
        headers
    }

    fn checked(headers: &Headers, payload: &[u8], after: i64) -> bool {
        let now = UNIX_EPOCH + Duration::from_secs(TIME.saturating_add_signed(after));
        verify(&secrets(), headers, payload, now).is_ok()
    }

    const ID_SENT: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const EXPECTED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_example_of_the_standard() {
        assert_eq!(sign(&secrets(), ID_SENT, TIME, PAYLOAD), EXPECTED);
        assert!(checked(&headers(ID_SENT, "1614265330", EXPECTED), PAYLOAD, 0));
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let good = headers(ID_SENT, "1614265330", EXPECTED);
        assert!(!checked(&good, b"{}", 0));
        for (id, timestamp, signature) in [
            ("msg_other", "1614265330", EXPECTED),
            ("", "1614265330", EXPECTED),
            (ID_SENT, "1614265331", EXPECTED),
            (ID_SENT, "01614265330", EXPECTED),
            (ID_SENT, "+1614265330", EXPECTED),
            (ID_SENT, "now", EXPECTED),
            (ID_SENT, "18446744073709551615", EXPECTED),
            (ID_SENT, "1614265330", ""),
            (ID_SENT, "1614265330", "v1,"),
            (ID_SENT, "1614265330", "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            (ID_SENT, "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA="),
            (ID_SENT, "1614265330", "v1,g0hM9SsE"),
        ] {
            assert!(!checked(&headers(id, timestamp, signature), PAYLOAD, 0), "{id} {timestamp} {signature}");
        }
        for missing in [ID, TIMESTAMP, SIGNATURE] {
            let mut headers = good.clone();
            headers.remove(&missing);
            assert!(!checked(&headers, PAYLOAD, 0), "{missing:?}");
        }
    }

    #[test]
    fn a_signature_counts_for_its_time_only() {
        let good = headers(ID_SENT, "1614265330", EXPECTED);
        for (after, counts) in
            [(0, true), (300, true), (301, false), (-300, true), (-301, false), (-1_614_265_330, false)]
        {
            assert_eq!(checked(&good, PAYLOAD, after), counts, "{after} s");
        }
        let patient = secrets().with_tolerance(Duration::from_secs(1000));
        assert!(verify(&patient, &good, PAYLOAD, UNIX_EPOCH + Duration::from_secs(TIME + 1000)).is_ok());
    }

    #[test]
    fn one_secret_takes_anothers_place_without_a_gap() {
        let both = Secrets::new(other()).and(secrets().all.remove(0));
        let signed = sign(&both, ID_SENT, TIME, PAYLOAD);
        assert_eq!(signed.split(' ').count(), 2);
        assert!(checked(&headers(ID_SENT, "1614265330", &signed), PAYLOAD, 0), "who knows the old one only");
        let now = UNIX_EPOCH + Duration::from_secs(TIME);
        assert!(verify(&both, &headers(ID_SENT, "1614265330", EXPECTED), PAYLOAD, now).is_ok());
        let stranger = Secrets::new(other());
        assert!(verify(&stranger, &headers(ID_SENT, "1614265330", EXPECTED), PAYLOAD, now).is_err());
    }

    #[test]
    fn what_is_no_secret_is_refused_and_none_is_shown() {
        for bad in ["", "whsec_", "whsec_short", "whsec_!!!", &format!("whsec_{}", "A".repeat(88))] {
            let error = Secret::new(bad).expect_err(bad);
            assert!(!error.to_string().contains("short"), "{error}");
        }
        assert!(!format!("{:?}", secrets()).contains("MfKQ"));
    }
}
