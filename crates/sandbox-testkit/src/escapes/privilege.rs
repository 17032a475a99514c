//! More privilege than was given.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
