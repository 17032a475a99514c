//! HTTP/1.1 as far as the service needs it: from bytes to a request, and from an answer to bytes.

use httparse::{EMPTY_HEADER, Error, Header};

use super::respond::{Response, Status};

/// The most that the first line and the headers of a request can be.
pub(super) const MAX_HEAD: usize = 16 * 1024;
/// The most that its body can be.
pub(super) const MAX_BODY: usize = 1024 * 1024;
const MAX_HEADERS: usize = 64;
/// What a client that asks for it is told before it sends a body.
pub(super) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Keep,
    Close,
}

/// What is at the beginning of what a client has sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// Less than a request.
    Part,
    /// Its head, with the wish to hear that the body may come.
    PartToContinue,
    /// A request.
    Whole(Message<'a>),
    /// What no request begins like, or one that is not served. What follows cannot be told.
    Refused(Status),
}

/// A request, and how many bytes it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) content_type: Option<&'a str>,
    pub(super) body: &'a [u8],
    pub(super) length: usize,
    pub(super) after: After,
}

/// Looks for a request at the beginning of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    whole(bytes).unwrap_or_else(|parsed| parsed)
}

fn whole(bytes: &[u8]) -> Result<Parsed<'_>, Parsed<'_>> {
    let bad = || Parsed::Refused(Status::BadRequest);
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(bytes).map_err(|error| match error {
        Error::TooManyHeaders => Parsed::Refused(Status::HeaderFieldsTooLarge),
        _ => bad(),
    })?;
    let head = match parsed {
        httparse::Status::Complete(head) if head <= MAX_HEAD => head,
        httparse::Status::Partial if bytes.len() <= MAX_HEAD => return Ok(Parsed::Part),
        _ => return Err(Parsed::Refused(Status::HeaderFieldsTooLarge)),
    };
    let (Some(method), Some(target), Some(version)) =
        (request.method, request.path, request.version)
    else {
        return Err(bad());
    };
    // RFC 9112, 3.2: one host, always.
    let hosts = values(request.headers, "host").count();
    if hosts > 1 || (hosts == 0 && version > 0) {
        return Err(bad());
    }
    if values(request.headers, "transfer-encoding").next().is_some() {
        return Err(Parsed::Refused(Status::LengthRequired));
    }
    let body_length = content_length(request.headers).map_err(Parsed::Refused)?;
    // Both are bounded.
    let length = head.saturating_add(body_length);
    let Some(body) = bytes.get(head..length) else {
        let expects = |value: &str| value.eq_ignore_ascii_case("100-continue");
        let waits = texts(request.headers, "expect").any(expects) && bytes.len() == head;
        return Ok(if waits { Parsed::PartToContinue } else { Parsed::Part });
    };
    let closes = texts(request.headers, "connection")
        .flat_map(|value| value.split(','))
        .any(|option| option.trim().eq_ignore_ascii_case("close"));
    Ok(Parsed::Whole(Message {
        method,
        target,
        content_type: texts(request.headers, "content-type").next(),
        body,
        length,
        after: if closes || version == 0 { After::Close } else { After::Keep },
    }))
}

fn values<'h, 'a: 'h>(headers: &'h [Header<'a>], name: &'h str) -> impl Iterator<Item = &'a [u8]> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

fn texts<'h, 'a: 'h>(headers: &'h [Header<'a>], name: &'h str) -> impl Iterator<Item = &'a str> {
    values(headers, name).filter_map(|value| str::from_utf8(value).ok())
}

/// The length of a body: 0 without a header that says it. Two that differ are how requests are smuggled
/// (RFC 9112, 6.3).
fn content_length(headers: &[Header<'_>]) -> Result<usize, Status> {
    let mut lengths = values(headers, "content-length");
    let Some(first) = lengths.next() else {
        return Ok(0);
    };
    let digits = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    if !digits || lengths.next().is_some() {
        return Err(Status::BadRequest);
    }
    // Only digits: what isn't a number then is too large for one.
    match str::from_utf8(first).ok().and_then(|digits| digits.parse().ok()) {
        Some(length) if length <= MAX_BODY => Ok(length),
        _ => Err(Status::ContentTooLarge),
    }
}

/// The path of a request's target, without its query. A target may name the server as well
/// (RFC 9112, 3.2.2).
pub(super) fn path(target: &str) -> &str {
    let target = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or_default(),
        None => target,
    };
    target.split('?').next().unwrap_or_default()
}

