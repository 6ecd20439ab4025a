//! Parses `.env` files: lines `NAME=value`, as Node's and Docker's loaders read them. Values are
//! literal: `$` and `\` have no meaning, since secrets contain them. Only within double quotes do
//! `\n`, `\r`, `\t`, `\"` and `\\` stand for one character. A quoted value may span lines.

use super::error::ConfigError;

/// Mark that some editors write at the beginning of a file.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// Returns the variables of a text, in their order.
///
/// # Errors
/// Names the first line that is not `NAME=value`.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut variables = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let line = rest.split('\n').next().unwrap_or_default();
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            rest = after_line(rest, line.len());
            continue;
        }
        let (name, value, len) = variable(rest, line).ok_or_else(|| ConfigError::DotEnv {
            line: 1 + text
                .get(..text.len() - rest.len())
                .map_or(0, |before| before.matches('\n').count()),
        })?;
        variables.push((name.to_owned(), value));
        rest = after_line(rest, len);
    }
    Ok(variables)
}

/// Returns the text after its first `len` bytes and the end of that line.
fn after_line(text: &str, len: usize) -> &str {
    text.get(len..)
        .map_or("", |rest| rest.strip_prefix('\n').unwrap_or(rest))
}

/// Parses the variable at the beginning of `text`, whose first line is `line`. Returns its name, its
/// value, and the bytes up to the end of its last line.
fn variable<'a>(text: &'a str, line: &'a str) -> Option<(&'a str, String, usize)> {
    let (name, value) = line.split_once('=')?;
    let start = name.len() + 1;
    let name = name.trim();
    let name = name.strip_prefix("export ").map_or(name, str::trim);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if name.is_empty() || !name.bytes().all(is_name) {
        return None;
    }
    let indent = value.len() - value.trim_start().len();
    let quote = value.trim_start().chars().next();
    let Some(quote @ ('"' | '\'' | '`')) = quote else {
        return Some((name, unquoted(value).to_owned(), line.len()));
    };
    let inside = text.get(start + indent + 1..)?;
    let (value, len) = quoted(inside, quote)?;
    let end = start + indent + 1 + len;
    let after = text.get(end..)?.split('\n').next().unwrap_or_default();
    let trailing = after.trim();
    (trailing.is_empty() || trailing.starts_with('#')).then_some((name, value, end + after.len()))
}

/// Returns a value without quotes: it ends at white space before a `#`.
fn unquoted(value: &str) -> &str {
    let comment = value
        .char_indices()
        .zip(value.chars().skip(1))
        .find(|((_, before), hash)| before.is_whitespace() && *hash == '#');
    let value = match comment {
        Some(((at, _), _)) => value.get(..at).unwrap_or(value),
        None => value,
    };
    let value = value.trim();
    if value.starts_with('#') { "" } else { value }
}

/// Returns the value up to the closing quote, and its length in `text` with that quote.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Some((value, at + quote.len_utf8()));
        }
        if character != '\\' || quote != '"' {
            value.push(character);
            continue;
        }
        match characters.next()?.1 {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            escaped @ ('"' | '\\') => value.push(escaped),
            other => value.extend(['\\', other]),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> String {
        let variables = parse(text).unwrap();
        let [(name, value)] = &variables[..] else {
            panic!("{variables:?}")
        };
        assert_eq!(name, "A");
        value.clone()
    }

    #[test]
    fn dollar_and_backslash_are_literal() {
        for text in ["x$HOME-y", "x${HOME}", "a\\b$$", "$(id)", "p#q", "a'b\"c"] {
            assert_eq!(value(&format!("A={text}")), text);
            assert_eq!(value(&format!("A={text}\r\n")), text);
        }
        for text in ["x$HOME-y # no comment", " ${A} ", "a\\d"] {
            assert_eq!(value(&format!("A=\"{text}\"")), text);
            assert_eq!(value(&format!("A='{text}' # comment")), text);
        }
    }

    #[test]
    fn quotes_comments_and_exports_are_understood() {
        assert_eq!(value("\u{feff}A=1"), "1");
        assert_eq!(value("# first\n\n  export A = 1 2 # last\n"), "1 2");
        assert_eq!(value("A="), "");
        assert_eq!(value("A= # nothing"), "");
        assert_eq!(value("A=\"a\\n\\\"b\\\"\\\\\""), "a\n\"b\"\\");
        assert_eq!(value("A='one\ntwo'\n"), "one\ntwo");
        let variables = parse("A='one\ntwo'\nB=3").unwrap();
        assert_eq!(variables[1], ("B".to_owned(), "3".to_owned()));
    }

    #[test]
    fn malformed_line_is_named() {
        for (text, line) in [
            ("A=1\n\nno value", 3),
            ("A=1\n=2", 2),
            ("A='one\n\nB=2", 1),
            ("A=\"x\" y", 1),
            ("A B=1", 1),
        ] {
            let Err(ConfigError::DotEnv { line: found }) = parse(text) else {
                panic!("{text}")
            };
            assert_eq!(found, line, "{text}");
        }
    }
}
