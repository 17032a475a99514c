//! Every path and every mistake.

use super::*;

const UUID: &str = "6733c088-a507-4694-aabf-edbe4fc5266f";
const OTHER: &str = "00000000-0000-4000-8000-000000000000";
const EXPECTED: &str =
    "/v/HwtByqjdIyNjTo5gunqvcyg7y2nQ1Wb73ilsZVw/u95Rl5+VCb11pvrHcdcH8t0ISvCjix+q7k8K2nV0/KQ==";

fn annotation(name: &str, value: &str) -> Annotation {
    Annotation { name: name.parse().unwrap(), value: value.into() }
}

fn facts() -> PodFacts {
    PodFacts {
        uuid: UUID.parse().unwrap(),
        manifest: b"{\"acKind\": \"PodManifest\"}".to_vec(),
        annotations: vec![annotation("ip-address", "10.1.2.3")],
        apps: vec![AppFacts {
            name: "main".into(),
            image_id: "sha512-00".into(),
            image_manifest: b"{ \"spaces\" : [] }\n".to_vec(),
            annotations: vec![annotation("quote", "a \"b\"\n")],
        }],
    }
}

fn get(path: &str) -> Request<'_> {
    Request { method: "GET", path, content_type: None, body: b"" }
}

fn post<'a>(path: &'a str, body: &'a str) -> Request<'a> {
    Request { method: "POST", path, content_type: Some(FORM), body: body.as_bytes() }
}

fn status(request: Request<'_>) -> Status {
    respond(&facts(), &Key([7; 64]), request).status
}

