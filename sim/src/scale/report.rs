//! The tables of `sim/SCALE.md`.

use super::{Figures, Phase, Rules, Size, run};

/// What is run, what is in the tables, and what to look for.
pub const HEADER: &str = "\
# What load do many producers put on a cluster?

    cargo run -p sim -- scale                                # the large table; --help for other sizes
    cargo test -p sim --test simulator scale                 # the small one, compared with this file
    UPDATE=1 cargo test -p sim --test simulator scale        # writes this file

**The run.** Eight minutes of virtual time. Each producer sends a message a second, to four topics in
turn, all of which have four queues on every broker. Ways take 0.25 to 0.75 ms. A name server needs
25 µs for an answer and sends 1 Gbit/s, one answer after the other. Brokers register every 30 s, so name
servers that restart know nothing at first and everything after half a minute. Processes are killed:
connections are reset, dials refused. Name servers are away for 5 s, brokers for 10 s; *everything
restarts* is a power failure: name servers are back after 5 s, producers after 10 s, brokers after 15 s.
Producers that restart do so within a second.

**default** is the real core with `Config::default()`. **Java** is not the core with `Config::java()`,
which spreads its polls, but a model of what Java 5.4.0's rules ask of servers: routes of all topics
polled one after the other every 30 s from its start on, heartbeats to all known brokers every 30 s from
its first second on, and one at each new connection; one name server until its connection ends, then the
next; three attempts without pause; a poll that fails leaves out the rest of the round.

**Columns.** *Route requests* at all name servers together, and most of them in a tenth of a second;
megabytes of answers, and most in a second; the longest time that an answer took at a name server; dials
of name servers, and most connections of one. *Dials* of brokers, refused ones included, and most in a
second at one broker; heartbeats, and most in a second at one broker; sends that failed.

What to look for:

- **Java's producers get into step.** Those that restarted at one instant poll at one instant, and go on
  so: a thousand of them ask for 37 MB of routes within a second, twice a minute, for as long as they
  live; and every broker hears a thousand heartbeats in one second. The default polls one topic after the
  other, so that the same requests come in as many pieces as there are topics, and each piece is as wide
  as the first sends to the topic were: 7 MB. Its heartbeats follow the first message to a broker.
- **Java dials every broker** of every route a second after it starts; the default dials those that it
  sends to, which with so few messages takes it a minute.
- **Name servers that come back empty** are asked three times as much by the default: \"no such topic\"
  counts when all of them have said so, which is why no route is lost. The answers are short.
- **All brokers away is where the default asks more.** It goes on trying within the time of each send,
  where Java gives up after three refused dials, and it has routes asked for once a second, where Java
  waits for its poll. A refused dial costs a broker's machine a packet, and that broker is away; \"no
  such topic\" costs a name server 25 µs. In an outage longer than `send_timeout` it saves few sends.

The settings that follow are in the guide to operations (`producer-native/docs/operations.md`).

";

/// Why the default is worse in a phase, where it is.
const WHY: [(&str, &str); 5] = [
    ("nothing happens", DIALLED_LATER),
    (
        "all name servers restart",
        "a topic is not believed to be absent before all name servers have said so",
    ),
    (
        "all brokers restart",
        "sends are tried for as long as they have time, and failures have routes asked for",
    ),
    ("the minute after", DIALLED_LATER),
    ("everything restarts", "as when all name servers and all brokers restart"),
];
const DIALLED_LATER: &str = "brokers are dialled, and greeted, when the first message goes there";

/// A section: the table of a size, and where the default is worse.
pub fn section(size: Size) -> String {
    let [java, ours] = std::thread::scope(|scope| {
        let java = scope.spawn(|| run(size, Rules::Java));
        let ours = run(size, Rules::Ours);
        [java.join().expect("runs end"), ours]
    });
    let Size { producers, brokers, name_servers, topics } = size;
    let mut text = format!(
        "## {producers} producers, {brokers} brokers, {name_servers} name servers, {topics} topics \
         each\n\n"
    );
    text += &table(&java, &ours);
    text += "\nWhere the default is worse by a fifth and more:\n\n";
    for (java, ours) in java.phases.iter().zip(&ours.phases) {
        let worse = worse_in(java, ours);
        if !worse.is_empty() {
            let why = WHY.iter().find(|(name, _)| *name == ours.name);
            let why = why.map_or("not explained", |(_, why)| why);
            text += &format!("- *{}* ({}): {why}.\n", ours.name, worse.join(", "));
        }
    }
    text
}

/// In what the default is worse than Java.
pub fn worse_in(java: &Phase, ours: &Phase) -> Vec<&'static str> {
    let columns = [
        ("route requests", java.routes, ours.routes),
        ("at once", u64::from(java.routes_at_once), u64::from(ours.routes_at_once)),
        ("MB", java.bytes / 100_000, ours.bytes / 100_000),
        ("MB at once", java.bytes_at_once / 100_000, ours.bytes_at_once / 100_000),
        ("longest wait", java.waited_us, ours.waited_us),
        ("dials of name servers", java.server_dials, ours.server_dials),
        ("dials", java.broker_dials, ours.broker_dials),
        (
            "dials at once",
            u64::from(java.broker_dials_at_once),
            u64::from(ours.broker_dials_at_once),
        ),
        ("heartbeats", java.beats, ours.beats),
        ("heartbeats at once", u64::from(java.beats_at_once), u64::from(ours.beats_at_once)),
        ("failed", java.failed, ours.failed),
    ];
    // Of small numbers a fifth is chance.
    let worse = columns.into_iter().filter(|(_, java, ours)| *ours > java * 6 / 5 + 10);
    worse.map(|(name, ..)| name).collect()
}

const HEAD: [&str; 14] = [
    "what happens",
    "rules",
    "route requests",
    "in 0.1 s",
    "MB",
    "in 1 s",
    "longest wait",
    "dials of name servers",
    "connections of one",
    "dials of brokers",
    "of one in 1 s",
    "heartbeats",
    "at one in 1 s",
    "failed sends",
];

fn table(java: &Figures, ours: &Figures) -> String {
    let mut rows = vec![HEAD.map(str::to_owned), HEAD.map(|_| String::new())];
    for (java, ours) in java.phases.iter().zip(&ours.phases) {
        rows.push(row(java.name, "Java", java));
        rows.push(row("", "default", ours));
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..HEAD.len()).map(|column| width(column).unwrap_or(0)).collect();
    rows[1] = std::array::from_fn(|column| "-".repeat(widths[column]));
    let line = |row: &[String; 14]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!(" {cell:<width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    rows.iter().map(line).collect()
}

fn row(name: &str, rules: &str, of: &Phase) -> [String; 14] {
    let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    [
        name.to_owned(),
        rules.to_owned(),
        of.routes.to_string(),
        of.routes_at_once.to_string(),
        megabytes(of.bytes),
        megabytes(of.bytes_at_once),
        format!("{:.1} ms", of.waited_us as f64 / 1e3),
        of.server_dials.to_string(),
        match of.server_connections {
            0 => "as before".to_owned(),
            most => most.to_string(),
        },
        of.broker_dials.to_string(),
        of.broker_dials_at_once.to_string(),
        of.beats.to_string(),
        of.beats_at_once.to_string(),
        format!("{} of {}", of.failed, of.failed + of.stored),
    ]
}
