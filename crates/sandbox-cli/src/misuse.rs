//! The `--status-fd` of a command line that is wrong elsewhere, which the grammar cannot read.

use std::ffi::OsString;

use clap::{ArgAction, Command};

use crate::flags::descriptor_above_streams;

const STATUS_FD: &str = "--status-fd";

/// Its number, wherever it is among the words of `run-sandbox`; those of the command, after ROOT or
/// `--`, are not looked at.
pub(crate) fn status_fd(grammar: &Command, words: &[OsString]) -> Option<i32> {
    let mut words = words.iter().skip(1).map(|word| word.to_string_lossy());
    let mut operands = 0;
    while let Some(word) = words.next() {
        if let Some(number) = word.strip_prefix(STATUS_FD).and_then(|rest| rest.strip_prefix('=')) {
            return descriptor_above_streams(number).ok();
        } else if word == STATUS_FD {
            return descriptor_above_streams(&words.next()?).ok();
        } else if word == "--" {
            return None;
        } else if is_option(&word) {
            if takes_next(grammar, &word) {
                words.next();
            }
        } else {
            operands += 1;
            // ROOT may be followed by options; the command is not.
            if operands > 1 {
                return None;
            }
        }
    }
    None
}

fn is_option(word: &str) -> bool {
    word.starts_with('-') && word != "-"
}

/// Whether the value of an option is the word after it.
fn takes_next(grammar: &Command, word: &str) -> bool {
    let is_it = |argument: &&clap::Arg| match (word.strip_prefix("--"), word.strip_prefix('-')) {
        (Some(long), _) => {
            argument.get_long() == Some(long)
                || argument.get_all_aliases().is_some_and(|names| names.contains(&long))
        }
        // A value in the same word is more than one letter.
        (None, Some(short)) => {
            argument.get_short().is_some_and(|letter| short == letter.to_string())
        }
        (None, None) => false,
    };
    let argument = grammar.get_arguments().find(is_it);
    argument.is_some_and(|found| matches!(found.get_action(), ArgAction::Set | ArgAction::Append))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Flags;
    use clap::CommandFactory;

    fn found(line: &str) -> Option<i32> {
        let words: Vec<_> = line.split(' ').map(OsString::from).collect();
        status_fd(&Flags::command(), &words)
    }

    #[test]
    fn it_is_found_before_and_after_a_mistake() {
        for line in [
            "run-sandbox --nonsense --status-fd 5",
            "run-sandbox --status-fd 5 --nonsense",
            "run-sandbox --nonsense --status-fd=5 / true",
            "run-sandbox --cwd /a --env=B -e chroot -v --nonsense --status-fd 5",
            "run-sandbox --executor x --nonsense --config - --status-fd 5",
            "run-sandbox / --network off --status-fd 5 true",
            "run-sandbox --nonsense / --status-fd 5",
            "run-sandbox -echroot --nonsense --status-fd 5 -- x",
        ] {
            assert_eq!(found(line), Some(5), "{line}");
        }
    }

    #[test]
    fn the_words_of_the_command_are_its_own() {
        for line in [
            "run-sandbox --nonsense / true --status-fd 5",
            "run-sandbox --nonsense -- / --status-fd 5",
            "run-sandbox --nonsense / -- --status-fd 5",
            "run-sandbox --nonsense --cwd --status-fd 5",
            "run-sandbox --nonsense --status-fd",
            "run-sandbox --nonsense --status-fd 2",
            "run-sandbox --nonsense --status-fdx=5",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }
}
