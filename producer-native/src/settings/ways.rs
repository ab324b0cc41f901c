//! How the cluster is found and reached: discovery, proxies, TLS, and where secrets are.

use std::path::PathBuf;

use super::reader::{Table, flag, text, texts, time};
use super::{SettingsError, read_file};
use crate::builder::Builder;
use crate::discovery::{AddressServer, Dns};
use crate::secret::Secret;
use crate::transport::{AddressRule, Proxy};

pub(super) fn set(table: &mut Table, builder: Builder) -> Result<Builder, SettingsError> {
    let builder = discovery(table, builder)?;
    let builder = proxies(table, builder)?;
    tls(table, builder)
}

fn discovery(table: &mut Table, mut builder: Builder) -> Result<Builder, SettingsError> {
    for mut found in table.tables("discovery")? {
        let every = found.get("every", time)?;
        let dns = found.get("dns", |node| {
            Dns::new(&text(node)?).map_err(|_| "names with their ports: host:port;host:port")
        })?;
        let server = found.get("address_server", |node| {
            AddressServer::new(&text(node)?).map_err(|_| "host or host:port")
        })?;
        const SEGMENT: &str = "letters, digits and -_.~";
        let subgroup = found.get("subgroup", text)?;
        let unit = found.get("unit", text)?;
        builder = match (dns, server) {
            (Some(dns), None) if subgroup.is_none() && unit.is_none() => {
                builder.discover(match every {
                    Some(every) => dns.every(every),
                    None => dns,
                })
            }
            (None, Some(mut server)) => {
                let segment = |key| format!("{key} has {SEGMENT}");
                if let Some(subgroup) = subgroup {
                    server = server
                        .subgroup(&subgroup)
                        .map_err(|_| found.error("subgroup", segment("it")))?;
                }
                if let Some(unit) = unit {
                    server = server.unit(&unit).map_err(|_| found.error("unit", segment("it")))?;
                }
                builder.discover(match every {
                    Some(every) => server.every(every),
                    None => server,
                })
            }
            _ => {
                let problem = "wanted either dns, or address_server with subgroup and unit";
                return Err(found.error("", problem));
            }
        };
        found.finish()?;
    }
    Ok(builder)
}

fn proxies(table: &mut Table, mut builder: Builder) -> Result<Builder, SettingsError> {
    for mut proxy in table.tables("proxy")? {
        let rules = rules(&mut proxy)?;
        let direct = proxy.get("direct", flag)?.unwrap_or(false);
        let way = proxy.get("url", |node| {
            Proxy::new(&text(node)?).map_err(|_| "socks5://host:port or http://host:port")
        })?;
        let user = proxy.get("user", text)?;
        let password = secret(&mut proxy, "password", "password_file")?;
        let way = match (way, user, password) {
            (Some(way), Some(user), password) => {
                let known = way.credentials(user, password.unwrap_or_default());
                Some(known.map_err(|problem| proxy.error("user", problem.to_string()))?)
            }
            (way, None, None) => way,
            _ => return Err(proxy.error("password", "it is there without a url and a user")),
        };
        for rule in rules {
            builder = match &way {
                Some(way) if !direct => builder.proxy_for(&rule, way.clone()),
                None if direct => builder.direct_for(&rule),
                _ => return Err(proxy.error("", "wanted either direct = true, or a url")),
            };
        }
        proxy.finish()?;
    }
    Ok(builder)
}

#[cfg(not(feature = "tls"))]
fn tls(table: &mut Table, builder: Builder) -> Result<Builder, SettingsError> {
    match table.tables("tls")?.first() {
        Some(tls) => Err(tls.error("", "this program was built without the feature tls")),
        None => Ok(builder),
    }
}

#[cfg(feature = "tls")]
fn tls(table: &mut Table, mut builder: Builder) -> Result<Builder, SettingsError> {
    for mut tls in table.tables("tls")? {
        let rules = rules(&mut tls)?;
        let plain = tls.get("plain", flag)?.unwrap_or(false);
        let mut way = crate::Tls::new();
        let mut said = false;
        for path in tls.get("ca_file", texts)?.into_iter().flatten() {
            said = true;
            way = way.ca_file(path);
        }
        let chain = tls.get("client_certificate_file", text)?;
        let key = tls.get("client_key_file", text)?;
        way = match (chain, key) {
            (Some(chain), Some(key)) => {
                said = true;
                way.client_certificate_files(chain, key)
            }
            (None, None) => way,
            _ => {
                let problem = "client_certificate_file and client_key_file belong together";
                return Err(tls.error("", problem));
            }
        };
        if let Some(name) = tls.get("server_name", text)? {
            said = true;
            way = way.server_name(name);
        }
        if tls.get("dangerously_trust_anyone", flag)?.unwrap_or(false) {
            said = true;
            way = way.dangerously_trust_anyone();
        }
        if plain && said {
            return Err(tls.error("plain", "what is plain has no other key but for"));
        }
        for rule in rules {
            builder = match plain {
                true => builder.plain_for(&rule),
                false => builder.tls_for(&rule, way.clone()),
            };
        }
        tls.finish()?;
    }
    Ok(builder)
}

/// Whom a table is for.
fn rules(table: &mut Table) -> Result<Vec<String>, SettingsError> {
    const WANTED: &str = "rules for addresses: \"10.0.0.0/8\", \".example.com\", \"host:port\"";
    let rules = table.get("for", |node| {
        let rules = texts(node)?;
        let good = !rules.is_empty() && rules.iter().all(|rule| AddressRule::new(rule).is_ok());
        if good { Ok(rules) } else { Err(WANTED) }
    })?;
    Ok(rules.unwrap_or_else(|| vec!["*".to_owned()]))
}

/// A secret that stands here, or in a file of its own, whose last line end does not count.
pub(super) fn secret(
    table: &mut Table,
    key: &'static str,
    file_key: &'static str,
) -> Result<Option<Secret>, SettingsError> {
    if table.has(key) && table.has(file_key) {
        return Err(table.error(key, format!("it is there twice, here and in {file_key}")));
    }
    let here = table.get(key, text)?;
    let Some(path) = table.get(file_key, |node| text(node).map(PathBuf::from))? else {
        return Ok(here.map(Secret::new));
    };
    let text = read_file(&path).map_err(|problem| {
        table.error(file_key, format!("{} cannot be read: {problem}", path.display()))
    })?;
    Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n']))))
}
