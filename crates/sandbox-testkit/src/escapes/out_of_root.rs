//! Out of the root: every known way from a tree to what lies beside it.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
