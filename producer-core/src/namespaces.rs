//! In which namespace does a producer live (spec §9.4, `NamespaceUtil.java`, `ClientConfig.java`)?

use alloc::borrow::Cow;
use alloc::string::String;

use crate::config::Config;
use crate::names::InvalidName;
use crate::wire::names::is_blank;
use crate::wire::namespace;

impl Config {
    /// A topic's or group's name as brokers know it.
    pub(crate) fn in_namespace<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let namespace = self.namespace.as_deref().unwrap_or("");
        if planted!(WrappedTwice) && !namespace.is_empty() {
            return Cow::Owned(alloc::format!("{namespace}%{name}"));
        }
        namespace::wrap(namespace, name)
    }

    /// Takes the namespace from the first name server, unless there is one: that of an instance
    /// whose endpoint is `MQ_INST_…_….host` (`NameServerAddressUtils.java`).
    pub fn derive_namespace(&mut self) {
        if self.namespace.is_none() {
            let host = self.name_servers.first().map(|server| server.host());
            self.namespace = host.and_then(instance_of).map(String::from);
        }
    }

    /// Whether the namespaces can be ones.
    ///
    /// # Errors
    /// The namespace, and what is wrong with it: one of old is part of names, in which `%` ends it.
    pub fn check_namespace(&self) -> Result<(), (String, InvalidName)> {
        let parts_names = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '|' | '_' | '-'));
        let breaks_headers = |c: char| c.is_control() || c.is_whitespace();
        check(self.namespace.as_deref(), parts_names)?;
        check(self.namespace_v2.as_deref(), breaks_headers)
    }
}

/// An empty one is none.
fn check(name: Option<&str>, is_bad: fn(char) -> bool) -> Result<(), (String, InvalidName)> {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(()) };
    let refuse = |problem| Err((String::from(name), problem));
    if is_blank(name) {
        return refuse(InvalidName::Blank);
    }
    match name.chars().enumerate().find(|&(_, c)| is_bad(c)) {
        Some((position, character)) => refuse(InvalidName::Character { character, position }),
        None => Ok(()),
    }
}

/// The instance whose endpoint a host is: `MQ_INST_`, two words joined by `_`, up to the first dot.
fn instance_of(host: &str) -> Option<&str> {
    let (instance, _) = host.split_once('.')?;
    let words = instance.strip_prefix("MQ_INST_")?;
    let is_word =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    // One `_` inside, with something on either side.
    let inner = words.get(1..words.len().checked_sub(1)?)?;
    (is_word(words) && inner.contains('_')).then_some(instance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Address;

    fn derived(server: &str) -> Option<String> {
        let name_servers = Address::list(server).expect("addresses");
        let mut config = Config { name_servers, ..Config::default() };
        config.derive_namespace();
        config.namespace
    }

    #[test]
    fn endpoints_of_instances_name_their_namespace() {
        let found = derived("MQ_INST_123_abc.mq.example:8080");
        assert_eq!(found.as_deref(), Some("MQ_INST_123_abc"));
        for other in [
            "a:1;MQ_INST_123_abc.mq.example:80",
            "MQ_INST_123_a-b.mq.example:80",
            "MQ_INST_123.mq.example:80",
            "MQ_INST_123_.mq.example:80",
            "MQ_INST__.x:80",
            "MQ_INST_1_a:80",
            "127.0.0.1:9876",
        ] {
            assert_eq!(derived(other), None, "{other}");
        }
        let name_servers = Address::list("MQ_INST_123_abc.mq.example:8080").expect("one");
        let namespace = Some(String::from("mine"));
        let mut config = Config { name_servers, namespace, ..Config::default() };
        config.derive_namespace();
        assert_eq!(config.namespace.as_deref(), Some("mine"));
    }

    #[test]
    fn namespaces_that_would_break_names_are_refused() {
        let check = |namespace: &str, namespace_v2: &str| {
            let (one, two) = (Some(namespace.into()), Some(namespace_v2.into()));
            Config { namespace: one, namespace_v2: two, ..Config::default() }.check_namespace()
        };
        assert_eq!(check("MQ_INST_1-a|b", "any.thing%goes"), Ok(()));
        assert_eq!(check("", ""), Ok(()));
        let percent = InvalidName::Character { character: '%', position: 1 };
        assert_eq!(check("a%b", ""), Err(("a%b".into(), percent)));
        for bad in ["a.b", "ä", "a b"] {
            assert!(check(bad, "").is_err(), "{bad}");
        }
        assert_eq!(check("\u{2003}", ""), Err(("\u{2003}".into(), InvalidName::Blank)));
        for bad in ["a\u{1}", " ", "a\nb"] {
            assert!(check("", bad).is_err(), "{bad}");
        }
    }
}
