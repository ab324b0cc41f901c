//! How do messages go out: compressed, sharing requests, traced, to which port?

use clap::Args;
use producer_native::{AutoBatch, Builder, Compress, Compression, TopicName, Trace};

#[derive(Debug, Args)]
#[command(next_help_heading = "Sending")]
pub(crate) struct WayArguments {
    /// Compress bodies from 4096 bytes on: zlib, lz4 or zstd, with a level if you like (zstd:3);
    /// --compress-over and the settings say from where on
    #[arg(long, value_name = "KIND[:LEVEL]", value_parser = compression)]
    compress: Option<(Compression, Option<i32>)>,
    /// Compress bodies of so many bytes and more
    #[arg(long, value_name = "BYTES", requires = "compress")]
    compress_over: Option<usize>,
    /// Let messages that are sent at the same time share requests, by the limits of the settings
    #[arg(long, conflicts_with_all = ["batch", "oneway"])]
    auto_batch: bool,
    /// Trace sends, to RMQ_SYS_TRACE_TOPIC or this topic
    #[arg(long, value_name = "TOPIC", num_args = 0..=1, require_equals = true)]
    trace: Option<Option<TopicName>>,
    /// Send to the brokers' second port, two below the one they advertise
    #[arg(long)]
    vip: bool,
}

impl WayArguments {
    pub(crate) fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    /// What is asked for, over what settings say.
    pub(crate) fn apply(&self, builder: Builder) -> Builder {
        builder.configure(|config| {
            if let Some((kind, level)) = self.compress {
                let mut compress = config.compression.unwrap_or_else(Compress::default);
                compress.kind = kind;
                compress.level = level.unwrap_or(compress.level);
                compress.threshold = self.compress_over.unwrap_or(compress.threshold);
                config.compression = Some(compress);
            }
            if self.auto_batch {
                config.auto_batch.get_or_insert_with(AutoBatch::default);
            }
            if let Some(topic) = &self.trace {
                let trace = config.trace.get_or_insert_with(Trace::default);
                trace.topic = topic.clone().unwrap_or_else(|| trace.topic.clone());
            }
            config.vip_channel |= self.vip;
        })
    }
}

/// Reads `KIND[:LEVEL]`.
fn compression(text: &str) -> Result<(Compression, Option<i32>), String> {
    const WANTED: &str = "wanted: zlib, lz4 or zstd, or one with its level: zstd:3";
    let (kind, level) = match text.split_once(':') {
        Some((kind, level)) => (kind, Some(level.parse().map_err(|_| WANTED)?)),
        None => (text, None),
    };
    Ok((Compression::from_name(kind).ok_or(WANTED)?, level))
}
