//! A parser of command lines as Go programs take them: one dash or two, `--name=value` or `--name value`, bare booleans.
use std::collections::BTreeMap;
use std::time::Duration;

/// What the value of a flag looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Values between commas; the flag may be repeated.
    List,
    Bool,
    Int,
    /// A Go duration such as `1m30s`.
    Duration,
}

/// Who the flag is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Current,
    /// Works, with a word on what to use instead.
    Deprecated(&'static str),
    /// Accepted, but belongs to a part that this build does not have yet.
    Absent(&'static str),
}

/// One flag.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    pub name: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    pub standing: Standing,
    pub help: &'static str,
}

/// A flag as it is used today; for tables of them.
pub const fn flag(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Flag {
    flag_of(name, kind, default, Standing::Current, help)
}

/// A flag of any standing.
pub const fn flag_of(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    standing: Standing,
    help: &'static str,
) -> Flag {
    Flag { name, kind, default, standing, help }
}

/// A command line that cannot be read, or a wish for help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    #[error("unknown flag: --{0}")]
    Unknown(String),
    #[error("flag needs an argument: --{0}")]
    NoValue(&'static str),
    #[error("invalid argument \"{value}\" for \"--{name}\" flag: {reason}")]
    Invalid { name: &'static str, value: String, reason: &'static str },
    #[error("help requested")]
    Help,
}

/// The values of a command line.
#[derive(Debug)]
pub struct Flags {
    table: Vec<&'static Flag>,
    given: BTreeMap<&'static str, Vec<String>>,
}

impl Flags {
    /// Reads a command line without the name of the program.
    ///
    /// # Errors
    /// [`Misuse`].
    pub fn parse(tables: &[&'static [Flag]], arguments: &[String]) -> Result<Self, Misuse> {
        let mut flags = Self { table: tables.iter().copied().flatten().collect(), given: BTreeMap::new() };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let Some(text) = dashed(argument) else {
                if argument == "--" {
                    break;
                }
                continue;
            };
            flags.take(text, &mut rest)?;
        }
        Ok(flags)
    }

    fn take<'a>(&mut self, text: &str, rest: &mut impl Iterator<Item = &'a String>) -> Result<(), Misuse> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let Some(flag) = self.table.iter().copied().find(|flag| flag.name == name) else {
            let help = matches!(name, "help" | "h");
            return Err(if help { Misuse::Help } else { Misuse::Unknown(name.to_owned()) });
        };
        let value = match (value, flag.kind) {
            (Some(value), _) => value.to_owned(),
            (None, Kind::Bool) => "true".to_owned(),
            (None, _) => rest.next().ok_or(Misuse::NoValue(flag.name))?.clone(),
        };
        check(flag, &value)?;
        self.given.entry(flag.name).or_default().push(value);
        Ok(())
    }

    /// Whether the flag was given at all.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The last value, or the default.
    pub fn text(&self, name: &str) -> &str {
        let given = self.given.get(name).and_then(|values| values.last());
        given.map_or_else(|| self.default(name), String::as_str)
    }

    /// All values.
    pub fn list(&self, name: &str) -> Vec<String> {
        let given = self.given.get(name).into_iter().flatten().flat_map(|value| value.split(','));
        given.filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    pub fn bool(&self, name: &str) -> bool {
        boolean(self.text(name)).unwrap_or_default()
    }

    pub fn int(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or_default()
    }

    pub fn duration(&self, name: &str) -> Duration {
        foundation_metadata::duration::parse(self.text(name)).unwrap_or_default()
    }

    /// Flags that were given, in the order of the table.
    pub fn given(&self) -> impl Iterator<Item = &'static Flag> {
        self.table.iter().copied().filter(|flag| self.is_given(flag.name))
    }

    fn default(&self, name: &str) -> &'static str {
        self.table.iter().find(|flag| flag.name == name).map_or("", |flag| flag.default)
    }
}

/// The text behind one or two dashes.
fn dashed(argument: &str) -> Option<&str> {
    let text = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'))?;
    (!text.is_empty()).then_some(text)
}

fn check(flag: &Flag, value: &str) -> Result<(), Misuse> {
    let reason = match flag.kind {
        Kind::Bool if boolean(value).is_none() => "use true or false",
        Kind::Int if value.parse::<i64>().is_err() => "use a whole number",
        Kind::Duration if foundation_metadata::duration::parse(value).is_none() => "use a duration such as 30s",
        _ => return Ok(()),
    };
    Err(Misuse::Invalid { name: flag.name, value: value.to_owned(), reason })
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The help text of tables.
pub fn usage(program: &str, tables: &[&[Flag]]) -> String {
    let mut flags: Vec<_> =
        tables.iter().copied().flatten().filter(|flag| !matches!(flag.standing, Standing::Deprecated(_))).collect();
    flags.sort_by_key(|flag| flag.name);
    let width = flags.iter().map(|flag| flag.name.len() + kind(flag.kind).len()).max().unwrap_or_default() + 3;
    let lines = flags.iter().map(|flag| {
        let name = format!("{} {}", flag.name, kind(flag.kind));
        let default = Some(flag.default).filter(|default| !matches!(*default, "" | "false" | "0s"));
        let default = default.map(|default| format!(" (default {default})")).unwrap_or_default();
        format!("      --{name:width$}{}{default}\n", flag.help)
    });
    format!("Usage of {program}:\n{}", lines.collect::<String>())
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::List => "strings",
        Kind::Bool => "",
        Kind::Int => "int",
        Kind::Duration => "duration",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn flag(name: &'static str, kind: Kind, default: &'static str) -> Flag {
        Flag { name, kind, default, help: "", standing: Standing::Current }
    }

    static TABLE: [Flag; 4] = [
        flag("switch", Kind::Bool, "false"),
        flag("number", Kind::Int, "7"),
        flag("time", Kind::Duration, "1s"),
        flag("names", Kind::List, ""),
    ];

    proptest! {
        #[test]
        fn any_command_line_is_read_or_refused(arguments in prop::collection::vec("-{0,3}(switch|number|time|names|x)?(=)?[-0-9a-z.,]{0,6}|\\PC{0,6}", 0..6)) {
            if let Ok(flags) = Flags::parse(&[&TABLE], &arguments) {
                let read = (flags.bool("switch"), flags.int("number"), flags.duration("time"), flags.list("names"));
                prop_assert!(flags.given().count() > 0 || read == (false, 7, Duration::from_secs(1), Vec::new()));
            }
        }

        #[test]
        fn what_is_given_is_read(number in any::<i64>(), switch: bool, names in prop::collection::vec("[a-z]{1,4}", 0..4)) {
            let arguments = [format!("--number={number}"), "--names".to_owned(), names.join(","), format!("-switch={switch}")];
            let flags = Flags::parse(&[&TABLE], &arguments).unwrap();
            prop_assert_eq!((flags.int("number"), flags.bool("switch"), flags.list("names")), (number, switch, names));
        }
    }
}
