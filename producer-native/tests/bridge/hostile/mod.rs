//! A client that keeps to nothing. Whatever it does, the broker sees whole allowed frames and not a
//! byte of others, the connection ends with the code that is documented, and others go on.

mod client;
mod codes;
mod cuts;
mod messages;
mod upgrades;
