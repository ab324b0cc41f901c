//! Permission bits of a topic's queues (spec §4.2, `PermName.java`).

/// Auto-created topics inherit from this one.
pub const INHERIT: i32 = 1;
/// Queues may be written.
pub const WRITE: i32 = 2;
/// Queues may be read.
pub const READ: i32 = 4;
/// A bit that no topic configuration may have.
pub const PRIORITY: i32 = 8;

/// Whether queues may be written.
pub const fn is_writable(perm: i32) -> bool {
    perm & WRITE != 0
}

/// Whether queues may be read.
pub const fn is_readable(perm: i32) -> bool {
    perm & READ != 0
}

/// Whether auto-created topics inherit from this one.
pub const fn is_inherited(perm: i32) -> bool {
    perm & INHERIT != 0
}

/// The bits as `RWX`, with dashes for what is missing.
pub const fn text(perm: i32) -> &'static str {
    match perm & (READ | WRITE | INHERIT) {
        0 => "---",
        1 => "--X",
        2 => "-W-",
        3 => "-WX",
        4 => "R--",
        5 => "R-X",
        6 => "RW-",
        _ => "RWX",
    }
}
