//! Which of several images is meant.

use super::error::OciError;
use super::layout::{Layout, expect};
use super::media::{self, Kind};
use super::platform::Platform;
use super::types::{Descriptor, Index, SavedImage};

/// How deep indexes are in indexes; two are common.
const DEEPEST: usize = 8;
/// How many manifests and indexes are looked at.
const MOST: usize = 10_000;

/// The manifest of the image that is wanted. Its descriptor has the name that the layout has for it.
pub(super) fn manifest(
    layout: &Layout,
    index: &Index,
    name: Option<&str>,
    platform: &Platform,
) -> Result<Descriptor, OciError> {
    let path = || layout.store().path().to_owned();
    let named = |entry: &&Descriptor| name.is_none() || entry.reference() == name;
    let entries: Vec<_> = index.manifests.iter().filter(named).collect();
    if let (Some(name), true) = (name, entries.is_empty()) {
        return Err(OciError::NoReference {
            path: path(),
            wanted: name.to_owned(),
            found: names(index.manifests.iter().filter_map(Descriptor::reference)),
        });
    }
    let mut walk = Walk { layout, platform, found: Vec::new(), seen: 0 };
    // The first that fits, for each name; without names the index is one image's.
    let mut fitting: Vec<Descriptor> = Vec::new();
    for entry in &entries {
        if let Some(mut manifest) = walk.first(entry, 0)? {
            manifest.annotations.clone_from(&entry.annotations);
            let same = |other: &Descriptor| {
                other.reference() == manifest.reference() || other.digest == manifest.digest
            };
            if !fitting.iter().any(same) {
                fitting.push(manifest);
            }
        }
    }
    let only = fitting.pop();
    match only {
        Some(only) if fitting.is_empty() => Ok(only),
        Some(last) => {
            let all = fitting.iter().chain([&last]).map(|at| at.reference().unwrap_or("(no name)"));
            Err(OciError::Ambiguous { path: path(), found: names(all) })
        }
        None => {
            // If nothing is an image at all, that is what is wrong.
            if walk.found.is_empty() {
                let kinds = [Kind::Manifest, Kind::Index];
                for (at, entry) in index.manifests.iter().enumerate() {
                    let field = format!("index.json: manifests[{at}].mediaType");
                    expect(field, &entry.media_type, &kinds)?;
                }
            }
            let wanted = Box::new(platform.clone());
            Err(OciError::NoPlatform { path: path(), wanted, found: walk.found })
        }
    }
}

struct Walk<'a> {
    layout: &'a Layout,
    platform: &'a Platform,
    /// The platforms that there are.
    found: Vec<Platform>,
    seen: usize,
}

impl Walk<'_> {
    /// The first manifest at or below an entry that is for the platform. Entries of other types are
    /// passed over, as the specification demands.
    fn first(&mut self, entry: &Descriptor, depth: usize) -> Result<Option<Descriptor>, OciError> {
        let too_many = |what, limit| {
            let file = entry.digest.path();
            Err(OciError::TooMany { file, what, limit })
        };
        self.seen = self.seen.saturating_add(1);
        if self.seen > MOST {
            return too_many("manifests and indexes", MOST);
        }
        match media::kind(&entry.media_type) {
            Kind::Manifest => {
                let platform = self.platform_of(entry)?;
                let fits = platform.is_for(self.platform);
                if !self.found.contains(&platform) {
                    self.found.push(platform);
                }
                Ok(fits.then(|| entry.clone()))
            }
            Kind::Index if depth >= DEEPEST => too_many("levels of indexes in indexes", DEEPEST),
            Kind::Index => {
                for entry in &self.layout.index(entry)?.manifests {
                    if let Some(manifest) = self.first(entry, depth.saturating_add(1))? {
                        return Ok(Some(manifest));
                    }
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// The index says it, or else the image's configuration.
    fn platform_of(&self, entry: &Descriptor) -> Result<Platform, OciError> {
        if let Some(platform) = &entry.platform {
            return Ok(platform.clone());
        }
        let (file, manifest) = self.layout.manifest(entry)?;
        Ok(self.layout.config(&file, &manifest)?.platform())
    }
}

/// The image of a docker-archive that is wanted.
pub(super) fn saved<'a>(
    layout: &Layout,
    images: &'a [SavedImage],
    name: Option<&str>,
) -> Result<&'a SavedImage, OciError> {
    let path = || layout.store().path().to_owned();
    let tags = || names(images.iter().flat_map(|image| &image.repo_tags).map(String::as_str));
    let fits = |image: &&SavedImage| match name {
        None => true,
        Some(name) => image.repo_tags.iter().any(|tag| is_named(tag, name)),
    };
    let mut fitting = images.iter().filter(fits);
    match (fitting.next(), fitting.next(), name) {
        (Some(only), None, _) => Ok(only),
        (Some(_), Some(_), _) => Err(OciError::Ambiguous { path: path(), found: tags() }),
        (None, _, Some(wanted)) => {
            let wanted = wanted.to_owned();
            Err(OciError::NoReference { path: path(), wanted, found: tags() })
        }
        (None, _, None) => Err(OciError::NotAnImage { path: path() }),
    }
}

/// Whether a tag (`HOST:PORT/NAME:TAG`) is meant by a name. The registry that is meant without a name
/// need not be named.
fn is_named(full: &str, name: &str) -> bool {
    let hub = ["docker.io/library/", "docker.io/"].map(|hub| full.strip_prefix(hub));
    let short = hub.into_iter().flatten().any(|short| is_named(short, name));
    let tag = full.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
    short
        || full == name
        || tag.is_some_and(|(front, tag)| tag == name || (front == name && tag == "latest"))
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        for (full, name, want) in [
            ("alpine:3.19", "alpine:3.19", true),
            ("alpine:3.19", "3.19", true),
            ("alpine:3.19", "alpine", false),
            ("alpine:latest", "alpine", true),
            ("docker.io/library/alpine:3", "alpine:3", true),
            ("docker.io/some/name:1", "some/name:1", true),
            ("docker.io/some/name:1", "name:1", false),
            ("host:5000/alpine", "5000/alpine", false),
            ("host:5000/alpine:latest", "host:5000/alpine", true),
        ] {
            assert_eq!(is_named(full, name), want, "{full} {name}");
        }
    }
}
