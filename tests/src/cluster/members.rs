//! The public members of Java classes, read out of the jars by `javap`.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use super::home::Home;
use super::jvm::class_path;
use super::process::run;
use super::release::{jars, require};
use super::{Error, Release, Result};

/// The public members that each class declares itself, by the class's simple name. Types are
/// written without packages and parameters: `send(Collection, SendCallback, long)`.
pub fn public_members(release: Release, classes: &[&str]) -> Result<BTreeMap<String, Vec<String>>> {
    require("javap", "-version", "a JDK (Debian: apt-get install openjdk-17-jdk-headless)")?;
    let home = Home::create()?;
    let mut javap = Command::new("javap");
    javap.args(["-public", "-cp"]).arg(class_path(&[], &jars(release)?)).args(classes);
    let done = run(javap, LIMIT, home.path())?;
    if !done.status.success() {
        return Err(Error::new(format!("javap: {}\n{}{}", done.status, done.stdout, done.stderr)));
    }
    Ok(parse(&done.stdout))
}

fn parse(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut classes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut class = String::new();
    for line in text.lines() {
        if let Some(member) = line.strip_prefix("  ") {
            classes.entry(class.clone()).or_default().push(signature(member));
        } else if line.starts_with("public ") {
            let mut words = line.split(' ').skip_while(|word| !KINDS.contains(word)).skip(1);
            class = unqualified(words.next().unwrap_or_default());
        }
    }
    classes
}

/// `public long a.b.C.maxOffset(a.Queue<X>) throws E;` is `maxOffset(Queue)`.
fn signature(member: &str) -> String {
    let member = member.split(" throws ").next().unwrap_or_default().trim_end_matches(';');
    let plain = without_parameters(member);
    let (name, arguments) = match plain.split_once('(') {
        Some((name, arguments)) => (name, Some(arguments.trim_end_matches(')'))),
        None => (&*plain, None),
    };
    let name = unqualified(name.rsplit(' ').next().unwrap_or_default());
    let Some(arguments) = arguments else { return name };
    let arguments: Vec<_> = arguments.split(", ").map(unqualified).collect();
    format!("{name}({})", arguments.join(", "))
}

fn without_parameters(text: &str) -> String {
    let mut depth = 0;
    let keep = |character: &char| {
        depth += i32::from(*character == '<');
        let is_kept = depth == 0;
        depth -= i32::from(*character == '>');
        is_kept
    };
    text.chars().filter(keep).collect()
}

fn unqualified(name: &str) -> String {
    name.rsplit('.').next().unwrap_or_default().to_owned()
}

const KINDS: [&str; 2] = ["class", "interface"];
const LIMIT: Duration = Duration::from_secs(60);
