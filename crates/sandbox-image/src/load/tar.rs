//! Plain tar archives: a tree, and nothing that says what it runs.

use super::cached::{Made, Unpacked};
use super::input::Input;
use super::{Kind, LoadError, Loaded, Loader, Runs, not_taken};
use crate::app::{RootAccess, Rules};
use crate::archive::{Algorithm, Digest, Entries, Limits};
use crate::place::Cache;
use crate::unpack::{Choice, Duplicates, Options, Over, Unpacker};

impl Loader<'_> {
    /// Unpacks an archive as tar(1) would: what comes later wins.
    pub(super) fn tar(&self, input: &Input) -> Result<Loaded, LoadError> {
        if !self.has_command {
            return Err(not_taken(
                input.path(),
                Kind::Tar,
                "does not say what it runs: give a command",
            ));
        }
        let key = |cache: &Cache| Ok(self.digest(input, Some(cache))?.appc());
        let hash = self.cache.is_some() || self.image_id.is_some();
        let unpack = |root| {
            let (duplicates, over) = (Duplicates::LastWins, Over::Remove);
            let options = Options { duplicates, over, ..self.unpack.clone() };
            let mut unpacker = Unpacker::new(root, options);
            let stream = input.stream(&self.watch, hash.then_some(Algorithm::Sha512))?;
            let mut entries = Entries::new(stream, Limits::default());
            let failed = |error| LoadError::unpack(input.path(), error);
            unpacker.apply(&mut entries, &mut |_| Choice::Unpack).map_err(failed)?;
            let report = unpacker.finish().map_err(failed)?;
            let stream = entries.finish().map_err(|error| input.failed(error))?;
            let id = stream.finish().map_err(|error| input.failed(error))?.digest;
            if let Some(id) = &id {
                self.learn(input, id);
            }
            let key = id.as_ref().map(Digest::appc).unwrap_or_default();
            Ok(Unpacked { report, id, key, manifest: None })
        };
        let Made { root, entry, id, lost, .. } = self.made(input.path(), &key, &unpack)?;
        Ok(Loaded {
            kind: Kind::Tar,
            runs: Runs::Nothing,
            entrypoint: Vec::new(),
            rules: Rules::oci(),
            root_access: RootAccess::ReadWrite,
            id,
            aci: None,
            root,
            lost,
            _entry: entry,
        })
    }

    /// The digest of an uncompressed archive: known from before, or found by reading all of it.
    pub(super) fn digest(&self, input: &Input, cache: Option<&Cache>) -> Result<Digest, LoadError> {
        let known = cache.and_then(|cache| cache.known(input.file()));
        if let Some(digest) = known.and_then(|text| text.parse().ok()) {
            return Ok(digest);
        }
        let totals = input.stream(&self.watch, Some(Algorithm::Sha512))?.finish();
        let totals = totals.map_err(|error| input.failed(error))?;
        // It was asked for.
        let digest = totals.digest.ok_or(LoadError::Interrupted)?;
        self.learn(input, &digest);
        Ok(digest)
    }

    /// Lets the cache know.
    pub(super) fn learn(&self, input: &Input, digest: &Digest) {
        if let (Some(cache), Some(mark)) = (self.cache, input.mark()) {
            cache.learn(input.file(), mark, &digest.appc());
        }
    }
}
