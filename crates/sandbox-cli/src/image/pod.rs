//! `run-sandbox pod`: several apps that share processes, network, IPC, host name and volumes.
//!
//! ```text
//! run-sandbox pod --load, plan--> Document --file--> run-sandbox, the pod's first command (inside.rs)
//!                                                       |-- metadata service on the pod's loopback
//!                                                       '-- a sandbox for each process of each app
//! ```

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use sandbox_core::Hostname;
use sandbox_image::aci::pod_manifest::{PodApp, PodImage, Volume as PodVolume, VolumeKind};
use sandbox_image::aci::types::{AcName, ImageId};
use sandbox_image::aci::{ImageManifest, PodManifest, app};
use sandbox_image::app::{App, Lifecycle, MountPoint, RootAccess, Volume, VolumeSource};
use sandbox_image::archive::Digest;
use sandbox_image::load::{Loaded, Loader};
use sandbox_image::place::RunDir;
use sandbox_image::pod::metadata::{AppFacts, PodFacts, merged_annotations};
use sandbox_image::pod::{AppPlan, Missing, PodPlan, VolumeOwner, new_uuid, of_images, plan};
use sandbox_sys::HeldSignals;

use super::inside::{Document, PodStages};
use super::nest::{self, Ids, Shared};
use super::{ImageFlags, Run, directory, inside, interrupted, of_pod, told, volume};
use crate::config_file::ConfigFile;
use crate::error::CliError;
use crate::flags::{Flags, VerbosityFlags};
use crate::render::line;
use crate::report::Audience;
use crate::run::{Verbosity, fail};
use crate::time::TimeFlags;
use crate::{exit, render};

/// The first word of a command line that is about a pod.
const POD: &str = "pod";

/// Run App Container images together: they share processes, network, IPC, host name and volumes.
#[derive(Debug, Parser)]
#[command(
    name = "run-sandbox pod",
    version,
    override_usage = "run-sandbox pod [OPTIONS] IMAGE...\n       \
                      run-sandbox pod [OPTIONS] --image-path DIR POD-MANIFEST"
)]
pub(crate) struct PodFlags {
    /// App Container images, or one file with a PodManifest
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
    #[command(flatten)]
    image: ImageFlags,
    #[command(flatten)]
    time: TimeFlags,
    #[command(flatten)]
    verbosity: VerbosityFlags,
}

/// Runs a pod, if these words are about one.
pub(crate) fn pod(words: &[OsString]) -> Option<ExitCode> {
    let rest = words.get(1..)?;
    if let [word, file] = rest
        && word == inside::WORD
        && nest::is_inside()
    {
        return Some(inside::run(Path::new(file)));
    }
    if rest.first()? != POD {
        return None;
    }
    let audience = Audience::People;
    Some(match PodFlags::try_parse_from(rest) {
        Ok(flags) => match run(flags, rest, &audience) {
            Ok(code) => code.into(),
            Err(error) => fail(&audience, &error),
        },
        Err(error) if error.use_stderr() => {
            audience.say(&render::usage(&error));
            exit::NOT_MADE.into()
        }
        Err(text) => match crate::run::print(&text.to_string()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&audience, &error),
        },
    })
}

/// The grammar of `run-sandbox pod`.
pub(crate) fn command() -> clap::Command {
    PodFlags::command()
}

/// Options that are about one image make no sense for several.
fn check(flags: &ImageFlags) -> Result<(), CliError> {
    let given = [
        ("args", flags.args.then(OsString::new)),
        ("image-id", flags.image_id.clone().map(OsString::from)),
        ("cache", flags.cache.clone().map(OsString::from)),
        ("port", flags.port.first().cloned()),
    ];
    let mut wrong = given.into_iter().filter_map(|(flag, value)| Some((flag, value?)));
    wrong.next().map_or(Ok(()), |(flag, value)| {
        let problem = "it is for a single image, not for a pod".to_owned();
        Err(CliError::Flag { flag, value, problem })
    })
}

fn run(flags: PodFlags, words: &[OsString], audience: &Audience) -> Result<u8, CliError> {
    check(&flags.image)?;
    flags.time.over(None)?;
    let held = HeldSignals::hold().map_err(CliError::Signals)?;
    if let Some(child) = nest::as_subordinate(&flags.image, words, BTreeSet::new(), &held)? {
        return Ok(exit::of_outcome(&child.wait_passing_on(&held)?));
    }
    let verbosity = if flags.verbosity.verbose { Verbosity::Verbose } else { Verbosity::Quiet };
    let mut all = Flags::parse_from([crate::run::NAME]);
    all.image = flags.image;
    all.time = flags.time;
    let (dir, file) = (directory()?, ConfigFile::default());
    let (verbosity, held) = (&verbosity, &held);
    let run = Run { flags: &all, file: &file, verbosity, audience, held, dir: &dir };
    let ended = run.pod(&flags.images);
    if let Err(error) = dir.remove() {
        audience.say(&line("warning", error));
    }
    ended.map_err(|error| interrupted(error, held))
}

