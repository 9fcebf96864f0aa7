//! What `probe` prints: text, JSON, Nagios, Prometheus, an HTML page, and the live view.

mod json;
mod monitor;
mod page;
mod plot;
mod redact;
mod render;
mod summary;
#[cfg(test)]
mod tests;
mod text;
mod view;

pub use page::{put as put_page, render as render_page};
pub use redact::hide_secrets;
pub use render::render;
pub use view::View;
