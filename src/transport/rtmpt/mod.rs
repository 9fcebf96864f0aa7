//! RTMPT: RTMP's bytes in the bodies of HTTP requests and responses, both ends.

mod server;
mod tunnel;

pub(crate) use server::{Registry, SessionStream};
pub(crate) use tunnel::Tunnel;