/// An image of a pod, unpacked to a directory of its own.
struct Member {
    loaded: Loaded,
    manifest: ImageManifest,
    text: Vec<u8>,
    path: PathBuf,
    _dir: RunDir,
}

impl Run<'_> {
    fn pod(&self, images: &[PathBuf]) -> Result<u8, CliError> {
        let (manifest, members) = match images {
            [only] if is_manifest(only) => self.of_manifest(only)?,
            images => self.of_images(images)?,
        };
        let apps: Vec<App> = manifest
            .apps
            .iter()
            .zip(&members)
            .map(|(app, member)| app_of(app, member))
            .collect::<Result<_, CliError>>()?;
        let manifest = self.with_volumes(manifest)?;
        let points = |pod_app: &PodApp| {
            let app = apps.iter().find(|app| app.name == pod_app.name.as_str());
            app.map(|app| app.mount_points.clone()).unwrap_or_default()
        };
        let plan = plan(manifest, points, Missing::Refused)?;
        let stages = plan
            .apps
            .iter()
            .zip(&plan.manifest.apps)
            .zip(apps.iter().zip(&members))
            .map(|((plan, pod_app), (app, member))| self.member(plan, pod_app, app, member))
            .collect::<Result<Vec<_>, _>>()?;
        let document = Document { facts: facts(&plan, &members)?, apps: stages };
        let file = self.dir.path().join("pod.json");
        let at = |source| CliError::PodFile { path: file.clone(), source };
        let text = serde_json::to_vec(&document).map_err(io::Error::from).map_err(at)?;
        fs::write(&file, text).map_err(at)?;
        let words = [OsString::from(inside::WORD), file.clone().into_os_string()];
        let ids = Ids::of_caller();
        let shared = Shared::Pod(Hostname::new(format!("pod-{}", document.facts.uuid))?);
        let time_out = self.flags.time.over(None)?;
        let child = nest::start(words, BTreeSet::new(), ids, shared, time_out, self.held)?;
        let outcome = child.wait_interruptible(self.held)?;
        self.audience.say(&render::ending(outcome.ending));
        Ok(exit::of_outcome(&outcome))
    }

    fn of_images(&self, images: &[PathBuf]) -> Result<(PodManifest, Vec<Member>), CliError> {
        let members: Vec<Member> =
            images.iter().map(|image| self.unpack(image)).collect::<Result<_, _>>()?;
        let image = |member: &Member| {
            let mut image = PodImage::new(member.id()?);
            image.name = Some(member.manifest.name.clone());
            image.labels.clone_from(&member.manifest.labels);
            Ok(image)
        };
        let images = members.iter().map(image).collect::<Result<Vec<_>, CliError>>()?;
        Ok((of_images(images)?, members))
    }

    fn of_manifest(&self, path: &Path) -> Result<(PodManifest, Vec<Member>), CliError> {
        let file = fs::File::open(path)
            .map_err(|source| CliError::PodFile { path: path.into(), source })?;
        let manifest = PodManifest::read(file)
            .map_err(|source| CliError::PodManifest { path: path.into(), source })?;
        let members = manifest
            .apps
            .iter()
            .map(|app| {
                let mut loader = Loader::new(self.dir);
                loader.image_path = &self.flags.image.image_path;
                self.unpack(&loader.find(&app.image.id)?)
            })
            .collect::<Result<_, CliError>>()?;
        Ok((manifest, members))
    }

    fn unpack(&self, image: &Path) -> Result<Member, CliError> {
        let dir = RunDir::new(None)?;
        let mut loaded = Run { dir: &dir, ..*self }.load(image, None)?;
        match loaded.aci.take() {
            Some((manifest, text)) => {
                let path = image.to_owned();
                Ok(Member { loaded, manifest, text, path, _dir: dir })
            }
            None => Err(CliError::PodImage(image.to_owned())),
        }
    }

    /// The volumes of the command line win over those of the manifest.
    fn with_volumes(&self, mut manifest: PodManifest) -> Result<PodManifest, CliError> {
        for text in &self.flags.image.volume {
            let Volume { name, source, read_only } = volume::parse(text)?;
            let ac_name = AcName::try_from(name).map_err(|error| CliError::Flag {
                flag: "volume",
                value: text.clone(),
                problem: error.to_string(),
            })?;
            let mut volume = match source {
                VolumeSource::HostPath(path) => PodVolume::host(ac_name, path),
                _ => PodVolume::empty(ac_name),
            };
            volume.read_only = Some(read_only);
            manifest.volumes.retain(|other| other.name != volume.name);
            manifest.volumes.push(volume);
        }
        Ok(manifest)
    }

    /// The processes of an app, whose namespaces are those of the pod.
    fn member(
        &self,
        plan: &AppPlan,
        pod_app: &PodApp,
        app: &App,
        member: &Member,
    ) -> Result<PodStages, CliError> {
        // A pod's network is its own: sockets of the host's would be passed through it.
        if let Some(port) = app.ports.iter().find(|port| port.socket_activated) {
            let (app, name) = (plan.name.to_string(), port.name.clone());
            return Err(CliError::PodPort { app, name });
        }
        let mut app = app.clone();
        (app.mount_points, app.name) = (Vec::new(), plan.name.to_string());
        let mut volumes: Vec<Volume> = Vec::new();
        for mount in &plan.mounts {
            let name = self.volume_of(&mount.volume, mount.owner, &app.name)?;
            let (path, read_only) = (mount.path.clone(), mount.read_only);
            app.mount_points.push(MountPoint { name: name.clone(), path, read_only });
            let source = match (mount.volume.kind, &mount.volume.source) {
                (VolumeKind::Host, Some(source)) => VolumeSource::HostPath(source.clone()),
                _ => VolumeSource::Empty,
            };
            if volumes.iter().all(|volume| volume.name != name) {
                volumes.push(Volume { name, source, read_only: false });
            }
        }
        let access =
            if pod_app.read_only_root_fs { RootAccess::ReadOnly } else { RootAccess::ReadWrite };
        let mut life = self.prepare(&app, &member.loaded, volumes, access)?;
        self.decide(&mut life)?;
        of_pod::make(&mut life, Ids::of_caller());
        told::image(
            &member.loaded,
            &life.reports,
            &told::words(&life.warnings),
            self.verbosity,
            self.audience,
        );
        let Lifecycle { pre_start, main, post_stop, .. } = life;
        Ok(PodStages { name: app.name, pre_start, main, post_stop })
    }

    /// The name that a volume has among all of the pod's; an empty one is made.
    fn volume_of(
        &self,
        volume: &PodVolume,
        owner: VolumeOwner,
        app: &str,
    ) -> Result<String, CliError> {
        let name = match owner {
            VolumeOwner::Pod => volume.name.to_string(),
            // No name has a dot.
            VolumeOwner::App => format!("{app}.{}", volume.name),
        };
        if volume.kind == VolumeKind::Empty {
            let at = |path: &Path, source| CliError::PodFile { path: path.to_owned(), source };
            let path = self.empty_volume(&name).map_err(|error| at(self.dir.path(), error))?;
            volume::finish(&path, volume).map_err(|error| at(&path, error))?;
        }
        Ok(name)
    }
}

