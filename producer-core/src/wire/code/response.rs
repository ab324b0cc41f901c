//! The response codes of Java 5.4.0 and 4.9.7 (`ResponseCode.java`), by name.
//!
//! Where the releases gave one number two names, the name of 5.4.0 stands.

/// The code's name in Java; `None` for codes that neither release knows.
pub fn name(code: i32) -> Option<&'static str> {
    let at = NAMES.binary_search_by_key(&code, |entry| entry.0).ok()?;
    Some(NAMES[at].1)
}

/// The code of a name in Java.
pub fn from_name(name: &str) -> Option<i32> {
    NAMES.iter().find(|entry| entry.1 == name).map(|entry| entry.0)
}

/// Response code 10.
pub const FLUSH_DISK_TIMEOUT: i32 = 10;
/// Response code 11.
pub const SLAVE_NOT_AVAILABLE: i32 = 11;
/// Response code 12.
pub const FLUSH_SLAVE_TIMEOUT: i32 = 12;
/// Response code 13.
pub const MESSAGE_ILLEGAL: i32 = 13;
/// Response code 14.
pub const SERVICE_NOT_AVAILABLE: i32 = 14;
/// Response code 15.
pub const VERSION_NOT_SUPPORTED: i32 = 15;
/// Response code 16.
pub const NO_PERMISSION: i32 = 16;
/// Response code 17.
pub const TOPIC_NOT_EXIST: i32 = 17;
/// Response code 18.
pub const TOPIC_EXIST_ALREADY: i32 = 18;
/// Response code 19.
pub const PULL_NOT_FOUND: i32 = 19;
/// Response code 20.
pub const PULL_RETRY_IMMEDIATELY: i32 = 20;
/// Response code 21.
pub const PULL_OFFSET_MOVED: i32 = 21;
/// Response code 22.
pub const QUERY_NOT_FOUND: i32 = 22;
/// Response code 23.
pub const SUBSCRIPTION_PARSE_FAILED: i32 = 23;
/// Response code 24.
pub const SUBSCRIPTION_NOT_EXIST: i32 = 24;
/// Response code 25.
pub const SUBSCRIPTION_NOT_LATEST: i32 = 25;
/// Response code 26.
pub const SUBSCRIPTION_GROUP_NOT_EXIST: i32 = 26;
/// Response code 27.
pub const FILTER_DATA_NOT_EXIST: i32 = 27;
/// Response code 28.
pub const FILTER_DATA_NOT_LATEST: i32 = 28;
/// Response code 29, in 5.4.0 only.
pub const INVALID_PARAMETER: i32 = 29;
/// Response code 200.
pub const TRANSACTION_SHOULD_COMMIT: i32 = 200;
/// Response code 201.
pub const TRANSACTION_SHOULD_ROLLBACK: i32 = 201;
/// Response code 202.
pub const TRANSACTION_STATE_UNKNOW: i32 = 202;
/// Response code 203.
pub const TRANSACTION_STATE_GROUP_WRONG: i32 = 203;
/// Response code 204.
pub const NO_BUYER_ID: i32 = 204;
/// Response code 205.
pub const NOT_IN_CURRENT_UNIT: i32 = 205;
/// Response code 206.
pub const CONSUMER_NOT_ONLINE: i32 = 206;
/// Response code 207.
pub const CONSUME_MSG_TIMEOUT: i32 = 207;
/// Response code 208.
pub const NO_MESSAGE: i32 = 208;
/// Response code 209, in 5.4.0 only.
pub const POLLING_FULL: i32 = 209;
/// Response code 210, in 5.4.0 only.
pub const POLLING_TIMEOUT: i32 = 210;
/// Response code 211, in 5.4.0 only.
pub const BROKER_NOT_EXIST: i32 = 211;
/// Response code 212, in 5.4.0 only.
pub const BROKER_DISPATCH_NOT_COMPLETE: i32 = 212;
/// Response code 213, in 5.4.0 only.
pub const BROADCAST_CONSUMPTION: i32 = 213;
/// Response code 215.
pub const FLOW_CONTROL: i32 = 215;
/// Response code 501, in 5.4.0 only.
pub const NOT_LEADER_FOR_QUEUE: i32 = 501;
/// Response code 604, in 5.4.0 only.
pub const ILLEGAL_OPERATION: i32 = 604;
/// Response code -1000, in 5.4.0 only.
pub const RPC_UNKNOWN: i32 = -1000;
/// Response code -1002, in 5.4.0 only.
pub const RPC_ADDR_IS_NULL: i32 = -1002;
/// Response code -1004, in 5.4.0 only.
pub const RPC_SEND_TO_CHANNEL_FAILED: i32 = -1004;
/// Response code -1006, in 5.4.0 only.
pub const RPC_TIME_OUT: i32 = -1006;
/// Response code 1500, in 5.4.0 only.
pub const GO_AWAY: i32 = 1500;
/// Response code 2000, in 5.4.0 only.
pub const CONTROLLER_FENCED_MASTER_EPOCH: i32 = 2000;
/// Response code 2001, in 5.4.0 only.
pub const CONTROLLER_FENCED_SYNC_STATE_SET_EPOCH: i32 = 2001;
/// Response code 2002, in 5.4.0 only.
pub const CONTROLLER_INVALID_MASTER: i32 = 2002;
/// Response code 2003, in 5.4.0 only.
pub const CONTROLLER_INVALID_REPLICAS: i32 = 2003;
/// Response code 2004, in 5.4.0 only.
pub const CONTROLLER_MASTER_NOT_AVAILABLE: i32 = 2004;
/// Response code 2005, in 5.4.0 only.
pub const CONTROLLER_INVALID_REQUEST: i32 = 2005;
/// Response code 2006, in 5.4.0 only.
pub const CONTROLLER_BROKER_NOT_ALIVE: i32 = 2006;
/// Response code 2007, in 5.4.0 only.
pub const CONTROLLER_NOT_LEADER: i32 = 2007;
/// Response code 2008, in 5.4.0 only.
pub const CONTROLLER_BROKER_METADATA_NOT_EXIST: i32 = 2008;
/// Response code 2009, in 5.4.0 only.
pub const CONTROLLER_INVALID_CLEAN_BROKER_METADATA: i32 = 2009;
/// Response code 2010, in 5.4.0 only.
pub const CONTROLLER_BROKER_NEED_TO_BE_REGISTERED: i32 = 2010;
/// Response code 2011, in 5.4.0 only.
pub const CONTROLLER_MASTER_STILL_EXIST: i32 = 2011;
/// Response code 2012, in 5.4.0 only.
pub const CONTROLLER_ELECT_MASTER_FAILED: i32 = 2012;
/// Response code 2013, in 5.4.0 only.
pub const CONTROLLER_ALTER_SYNC_STATE_SET_FAILED: i32 = 2013;
/// Response code 2014, in 5.4.0 only.
pub const CONTROLLER_BROKER_ID_INVALID: i32 = 2014;
/// Response code 2015, in 5.4.0 only.
pub const CONTROLLER_JRAFT_INTERNAL_ERROR: i32 = 2015;
/// Response code 2016, in 5.4.0 only.
pub const CONTROLLER_BROKER_LIVE_INFO_NOT_EXISTS: i32 = 2016;
/// Response code 3001, in 5.4.0 only.
pub const USER_NOT_EXIST: i32 = 3001;
/// Response code 3002, in 5.4.0 only.
pub const POLICY_NOT_EXIST: i32 = 3002;
/// Response code 0.
pub const SUCCESS: i32 = 0;
/// Response code 1.
pub const SYSTEM_ERROR: i32 = 1;
/// Response code 2.
pub const SYSTEM_BUSY: i32 = 2;
/// Response code 3.
pub const REQUEST_CODE_NOT_SUPPORTED: i32 = 3;
/// Response code 4.
pub const TRANSACTION_FAILED: i32 = 4;

