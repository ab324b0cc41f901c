//! Which brokers should be avoided, and for how long?

use core::time::Duration;

use crate::config::{Adaptive, FaultTable, Health};
use crate::random::Random;
use crate::time::Instant;

/// What an attempt taught about its broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answered that it stored the message.
    Answered,
    /// It answered that the request is at fault: the broker is well.
    RequestRefused,
    /// It answered that it cannot serve now (busy, not available, an error of its own).
    Unwell,
    /// It cannot be reached, dropped the connection, is shutting down, or is silent.
    Gone,
    /// It did not answer in time, but answers others.
    Slow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Good,
    /// Avoided; a probe is due at the instant.
    Ejected {
        why: Why,
        probe_at: Instant,
    },
    /// Avoided; a probe is under way.
    Probed {
        why: Why,
    },
    /// It answered a probe: the next send may try it.
    OnTrial,
    /// A send is trying it, until the instant at the latest.
    Tried {
        until: Instant,
    },
}

/// Why a broker is avoided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// It could not be reached or said nothing: any word from it is news.
    Gone,
    /// It answers, but with errors: its words are nothing new.
    Unwell,
}

/// One broker's record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    standing: Standing,
    failures: u32,
    /// Java: avoided until then.
    avoided_until: Instant,
    /// Java: cleared by failures, set again by answers and by the detector.
    reachable: bool,
    /// Java: when the detector asks next.
    detect_at: Instant,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            standing: Standing::Good,
            failures: 0,
            avoided_until: Instant::ZERO,
            reachable: true,
            detect_at: Instant::ZERO,
        }
    }

    /// Whether a send may go to the broker now.
    pub(crate) fn usable(&self, policy: &Health, now: Instant) -> bool {
        match policy {
            Health::Off => true,
            Health::Java(_) => now >= self.avoided_until,
            Health::Adaptive(_) => match self.standing {
                Standing::Good | Standing::OnTrial => true,
                Standing::Ejected { .. } | Standing::Probed { .. } => false,
                Standing::Tried { until } => now >= until,
            },
        }
    }

    /// Java's second choice: a broker that is avoided but was not found dead.
    pub(crate) fn reachable(&self) -> bool {
        self.reachable
    }

    /// Whether the standing is out of the ordinary.
    pub(crate) fn suspect(&self) -> bool {
        self.standing != Standing::Good
    }

    /// A send was given to the broker. One on trial gets no second before the first is answered.
    /// Returns whether this send is the trial.
    pub(crate) fn chosen(&mut self, now: Instant) -> bool {
        let on_trial = self.standing == Standing::OnTrial;
        if on_trial {
            reached!(HealthTrial);
            self.standing = Standing::Tried { until: now + TRIAL };
        }
        on_trial
    }

    /// Whether one more answer can change anything. While all goes well it cannot, unless it is
    /// Java's table, which takes the latency of each.
    #[inline]
    pub(crate) fn learns_from_answer(&self, policy: &Health) -> bool {
        match policy {
            Health::Off => false,
            Health::Java(_) => true,
            Health::Adaptive(_) => self.failures > 0 || self.standing != Standing::Good,
        }
    }

    /// Learns from an attempt. Returns whether the broker's usability changed.
    pub(crate) fn observe(
        &mut self,
        policy: &Health,
        verdict: Verdict,
        latency: Duration,
        now: Instant,
    ) -> bool {
        match policy {
            Health::Off => false,
            Health::Java(table) => self.observe_java(table, verdict, latency, now),
            Health::Adaptive(adaptive) => {
                let before = self.standing;
                match verdict {
                    Verdict::Answered | Verdict::RequestRefused => {
                        reached!(if before != Standing::Good => HealthForgiven);
                        self.failures = 0;
                        self.standing = Standing::Good;
                    }
                    Verdict::Gone => self.eject(Why::Gone, adaptive, now),
                    Verdict::Unwell | Verdict::Slow => {
                        self.failures += 1;
                        if before != Standing::Good || self.failures >= adaptive.failures {
                            self.eject(Why::Unwell, adaptive, now);
                        } else {
                            reached!(HealthUnwell);
                        }
                    }
                }
                (before == Standing::Good) != (self.standing == Standing::Good)
            }
        }
    }

    /// The first probe comes soon, for most failures are short; after a trial that failed they
    /// come at their interval.
    fn eject(&mut self, why: Why, adaptive: &Adaptive, now: Instant) {
        let probe_at = match self.standing {
            Standing::Good => now + FIRST_PROBE.min(adaptive.probe_interval),
            Standing::OnTrial | Standing::Tried { .. } => {
                reached!(HealthTrialFailed);
                now + adaptive.probe_interval
            }
            Standing::Ejected { .. } | Standing::Probed { .. } => {
                return reached!(HealthStillEjected);
            }
        };
        match why {
            Why::Gone => reached!(HealthEjectedGone),
            Why::Unwell => reached!(HealthEjectedUnwell),
        }
        let probe_at = if planted!(AvoidedForEver) { Instant::FAR } else { probe_at };
        self.standing = Standing::Ejected { why, probe_at };
    }

    /// `updateFaultItem` of `LatencyFaultToleranceImpl.java` 5.1.4: the stay is only ever extended,
    /// an answer does not shorten it.
    fn observe_java(
        &mut self,
        table: &FaultTable,
        verdict: Verdict,
        latency: Duration,
        now: Instant,
    ) -> bool {
        let (isolate, reachable) = match verdict {
            Verdict::Answered => (false, true),
            Verdict::RequestRefused | Verdict::Unwell => (true, false),
            Verdict::Gone | Verdict::Slow => (true, !table.detector),
        };
        let stay = table.stay(if isolate { table.failure_latency } else { latency });
        self.reachable = reachable;
        let until = now + stay;
        let extended = !stay.is_zero() && until > self.avoided_until;
        if extended {
            reached!(HealthJavaAvoids);
            self.avoided_until = until;
        }
        extended
    }

    /// When the broker should be asked whether it is alive, if it should.
    pub(crate) fn probe_at(&self, policy: &Health) -> Option<Instant> {
        match (policy, self.standing) {
            (Health::Java(table), _) => {
                (table.detector && !self.reachable).then_some(self.detect_at)
            }
            (Health::Adaptive(_), Standing::Ejected { probe_at, .. }) => Some(probe_at),
            _ => None,
        }
    }

    /// A probe is on its way.
    pub(crate) fn probing(&mut self, policy: &Health, now: Instant) {
        match policy {
            Health::Java(table) => self.detect_at = now + table.detect_interval,
            _ => {
                if let Standing::Ejected { why, .. } = self.standing {
                    self.standing = Standing::Probed { why };
                }
            }
        }
    }

    /// The probe was answered. Returns whether usability changed.
    pub(crate) fn alive(&mut self) -> bool {
        self.reachable = true;
        let avoided = matches!(self.standing, Standing::Ejected { .. } | Standing::Probed { .. });
        if avoided {
            reached!(HealthAlive);
            self.standing = Standing::OnTrial;
        }
        avoided
    }

    /// Anything at all came from the broker. Returns whether usability changed.
    pub(crate) fn heard(&mut self) -> bool {
        let silent = matches!(
            self.standing,
            Standing::Ejected { why: Why::Gone, .. } | Standing::Probed { why: Why::Gone }
        );
        reached!(if silent => HealthHeard);
        silent && self.alive()
    }

    /// The probe failed.
    pub(crate) fn probe_failed(&mut self, policy: &Health, now: Instant, random: &mut Random) {
        if let (Health::Adaptive(adaptive), Standing::Probed { why }) = (policy, self.standing) {
            reached!(HealthProbeFailed);
            let probe_at = now + random.jitter(adaptive.probe_interval);
            let probe_at = if planted!(ProbedOnce) { Instant::FAR } else { probe_at };
            self.standing = Standing::Ejected { why, probe_at };
        }
    }
}