#[test]
fn each_path_has_its_type_and_bytes() {
    for (path, content_type, body) in [
        ("pod/annotations", JSON, r#"[{"name":"ip-address","value":"10.1.2.3"}]"#),
        ("pod/manifest", JSON, "{\"acKind\": \"PodManifest\"}"),
        ("pod/uuid", TEXT, UUID),
        ("apps/main/annotations", JSON, r#"[{"name":"quote","value":"a \"b\"\n"}]"#),
        ("apps/main/image/manifest", JSON, "{ \"spaces\" : [] }\n"),
        ("apps/main/image/id", TEXT, "sha512-00"),
    ] {
        let facts = facts();
        let path = format!("/acMetadata/v1/{path}");
        let response = respond(&facts, &Key([7; 64]), get(&path));
        assert_eq!(response.status, Status::Ok, "{path}");
        assert_eq!(response.content_type, content_type, "{path}");
        assert_eq!(str::from_utf8(&response.body).unwrap(), body, "{path}");
        let mut wrong = get(&path);
        for method in ["POST", "HEAD", "get", ""] {
            wrong.method = method;
            assert_eq!(status(wrong), Status::MethodNotAllowed { allow: "GET" }, "{path}");
        }
    }
}

#[test]
fn other_paths_are_not_there() {
    for path in [
        "",
        "/",
        "pod/uuid",
        "/acMetadata/v1",
        "/acMetadata/v1/",
        "/acMetadata/v1/pod",
        "/acMetadata/v1/pod/uuid/",
        "/acMetadata/v1//pod/uuid",
        "/acMetadata/v2/pod/uuid",
        "/acmetadata/v1/pod/uuid",
        "/acMetadata/v1/pod/hmac",
        "/acMetadata/v1/apps",
        "/acMetadata/v1/apps/main",
        "/acMetadata/v1/apps/main/",
        "/acMetadata/v1/apps//annotations",
        "/acMetadata/v1/apps/other/annotations",
        "/acMetadata/v1/apps/main/image",
        "/acMetadata/v1/apps/../pod/uuid",
        "/acMetadata/v1/apps/main/../main/image/id",
    ] {
        assert_eq!(status(get(path)), Status::NotFound, "{path}");
    }
}

const SIGN: &str = "/acMetadata/v1/pod/hmac/sign";
const VERIFY: &str = "/acMetadata/v1/pod/hmac/verify";

fn signature(key: &Key, content: &str) -> String {
    let facts = facts();
    let body = format!("content={content}");
    let response = respond(&facts, key, post(SIGN, &body));
    assert_eq!((response.status, response.content_type), (Status::Ok, TEXT));
    String::from_utf8(response.body.into_owned()).unwrap()
}

#[test]
fn a_signature_is_a_base64_hmac_sha512() {
    let signature = signature(&Key([7; 64]), "a+b%2Bc");
    // By Python: hmac.new(b"\7" * 64, uuid.UUID(UUID).bytes + b"a b+c", "sha512")
    assert_eq!(signature, EXPECTED);
    assert_eq!(BASE64.decode(signature).unwrap().len(), 64);
}

#[test]
fn what_is_not_text_is_signed_as_it_is() {
    let key = Key([7; 64]);
    assert_ne!(signature(&key, "%FF"), signature(&key, "%FE"));
}

#[test]
fn only_the_signed_content_verifies() {
    let key = Key([7; 64]);
    let signature = signature(&key, "words").replace('+', "%2B");
    let verify = |key: &Key, body: &str| respond(&facts(), key, post(VERIFY, body)).status;
    for name in ["uuid", "uid"] {
        let good = format!("content=words&{name}={UUID}&signature={signature}");
        assert_eq!(verify(&key, &good), Status::Ok);
        assert_eq!(verify(&Key([8; 64]), &good), Status::Forbidden, "another key");
        assert_eq!(verify(&key, &good.replace(UUID, OTHER)), Status::Forbidden, "another pod");
        assert_eq!(verify(&key, &good.replace("words", "word")), Status::Forbidden);
    }
    for signature in ["", "AAAA", "*", &signature[1..]] {
        let body = format!("content=words&uuid={UUID}&signature={signature}");
        assert_eq!(verify(&key, &body), Status::Forbidden, "{signature}");
    }
}

/// A signature that the key does make for another pod's UUID is not this pod's to confirm.
#[test]
fn another_pod_is_not_vouched_for() {
    let key = Key([7; 64]);
    let mac = key.mac(OTHER.parse().unwrap(), b"words").unwrap();
    let signature = BASE64.encode(mac.finalize().into_bytes()).replace('+', "%2B");
    let body = format!("content=words&uuid={OTHER}&signature={signature}");
    assert_eq!(status(post(VERIFY, &body)), Status::Forbidden);
}

#[test]
fn a_form_has_each_field_once() {
    for body in ["", "content", "x=y", "content=a&content=b", "Content=a", "&&="] {
        // A field without `=` is an empty one.
        let expected = if body == "content" { Status::Ok } else { Status::BadRequest };
        assert_eq!(status(post(SIGN, body)), expected, "{body}");
    }
    for body in [
        "content=a&signature=AA",
        "uuid=6733c088-a507-4694-aabf-edbe4fc5266f&signature=AA",
        "content=a&uuid=6733c088-a507-4694-aabf-edbe4fc5266f",
        "content=a&uuid=x&signature=AA",
        "content=a&uuid=%FF&signature=AA",
        "content=a&uuid=6733c088-a507-4694-aabf-edbe4fc5266f&uid=6733c088-a507-4694-aabf-edbe4fc5266f&signature=AA",
    ] {
        assert_eq!(status(post(VERIFY, body)), Status::BadRequest, "{body}");
    }
}

#[test]
fn what_is_posted_is_a_form() {
    for (content_type, expected) in [
        (None, Status::UnsupportedMediaType),
        (Some("text/plain"), Status::UnsupportedMediaType),
        (Some("multipart/form-data"), Status::UnsupportedMediaType),
        (Some("Application/X-WWW-Form-URLencoded ; charset=utf-8"), Status::Ok),
    ] {
        assert_eq!(status(Request { content_type, ..post(SIGN, "content=a") }), expected);
    }
    for path in [SIGN, VERIFY] {
        assert_eq!(status(get(path)), Status::MethodNotAllowed { allow: "POST" });
    }
}

#[test]
fn a_key_is_not_printed() {
    assert_eq!(format!("{:?}", Key::random().unwrap()), "Key(..)");
}
