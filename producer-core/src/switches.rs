//! Two macros that are nothing in an ordinary build: what tests of the simulator look at, and what
//! they break.

/// Notes that a decision was taken ([`marks`](crate::marks)); nothing without the feature `marks`.
#[cfg(feature = "marks")]
macro_rules! reached {
    ($mark:ident) => {
        $crate::marks::reach($crate::marks::Mark::$mark)
    };
    (if $condition:expr => $mark:ident $(else $other:ident)?) => {
        if $condition { reached!($mark) } $(else { reached!($other) })?
    };
}

#[cfg(not(feature = "marks"))]
macro_rules! reached {
    ($mark:ident) => {{}};
    (if $condition:expr => $mark:ident $(else $other:ident)?) => {{}};
}

/// Whether a mistake is made on purpose ([`planted`](crate::planted)); false without the feature
/// `planted-bugs`.
#[cfg(feature = "planted-bugs")]
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted::is_planted($crate::planted::Bug::$bug)
    };
}

#[cfg(not(feature = "planted-bugs"))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}