/// How long the one send of a trial may keep others away.
const TRIAL: Duration = Duration::from_secs(1);
/// After this the first probe is sent.
const FIRST_PROBE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn a_broker_that_is_gone_comes_back_through_probe_and_trial() {
        let policy = Health::Adaptive(Adaptive::default());
        let mut random = Random::new(1);
        let mut broker = Record::new();

        assert!(broker.observe(&policy, Verdict::Gone, MS, at(0)));
        assert!(!broker.usable(&policy, at(0)));
        assert_eq!(broker.probe_at(&policy), Some(at(100)));
        broker.probing(&policy, at(100));
        broker.probe_failed(&policy, at(200), &mut random);
        let again = broker.probe_at(&policy).expect("a second probe");
        assert!(again > at(900) && again < at(1_500));
        broker.probing(&policy, again);
        assert!(broker.alive());

        assert!(broker.usable(&policy, again));
        assert!(broker.chosen(again) && !broker.chosen(again));
        assert!(!broker.usable(&policy, again), "one send tries it, not all");
        assert!(broker.observe(&policy, Verdict::Answered, MS, again));
        assert!(broker.usable(&policy, again));
    }

    #[test]
    fn unwell_answers_eject_only_in_a_row() {
        let policy = Health::Adaptive(Adaptive::default());
        let mut broker = Record::new();

        for verdict in [Verdict::Unwell, Verdict::Unwell, Verdict::Answered, Verdict::Unwell] {
            broker.observe(&policy, verdict, MS, at(0));
        }
        assert!(broker.usable(&policy, at(0)));
        broker.observe(&policy, Verdict::Slow, MS, at(0));
        broker.observe(&policy, Verdict::Unwell, MS, at(0));
        assert!(!broker.usable(&policy, at(0)));
    }

    #[test]
    fn java_never_shortens_a_stay() {
        let policy = Health::Java(FaultTable::default());
        let mut broker = Record::new();

        broker.observe(&policy, Verdict::Gone, MS, at(0));
        broker.observe(&policy, Verdict::Answered, MS, at(1));

        assert!(!broker.usable(&policy, at(9_999)));
        assert!(broker.usable(&policy, at(10_000)));
    }

    /// A broker of which this was learned, at once.
    fn after(policy: &Health, verdicts: &[Verdict]) -> Record {
        let mut broker = Record::new();
        for &verdict in verdicts {
            broker.observe(policy, verdict, MS, at(0));
        }
        broker
    }

    #[test]
    fn an_answer_teaches_nothing_while_all_is_well() {
        let adaptive = Health::Adaptive(Adaptive::default());
        let java = Health::Java(FaultTable::default());
        let learns = |policy: &Health, verdicts: &[Verdict]| {
            let broker = after(policy, verdicts);
            (broker.learns_from_answer(policy), broker.suspect())
        };

        assert_eq!(learns(&adaptive, &[]), (false, false));
        assert_eq!(learns(&adaptive, &[Verdict::Unwell]), (true, false));
        assert_eq!(learns(&adaptive, &[Verdict::Gone]), (true, true));
        assert_eq!(learns(&adaptive, &[Verdict::Gone, Verdict::Answered]), (false, false));
        assert_eq!(learns(&java, &[]), (true, false));
        assert_eq!(learns(&Health::Off, &[Verdict::Gone]), (false, false));
    }

    #[test]
    fn only_what_changes_the_standing_is_news() {
        let policy = Health::Adaptive(Adaptive::default());
        let mut broker = Record::new();
        let news =
            [Verdict::Unwell, Verdict::Unwell, Verdict::Slow, Verdict::Gone, Verdict::Answered]
                .map(|verdict| broker.observe(&policy, verdict, MS, at(0)));

        assert_eq!(news, [false, false, true, false, true]);
        assert!(!broker.observe(&Health::Off, Verdict::Gone, MS, at(0)));
        assert!(broker.usable(&Health::Off, at(0)));
    }

    #[test]
    fn a_trial_that_fails_is_followed_by_a_probe_after_the_interval() {
        let policy = Health::Adaptive(Adaptive::default());
        let mut broker = after(&policy, &[Verdict::Gone]);
        assert!(broker.alive());
        assert!(broker.chosen(at(500)));
        assert!(!broker.usable(&policy, at(1_499)));
        assert!(broker.usable(&policy, at(1_500)), "its answer was waited for");

        broker.observe(&policy, Verdict::Unwell, MS, at(2_000));

        assert!(!broker.usable(&policy, at(2_000)), "one failure is enough");
        assert_eq!(broker.probe_at(&policy), Some(at(3_000)));
    }

    #[test]
    fn a_word_is_news_only_from_who_was_silent() {
        let policy = Health::Adaptive(Adaptive::default());
        let unwell = [Verdict::Unwell; 3];

        for (verdicts, news) in [(&[][..], false), (&[Verdict::Gone], true), (&unwell, false)] {
            let mut broker = after(&policy, verdicts);
            let mut probed = broker.clone();
            probed.probing(&policy, at(100));

            assert_eq!((broker.heard(), probed.heard()), (news, news), "{verdicts:?}");
        }
        assert!(after(&policy, &unwell).alive(), "a probe is more than a word");
    }

    #[test]
    fn javas_second_choice_is_who_can_be_reached() {
        for (verdict, with_detector, without) in [
            (Verdict::Answered, true, true),
            (Verdict::RequestRefused, false, false),
            (Verdict::Unwell, false, false),
            (Verdict::Gone, false, true),
            (Verdict::Slow, false, true),
        ] {
            for (detector, expected) in [(true, with_detector), (false, without)] {
                let policy = Health::Java(FaultTable { detector, ..FaultTable::default() });
                let broker = after(&policy, &[verdict]);

                assert_eq!(broker.reachable(), expected, "{verdict:?}, detector {detector}");
                let asked = broker.probe_at(&policy).is_some();
                assert_eq!(asked, detector && !expected, "{verdict:?}, detector {detector}");
            }
        }
    }

    #[test]
    fn javas_detector_asks_again_until_there_is_an_answer() {
        let policy = Health::Java(FaultTable { detector: true, ..FaultTable::default() });
        let mut broker = after(&policy, &[Verdict::Gone]);
        assert_eq!(broker.probe_at(&policy), Some(at(0)));

        broker.probing(&policy, at(100));
        broker.probe_failed(&policy, at(300), &mut Random::new(1));
        assert_eq!(broker.probe_at(&policy), Some(at(2_100)));

        assert!(!broker.alive(), "the stay is not shortened");
        assert_eq!(broker.probe_at(&policy), None);
    }

    #[test]
    fn java_counts_a_failure_as_ten_seconds_and_an_answer_as_it_was() {
        let policy = Health::Java(FaultTable::default());
        let mut broker = Record::new();
        let mut learn = |verdict, ms| broker.observe(&policy, verdict, MS * ms, at(0));

        assert!(!learn(Verdict::Answered, 549));
        assert!(learn(Verdict::Answered, 550));
        assert!(!learn(Verdict::Answered, 550), "as long as before");
        assert!(learn(Verdict::RequestRefused, 1));
        assert!(!broker.usable(&policy, at(9_999)));
        assert!(broker.usable(&policy, at(10_000)));
    }
}
