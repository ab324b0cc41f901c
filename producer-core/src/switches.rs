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
