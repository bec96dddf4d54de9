//! When to colour, and in which colours. No colour says what words do not.

use std::ffi::OsString;

use anstream::ColorChoice;
use clap::ValueEnum;
use clap::builder::styling::{AnsiColor, Style};

/// When to colour.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Color {
    /// On terminals, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// What the arguments say, read before they are parsed: the help is coloured too.
    pub(crate) fn of(arguments: &[OsString]) -> Self {
        let mut words = arguments.iter().filter_map(|argument| argument.to_str());
        while let Some(word) = words.next() {
            let value = match word {
                "--" => break,
                "--color" => words.next(),
                _ => word.strip_prefix("--color="),
            };
            if let Some(color) = value.and_then(|value| Self::from_str(value, false).ok()) {
                return color;
            }
        }
        Self::default()
    }

    /// Lets all output of this process follow the choice.
    pub(crate) fn apply(self) {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
        .write_global();
    }
}

impl From<Color> for clap::ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// For what went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// For what did not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// For what is beside the point.
pub(crate) const FAINT: Style = Style::new().dimmed();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_found_before_parsing() {
        for (arguments, want) in [
            (&["hostbound", "check"][..], Color::Auto),
            (&["hostbound", "--color", "never", "check"], Color::Never),
            (&["hostbound", "check", "--color=always"], Color::Always),
            (&["hostbound", "check", "--color=mauve"], Color::Auto),
            (&["hostbound", "check", "--color"], Color::Auto),
            (&["hostbound", "check", "--", "--color=never"], Color::Auto),
        ] {
            let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
            assert_eq!(Color::of(&arguments), want, "{arguments:?}");
        }
    }
}
