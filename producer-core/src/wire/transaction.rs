//! Ending and checking transactions: END_TRANSACTION (37), CHECK_TRANSACTION_STATE (39).

use alloc::string::String;

use super::{Ext, Fields, WireError};

/// END_TRANSACTION (37), one-way; the header's remark may hold the listener's error (spec §2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndTransaction {
    /// Topic; sent since 5.3.0.
    pub topic: Option<String>,
    /// Group of the producer.
    pub producer_group: String,
    /// Logical offset of the half message, from the send response or the check.
    pub tran_state_table_offset: i64,
    /// Physical offset of the half message.
    pub commit_log_offset: i64,
    /// 8 commit, 12 rollback, 0 unknown: the transaction bits of [`super::sys_flag`].
    pub commit_or_rollback: i32,
    /// Whether this answers a check.
    pub from_transaction_check: Option<bool>,
    /// UNIQ_KEY of the message.
    pub msg_id: String,
    /// Transaction id of the send response; absent with 4.9 brokers.
    pub transaction_id: Option<String>,
    /// Broker meant; a proxy needs it.
    pub broker_name: Option<String>,
}

impl EndTransaction {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            topic: ext.text("topic"),
            producer_group: ext.need_text("producerGroup")?,
            tran_state_table_offset: ext.need_i64("tranStateTableOffset")?,
            commit_log_offset: ext.need_i64("commitLogOffset")?,
            commit_or_rollback: ext.need_i32("commitOrRollback")?,
            from_transaction_check: ext.bool("fromTransactionCheck"),
            msg_id: ext.need_text("msgId")?,
            transaction_id: ext.text("transactionId"),
            broker_name: ext.text("bname"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text_opt("topic", self.topic.as_deref())
            .text("producerGroup", &*self.producer_group)
            .show("tranStateTableOffset", self.tran_state_table_offset)
            .show("commitLogOffset", self.commit_log_offset)
            .show("commitOrRollback", self.commit_or_rollback)
            .show_opt("fromTransactionCheck", self.from_transaction_check)
            .text("msgId", &*self.msg_id)
            .text_opt("transactionId", self.transaction_id.as_deref())
            .text_opt("bname", self.broker_name.as_deref())
    }
}

/// CHECK_TRANSACTION_STATE (39) from a broker, one-way; the body is one stored message (spec §2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckTransaction {
    /// Half topic (broker) or real topic (proxy); sent since 5.3.0.
    pub topic: Option<String>,
    /// Logical offset of the half message, to be echoed.
    pub tran_state_table_offset: i64,
    /// Physical offset of the half message, to be echoed.
    pub commit_log_offset: i64,
    /// UNIQ_KEY of the message.
    pub msg_id: Option<String>,
    /// The same.
    pub transaction_id: Option<String>,
    /// Offset message id of the half message.
    pub offset_msg_id: Option<String>,
    /// Broker that asks, to be echoed.
    pub broker_name: Option<String>,
}

impl CheckTransaction {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            topic: ext.text("topic"),
            tran_state_table_offset: ext.need_i64("tranStateTableOffset")?,
            commit_log_offset: ext.need_i64("commitLogOffset")?,
            msg_id: ext.text("msgId"),
            transaction_id: ext.text("transactionId"),
            offset_msg_id: ext.text("offsetMsgId"),
            broker_name: ext.text("bname"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text_opt("topic", self.topic.as_deref())
            .show("tranStateTableOffset", self.tran_state_table_offset)
            .show("commitLogOffset", self.commit_log_offset)
            .text_opt("msgId", self.msg_id.as_deref())
            .text_opt("transactionId", self.transaction_id.as_deref())
            .text_opt("offsetMsgId", self.offset_msg_id.as_deref())
            .text_opt("bname", self.broker_name.as_deref())
    }
}