impl Member {
    fn id(&self) -> Result<ImageId, CliError> {
        let id = self.loaded.id.as_ref().map(Digest::appc).unwrap_or_default();
        // It was made of the image's bytes.
        id.parse().map_err(|_| CliError::PodImage(self.path.clone()))
    }
}

/// What an app of the pod runs: what the pod says, else its image.
fn app_of(pod_app: &PodApp, member: &Member) -> Result<App, CliError> {
    let app = match &pod_app.app {
        Some(section) => app::from_section(pod_app.name.as_str(), section, &"app".into()),
        None => app::app(&member.manifest),
    };
    let path = PathBuf::from(pod_app.name.as_str());
    let mut app = app.map_err(|source| CliError::PodManifest { path, source })?;
    app.name = pod_app.name.to_string();
    Ok(app)
}

fn facts(plan: &PodPlan, members: &[Member]) -> Result<PodFacts, CliError> {
    let facts = |(app, member): (&PodApp, &Member)| {
        Ok(AppFacts {
            name: app.name.to_string(),
            image_id: member.id()?.to_string(),
            image_manifest: member.text.clone(),
            annotations: merged_annotations(&member.manifest.annotations, &app.annotations),
        })
    };
    let apps = plan.manifest.apps.iter().zip(members).map(facts);
    Ok(PodFacts {
        uuid: new_uuid().map_err(CliError::Metadata)?,
        manifest: plan.json()?,
        annotations: plan.manifest.annotations.clone(),
        apps: apps.collect::<Result<_, CliError>>()?,
    })
}

/// Whether a file is JSON, which no archive begins with.
fn is_manifest(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0; 64];
    let read = fs::File::open(path).and_then(|mut file| file.read(&mut start));
    read.is_ok_and(|count| start[..count].trim_ascii_start().first() == Some(&b'{'))
}
