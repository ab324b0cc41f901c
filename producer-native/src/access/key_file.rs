//! The file in which Java clients keep credentials (`~/key`, `SessionCredentials.java`).

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use producer_core::{Credentials, InvalidCredentials};

/// Why a key file gives no credentials. No value of the file is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileError {
    /// No path was given, and there is no home folder to look into.
    NoHome,
    /// The file cannot be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        problem: String,
    },
    /// The file is longer than 64 KiB, or not UTF-8, or has an escape that is none.
    Malformed {
        /// Which.
        path: PathBuf,
        /// Line, from 1; 0 for the file as a whole.
        line: usize,
    },
    /// A property that is needed is not there, or blank.
    Missing {
        /// Which file.
        path: PathBuf,
        /// `AccessKey`, `SecretKey` or, if it is there and blank, `SecurityToken`.
        property: &'static str,
    },
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHome => f.write_str("there is no home folder to look for the key file in"),
            Self::Unreadable { path, problem } => {
                write!(f, "key file {} cannot be read: {problem}", path.display())
            }
            Self::Malformed { path, line: 0 } => {
                write!(f, "key file {} is no text of properties", path.display())
            }
            Self::Malformed { path, line } => {
                write!(f, "key file {}: line {line} has a bad escape", path.display())
            }
            Self::Missing { path, property } => {
                write!(f, "key file {} has no {property}", path.display())
            }
        }
    }
}

impl std::error::Error for KeyFileError {}

/// Longest file that is read.
const BYTES_MAX: u64 = 64 << 10;

/// Reads credentials from a file of Java properties with `AccessKey`, `SecretKey` and perhaps
/// `SecurityToken`; other properties are passed over. Without a path it is `key` in the home
/// folder, as in Java.
///
/// # Errors
/// [`KeyFileError`] says what is wrong with the file, and shows nothing of it.
pub fn key_file(path: Option<&Path>) -> Result<Credentials, KeyFileError> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => std::env::home_dir().ok_or(KeyFileError::NoHome)?.join("key"),
    };
    let unreadable = |error: std::io::Error| KeyFileError::Unreadable {
        path: path.clone(),
        problem: error.to_string(),
    };
    let file = File::open(&path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let malformed = |line| KeyFileError::Malformed { path: path.clone(), line };
    let text = String::from_utf8(bytes).map_err(|_| malformed(0))?;
    if text.len() as u64 > BYTES_MAX || text.contains('\0') {
        return Err(malformed(0));
    }
    read(&text).map_err(|problem| match problem {
        Problem::Escape { line } => malformed(line),
        Problem::Missing(property) => KeyFileError::Missing { path: path.clone(), property },
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Escape { line: usize },
    Missing(&'static str),
}

fn read(text: &str) -> Result<Credentials, Problem> {
    let mut found: [Option<String>; 3] = [None, None, None];
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while ends_in_escape(&line)
            && let Some((_, next)) = lines.next()
        {
            line.pop();
            line.push_str(next.trim_start());
        }
        let (name, value) = split(&line);
        let escape = Problem::Escape { line: number + 1 };
        let (Some(name), Some(value)) = (unescaped(name), unescaped(value)) else {
            return Err(escape);
        };
        if let Some(at) = NAMES.iter().position(|known| *known == name) {
            found[at] = Some(value.trim().to_owned());
        }
    }
    let [access, secret, token] = found;
    let (access, secret) = (access.unwrap_or_default(), secret.unwrap_or_default());
    let missing = |problem| {
        Problem::Missing(match problem {
            InvalidCredentials::AccessKey => NAMES[0],
            InvalidCredentials::SecretKey => NAMES[1],
            _ => NAMES[2],
        })
    };
    let credentials = Credentials::new(access, secret).map_err(missing)?;
    match token {
        Some(token) => credentials.with_token(token).map_err(missing),
        None => Ok(credentials),
    }
}

const NAMES: [&str; 3] = ["AccessKey", "SecretKey", "SecurityToken"];

/// Whether the line goes on in the next one.
fn ends_in_escape(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Name and value: parted by the first `=`, `:` or white space that is not escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (c == '=' || c == ':' || c.is_whitespace());
        escaped = !escaped && c == '\\';
        ends
    });
    let Some(end) = end else { return (line, "") };
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start();
    (name, rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start())
}

/// The text that escapes stand for; `None` if `\u` is not followed by a character's number.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits = rest.as_str().get(..4)?;
                let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let code = u32::from_str_radix(digits, 16).ok().filter(|_| hex)?;
                out.push(char::from_u32(code)?);
                rest = rest.as_str()[4..].chars();
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(access: &str, secret: &str) -> Credentials {
        Credentials::new(access, secret).expect("not blank")
    }

    #[test]
    fn key_files_are_properties_as_java_reads_them() {
        for text in [
            "AccessKey=ak\nSecretKey=s k\n",
            "# mine\n! too\n\n  AccessKey : ak \r\nSecretKey  s k\r\nOther=x",
            "SecretKey=wrong\nSecretKey=s\\\n   \\ k\nAccess\\u004bey=ak",
        ] {
            assert_eq!(read(text), Ok(account("ak", "s k")), "{text}");
        }
        let token = account("ak", "a=b:c\\").with_token("tok").expect("not blank");
        assert_eq!(read("AccessKey=ak\nSecretKey=a=b:c\\\\\nSecurityToken=tok"), Ok(token));
    }

    #[test]
    fn key_files_that_are_none_are_refused() {
        assert_eq!(read(""), Err(Problem::Missing("AccessKey")));
        assert_eq!(read("AccessKey=\nSecretKey=x"), Err(Problem::Missing("AccessKey")));
        assert_eq!(read("AccessKey=a"), Err(Problem::Missing("SecretKey")));
        let blank = "AccessKey=a\nSecretKey=b\nSecurityToken= ";
        assert_eq!(read(blank), Err(Problem::Missing("SecurityToken")));
        for bad in ["\\u12", "\\uD800", "\\uzzzz", "\\u+041", "\\u00é0"] {
            let text = format!("\nAccessKey={bad}");
            assert_eq!(read(&text), Err(Problem::Escape { line: 2 }), "{bad}");
        }
        for odd in ["\\", "=", ":", "AccessKey", "\\\\\\", "a\\"] {
            assert!(read(odd).is_err(), "{odd}");
        }
    }
}
