//! Files that never end, or never begin.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sandbox_image::archive;
use sandbox_image::load::LoadError;

use super::{World, tar};

/// Zeros are the end of an archive, and as many as one likes may follow.
#[test]
fn zeros_without_an_end() {
    let world = World::new();
    let image = world.write("image", &tar(&[("file", b"x")]));
    world.loader().load(&image).unwrap();
    File::options().write(true).open(&image).unwrap().set_len(1 << 40).unwrap();
    let other = World::new();
    let error = other.loader().load(&image).map(|loaded| loaded.id).unwrap_err();
    let LoadError::Archive { source, .. } = &error else { panic!("{error}") };
    let archive::Error::TooLong { limit } = **source else { panic!("{error}") };
    assert_eq!(limit, (1 << 30) + (2 << 20));
}

/// A pipe, in the world's directory.
fn pipe(world: &World) -> std::path::PathBuf {
    let path = world.at.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[test]
fn a_pipe_that_nobody_writes_to_can_be_given_up() {
    let world = World::new();
    let pipe = pipe(&world);
    let (stop, mut end) = std::io::pipe().unwrap();
    let mut loader = world.loader();
    loader.watch.stop = Some(Arc::new(OwnedFd::from(stop)));
    // At first there is not even a writer, then it says nothing.
    thread::scope(|scope| {
        scope.spawn(|| {
            let silent = File::options().write(true).open(&pipe).unwrap();
            thread::sleep(Duration::from_millis(300));
            end.write_all(b"x").unwrap();
            thread::sleep(Duration::from_millis(300));
            drop(silent);
        });
        let loaded = loader.load(&pipe).map(|loaded| loaded.id);
        assert!(matches!(loaded, Err(LoadError::Interrupted)), "{loaded:?}");
    });
    // And one that has no writer any more.
    let loaded = loader.load(&pipe).map(|loaded| loaded.id);
    assert!(matches!(loaded, Err(LoadError::Interrupted)), "{loaded:?}");
}

#[test]
fn a_pipe_whose_writer_takes_its_time() {
    let world = World::new();
    let pipe = pipe(&world);
    let (first, second) = (tar(&[("file", b"x")]), [0; 512]);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(200));
            let mut pipe = File::options().write(true).open(&pipe).unwrap();
            pipe.write_all(&first).unwrap();
            thread::sleep(Duration::from_millis(200));
            pipe.write_all(&second).unwrap();
        });
        world.loader().load(&pipe).unwrap();
    });
    assert_eq!(fs::read(world.run.path().join("rootfs/file")).unwrap(), b"x");
}
