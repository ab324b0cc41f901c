//! Names inside a legacy namespace, `namespace%name` (spec §9.4, `NamespaceUtil.java`).

use alloc::borrow::Cow;
use alloc::format;

use super::names::{is_system_group, is_system_topic};

/// Prefix of a group's retry topic.
pub const RETRY_PREFIX: &str = "%RETRY%";
/// Prefix of a group's dead letter topic.
pub const DLQ_PREFIX: &str = "%DLQ%";

/// `resource` inside `namespace`. System names, names already inside it and empty ones stay.
pub fn wrap<'a>(namespace: &str, resource: &'a str) -> Cow<'a, str> {
    if namespace.is_empty()
        || resource.is_empty()
        || is_system(resource)
        || is_inside(namespace, resource)
    {
        return Cow::Borrowed(resource);
    }
    let (prefix, name) = split_prefix(resource);
    Cow::Owned(format!("{prefix}{namespace}%{name}"))
}

/// `resource` without `namespace`; names outside it stay.
pub fn unwrap<'a>(namespace: &str, resource: &'a str) -> Cow<'a, str> {
    if namespace.is_empty() || !starts_inside(namespace, resource) {
        return Cow::Borrowed(resource);
    }
    unwrap_any(resource)
}

/// `resource` without whatever namespace it is in.
pub fn unwrap_any(resource: &str) -> Cow<'_, str> {
    if is_system(resource) {
        return Cow::Borrowed(resource);
    }
    let (prefix, name) = split_prefix(resource);
    match name.split_once('%') {
        Some((namespace, name)) if !namespace.is_empty() => {
            if prefix.is_empty() {
                Cow::Borrowed(name)
            } else {
                Cow::Owned(format!("{prefix}{name}"))
            }
        }
        _ => Cow::Borrowed(resource),
    }
}

/// The namespace that `resource` is in; empty if none.
pub fn of(resource: &str) -> &str {
    if is_system(resource) {
        return "";
    }
    split_prefix(resource).1.split_once('%').map_or("", |(namespace, _)| namespace)
}

/// Whether `resource` is inside `namespace` already.
pub fn is_inside(namespace: &str, resource: &str) -> bool {
    !namespace.is_empty() && !is_system(resource) && starts_inside(namespace, resource)
}

/// Whether a topic holds what consumers gave back.
pub fn is_retry_topic(topic: &str) -> bool {
    topic.starts_with(RETRY_PREFIX)
}

/// Whether a topic holds what consumers gave up on.
pub fn is_dlq_topic(topic: &str) -> bool {
    topic.starts_with(DLQ_PREFIX)
}

fn is_system(resource: &str) -> bool {
    is_system_topic(resource) || is_system_group(resource)
}

fn starts_inside(namespace: &str, resource: &str) -> bool {
    let name = split_prefix(resource).1;
    name.strip_prefix(namespace).is_some_and(|rest| rest.starts_with('%'))
}

/// The retry or dead letter prefix, and the name behind it.
fn split_prefix(resource: &str) -> (&str, &str) {
    for prefix in [RETRY_PREFIX, DLQ_PREFIX] {
        if resource.starts_with(prefix) {
            return resource.split_at(prefix.len());
        }
    }
    ("", resource)
}
