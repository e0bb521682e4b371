//! The messages of the job.

use flux::Domain;
use flux::prelude::*;
use serde::{Deserialize, Serialize};

/// One departure, as the data has it. Times are local, as `hhmm`; durations are minutes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the fields are named as in the data")]
pub(crate) struct Flight {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) dep_time: Option<u16>,
    pub(crate) sched_dep_time: u16,
    pub(crate) dep_delay: Option<i32>,
    pub(crate) arr_time: Option<u16>,
    pub(crate) sched_arr_time: u16,
    pub(crate) arr_delay: Option<i32>,
    pub(crate) carrier: String,
    pub(crate) flight: u32,
    pub(crate) tailnum: Option<String>,
    pub(crate) origin: String,
    pub(crate) dest: String,
    pub(crate) air_time: Option<u32>,
    pub(crate) distance: u32,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) time_hour: String,
}

impl Flight {
    /// What makes this departure the one it is.
    pub(crate) fn id(&self) -> String {
        let Self { carrier, flight, origin, dest, year, month, day, sched_dep_time, .. } = self;
        format!("{carrier}-{flight}-{origin}-{dest}-{year}-{month}-{day}-{sched_dep_time}")
    }

    /// Where it is published: `flights.<origin>.<carrier>`.
    pub(crate) fn subject(&self) -> flux::Result<Subject> {
        Domain::new("flights")?.entity(&self.origin)?.event(&self.carrier)
    }

    /// How many minutes late it left, if that was an hour or more.
    pub(crate) fn long_delay(&self) -> Option<i32> {
        self.dep_delay.filter(|minutes| *minutes >= 60)
    }
}

/// A flight that left an hour late or more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Alert {
    pub(crate) carrier: String,
    /// The carrier's code again, when its name is not known.
    pub(crate) airline: String,
    pub(crate) flight: u32,
    pub(crate) dep_delay: i32,
}

/// Asks for an airline's name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NameRequest {
    pub(crate) carrier: String,
    /// The flight it is asked for.
    pub(crate) flight: String,
}

/// An airline's name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AirlineName {
    pub(crate) name: String,
}
