//! The messages: 128 bytes moved in process, the small order and the reading that are sent as JSON.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a contender sends: a value that costs the same to build, encode and decode every time.
pub trait Payload: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The `n`th message of a run.
    fn nth(n: u64) -> Self;
}

/// 128 bytes, the size the in-process limits are stated for.
///
/// Integers only, so that contenders who must encode do not pay for printing floats.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Sample {
    /// Position in the run.
    pub id: u64,
    /// Who measured.
    pub device: u64,
    /// When, in nanoseconds.
    pub at_ns: u64,
    /// What was measured.
    pub readings: [u64; 13],
}

const _: () = assert!(size_of::<Sample>() == 128);

impl Sample {
    /// The 128 bytes as they would lie on a wire, at the least cost an encoding can have.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 128] {
        let mut bytes = [0; 128];
        let head = [self.id, self.device, self.at_ns];
        let numbers = head.iter().chain(&self.readings);
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Sample::to_bytes`] wrote; nothing when the length is wrong.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 128] = bytes.try_into().ok()?;
        let (numbers, _) = bytes.as_chunks::<8>();
        let (&[id, device, at_ns], readings) = numbers.split_first_chunk::<3>()?;
        let readings = <[[u8; 8]; 13]>::try_from(readings).ok()?;
        Some(Self {
            id: u64::from_le_bytes(id),
            device: u64::from_le_bytes(device),
            at_ns: u64::from_le_bytes(at_ns),
            readings: readings.map(u64::from_le_bytes),
        })
    }
}

impl Payload for Sample {
    fn nth(n: u64) -> Self {
        Self { id: fixed_width(n), device: 42, at_ns: 1_700_000_000_000_000_000, readings: [7; 13] }
    }
}

/// The body `RustStream`'s own benchmarks send: two integers, 30 bytes as JSON.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Order {
    /// Position in the run.
    pub id: u64,
    /// How many.
    pub quantity: u32,
}

/// 128 bytes as JSON, the size the limits over a server are stated for.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Reading {
    /// Position in the run.
    pub id: u64,
    /// Who measured.
    pub device: String,
    /// When, in nanoseconds.
    pub at_ns: u64,
    /// What was measured.
    pub values: [u32; 8],
}

impl Payload for Reading {
    fn nth(n: u64) -> Self {
        let device = "berlin-hall-7/sensor-42".to_owned();
        Self { id: fixed_width(n), device, at_ns: 1_700_000_000_000_000_000, values: [2_137; 8] }
    }
}

impl Payload for Order {
    fn nth(n: u64) -> Self {
        Self { id: fixed_width(n), quantity: 37 }
    }
}

/// Seven digits whatever `n` is: a number that grew a digit would make late messages dearer.
fn fixed_width(n: u64) -> u64 {
    1_000_000 + n % 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_128_bytes_of_json() {
        assert_eq!(serde_json::to_vec(&Reading::nth(7)).expect("JSON").len(), 128);
    }

    #[test]
    fn a_sample_survives_its_bytes() {
        let mut sample = Sample::nth(7);
        sample.readings = std::array::from_fn(|n| n as u64);
        assert_eq!(Sample::from_bytes(&sample.to_bytes()), Some(sample));
        assert_eq!(Sample::from_bytes(&[0; 127]), None);
    }
}