/// What is to be sent before the body of an answer.
pub(super) fn head(response: &Response<'_>, after: After) -> Vec<u8> {
    let mut head = format!(
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n",
        response.status.line(),
        response.content_type,
        response.body.len(),
    );
    if let Status::MethodNotAllowed { allow } = response.status {
        head.push_str("Allow: ");
        head.push_str(allow);
        head.push_str("\r\n");
    }
    if after == After::Close {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: impl AsRef<[u8]>) -> Status {
        match parse(bytes.as_ref()) {
            Parsed::Refused(status) => status,
            other => panic!("{other:?}"),
        }
    }

    fn message(bytes: &str) -> Message<'_> {
        match parse(bytes.as_bytes()) {
            Parsed::Whole(message) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_part_of_a_request_is_a_part() {
        let bytes =
            "POST /p HTTP/1.1\r\nhost: h\r\nContent-Length: 3\r\nContent-type: t\r\n\r\nabcGET";
        let whole = bytes.len() - 3;
        for end in 0..whole {
            assert_eq!(parse(&bytes.as_bytes()[..end]), Parsed::Part, "{end}");
        }
        for end in whole..=bytes.len() {
            let message = message(&bytes[..end]);
            assert_eq!((message.method, message.target), ("POST", "/p"));
            assert_eq!((message.content_type, message.body), (Some("t"), &b"abc"[..]));
            assert_eq!((message.length, message.after), (whole, After::Keep));
        }
    }

    #[test]
    fn who_closes() {
        for (head, after) in [
            ("GET / HTTP/1.1\r\nHost: h\r\n", After::Keep),
            ("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n", After::Close),
            ("GET / HTTP/1.0\r\n", After::Close),
        ] {
            assert_eq!(message(&format!("{head}\r\n")).after, after, "{head}");
        }
    }

    #[test]
    fn what_is_refused() {
        let get = "GET / HTTP/1.1\r\nHost: h\r\n";
        for bytes in [
            "\0\0\0\0".into(),
            "GET / HTTP/2.0\r\n\r\n".into(),
            "GET / HTTP/1.1\r\n\r\n".into(),
            format!("{get}Host: other\r\n\r\n"),
            format!("{get}Content-Length: -1\r\n\r\n"),
            format!("{get}Content-Length: +1\r\n\r\n"),
            format!("{get}Content-Length:\r\n\r\n"),
            format!("{get}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        ] {
            assert_eq!(refused(&bytes), Status::BadRequest, "{bytes:?}");
        }
        let length = |length| format!("{get}Content-Length: {length}\r\n\r\n");
        assert_eq!(parse(length("1048576").as_bytes()), Parsed::Part);
        assert_eq!(refused(length("1048577")), Status::ContentTooLarge);
        assert_eq!(refused(length("99999999999999999999999")), Status::ContentTooLarge);
        let chunked = format!("{get}Transfer-Encoding: chunked\r\n\r\n");
        assert_eq!(refused(chunked), Status::LengthRequired);
        let many = format!("{get}{}\r\n", "a: b\r\n".repeat(MAX_HEADERS));
        assert_eq!(refused(many), Status::HeaderFieldsTooLarge);
        for end in ["", "\r\n\r\n"] {
            let long = format!("{get}a: {}{end}", "b".repeat(MAX_HEAD));
            assert_eq!(refused(long), Status::HeaderFieldsTooLarge);
        }
    }

    #[test]
    fn a_body_can_be_waited_for() {
        let head =
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n";
        assert_eq!(parse(head.as_bytes()), Parsed::PartToContinue);
        assert_eq!(message(&format!("{head}x")).body, b"x");
    }

    #[test]
    fn paths_of_targets() {
        for (target, expected) in [
            ("/a/b", "/a/b"),
            ("/a?b/c", "/a"),
            ("http://h:1/a?b", "/a"),
            ("http://h", ""),
            ("http://", ""),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(path(target), expected, "{target}");
        }
    }

    #[test]
    fn an_answer_says_what_it_is() {
        let response = Response::only(Status::MethodNotAllowed { allow: "GET" });
        let bytes = head(&response, After::Close);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=us-ascii\r\n\
             Content-Length: 23\r\nCache-Control: no-store\r\nAllow: GET\r\nConnection: close\r\n\
             \r\n"
        );
    }

    proptest::proptest! {
        /// Nothing panics, and no request is longer than what there is.
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let mut request = b"POST / HTTP/1.1\r\nHost: h\r\n".to_vec();
            for start in [0, request.len()] {
                request.extend_from_slice(&bytes);
                if let Parsed::Whole(message) = parse(&request[start..]) {
                    proptest::prop_assert!(message.length <= request.len() - start);
                }
            }
        }
    }
}
