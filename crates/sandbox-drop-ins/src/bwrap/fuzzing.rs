//! From words to a configuration, with nothing opened.

use std::ffi::OsString;

use sandbox_core::SandboxConfig;

use super::args::{Action, parse};
use super::configure::{Caller, check, configure};
use super::request::Request;

/// The configuration that some words ask for, where each descriptor that is read holds `data`; and only
/// where it is valid.
pub(crate) fn configured(words: Vec<OsString>, data: &[u8]) -> Option<SandboxConfig> {
    let mut request = Request::default();
    let mut read = |_| Ok(data.to_vec());
    if parse(words, &mut request, &mut read).ok()? != Action::Run || request.command.is_empty() {
        return None;
    }
    let caller = Caller { uid: 1000, gid: 1000, ..Caller::default() };
    check(&request, &caller).ok()?;
    let config = configure(request, &caller, &mut read).ok()?;
    config.validate().ok()?;
    Some(config)
}
