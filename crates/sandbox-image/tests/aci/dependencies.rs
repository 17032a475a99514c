//! Which local images fit, and what is said where none does.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use sandbox_image::aci::ImageManifest;
use sandbox_image::aci::dependencies::{Image, Reader, Source, Store};
use sandbox_image::aci::render::layers;
use sandbox_image::aci::types::ImageId;
use tempfile::TempDir;

/// Images are files that hold only a manifest here. Their ID is made of their length, and who asks for
/// it is counted.
#[derive(Debug, Default)]
struct Files {
    hashed: RefCell<Vec<PathBuf>>,
}

impl Reader for &Files {
    fn manifest(&self, path: &Path) -> Result<ImageManifest, Source> {
        Ok(ImageManifest::parse(&fs::read(path)?)?)
    }

    fn id(&self, path: &Path) -> Result<ImageId, Source> {
        self.hashed.borrow_mut().push(path.to_owned());
        Ok(id(fs::read(path)?.len()))
    }
}

fn id(length: usize) -> ImageId {
    let mut digest = [0; 64];
    digest[..8].copy_from_slice(&length.to_be_bytes());
    ImageId::from_digest(&digest)
}

struct World {
    directory: TempDir,
    files: Files,
}

impl World {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), files: Files::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.directory.path()).unwrap().join(name)
    }

    /// An image in a file, with these dependencies (fields of each) and labels.
    fn image(
        &self,
        file: &str,
        name: &str,
        dependencies: &[&str],
        labels: &[(&str, &str)],
    ) -> Image {
        let labels = labels
            .iter()
            .map(|(name, value)| format!(r#"{{"name": "{name}", "value": "{value}"}}"#));
        let text = format!(
            r#"{{"acKind": "ImageManifest", "acVersion": "0.8.11", "name": "{name}",
                "labels": [{}], "dependencies": [{}]}}"#,
            labels.collect::<Vec<_>>().join(","),
            dependencies.iter().map(|fields| format!("{{{fields}}}")).collect::<Vec<_>>().join(",")
        );
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
        Image::new(Some(path), ImageManifest::parse(text.as_bytes()).unwrap())
    }

    /// An image whose dependencies are all of these names.
    fn needing(&self, name: &str, names: &[&str]) -> Image {
        let dependencies: Vec<_> =
            names.iter().map(|name| format!(r#""imageName": "{name}""#)).collect();
        let dependencies: Vec<_> = dependencies.iter().map(String::as_str).collect();
        self.image(&format!("{name}.aci"), name, &dependencies, &[])
    }

    fn order_in(&self, places: &[&str], image: Image) -> Result<Vec<String>, String> {
        let places = places.iter().map(|place| self.path(place)).collect();
        let tree =
            Store::new(places, &self.files).resolve(image).map_err(|error| error.to_string())?;
        let name = |image: &Image| {
            let path = image.path.as_ref().unwrap();
            path.strip_prefix(self.path("")).unwrap().display().to_string()
        };
        Ok(layers(&tree).iter().map(|layer| name(layer.image)).collect())
    }

    fn order(&self, image: Image) -> Result<Vec<String>, String> {
        self.order_in(&[""], image)
    }

    /// The message with the directory's name taken out.
    #[track_caller]
    fn error(&self, places: &[&str], image: Image) -> String {
        let error = self.order_in(places, image).unwrap_err();
        error.replace(self.path("").to_str().unwrap(), "DIR/")
    }
}

#[test]
fn depth_first_in_the_order_of_the_list() {
    let world = World::new();
    world.needing("b", &[]);
    world.needing("c", &["d"]);
    world.needing("d", &[]);
    let root = world.needing("a", &["b", "c"]);
    assert_eq!(world.order(root).unwrap(), ["b.aci", "d.aci", "c.aci", "a.aci"]);
    world.needing("b", &["d"]);
    let root = world.needing("a", &["b", "c"]);
    assert_eq!(world.order(root).unwrap(), ["d.aci", "b.aci", "d.aci", "c.aci", "a.aci"]);
    assert!(world.files.hashed.borrow().is_empty(), "nothing asked for an ID");
}

#[test]
fn without_dependencies_nothing_is_read() {
    let world = World::new();
    let root = world.needing("a", &[]);
    assert_eq!(world.order_in(&["missing"], root).unwrap(), ["a.aci"]);
}

#[test]
fn cycles() {
    let world = World::new();
    let own = world.needing("own", &["own"]);
    assert_eq!(world.order(own).unwrap_err(), "the images depend on each other: own -> own");
    world.needing("b", &["c"]);
    world.needing("c", &["d"]);
    world.needing("d", &["b"]);
    let root = world.needing("a", &["b"]);
    assert_eq!(world.order(root).unwrap_err(), "the images depend on each other: b -> c -> d -> b");
    // An image that isn't read from a file finds itself there.
    let root = world.needing("own", &["own"]);
    let piped = Image::new(None, root.manifest);
    assert!(world.order(piped).unwrap_err().ends_with("own -> own"));
}

#[test]
fn too_many_layers() {
    let world = World::new();
    world.needing("n0", &[]);
    for level in 1..=40 {
        let below = format!("n{}", level - 1);
        world.needing(&format!("n{level}"), &[&below, &below]);
    }
    let few = world.needing("few", &["n7"]);
    assert_eq!(world.order(few).unwrap().len(), 256);
    let many = world.needing("many", &["n40"]);
    assert_eq!(
        world.order(many).unwrap_err(),
        "many has more than 512 layers with its dependencies"
    );
}

#[test]
fn what_is_missing() {
    let world = World::new();
    let root = world.needing("example.com/a", &["b"]);
    fs::create_dir(world.path("empty")).unwrap();
    assert_eq!(
        world.error(&["empty", "example.com"], root.clone()),
        "b, which example.com/a depends on, is not in DIR/empty, DIR/example.com: say where with \
         --image-path"
    );
    assert!(world.error(&[], root.clone()).contains("is not in any place that was named"));
    // Files that could have been it are named.
    fs::create_dir(world.path("more")).unwrap();
    fs::write(world.path("more/broken.aci"), "x").unwrap();
    let error = world.error(&["more"], root);
    assert!(
        error.contains("is not in DIR/more (DIR/more/broken.aci: the manifest: expected value"),
        "{error}"
    );
}

#[test]
fn labels() {
    let world = World::new();
    world.image("one.aci", "b", &[], &[("version", "1"), ("os", "linux")]);
    world.image("two.aci", "b", &[], &[("version", "2")]);
    let wants = |labels: &str| {
        let dependency = format!(r#""imageName": "b", "labels": [{labels}]"#);
        world.image("root/a", "a", &[&dependency], &[])
    };
    let version = |version: u8| wants(&format!(r#"{{"name": "version", "value": "{version}"}}"#));
    assert_eq!(world.order(version(1)).unwrap(), ["one.aci", "root/a"]);
    assert_eq!(world.order(version(2)).unwrap(), ["two.aci", "root/a"]);
    let linux = wants(r#"{"name": "os", "value": "linux"}"#);
    assert_eq!(world.order(linux).unwrap(), ["one.aci", "root/a"]);
    assert_eq!(
        world.error(&[""], version(3)),
        "b, version=3, which a depends on, is not in DIR/ (DIR/one.aci: its version is \"1\", not \"3\"; \
         DIR/two.aci: its version is \"2\", not \"3\"): say where with --image-path"
    );
    let env = wants(r#"{"name": "env", "value": "canary"}"#);
    assert!(world.error(&[""], env).contains("DIR/one.aci: it has no label env"));
    let any = wants("");
    assert_eq!(
        world.error(&[""], any.clone()),
        "b, which a depends on, is both DIR/one.aci and DIR/two.aci: name the one to use with \
         --image-path first"
    );
    assert_eq!(world.order_in(&["two.aci", ""], any).unwrap(), ["two.aci", "root/a"]);
}

#[test]
fn ids_and_sizes() {
    let world = World::new();
    let one = world.image("one.aci", "b", &[], &[("version", "1")]);
    world.image("two.aci", "b", &[], &[("version", "two")]);
    world.image("other.aci", "c", &[], &[]);
    let length = |image: &Image| fs::metadata(image.path.as_ref().unwrap()).unwrap().len();
    let length = usize::try_from(length(&one)).unwrap();
    let wants = |fields: &str| {
        world.image("root/a", "a", &[&format!(r#""imageName": "b", {fields}"#)], &[])
    };
    let by_id = wants(&format!(r#""imageID": "{}""#, id(length)));
    assert_eq!(world.order(by_id).unwrap(), ["one.aci", "root/a"]);
    let hashed = world.files.hashed.borrow().clone();
    assert_eq!(
        hashed,
        [world.path("one.aci"), world.path("two.aci")],
        "each once, only of that name"
    );
    // The ID decides, whatever labels were used to find the image elsewhere.
    let labelled = wants(&format!(
        r#""imageID": "{}", "labels": [{{"name": "version", "value": "9"}}]"#,
        id(length)
    ));
    assert_eq!(world.order(labelled).unwrap(), ["one.aci", "root/a"]);
    let by_size = wants(&format!(r#""size": {length}"#));
    assert_eq!(world.order(by_size).unwrap(), ["one.aci", "root/a"]);
    let error = world.error(&[""], wants(r#""size": 7"#));
    assert!(
        error.starts_with("b, 7 bytes, which a depends on, is not in DIR/ (DIR/one.aci: it has"),
        "{error}"
    );
    let wrong = format!(r#""imageID": "{}""#, id(7));
    let error = world.error(&["one.aci"], wants(&wrong));
    assert!(error.contains(&format!("(DIR/one.aci: it is {})", id(length))), "{error}");
}

#[test]
fn the_same_image_twice() {
    let world = World::new();
    world.needing("b", &[]);
    fs::copy(world.path("b.aci"), world.path("copy.aci")).unwrap();
    std::os::unix::fs::symlink("b.aci", world.path("link.aci")).unwrap();
    let root = world.needing("a", &["b"]);
    assert_eq!(world.order(root).unwrap(), ["b.aci", "a.aci"]);
}

#[test]
fn places() {
    let world = World::new();
    world.image("first/b.aci", "b", &[], &[]);
    world.image("second/b.aci", "b", &[], &[("version", "2")]);
    // Without the suffix a file of a directory does not count; named, it does.
    world.image("third/b.tar", "b", &[], &[]);
    fs::create_dir(world.path("third/dir.aci")).unwrap();
    let root = world.needing("a", &["b"]);
    let order = |places: &[&str]| world.order_in(places, root.clone());
    assert_eq!(order(&["first", "second"]).unwrap(), ["first/b.aci", "a.aci"]);
    assert_eq!(order(&["second", "first"]).unwrap(), ["second/b.aci", "a.aci"]);
    assert_eq!(order(&["third/b.tar"]).unwrap(), ["third/b.tar", "a.aci"]);
    let error = world.error(&["third"], root.clone());
    assert!(error.contains("(DIR/third/dir.aci: it is not a regular file)"), "{error}");
    let error = world.error(&["missing"], root.clone());
    assert!(error.starts_with("DIR/missing: No such file or directory"), "{error}");
    fs::write(world.path("broken"), "{").unwrap();
    let error = world.error(&["broken"], root);
    assert!(error.starts_with("DIR/broken: the manifest: EOF"), "{error}");
}
