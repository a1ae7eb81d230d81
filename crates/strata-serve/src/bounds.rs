//! The bounds of what may be asked and sent, for those who describe the interface.

pub use crate::pages::{EVERY, STREAMS_MAX, SUGGEST_CHARS_MAX, SUGGESTIONS, SUGGESTIONS_MAX};
pub use crate::prometheus::{POINTS_MAX, SELECTORS_MAX};
pub use crate::records::{
    COMMENT_BYTES_MAX, FEEDBACK_BYTES_MAX, FEEDBACK_EVENTS, FEEDBACK_MAX, FILTERS_MAX, GROUPS_MAX,
    LIMIT, LIMIT_MAX, TEXT_BYTES_MAX,
};
