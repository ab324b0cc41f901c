//! Property names that RocketMQ gives a meaning (spec §7.2, `MessageConst.java`).

use super::names::is_blank;

/// Whether an application may not set the property (the list of 5.4.0).
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Whether `Message.putUserProperty` takes this name and value: neither blank, name not reserved.
/// The separators of the property string pass there, although they forge other properties.
pub fn is_user_property(name: &str, value: &str) -> bool {
    !is_blank(name) && !is_blank(value) && !is_reserved(name)
}

/// `KEYS`.
pub const KEYS: &str = "KEYS";
/// `TAGS`.
pub const TAGS: &str = "TAGS";
/// `WAIT`.
pub const WAIT_STORE_MSG_OK: &str = "WAIT";
/// `DELAY`.
pub const DELAY_TIME_LEVEL: &str = "DELAY";
/// `RETRY_TOPIC`.
pub const RETRY_TOPIC: &str = "RETRY_TOPIC";
/// `ORIGIN_GROUP`.
pub const ORIGIN_GROUP: &str = "ORIGIN_GROUP";
/// `REAL_TOPIC`.
pub const REAL_TOPIC: &str = "REAL_TOPIC";
/// `REAL_QID`.
pub const REAL_QUEUE_ID: &str = "REAL_QID";
/// `TRAN_MSG`.
pub const TRANSACTION_PREPARED: &str = "TRAN_MSG";
/// `PGROUP`.
pub const PRODUCER_GROUP: &str = "PGROUP";
/// `MIN_OFFSET`.
pub const MIN_OFFSET: &str = "MIN_OFFSET";
/// `MAX_OFFSET`.
pub const MAX_OFFSET: &str = "MAX_OFFSET";
/// `BUYER_ID`.
pub const BUYER_ID: &str = "BUYER_ID";
/// `ORIGIN_MESSAGE_ID`.
pub const ORIGIN_MESSAGE_ID: &str = "ORIGIN_MESSAGE_ID";
/// `TRANSFER_FLAG`.
pub const TRANSFER_FLAG: &str = "TRANSFER_FLAG";
/// `CORRECTION_FLAG`.
pub const CORRECTION_FLAG: &str = "CORRECTION_FLAG";
/// `MQ2_FLAG`.
pub const MQ2_FLAG: &str = "MQ2_FLAG";
/// `RECONSUME_TIME`.
pub const RECONSUME_TIME: &str = "RECONSUME_TIME";
/// `MSG_REGION`.
pub const MSG_REGION: &str = "MSG_REGION";
/// `TRACE_ON`.
pub const TRACE_SWITCH: &str = "TRACE_ON";
/// `UNIQ_KEY`.
pub const UNIQ_CLIENT_MESSAGE_ID_KEYIDX: &str = "UNIQ_KEY";
/// `TRANS_OFFSET`, free for applications.
pub const TRANS_OFFSET: &str = "TRANS_OFFSET";
/// `EXTEND_UNIQ_INFO`.
pub const EXTEND_UNIQ_INFO: &str = "EXTEND_UNIQ_INFO";
/// `MAX_RECONSUME_TIMES`.
pub const MAX_RECONSUME_TIMES: &str = "MAX_RECONSUME_TIMES";
/// `CONSUME_START_TIME`.
pub const CONSUME_START_TIMESTAMP: &str = "CONSUME_START_TIME";
/// `_SYS_MSG_PRIORITY_`.
pub const PRIORITY: &str = "_SYS_MSG_PRIORITY_";
/// `INNER_NUM`, free for applications.
pub const INNER_NUM: &str = "INNER_NUM";
/// `INNER_BASE`, free for applications.
pub const INNER_BASE: &str = "INNER_BASE";
/// `DUP_INFO`.
pub const DUP_INFO: &str = "DUP_INFO";
/// `CHECK_IMMUNITY_TIME_IN_SECONDS`, free for applications.
pub const CHECK_IMMUNITY_TIME_IN_SECONDS: &str = "CHECK_IMMUNITY_TIME_IN_SECONDS";
/// `TRAN_PREPARED_QUEUE_OFFSET`.
pub const TRANSACTION_PREPARED_QUEUE_OFFSET: &str = "TRAN_PREPARED_QUEUE_OFFSET";
/// `__transactionId__`, free for applications.
pub const TRANSACTION_ID: &str = "__transactionId__";
/// `TRANSACTION_CHECK_TIMES`, free for applications.
pub const TRANSACTION_CHECK_TIMES: &str = "TRANSACTION_CHECK_TIMES";
/// `INSTANCE_ID`.
pub const INSTANCE_ID: &str = "INSTANCE_ID";
/// `CORRELATION_ID`.
pub const CORRELATION_ID: &str = "CORRELATION_ID";
/// `REPLY_TO_CLIENT`.
pub const MESSAGE_REPLY_TO_CLIENT: &str = "REPLY_TO_CLIENT";
/// `TTL`.
pub const MESSAGE_TTL: &str = "TTL";
/// `ARRIVE_TIME`.
pub const REPLY_MESSAGE_ARRIVE_TIME: &str = "ARRIVE_TIME";
/// `PUSH_REPLY_TIME`.
pub const PUSH_REPLY_TIME: &str = "PUSH_REPLY_TIME";
/// `CLUSTER`.
pub const CLUSTER: &str = "CLUSTER";
/// `MSG_TYPE`.
pub const MESSAGE_TYPE: &str = "MSG_TYPE";
/// `POP_CK`.
pub const POP_CK: &str = "POP_CK";
/// `POP_CK_OFFSET`.
pub const POP_CK_OFFSET: &str = "POP_CK_OFFSET";
/// `1ST_POP_TIME`.
pub const FIRST_POP_TIME: &str = "1ST_POP_TIME";
/// `__SHARDINGKEY`, free for applications.
pub const SHARDING_KEY: &str = "__SHARDINGKEY";
/// `PROPERTY_FORWARD_QUEUE_ID`, free for applications.
pub const FORWARD_QUEUE_ID: &str = "PROPERTY_FORWARD_QUEUE_ID";
/// `REDIRECT`, free for applications.
pub const REDIRECT: &str = "REDIRECT";
/// `INNER_MULTI_DISPATCH`, free for applications.
pub const INNER_MULTI_DISPATCH: &str = "INNER_MULTI_DISPATCH";
/// `INNER_MULTI_QUEUE_OFFSET`.
pub const INNER_MULTI_QUEUE_OFFSET: &str = "INNER_MULTI_QUEUE_OFFSET";
/// `TRACE_CONTEXT`, free for applications.
pub const TRACE_CONTEXT: &str = "TRACE_CONTEXT";
/// `TIMER_DELAY_SEC`.
pub const TIMER_DELAY_SEC: &str = "TIMER_DELAY_SEC";
/// `TIMER_DELIVER_MS`.
pub const TIMER_DELIVER_MS: &str = "TIMER_DELIVER_MS";
/// `__BORNHOST`.
pub const BORN_HOST: &str = "__BORNHOST";
/// `BORN_TIMESTAMP`.
pub const BORN_TIMESTAMP: &str = "BORN_TIMESTAMP";
/// `__RMQ.TRANSIENT.`, free for applications.
pub const TRANSIENT_PREFIX: &str = "__RMQ.TRANSIENT.";
/// `__RMQ.TRANSIENT.TOPIC_SYS_FLAG`, free for applications.
pub const TRANSIENT_TOPIC_CONFIG: &str = "__RMQ.TRANSIENT.TOPIC_SYS_FLAG";
/// `__RMQ.TRANSIENT.GROUP_SYS_FLAG`, free for applications.
pub const TRANSIENT_GROUP_CONFIG: &str = "__RMQ.TRANSIENT.GROUP_SYS_FLAG";
/// ` `, free for applications.
pub const KEY_SEPARATOR: &str = " ";
/// `K`, free for applications.
pub const INDEX_KEY_TYPE: &str = "K";
/// `U`, free for applications.
pub const INDEX_UNIQUE_TYPE: &str = "U";
/// `T`, free for applications.
pub const INDEX_TAG_TYPE: &str = "T";
/// `E_T`, free for applications.
pub const TIMER_ENGINE_TYPE: &str = "E_T";
/// `R`, free for applications.
pub const TIMER_ENGINE_ROCKSDB_TIMELINE: &str = "R";
/// `F`, free for applications.
pub const TIMER_ENGINE_FILE_TIME_WHEEL: &str = "F";
/// `TIMER_ENQUEUE_MS`.
pub const TIMER_ENQUEUE_MS: &str = "TIMER_ENQUEUE_MS";
/// `TIMER_DEQUEUE_MS`.
pub const TIMER_DEQUEUE_MS: &str = "TIMER_DEQUEUE_MS";
/// `TIMER_ROLL_TIMES`.
pub const TIMER_ROLL_TIMES: &str = "TIMER_ROLL_TIMES";
/// `TIMER_OUT_MS`.
pub const TIMER_OUT_MS: &str = "TIMER_OUT_MS";
/// `TIMER_DEL_UNIQKEY`.
pub const TIMER_DEL_UNIQKEY: &str = "TIMER_DEL_UNIQKEY";
/// `TIMER_ROLL_LABEL`, free for applications.
pub const TIMER_ROLL_LABEL: &str = "TIMER_ROLL_LABEL";
/// `TIMER_DELAY_LEVEL`.
pub const TIMER_DELAY_LEVEL: &str = "TIMER_DELAY_LEVEL";
/// `TIMER_DELAY_MS`.
pub const TIMER_DELAY_MS: &str = "TIMER_DELAY_MS";
/// `__CRC32#`.
pub const CRC32: &str = "__CRC32#";
/// `DLQ_ORIGIN_TOPIC`.
pub const DLQ_ORIGIN_TOPIC: &str = "DLQ_ORIGIN_TOPIC";
/// `DLQ_ORIGIN_MESSAGE_ID`.
pub const DLQ_ORIGIN_MESSAGE_ID: &str = "DLQ_ORIGIN_MESSAGE_ID";

