//! Handlers that are slower than their ack wait: nothing is delivered twice for that.
