//! Features that go beyond a plain send: what is asked, what answers mean, what is refused before
//! anybody is asked; and the bugs that these tests catch.

#[cfg(feature = "planted-bugs")]
mod bugs;
mod questions;
