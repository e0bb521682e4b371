//! What most programs name: `use flux::prelude::*`.

#[cfg(feature = "auto")]
pub use flux_codec::Auto;
#[cfg(feature = "bincode")]
pub use flux_codec::Bincode;
#[cfg(feature = "cbor")]
pub use flux_codec::Cbor;
#[cfg(feature = "json")]
pub use flux_codec::Json;
#[cfg(feature = "msgpack")]
pub use flux_codec::MsgPack;
#[cfg(feature = "postcard")]
pub use flux_codec::Postcard;
#[cfg(feature = "protobuf")]
pub use flux_codec::Protobuf;
#[cfg(feature = "raw")]
pub use flux_codec::Raw;
#[cfg(feature = "text")]
pub use flux_codec::Text;
pub use flux_core::{
    Acker, Consumer, Delivery, Failure, Handler, Headers, Message, Metadata, OrFail, Outcome, Publisher,
    QueueSubscriber, RemoteError, Requester, Responder, Settle, Stage, Subject, SubjectFilter, Subscriber, Typed, bind,
    filter, header, subject,
};
#[cfg(feature = "signal")]
pub use flux_router::shutdown_signal;
#[cfg(feature = "router")]
pub use flux_router::{Answer, DeliveryRoute, FromRef, Ladder, RequestRoute, Route, Router, State, Tokens};
#[cfg(feature = "stage")]
pub use flux_stage::StageExt;
