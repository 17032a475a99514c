//! Writing where nothing may be written, by every means that there is.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
