//! What can be chosen.

const HELP: &str = "\
./bench [options]         our producer beside the limit of this machine

what is measured
  (nothing else said)     rate, latency and CPU of every row beside the limit; what a message costs
                          in bytes, system calls and allocations; memory, threads, cold start;
                          the codec alone
  --peers                 the clients of others, too: Java 5.4.0 (wants Java 17 and Maven), Go 2.1.2
                          (Go), rocketmq-client-rust 1.0.0 (half an hour to build, once)
  --build                 only: crates, time of a clean build, size of a program (minutes)
  --real                  only: at a real broker 5.4.0 (Java 17 and Maven); beside it, --peers
  --failover              only: one of three brokers is killed or falls silent under load; --peers
                          too; with --real at real brokers, else at those of the embedded cluster

how
  --quick                 a fast look: 2 rounds, shorter, fewer rows
  --rounds N              how often each is measured (5; 3 with --real, 1 with --failover)
  --measure MS            how long (400); warming up takes another 250
  --rate N                messages a second with --real (2,000 and 5,000) and --failover (2,000);
                          may be repeated
  --only WORD             only rows that contain it; may be repeated
  --disturbed             let other jobs of the machine come in between

what comes out
  --json FILE             all that was measured
  --svg FILE              a picture: shares of the limit, or a failover over time
  --list                  the rows of the table";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Options {
    rounds: Option<usize>,
    measure_ms: Option<u64>,
    rates: Vec<u64>,
    only: Vec<String>,
    pub(crate) undisturbed: bool,
    pub(crate) quick: bool,
    pub(crate) peers: bool,
    pub(crate) build: bool,
    pub(crate) real: bool,
    pub(crate) failover: bool,
    pub(crate) json: Option<String>,
    pub(crate) svg: Option<String>,
    pub(crate) list: bool,
}

impl Options {
    /// Reads the words; the help, or what is wrong with them.
    pub(crate) fn read(words: &[String]) -> Result<Self, String> {
        let mut options = Self {
            rounds: None,
            measure_ms: None,
            rates: Vec::new(),
            only: Vec::new(),
            undisturbed: true,
            quick: false,
            peers: false,
            build: false,
            real: false,
            failover: false,
            json: None,
            svg: None,
            list: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().cloned().ok_or_else(|| format!("{word} wants a value"));
            let number = |text: String| match text.parse::<u64>() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(format!("{word} wants a number above 0, not {text}")),
            };
            match word.as_str() {
                "--rounds" => options.rounds = Some(number(value()?)? as usize),
                "--measure" => options.measure_ms = Some(number(value()?)?),
                "--rate" => options.rates.push(number(value()?)?),
                "--only" => options.only.push(value()?),
                "--disturbed" => options.undisturbed = false,
                "--quick" => options.quick = true,
                "--peers" => options.peers = true,
                "--build" => options.build = true,
                "--real" => options.real = true,
                "--failover" => options.failover = true,
                "--json" => options.json = Some(value()?),
                "--svg" => options.svg = Some(value()?),
                "--list" => options.list = true,
                "--help" | "-h" => return Err(HELP.to_owned()),
                other => return Err(format!("what is {other}?\n\n{HELP}")),
            }
        }
        Ok(options)
    }

    /// How often each is measured, if nothing else was said.
    pub(crate) fn rounds(&self, usual: usize) -> usize {
        let usual = if self.quick { usual.min(2) } else { usual };
        self.rounds.unwrap_or(usual)
    }

    pub(crate) fn measure_ms(&self) -> u64 {
        self.measure_ms.unwrap_or(if self.quick { 200 } else { 400 })
    }

    pub(crate) fn rates(&self, usual: &[u64]) -> Vec<u64> {
        if self.rates.is_empty() { usual.to_vec() } else { self.rates.clone() }
    }

    /// Whether that row, client or case is among those asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| name.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::read(&words)
    }

    #[test]
    fn options_are_read() {
        let options = read("--real --rate 100 --rate 200 --only java --quick").unwrap();
        assert!(options.real && !options.failover && options.undisturbed);
        assert_eq!((options.rates(&[7]), options.rounds(5)), (vec![100, 200], 2));
        assert!(options.wants("java, best") && !options.wants("go"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, why) in [
            ("--rounds", "wants a value"),
            ("--rounds none", "not none"),
            ("--rate 0", "above 0"),
            ("--fast", "what is --fast"),
            ("--help", "./bench [options]"),
        ] {
            let said = read(line).unwrap_err();
            assert!(said.contains(why), "{line}: {said}");
        }
    }
}
