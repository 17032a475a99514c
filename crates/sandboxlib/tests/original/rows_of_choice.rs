//! Promises about executors: their names, what they can do, and which one is taken.

use std::fs;
use std::process::Command;

use sandboxlib::{
    Capabilities, Executor, Feature, Isolation, Setting, WritablePaths, get_executor,
};

use crate::fixture::{Fixture, Who, for_everyone, isolating, refused, runs, skip, this};

/// What the platform's executor is, in a process with this variable.
fn chosen(f: &Fixture, variable: Option<&str>) -> String {
    let mut role = f.role("says_which_executor");
    if let Some(variable) = variable {
        role.env("SANDBOXLIB_BACKEND", variable);
    }
    Fixture::play(&mut role);
    let answer = fs::read_to_string(f.host("answer")).unwrap();
    fs::remove_file(f.host("answer")).unwrap();
    answer
}

#[test]
fn row_backend_choice_follows_the_variable() {
    for_everyone(|f| {
        for (written, name) in [
            ("chroot", "chroot"),
            ("linux-user-chroot", "linux-user-chroot"),
            ("linux_user_chroot", "linux-user-chroot"),
            ("bubblewrap", "bubblewrap"),
        ] {
            assert_eq!(chosen(f, Some(written)), format!("{name} "));
        }
    });
}

#[test]
fn row_backend_choice_warns_of_an_invalid_variable() {
    for_everyone(|f| {
        if isolating().is_empty() {
            return;
        }
        assert_eq!(chosen(f, None), "linux-user-chroot ");
        assert_eq!(chosen(f, Some("")), "linux-user-chroot ");
        let answer = chosen(f, Some("docker"));
        let expected = "linux-user-chroot SANDBOXLIB_BACKEND environment variable is set to an \
                        invalid value \"docker\"";
        assert!(answer.starts_with(expected), "{answer}");
    });
}

#[test]
fn row_get_executor_knows_names_and_no_others() {
    for_everyone(|_| {
        for executor in Executor::ALL {
            let name = executor.name().as_str();
            assert_eq!(get_executor(name), Ok(executor));
            assert_eq!(get_executor(&name.replace('-', "_")), Ok(executor));
        }
        let error = get_executor("docker").unwrap_err().to_string();
        let expected = "\"docker\" is not a known executor in this version of sandboxlib";
        assert!(error.starts_with(expected), "{error}");
    });
}

fn values(capabilities: &Capabilities, setting: Setting) -> Vec<&'static str> {
    capabilities.values(setting).map(Feature::value).collect()
}

#[test]
fn row_capabilities_are_those_promised() {
    for_everyone(|f| {
        for executor in f.executors() {
            let capabilities = executor.capabilities().unwrap();
            let has = |setting| values(&capabilities, setting);
            if executor == Executor::Chroot {
                assert_eq!(has(Setting::Network), ["undefined"]);
                assert_eq!(has(Setting::Writable), ["all"]);
            } else {
                assert_eq!(has(Setting::Network), ["undefined", "isolated"]);
                assert_eq!(has(Setting::Writable), ["all", "only", "nothing"]);
            }
            // More than the original promises of a chroot: on Linux its mounts are its own.
            assert_eq!(has(Setting::Mounts), ["undefined", "isolated"]);
        }
        if f.who == Who::Plain {
            let capabilities = Executor::Chroot.capabilities().unwrap();
            assert_eq!(values(&capabilities, Setting::Root), [""; 0]);
        }
    });
}

#[test]
fn row_degrade_lowers_what_is_not_supported_and_reports_it() {
    for_everyone(|f| {
        let strict = f
            .config(["true"])
            .network(Isolation::Isolated)
            .mounts(Isolation::Isolated)
            .filesystem_writable_paths(["tmp"]);
        for executor in f.executors() {
            let degraded = executor.degrade_config_for_capabilities(&strict).unwrap();
            let warnings: Vec<_> = degraded.downgrades.iter().map(ToString::to_string).collect();
            if executor == Executor::Chroot {
                refused(executor, &strict, &["chroot", "network = isolated", "writable = only"]);
                assert_eq!(
                    warnings,
                    [
                        "writable = only is not possible here, using all: the chroot backend leaves \
                         what can be written to permissions",
                        "network = isolated is not possible here, using undefined: the chroot \
                         backend shares the host's network",
                    ]
                );
            } else {
                assert_eq!(warnings, [""; 0]);
            }
            assert_eq!(runs(executor, &degraded.config).exit, 0);
        }
    });
}

#[test]
fn row_degrade_looks_at_nothing_else() {
    for_everyone(|f| {
        for executor in f.executors() {
            let mut config = f.config(["true"]).cwd("/missing").network(Isolation::Isolated);
            config = config.extra_mount(("x", "/data", "no-such-type"));
            let degraded = executor.degrade_config_for_capabilities(&config).unwrap().config;
            assert_eq!(degraded.cwd, config.cwd);
            assert_eq!(degraded.extra_mounts, config.extra_mounts);
            assert_eq!(degraded.filesystem_writable_paths, WritablePaths::All);
        }
    });
}

#[test]
fn row_a_chroot_is_for_root_and_says_so() {
    for_everyone(|f| {
        if f.who == Who::Plain {
            let error = Executor::Chroot.degrade_config_for_capabilities(&f.config(["true"]));
            let error = error.unwrap_err();
            assert_eq!(error.unsupported().len(), 1, "{error}");
            refused(Executor::Chroot, &f.config(["true"]), &["the chroot backend cannot"]);
        }
    });
}

#[test]
fn bug_20_a_program_on_path_is_not_what_counts() {
    for_everyone(|f| {
        if isolating().is_empty() {
            return;
        }
        // None there is, and one that does not work.
        for (path, program) in [("none", None), ("programs", Some("bwrap"))] {
            let folder = f.host(path);
            fs::create_dir_all(&folder).unwrap();
            if let Some(program) = program {
                std::os::unix::fs::symlink("/bin/false", folder.join(program)).unwrap();
            }
            let mut role = f.role("says_which_executor");
            Fixture::play(role.env("PATH", &folder));
            assert_eq!(fs::read_to_string(f.host("answer")).unwrap(), "linux-user-chroot ");
            fs::remove_file(f.host("answer")).unwrap();
            fs::remove_dir_all(folder).unwrap();
        }
    });
}

#[test]
fn bug_20_a_host_without_user_namespaces_is_noticed() {
    for_everyone(|f| {
        // As root nothing needs one.
        if f.who == Who::Root || isolating().is_empty() {
            return;
        }
        // A user namespace that allows no others, and in it a process that has no rights.
        let forbid = "echo 0 > /proc/sys/user/max_user_namespaces || exit 99; \
                      exec setpriv --bounding-set=-all --inh-caps=-all /bin/sh \"$@\"";
        let role = f.role("says_which_executor");
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "/bin/sh", "-c", forbid, "sh"]).args(role.get_args());
        command.envs(role.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.stdin(this()).current_dir("/").output().unwrap();
        let Ok(answer) = fs::read_to_string(f.host("answer")) else {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            return skip(&format!("where no user namespace is allowed: {error}"));
        };
        fs::remove_file(f.host("answer")).unwrap();
        let reason = "error the linux-user-chroot backend cannot meet the request here: ";
        assert!(answer.starts_with(reason) && answer.contains("max_user_namespaces"), "{answer}");
        assert!(answer.contains("the chroot backend cannot"), "{answer}");
    });
}
