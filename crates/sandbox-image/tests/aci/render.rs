//! What images make together: the situations of the specification's renderer, in a model of a tree.

use std::collections::BTreeMap;
use std::path::Path;

use sandbox_core::InsidePath;
use sandbox_image::aci::render::{Tree, layers};

/// What a file is, in the words of these tests: `5` for one of five bytes, `->` for a symbolic link, `0700`
/// for a directory of that mode, and `implied` for one that only leads to something.
type Files = BTreeMap<String, &'static str>;

#[derive(Clone)]
struct Image {
    name: &'static str,
    entries: &'static [(&'static str, &'static str)],
}

fn image(
    name: &'static str,
    whitelist: &[&str],
    entries: &'static [(&'static str, &'static str)],
    dependencies: Vec<Tree<Image>>,
) -> Tree<Image> {
    let whitelist = whitelist.iter().map(|path| InsidePath::from_root(path, "path").unwrap());
    Tree { image: Image { name, entries }, path_whitelist: whitelist.collect(), dependencies }
}

fn is_directory(file: &str) -> bool {
    file == "implied" || (file.len() == 4 && file.starts_with('0'))
}

/// Unpacks as an executor must: what is there is replaced, and a link is never followed.
fn put(files: &mut Files, path: &str, file: &'static str) {
    for parent in Path::new(path).ancestors().skip(1).filter(|parent| *parent != Path::new("")) {
        let parent = parent.to_str().unwrap().to_owned();
        if !files.get(&parent).is_some_and(|file| is_directory(file)) {
            files.insert(parent, "implied");
        }
    }
    if !is_directory(file) {
        files.retain(|other, _| !other.starts_with(&format!("{path}/")));
    }
    files.insert(path.to_owned(), file);
}

fn render(tree: &Tree<Image>) -> Files {
    let mut files = Files::new();
    for layer in layers(tree) {
        for (path, file) in layer.image.entries {
            if layer.filter.keeps(path) {
                put(&mut files, path, file);
            }
        }
    }
    files
}

