//! Request and response codes and their names (spec §2.1, §3.1).

pub mod request;
pub mod response;

pub use request::name as request_name;
pub use response::name as response_name;
