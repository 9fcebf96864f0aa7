//! What a file holds, as far as is needed to go on with it: some tags from its beginning, and the last ones.
//!
//! ```text
//! header · tag · tag · … · tag PreviousTagSize · tag PreviousTagSize · to(rn)
//! └── read forward ──►            ◄── stepped back ──────────────┘ └ looked through for the last whole tag
//! ```
//!
//! The last tags are reached by their PreviousTagSizes from the end, so that gigabytes are not read for some seconds. Where
//! that chain is broken the file is walked through from its beginning. Nothing is written here.

mod recent_tags;
mod scan;
mod types;

pub use recent_tags::RecentTags;
pub use scan::scan_end;
pub use types::{Found, Tail};
