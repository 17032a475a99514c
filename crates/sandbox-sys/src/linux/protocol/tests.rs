//! What one side writes the other one reads.

use super::*;

const EXTREME: Parameters = Parameters {
    socket: i32::MIN,
    caller_pidfd: i32::MIN,
    children: i32::MIN,
    flags: i32::MIN,
    candidates: i32::MIN,
    filters: i32::MIN,
    limits: i32::MIN,
    last: i32::MIN,
    exec_step: i32::MIN,
};

#[test]
fn parameters_read_as_documented() {
    let parameters = Parameters {
        socket: 3,
        caller_pidfd: -1,
        children: 5,
        flags: NEW_SESSION | OWN_PID_NAMESPACE,
        candidates: 0,
        filters: 1,
        limits: 2,
        last: 9,
        exec_step: 120,
    };
    assert_eq!(parameters.encode(&mut [0; Parameters::MAX_LEN]), c"3:-1:5:3:0:1:2:9:120");
}

#[test]
fn parameters_survive_the_round_trip() {
    for parameters in [EXTREME, Parameters { socket: i32::MAX, children: 0, ..EXTREME }] {
        let mut buffer = [0; Parameters::MAX_LEN];
        let text = parameters.encode(&mut buffer);
        assert_eq!(Parameters::decode(text.to_bytes()), Some(parameters));
    }
}

#[test]
fn the_variable_is_plain_digits() {
    let mut word = [0xff; LISTEN_PID.len() + 11];
    assert_eq!(listen_pid(1, &mut word), b"LISTEN_PID=1\0");
    assert_eq!(listen_pid(i32::MAX, &mut word), b"LISTEN_PID=2147483647\0");
}

#[test]
fn a_limit_is_a_descriptor_and_a_text() {
    assert_eq!(limit(b"7:1048576"), Some((7, &b"1048576"[..])));
    assert_eq!(limit(b"12:1 2:3"), Some((12, &b"1 2:3"[..])));
    for text in ["", "7", ":1", "x:1"] {
        assert_eq!(limit(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn malformed_parameters_are_refused() {
    for text in [
        "",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8:9:10",
        "1:2:3::5:6:7:8:9",
        "1:2:3:-:5:6:7:8:9",
        "1:2:x:4:5:6:7:8:9",
    ] {
        assert_eq!(Parameters::decode(text.as_bytes()), None, "{text}");
    }
    assert_eq!(Parameters::decode(b"1:2:3:4:5:6:7:8:2147483648"), None);
}

#[test]
fn records_survive_the_round_trip() {
    let usage = Usage { user_us: u64::MAX, system_us: 1, max_rss_kib: 2 };
    for record in [
        Record::Failed { step: u32::MAX, errno: -1, detail: 7 },
        Record::Directory,
        Record::Kept,
        Record::Executing,
        Record::Lifeline,
        Record::Made { target: 1, end: u32::MAX, above: 2, inode: u64::MAX },
        Record::Started { pid: i32::MAX },
        Record::Ended { status: 0x137f, usage },
    ] {
        assert_eq!(Record::from_bytes(&record.to_bytes()), Some(record));
    }
}

#[test]
fn malformed_records_are_refused() {
    let bytes = Record::Started { pid: 1 }.to_bytes();
    assert_eq!(Record::from_bytes(&bytes[1..]), None);
    assert_eq!(Record::from_bytes(&[]), None);
    assert_eq!(Record::from_bytes(&[0xee; Record::LEN]), None);
    assert_eq!(Record::from_bytes(&[bytes.as_slice(), &[0]].concat()), None);
}

#[test]
fn messages_are_one_byte() {
    for message in [Message::Signal(1), Message::Signal(64), Message::Kill] {
        assert_eq!(Message::from_byte(message.to_byte()), Some(message));
    }
    assert_eq!(Message::from_byte(0), None);
    assert_eq!(Message::from_byte(65), None);
}
