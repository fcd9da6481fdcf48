//! kcat's modes, which are options there and commands here: whoever types them is told the command that does the same.

use super::{USAGE, say};

/// What does the same here, and what was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Equivalent {
    mode: String,
    command: String,
}

impl Equivalent {
    /// Tells it, and ends the process as mistakes in arguments do.
    pub(crate) fn exit(&self) -> ! {
        let Equivalent { mode, command } = self;
        say(format_args!("{mode} is a mode of kcat's; here it is a command:"));
        say(format_args!("  {command}"));
        std::process::exit(USAGE.into())
    }
}

/// The command for arguments that begin like kcat's; `None` for all others.
pub(crate) fn equivalent(arguments: impl Iterator<Item = String>) -> Option<Equivalent> {
    let mut words: Vec<String> = arguments.collect();
    let place = words.iter().position(|word| mode_of(word).is_some())?;
    // After a command the letters are its own, and so is what follows kcat's other options.
    if words.first().is_some_and(|word| !word.starts_with('-')) {
        return None;
    }
    let (letter, rest) = mode_of(&words[place]).map(|(letter, rest)| (letter, rest.to_owned()))?;
    words.remove(place);
    if !rest.is_empty() {
        words.insert(place, format!("-{rest}"));
    }
    let command = match letter {
        'P' => with_rest("cutaway produce", &words),
        'C' => with_rest("cutaway consume", &words),
        'L' => match take(&mut words, "-t") {
            Some(topic) => with_rest(&format!("cutaway topics describe {topic}"), &words),
            None => with_rest("cutaway topics list", &words),
        },
        // `-t TOPIC:PARTITION:TIME`; a record from that time on has the offset that kcat prints.
        'Q' => match take(&mut words, "-t").map(|query| query.split(':').map(str::to_owned).collect::<Vec<_>>()) {
            Some(parts) if parts.len() == 3 => {
                let (topic, partition, time) = (&parts[0], &parts[1], &parts[2]);
                with_rest(&format!("cutaway consume -t {topic} -p {partition} -o s@{time} -c 1 -f '%o\\n'"), &words)
            }
            _ => with_rest("cutaway consume -t TOPIC -p PARTITION -o s@TIME -c 1 -f '%o\\n'", &words),
        },
        _ => return None,
    };
    Some(Equivalent { mode: format!("-{letter}"), command })
}

/// The mode in a word, and the options that stand behind it in the same word: `-Ct` is `-C -t`.
fn mode_of(word: &str) -> Option<(char, &str)> {
    let letters = word.strip_prefix('-')?;
    let first = letters.chars().next().filter(|letter| "PCLQ".contains(*letter))?;
    Some((first, &letters[1..]))
}

/// Takes an option and its value out, be they one word or two.
fn take(words: &mut Vec<String>, option: &str) -> Option<String> {
    let place = words.iter().position(|word| word.starts_with(option))?;
    let word = words.remove(place);
    match word.strip_prefix(option) {
        Some("") if place < words.len() => Some(words.remove(place)),
        Some("") | None => None,
        Some(value) => Some(value.to_owned()),
    }
}

fn with_rest(command: &str, words: &[String]) -> String {
    let quoted = words.iter().map(|word| super::banner::shell_word(word.as_ref()));
    std::iter::once(command.to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(typed: &str) -> Option<String> {
        equivalent(typed.split_whitespace().map(str::to_owned)).map(|answer| answer.command)
    }

    #[test]
    fn kcats_modes_have_commands() {
        for (typed, command) in [
            ("-L", "cutaway topics list"),
            ("-L -b h:1", "cutaway topics list -b h:1"),
            ("-b h -L -t x", "cutaway topics describe x -b h"),
            ("-C -t x -e", "cutaway consume -t x -e"),
            ("-Ct x", "cutaway consume -t x"),
            ("-P -t x -K :", "cutaway produce -t x -K :"),
            ("-Q -t x:0:1700000000000", "cutaway consume -t x -p 0 -o s@1700000000000 -c 1 -f '%o\\n'"),
        ] {
            assert_eq!(answer(typed).as_deref(), Some(command), "{typed}");
        }
    }

    #[test]
    fn nothing_else_is_mistaken_for_kcat() {
        for typed in ["", "--port x", "topics -L", "produce -P", "-p 1"] {
            assert_eq!(answer(typed), None, "{typed}");
        }
    }
}
