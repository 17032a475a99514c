//! What the fuzz targets call (`fuzz/`); only there with `--cfg fuzzing`.

use super::cgroup;
use super::protocol::{Message, Parameters, Record, limit};

/// Reads the kernel's tables of mounts and of a process's cgroups; says how many cgroups there could be for
/// limits.
pub fn kernel_tables(mounts: &str, own: &str) -> usize {
    cgroup::places_in(mounts, own)
}

/// Reads what the caller and the init say to each other. What is understood is said again in the same way.
///
/// # Panics
/// Where it is not.
pub fn protocol(bytes: &[u8]) {
    if let Some(record) = Record::from_bytes(bytes) {
        assert_eq!(Record::from_bytes(&record.to_bytes()), Some(record));
    }
    if let Some(message) = bytes.first().and_then(|byte| Message::from_byte(*byte)) {
        assert_eq!(Message::from_byte(message.to_byte()), Some(message));
    }
    if let Some(parameters) = Parameters::decode(bytes) {
        let mut buffer = [0; Parameters::MAX_LEN];
        let text = parameters.encode(&mut buffer).to_bytes();
        assert_eq!(Parameters::decode(text), Some(parameters));
    }
    if let Some((_, value)) = limit(bytes) {
        assert!(bytes.ends_with(value));
    }
}
