//! The handlers. None of them knows what carries its messages.

use flux::nats::Buffered;
use flux::prelude::*;
use flux::{ErrorKind, QueueSubscriber, http, jetstream, mem};

use crate::desk::{Airlines, Bus, Desk, lock};
use crate::flight::{AirlineName, Alert, Flight, NameRequest};

/// How often a line is sent to somebody who says when to try again.
const ATTEMPTS: u32 = 10;

/// A transport of bytes that the job can run on.
pub(crate) trait Wire:
    Publisher<flux::Bytes, Receipt: Told> + QueueSubscriber<flux::Bytes, Deliveries: 'static> + Clone + 'static
{
}

impl<W> Wire for W where
    W: Publisher<flux::Bytes, Receipt: Told> + QueueSubscriber<flux::Bytes, Deliveries: 'static> + Clone + 'static
{
}

/// A transport of bytes that carries requests.
pub(crate) trait Line:
    Requester<flux::Bytes, flux::Bytes>
    + Responder<flux::Bytes, flux::Bytes, Reply: 'static, Requests: 'static>
    + Clone
    + 'static
{
}

impl<L> Line for L where
    L: Requester<flux::Bytes, flux::Bytes>
        + Responder<flux::Bytes, flux::Bytes, Reply: 'static, Requests: 'static>
        + Clone
        + 'static
{
}

/// What a receipt says about an id that was there before.
pub(crate) trait Told {
    fn is_duplicate(&self) -> bool;
}

impl Told for Buffered {
    fn is_duplicate(&self) -> bool {
        false
    }
}

impl Told for mem::Delivered {
    fn is_duplicate(&self) -> bool {
        false
    }
}

impl Told for mem::Stored {
    fn is_duplicate(&self) -> bool {
        self.duplicate
    }
}

impl Told for jetstream::Stored {
    fn is_duplicate(&self) -> bool {
        self.duplicate
    }
}

impl Told for http::Accepted {
    fn is_duplicate(&self) -> bool {
        false
    }
}

/// `flights.raw`: gives each line its id and its subject.
pub(crate) async fn on_raw<W: Wire>(
    raw: Message<Flight>,
    State(desk): State<Desk<W>>,
    about: Metadata,
) -> Result<(), Failure> {
    let flight = raw.payload;
    let message = Message::new(flight.subject()?, flight.clone())?.with_id(flight.id())?;
    let receipt = desk.bus.send(message).await?;
    // A line that is delivered again publishes the same flight again; that is no second departure.
    if receipt.is_duplicate() && about.delivered.unwrap_or(1) == 1 {
        desk.duplicates.add_one();
    }
    desk.decoded.add_one();
    Ok(())
}

/// `flights.*.*`: cancelled, long delayed, or nothing to tell.
pub(crate) async fn on_flight<W: Wire>(flight: Message<Flight>, State(desk): State<Desk<W>>) -> Result<(), Failure> {
    let id = flight.id().unwrap_or_default().to_owned();
    if lock(&desk.done).contains(&id) {
        desk.duplicates.add_one();
        return Ok(());
    }
    let flight = flight.payload;
    if flight.dep_time.is_none() {
        desk.bus.publish(subject!("cancelled").join(&flight.origin)?.as_str(), flight).await?;
        desk.cancelled.add_one();
    } else if let Some(dep_delay) = flight.long_delay() {
        let airline = airline_name(&desk, &flight, &id).await?;
        let subject = subject!("alerts").join(&flight.origin)?;
        let alert = Alert { carrier: flight.carrier, airline, flight: flight.flight, dep_delay };
        desk.bus.send(Message::to(subject, alert).with_id(format!("{id}-alert"))?).await?;
        desk.raised.add_one();
    }
    desk.handled.add_one();
    // Only now: a flight that is marked before it was handled would pass for a duplicate when it comes again.
    lock(&desk.done).insert(id);
    Ok(())
}

async fn airline_name<W: Wire>(desk: &Desk<W>, flight: &Flight, id: &str) -> Result<String, Failure> {
    let request = NameRequest { carrier: flight.carrier.clone(), flight: id.to_owned() };
    let answer: flux::Result<AirlineName> = desk.requests.request("airlines.name", request).await;
    match answer {
        Ok(airline) => Ok(airline.name),
        Err(error) if error.remote().is_some_and(|remote| remote.code() == "404") => {
            desk.unknown_airlines.add_one();
            Ok(flight.carrier.clone())
        }
        Err(error) => Err(error.into()),
    }
}

/// `airlines.name`: answers with an airline's name.
pub(crate) async fn on_name(
    request: Message<NameRequest>,
    State(airlines): State<Airlines>,
) -> Result<AirlineName, Failure> {
    let NameRequest { carrier, flight } = request.payload;
    if airlines.fails(&flight) {
        return Err(RemoteError::new("503", "the desk is busy, as it was asked to be").into());
    }
    match airlines.name(&carrier) {
        Some(name) => Ok(AirlineName { name: name.clone() }),
        None => Err(Failure::permanent(RemoteError::new("404", format!("no airline has the code {carrier}")))),
    }
}

/// `alerts.>`: counts per carrier.
pub(crate) async fn on_alert<W: Wire>(alert: Message<Alert>, State(desk): State<Desk<W>>) -> Result<(), Failure> {
    let id = alert.id().unwrap_or_default().to_owned();
    if lock(&desk.done).insert(id) {
        lock(&desk.by_carrier).entry(alert.payload.carrier.clone()).or_default().add(alert.payload);
    }
    Ok(())
}

/// `dlq.flights.raw`: counts the lines that were no flights.
pub(crate) async fn on_dead_letter<W: Wire>(
    _: Message<flux::Bytes>,
    State(desk): State<Desk<W>>,
) -> Result<(), Failure> {
    desk.dead_letters.add_one();
    Ok(())
}

/// `cancelled.*`, where somebody must take them: nothing is to be done.
pub(crate) async fn on_cancelled(_: Message<flux::Bytes>) -> Result<(), Failure> {
    Ok(())
}

/// Publishes one line as it is. A stream that is full for the moment is asked again, and so is one who said when to.
pub(crate) async fn publish_line<W: Wire>(bus: &Bus<W>, line: flux::Bytes) -> flux::Result<()> {
    let mut attempts = 0;
    loop {
        let Err(error) = bus.wire().send(Message::to(subject!("flights.raw"), line.clone())).await else {
            return Ok(());
        };
        attempts += 1;
        match error.retry_after() {
            Some(delay) if attempts < ATTEMPTS => tokio::time::sleep(delay).await,
            _ if error.kind() == ErrorKind::Full => tokio::task::yield_now().await,
            // Over HTTP the sender is told what is wrong with a line; as a dead letter it was counted all the same.
            _ if error.kind() == ErrorKind::Rejected => return Ok(()),
            _ => return Err(error),
        }
    }
}