#[track_caller]
fn check(tree: &Tree<Image>, expected: &[(&str, &'static str)]) {
    let expected: Files = expected.iter().map(|(path, file)| ((*path).to_owned(), *file)).collect();
    assert_eq!(render(tree), expected);
}

fn order(tree: &Tree<Image>) -> Vec<&'static str> {
    layers(tree).iter().map(|layer| layer.image.name).collect()
}

fn plain(name: &'static str, dependencies: Vec<Tree<Image>>) -> Tree<Image> {
    image(name, &[], &[], dependencies)
}

#[test]
fn orders() {
    let chain = plain("C", vec![plain("D", vec![])]);
    let tree = plain("A", vec![plain("B", vec![]), chain]);
    assert_eq!(order(&tree), ["B", "D", "C", "A"]);
    let shared = |name| plain(name, vec![plain("D", vec![])]);
    assert_eq!(order(&plain("A", vec![shared("B"), shared("C")])), ["D", "B", "D", "C", "A"]);
    assert_eq!(order(&plain("A", vec![])), ["A"]);
}

#[test]
fn a_directory_of_a_dependency() {
    let parent = image("B", &[], &[("a", "0755")], vec![]);
    check(&image("A", &[], &[], vec![parent]), &[("a", "0755")]);
}

#[test]
fn a_directory_of_the_image() {
    check(&image("A", &[], &[("a", "0755")], vec![plain("B", vec![])]), &[("a", "0755")]);
}

#[test]
fn a_directory_of_both() {
    let parent = image("B", &[], &[("a", "0755"), ("a/b", "5")], vec![]);
    let tree = image("A", &[], &[("a", "0700")], vec![parent]);
    check(&tree, &[("a", "0700"), ("a/b", "5")]);
}

#[test]
fn a_file_of_a_dependency() {
    let parent = image("B", &[], &[("a/file01.txt", "5")], vec![]);
    check(&image("A", &[], &[], vec![parent]), &[("a", "implied"), ("a/file01.txt", "5")]);
}

#[test]
fn a_file_of_the_image() {
    let tree = image("A", &[], &[("a/file01.txt", "10")], vec![plain("B", vec![])]);
    check(&tree, &[("a", "implied"), ("a/file01.txt", "10")]);
}

#[test]
fn a_file_of_both() {
    let parent = image("B", &[], &[("a/file01.txt", "5")], vec![]);
    let tree = image("A", &[], &[("a/file01.txt", "10")], vec![parent]);
    check(&tree, &[("a", "implied"), ("a/file01.txt", "10")]);
}

#[test]
fn a_file_over_a_directory() {
    let entries = &[("a/b", "0700"), ("a/b/c", "0700"), ("a/b/c/file01", "5")];
    let tree = image("A", &[], &[("a/b", "10")], vec![image("B", &[], entries, vec![])]);
    check(&tree, &[("a", "implied"), ("a/b", "10")]);
}

#[test]
fn a_directory_over_a_link() {
    let parent = image("B", &[], &[("etc", "0755"), ("a", "->")], vec![]);
    let tree = image("A", &[], &[("a/passwd", "5")], vec![parent]);
    check(&tree, &[("a", "implied"), ("a/passwd", "5"), ("etc", "0755")]);
}

/// What the dependency of both tests with one whitelist holds.
const PARENT: &[(&str, &str)] = &[
    ("a/file01.txt", "5"),
    ("a/file02.txt", "5"),
    ("a/file03.txt", "5"),
    ("b/link01.txt", "->"),
    ("c", "0700"),
    ("c/file01.txt", "5"),
    ("d", "0700"),
    ("d/file01.txt", "5"),
    ("e/file01.txt", "5"),
];

#[test]
fn a_whitelist_of_the_dependency() {
    let whitelist = ["/a/file01.txt", "/a/file02.txt", "/b/link01.txt", "/c/", "/d/"];
    let parent = image("B", &whitelist, PARENT, vec![]);
    let tree = image("A", &[], &[("b/file01.txt", "10"), ("c/file02.txt", "5")], vec![parent]);
    check(
        &tree,
        &[
            ("a", "implied"),
            ("a/file01.txt", "5"),
            ("a/file02.txt", "5"),
            ("b", "implied"),
            ("b/file01.txt", "10"),
            ("b/link01.txt", "->"),
            ("c", "0700"),
            ("c/file02.txt", "5"),
            ("d", "0700"),
        ],
    );
}

#[test]
fn a_whitelist_of_the_image() {
    let whitelist = [
        "/a/file01.txt",
        "/a/file02.txt",
        "/b/link01.txt",
        "/b/file01.txt",
        "/c/file02.txt",
        "/d/",
    ];
    let parent = image("B", &[], PARENT, vec![]);
    let entries = &[("a/file01.txt", "10"), ("c/file02.txt", "5")];
    let tree = image("A", &whitelist, entries, vec![parent]);
    check(
        &tree,
        &[
            ("a", "implied"),
            ("a/file01.txt", "10"),
            ("a/file02.txt", "5"),
            ("b", "implied"),
            ("b/link01.txt", "->"),
            // It leads to a file of the list, so it is there, as the dependency has it.
            ("c", "0700"),
            ("c/file02.txt", "5"),
            ("d", "0700"),
        ],
    );
}

/// What the first dependency of the tests with several holds.
const FIRST: &[(&str, &str)] = &[
    ("a/file01.txt", "5"),
    ("a/file02.txt", "5"),
    ("a/file03.txt", "5"),
    ("a/file04.txt", "5"),
    ("b/link01.txt", "->"),
];

const SECOND: &[(&str, &str)] =
    &[("a/file01.txt", "10"), ("a/file02.txt", "10"), ("b/file01.txt", "5")];

const UPPER: &[(&str, &str)] =
    &[("a/file01.txt", "15"), ("b/file02.txt", "5"), ("c/file01.txt", "5")];

const UPPER_LIST: [&str; 7] = [
    "/a/file01.txt",
    "/a/file02.txt",
    "/a/file03.txt",
    "/b/link01.txt",
    "/b/file01.txt",
    "/b/file02.txt",
    "/c/file01.txt",
];

/// What they make together.
const TOGETHER: [(&str, &str); 10] = [
    ("a", "implied"),
    ("a/file01.txt", "15"),
    ("a/file02.txt", "10"),
    ("a/file03.txt", "5"),
    ("b", "implied"),
    ("b/file01.txt", "5"),
    ("b/file02.txt", "5"),
    ("b/link01.txt", "->"),
    ("c", "implied"),
    ("c/file01.txt", "5"),
];

#[test]
fn whitelists_of_the_image_and_the_first_of_two() {
    let list = [
        "/a/file01.txt",
        "/a/file02.txt",
        "/a/file03.txt",
        "/a/file04.txt",
        "/b/link01.txt",
        "/b/file01.txt",
    ];
    let first = image("B", &list, FIRST, vec![]);
    let second = image("C", &[], SECOND, vec![]);
    check(&image("A", &UPPER_LIST, UPPER, vec![first, second]), &TOGETHER);
}

#[test]
fn whitelists_of_the_image_and_the_second_of_two() {
    let first = image("B", &[], FIRST, vec![]);
    let second = image("C", &["/a/file01.txt", "/a/file02.txt", "/b/file01.txt"], SECOND, vec![]);
    check(&image("A", &UPPER_LIST, UPPER, vec![first, second]), &TOGETHER);
}

#[test]
fn a_whitelist_above_three() {
    let lowest =
        &[("a/file02.txt", "5"), ("b/file01.txt", "5"), ("d", "0700"), ("d/file01.txt", "5")];
    let first = image("B", &[], FIRST, vec![]);
    let second = image("C", &[], SECOND, vec![image("D", &[], lowest, vec![])]);
    check(&image("A", &UPPER_LIST, UPPER, vec![first, second]), &TOGETHER);
}

#[test]
fn an_empty_root() {
    for whitelist in [&[][..], &["foo"]] {
        let tree = image("A", whitelist, &[("", "0700")], vec![]);
        check(&tree, &[("", "0700")]);
    }
}

/// What each image of a chain may keep, for one path.
fn kept(tree: &Tree<Image>, path: &str) -> Vec<bool> {
    layers(tree).iter().map(|layer| layer.filter.keeps(path)).collect()
}

#[test]
fn which_whitelists_count_for_which_image() {
    let (all, some): (&[&str], &[&str]) = (&[], &["/x"]);
    for (lists, expected) in [
        // Of A, of B that A needs, and of C that B needs; in the order C, B, A.
        ([all, all, all], [true, true, true]),
        ([some, all, all], [false, false, false]),
        ([all, some, all], [false, false, true]),
        ([all, all, some], [false, true, true]),
        ([some, some, some], [false, false, false]),
    ] {
        let [a, b, c] = lists;
        let chain = image("A", a, &[], vec![image("B", b, &[], vec![image("C", c, &[], vec![])])]);
        assert_eq!(kept(&chain, "/y"), expected, "{lists:?}");
        assert_eq!(kept(&chain, "/x"), [true; 3]);
    }
    // The whitelist of one dependency is nothing to another.
    let two = plain("A", vec![image("B", some, &[], vec![]), plain("C", vec![])]);
    assert_eq!(kept(&two, "y"), [false, true, true]);
    // Lists in a row let pass what all of them do.
    let inner = image("B", &["/a/1", "/a/2"], &[], vec![]);
    let both = image("A", &["/a/2", "/a/3"], &[], vec![inner]);
    assert_eq!(kept(&both, "a/1"), [false, false]);
    assert_eq!(kept(&both, "a/2"), [true, true]);
    assert_eq!(kept(&both, "a/3"), [false, true]);
}

#[test]
fn paths() {
    let tree = image("A", &["/usr//share/./doc/", "bin/sh", "/x/../lib/y", "/../etc"], &[], vec![]);
    let layers = layers(&tree);
    let filter = &layers[0].filter;
    for good in [
        "",
        "/",
        ".",
        "usr",
        "/usr/share",
        "./usr/share/doc/",
        "bin",
        "bin/sh",
        "lib",
        "lib/y",
        "etc",
    ] {
        assert!(filter.keeps(good), "{good}");
    }
    for bad in
        ["us", "usr/share/doc/README", "usr/share/docs", "bin/bash", "x", "etc/passwd", "bin/sh/x"]
    {
        assert!(!filter.keeps(bad), "{bad}");
    }
}