/// Sorted by code.
const NAMES: [(i32, &str); 66] = [
    (-1006, "RPC_TIME_OUT"),
    (-1004, "RPC_SEND_TO_CHANNEL_FAILED"),
    (-1002, "RPC_ADDR_IS_NULL"),
    (-1000, "RPC_UNKNOWN"),
    (0, "SUCCESS"),
    (1, "SYSTEM_ERROR"),
    (2, "SYSTEM_BUSY"),
    (3, "REQUEST_CODE_NOT_SUPPORTED"),
    (4, "TRANSACTION_FAILED"),
    (10, "FLUSH_DISK_TIMEOUT"),
    (11, "SLAVE_NOT_AVAILABLE"),
    (12, "FLUSH_SLAVE_TIMEOUT"),
    (13, "MESSAGE_ILLEGAL"),
    (14, "SERVICE_NOT_AVAILABLE"),
    (15, "VERSION_NOT_SUPPORTED"),
    (16, "NO_PERMISSION"),
    (17, "TOPIC_NOT_EXIST"),
    (18, "TOPIC_EXIST_ALREADY"),
    (19, "PULL_NOT_FOUND"),
    (20, "PULL_RETRY_IMMEDIATELY"),
    (21, "PULL_OFFSET_MOVED"),
    (22, "QUERY_NOT_FOUND"),
    (23, "SUBSCRIPTION_PARSE_FAILED"),
    (24, "SUBSCRIPTION_NOT_EXIST"),
    (25, "SUBSCRIPTION_NOT_LATEST"),
    (26, "SUBSCRIPTION_GROUP_NOT_EXIST"),
    (27, "FILTER_DATA_NOT_EXIST"),
    (28, "FILTER_DATA_NOT_LATEST"),
    (29, "INVALID_PARAMETER"),
    (200, "TRANSACTION_SHOULD_COMMIT"),
    (201, "TRANSACTION_SHOULD_ROLLBACK"),
    (202, "TRANSACTION_STATE_UNKNOW"),
    (203, "TRANSACTION_STATE_GROUP_WRONG"),
    (204, "NO_BUYER_ID"),
    (205, "NOT_IN_CURRENT_UNIT"),
    (206, "CONSUMER_NOT_ONLINE"),
    (207, "CONSUME_MSG_TIMEOUT"),
    (208, "NO_MESSAGE"),
    (209, "POLLING_FULL"),
    (210, "POLLING_TIMEOUT"),
    (211, "BROKER_NOT_EXIST"),
    (212, "BROKER_DISPATCH_NOT_COMPLETE"),
    (213, "BROADCAST_CONSUMPTION"),
    (215, "FLOW_CONTROL"),
    (501, "NOT_LEADER_FOR_QUEUE"),
    (604, "ILLEGAL_OPERATION"),
    (1500, "GO_AWAY"),
    (2000, "CONTROLLER_FENCED_MASTER_EPOCH"),
    (2001, "CONTROLLER_FENCED_SYNC_STATE_SET_EPOCH"),
    (2002, "CONTROLLER_INVALID_MASTER"),
    (2003, "CONTROLLER_INVALID_REPLICAS"),
    (2004, "CONTROLLER_MASTER_NOT_AVAILABLE"),
    (2005, "CONTROLLER_INVALID_REQUEST"),
    (2006, "CONTROLLER_BROKER_NOT_ALIVE"),
    (2007, "CONTROLLER_NOT_LEADER"),
    (2008, "CONTROLLER_BROKER_METADATA_NOT_EXIST"),
    (2009, "CONTROLLER_INVALID_CLEAN_BROKER_METADATA"),
    (2010, "CONTROLLER_BROKER_NEED_TO_BE_REGISTERED"),
    (2011, "CONTROLLER_MASTER_STILL_EXIST"),
    (2012, "CONTROLLER_ELECT_MASTER_FAILED"),
    (2013, "CONTROLLER_ALTER_SYNC_STATE_SET_FAILED"),
    (2014, "CONTROLLER_BROKER_ID_INVALID"),
    (2015, "CONTROLLER_JRAFT_INTERNAL_ERROR"),
    (2016, "CONTROLLER_BROKER_LIVE_INFO_NOT_EXISTS"),
    (3001, "USER_NOT_EXIST"),
    (3002, "POLICY_NOT_EXIST"),
];