const RESERVED: [&str; 53] = [
    KEYS,
    TAGS,
    WAIT_STORE_MSG_OK,
    DELAY_TIME_LEVEL,
    RETRY_TOPIC,
    ORIGIN_GROUP,
    REAL_TOPIC,
    REAL_QUEUE_ID,
    TRANSACTION_PREPARED,
    PRODUCER_GROUP,
    MIN_OFFSET,
    MAX_OFFSET,
    BUYER_ID,
    ORIGIN_MESSAGE_ID,
    TRANSFER_FLAG,
    CORRECTION_FLAG,
    MQ2_FLAG,
    RECONSUME_TIME,
    MSG_REGION,
    TRACE_SWITCH,
    UNIQ_CLIENT_MESSAGE_ID_KEYIDX,
    EXTEND_UNIQ_INFO,
    MAX_RECONSUME_TIMES,
    CONSUME_START_TIMESTAMP,
    PRIORITY,
    DUP_INFO,
    TRANSACTION_PREPARED_QUEUE_OFFSET,
    INSTANCE_ID,
    CORRELATION_ID,
    MESSAGE_REPLY_TO_CLIENT,
    MESSAGE_TTL,
    REPLY_MESSAGE_ARRIVE_TIME,
    PUSH_REPLY_TIME,
    CLUSTER,
    MESSAGE_TYPE,
    POP_CK,
    POP_CK_OFFSET,
    FIRST_POP_TIME,
    INNER_MULTI_QUEUE_OFFSET,
    TIMER_DELAY_SEC,
    TIMER_DELIVER_MS,
    BORN_HOST,
    BORN_TIMESTAMP,
    TIMER_ENQUEUE_MS,
    TIMER_DEQUEUE_MS,
    TIMER_ROLL_TIMES,
    TIMER_OUT_MS,
    TIMER_DEL_UNIQKEY,
    TIMER_DELAY_LEVEL,
    TIMER_DELAY_MS,
    CRC32,
    DLQ_ORIGIN_TOPIC,
    DLQ_ORIGIN_MESSAGE_ID,
];
