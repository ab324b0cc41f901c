//! Does our producer get through our bridge?

mod cluster;
mod signing;
mod tls;
mod tokens;
mod tunnel;
