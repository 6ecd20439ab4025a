//! Names that people choose: for themselves, and for rooms. Others read them beside other text.

use std::borrow::Cow;

/// Returns a name without characters that are not seen and change what is seen beside it: control characters,
/// marks that turn the direction of text (Unicode UAX #9), and characters without width. Emoji keep their joiners.
#[must_use]
pub fn clean_name(name: &str) -> Cow<'_, str> {
    if !name.chars().any(is_removed) && name.trim().len() == name.len() {
        return Cow::Borrowed(name);
    }
    let kept: String = name.chars().filter(|it| !is_removed(*it)).collect();
    Cow::Owned(kept.trim().to_owned())
}

/// Returns whether a text can be the public name of a participant.
pub(crate) fn is_peer_name(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(char::is_control)
}

/// Returns a message without marks that turn the direction of the text behind them (Unicode UAX #9).
/// Marks that only order neighbouring letters stay, since Arabic and Hebrew need them.
pub(crate) fn clean_message(text: &str) -> Cow<'_, str> {
    if !text.contains(turns_direction) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(turns_direction, ""))
}

fn turns_direction(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_removed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_loses_what_turns_the_text_beside_it() {
        assert_eq!(clean_name("ana\u{202e}nimda"), "ananimda");
        assert_eq!(clean_name("\u{2066}a\u{0}b\u{feff} "), "ab");
        assert_eq!(clean_name("\u{200b}\u{2069}"), "");
    }

    #[test]
    fn message_loses_what_turns_it_and_keeps_line_breaks_and_marks() {
        assert_eq!(clean_message("a\u{202e}b\u{2066}\nc"), "ab\nc");
        assert_eq!(
            clean_message("(\u{200f}ליל)\u{200e}"),
            "(\u{200f}ליל)\u{200e}"
        );
    }

    #[test]
    fn letters_of_every_script_and_emoji_stay() {
        for name in ["Ana Silva", "ليلى", "नेहा\u{200d}", "👩\u{200d}💻", "Łukasz"]
        {
            assert!(matches!(clean_name(name), Cow::Borrowed(it) if it == name));
        }
    }
}
