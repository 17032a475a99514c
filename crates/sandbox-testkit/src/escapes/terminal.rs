//! Out through the terminal.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
