//! Media types: what a descriptor refers to.

/// What a blob is, by its media type. The compression of a layer is not among it: content tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Index,
    Manifest,
    Config,
    Layer,
    /// A layer that registries do not give on: it may not be in the layout.
    ForeignLayer,
    /// Something else: a signature, an attestation.
    Other,
}

/// All that are known. The first of each kind are the image specification's, then Docker's.
const KNOWN: [(&str, Kind); 18] = [
    ("application/vnd.oci.image.index.v1+json", Kind::Index),
    ("application/vnd.docker.distribution.manifest.list.v2+json", Kind::Index),
    ("application/vnd.oci.image.manifest.v1+json", Kind::Manifest),
    ("application/vnd.docker.distribution.manifest.v2+json", Kind::Manifest),
    ("application/vnd.oci.image.config.v1+json", Kind::Config),
    ("application/vnd.docker.container.image.v1+json", Kind::Config),
    ("application/vnd.oci.image.layer.v1.tar", Kind::Layer),
    ("application/vnd.oci.image.layer.v1.tar+gzip", Kind::Layer),
    ("application/vnd.oci.image.layer.v1.tar+zstd", Kind::Layer),
    ("application/vnd.docker.image.rootfs.diff.tar", Kind::Layer),
    ("application/vnd.docker.image.rootfs.diff.tar.gzip", Kind::Layer),
    ("application/vnd.docker.image.rootfs.diff.tar.zstd", Kind::Layer),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar", Kind::ForeignLayer),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", Kind::ForeignLayer),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", Kind::ForeignLayer),
    ("application/vnd.docker.image.rootfs.foreign.diff.tar", Kind::ForeignLayer),
    ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Kind::ForeignLayer),
    ("application/vnd.docker.image.rootfs.foreign.diff.tar.zstd", Kind::ForeignLayer),
];

pub(super) fn kind(media_type: &str) -> Kind {
    // Parameters (`; charset=utf-8`) change nothing here.
    let bare = media_type.split(';').next().unwrap_or_default().trim();
    let known = KNOWN.iter().find(|(name, _)| name.eq_ignore_ascii_case(bare));
    known.map_or(Kind::Other, |(_, kind)| *kind)
}

/// The media types of these kinds, for messages.
pub(super) fn supported(kinds: &[Kind]) -> Vec<&'static str> {
    KNOWN.iter().filter(|(_, kind)| kinds.contains(kind)).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_their_kinds() {
        for (name, want) in [
            ("application/vnd.oci.image.manifest.v1+json", Kind::Manifest),
            ("application/vnd.oci.image.manifest.v1+json; charset=utf-8", Kind::Manifest),
            ("Application/vnd.OCI.image.index.v1+json", Kind::Index),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Kind::ForeignLayer),
            ("application/vnd.oci.image.layer.v1.tar+zstd", Kind::Layer),
            ("application/vnd.docker.distribution.manifest.v1+json", Kind::Other),
            ("application/vnd.oci.empty.v1+json", Kind::Other),
            ("", Kind::Other),
        ] {
            assert_eq!(kind(name), want, "{name}");
        }
        assert_eq!(supported(&[Kind::Config]).len(), 2);
    }
}
