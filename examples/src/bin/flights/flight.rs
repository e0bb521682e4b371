//! The messages of the job.

use flux::Domain;
use flux::prelude::*;
use serde::{Deserialize, Serialize};

/// One departure, as the data has it. Times are local, as `hhmm`; durations are minutes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Flight {
    pub year: u16,
    pub month: u8,
    pub day: u8,
    pub dep_time: Option<u16>,
    pub sched_dep_time: u16,
    pub dep_delay: Option<i32>,
    pub arr_time: Option<u16>,
    pub sched_arr_time: u16,
    pub arr_delay: Option<i32>,
    pub carrier: String,
    pub flight: u32,
    pub tailnum: Option<String>,
    pub origin: String,
    pub dest: String,
    pub air_time: Option<u32>,
    pub distance: u32,
    pub hour: u8,
    pub minute: u8,
    pub time_hour: String,
}

impl Flight {
    /// What makes this departure the one it is.
    pub fn id(&self) -> String {
        let Self { carrier, flight, origin, dest, year, month, day, sched_dep_time, .. } = self;
        format!("{carrier}-{flight}-{origin}-{dest}-{year}-{month}-{day}-{sched_dep_time}")
    }

    /// Where it is published: `flights.<origin>.<carrier>`.
    pub fn subject(&self) -> flux::Result<Subject> {
        Domain::new("flights")?.entity(&self.origin)?.event(&self.carrier)
    }

    /// How many minutes late it left, if that was an hour or more.
    pub fn long_delay(&self) -> Option<i32> {
        self.dep_delay.filter(|minutes| *minutes >= 60)
    }
}

/// A flight that left an hour late or more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Alert {
    pub carrier: String,
    /// The carrier's code again, when its name is not known.
    pub airline: String,
    pub flight: u32,
    pub dep_delay: i32,
}

/// Asks for an airline's name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NameRequest {
    pub carrier: String,
    /// The flight it is asked for.
    pub flight: String,
}

/// An airline's name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AirlineName {
    pub name: String,
}
