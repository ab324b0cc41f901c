//! What does this build have?
//!
//! Where a feature is off, the branch that asks for it here is never taken, and the compiler drops
//! all that is only reached behind it: a page need not download what it cannot ask for. All of it is
//! compiled in any case, so that no set of features can fail to build.

/// Sends are traced ([`Config::trace`](crate::Config::trace)).
pub(crate) const TRACE: bool = cfg!(feature = "trace");
/// Sends share requests ([`Config::auto_batch`](crate::Config::auto_batch)).
pub(crate) const AUTO_BATCH: bool = cfg!(feature = "auto-batch");
/// Questions, recalls and searches ([`Producer::ask`](crate::Producer::ask)).
pub(crate) const QUESTIONS: bool = cfg!(feature = "questions");
/// Requests are signed ([`Config::credentials`](crate::Config::credentials)).
pub(crate) const SIGNING: bool = cfg!(feature = "signing");
/// Request headers can be JSON ([`Config::header`](crate::Config::header)).
pub(crate) const JSON_REQUESTS: bool = cfg!(feature = "json-requests");
/// Java's ways to choose queues and to avoid brokers ([`Config::java`](crate::Config::java)), and
/// its second port.
pub(crate) const JAVA_WAYS: bool = cfg!(feature = "java-ways");
/// The address of this machine ([`Environment::ip`](crate::Environment::ip)), which a page cannot know.
pub(crate) const OWN_IP: bool = cfg!(feature = "own-ip");
/// Answers are compared with earlier ones before they are read.
pub(crate) const QUICK_ANSWERS: bool = cfg!(feature = "quick-answers");
