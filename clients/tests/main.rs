//! The demos as people start them: their own binaries, a real broker, and services that misbehave on purpose.

mod backpressure;
mod bluesky;
mod consumers;
mod outages;
mod resuming;
mod support;
mod wikipedia;
