//! What the service answers: a pure function of a pod's facts, its key and a request.

use std::borrow::Cow;
use std::fmt;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::percent_decode;
use sha2::Sha512;
use uuid::Uuid;

use super::facts::{AppFacts, PodFacts};
use crate::aci::types::Annotation;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=us-ascii";
const FORM: &str = "application/x-www-form-urlencoded";

/// A request whose path is below the pod's URL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) content_type: Option<&'a str>,
    pub(super) body: &'a [u8],
}

/// How a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed { allow: &'static str },
    LengthRequired,
    ContentTooLarge,
    UnsupportedMediaType,
    HeaderFieldsTooLarge,
    InternalServerError,
}

impl Status {
    /// Its number and name (RFC 9110, RFC 6585).
    pub(super) fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::Forbidden => "403 Forbidden",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed { .. } => "405 Method Not Allowed",
            Self::LengthRequired => "411 Length Required",
            Self::ContentTooLarge => "413 Content Too Large",
            Self::UnsupportedMediaType => "415 Unsupported Media Type",
            Self::HeaderFieldsTooLarge => "431 Request Header Fields Too Large",
            Self::InternalServerError => "500 Internal Server Error",
        }
    }
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response<'a> {
    pub(super) status: Status,
    pub(super) content_type: &'static str,
    pub(super) body: Cow<'a, [u8]>,
}

impl<'a> Response<'a> {
    fn json(body: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { status: Status::Ok, content_type: JSON, body: body.into() }
    }

    fn text(body: impl Into<String>) -> Self {
        let body = Cow::Owned(body.into().into_bytes());
        Self { status: Status::Ok, content_type: TEXT, body }
    }

    /// An answer that is nothing but its status, which its body repeats for people.
    pub(super) fn only(status: Status) -> Self {
        Self { status, ..Self::text(format!("{}\n", status.line())) }
    }
}

/// What a pod signs with. Nothing but this module sees its bytes.
pub(super) struct Key([u8; 64]);

impl Key {
    pub(super) fn random() -> io::Result<Self> {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The signed words are the pod's UUID and the content: that of another pod is another signature.
    fn mac(&self, uuid: Uuid, content: &[u8]) -> Option<Hmac<Sha512>> {
        let mac = Hmac::<Sha512>::new_from_slice(&self.0).ok()?;
        Some(mac.chain_update(uuid.as_bytes()).chain_update(content))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// The answer to a request.
pub(super) fn respond<'a>(facts: &'a PodFacts, key: &Key, request: Request<'_>) -> Response<'a> {
    let Some(endpoint) = Endpoint::at(facts, request.path) else {
        return Response::only(Status::NotFound);
    };
    let allow = endpoint.method();
    if request.method != allow {
        return Response::only(Status::MethodNotAllowed { allow });
    }
    match endpoint {
        Endpoint::PodAnnotations => annotations(&facts.annotations),
        Endpoint::PodManifest => Response::json(&facts.manifest),
        Endpoint::PodUuid => Response::text(facts.uuid.to_string()),
        Endpoint::AppAnnotations(app) => annotations(&app.annotations),
        Endpoint::ImageManifest(app) => Response::json(&app.image_manifest),
        Endpoint::ImageId(app) => Response::text(&app.image_id),
        Endpoint::Sign => answer(form(request).and_then(|form| sign(facts, key, &form))),
        Endpoint::Verify => answer(form(request).and_then(|form| verify(facts, key, &form))),
    }
}

enum Endpoint<'a> {
    PodAnnotations,
    PodManifest,
    PodUuid,
    AppAnnotations(&'a AppFacts),
    ImageManifest(&'a AppFacts),
    ImageId(&'a AppFacts),
    Sign,
    Verify,
}

impl<'a> Endpoint<'a> {
    fn at(facts: &'a PodFacts, path: &str) -> Option<Self> {
        let path = path.strip_prefix("/acMetadata/v1/")?;
        match path {
            "pod/annotations" => return Some(Self::PodAnnotations),
            "pod/manifest" => return Some(Self::PodManifest),
            "pod/uuid" => return Some(Self::PodUuid),
            "pod/hmac/sign" => return Some(Self::Sign),
            "pod/hmac/verify" => return Some(Self::Verify),
            _ => {}
        }
        let (name, entry) = path.strip_prefix("apps/")?.split_once('/')?;
        let app = facts.apps.iter().find(|app| app.name == name)?;
        match entry {
            "annotations" => Some(Self::AppAnnotations(app)),
            "image/manifest" => Some(Self::ImageManifest(app)),
            "image/id" => Some(Self::ImageId(app)),
            _ => None,
        }
    }

    fn method(&self) -> &'static str {
        match self {
            Self::Sign | Self::Verify => "POST",
            _ => "GET",
        }
    }
}

fn annotations(list: &[Annotation]) -> Response<'static> {
    // Two texts each: there is nothing in them that JSON has no form for.
    serde_json::to_vec(list)
        .map_or_else(|_| Response::only(Status::InternalServerError), Response::json)
}

fn answer(result: Result<Response<'static>, Status>) -> Response<'static> {
    result.unwrap_or_else(Response::only)
}

fn sign(facts: &PodFacts, key: &Key, form: &Form) -> Result<Response<'static>, Status> {
    let mac = key.mac(facts.uuid, form.field(&["content"])?).ok_or(Status::InternalServerError)?;
    Ok(Response::text(BASE64.encode(mac.finalize().into_bytes())))
}

/// The key of another pod is not known here: whatever is said to be its signature fails.
fn verify(facts: &PodFacts, key: &Key, form: &Form) -> Result<Response<'static>, Status> {
    let content = form.field(&["content"])?;
    // The specification says `uuid`, its validator sends `uid`.
    let uuid = str::from_utf8(form.field(&["uuid", "uid"])?).map_err(|_| Status::BadRequest)?;
    let uuid = Uuid::parse_str(uuid).map_err(|_| Status::BadRequest)?;
    let signature = form.field(&["signature"])?;
    let signature = BASE64.decode(signature).map_err(|_| Status::Forbidden)?;
    let mac = key.mac(uuid, content).ok_or(Status::InternalServerError)?;
    // In constant time.
    let good = mac.verify_slice(&signature).is_ok() && uuid == facts.uuid;
    if good { Ok(Response::only(Status::Ok)) } else { Err(Status::Forbidden) }
}

/// The fields of a form. Their values are bytes: as text, what isn't UTF-8 would all be the same, and two
/// contents would have one signature.
struct Form(Vec<(Vec<u8>, Vec<u8>)>);

impl Form {
    /// The one field of these names.
    fn field(&self, names: &[&str]) -> Result<&[u8], Status> {
        let is_meant = |key: &[u8]| names.iter().any(|name| name.as_bytes() == key);
        let mut found = self.0.iter().filter(|(key, _)| is_meant(key)).map(|(_, value)| value);
        match (found.next(), found.next()) {
            (Some(value), None) => Ok(value),
            _ => Err(Status::BadRequest),
        }
    }
}

fn form(request: Request<'_>) -> Result<Form, Status> {
    let media = request.content_type.and_then(|value| value.split(';').next()).map(str::trim);
    if !media.is_some_and(|media| media.eq_ignore_ascii_case(FORM)) {
        return Err(Status::UnsupportedMediaType);
    }
    let pairs = request.body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
    Ok(Form(pairs.map(pair).collect()))
}

fn pair(pair: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut sides = pair.splitn(2, |&byte| byte == b'=').map(decoded);
    (sides.next().unwrap_or_default(), sides.next().unwrap_or_default())
}

fn decoded(encoded: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> =
        encoded.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests;
