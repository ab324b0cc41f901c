//! What load do many producers put on servers?

use std::io;

use clap::Args;
use sim::scale::{Size, section};

#[derive(Debug, Args)]
pub(crate) struct ScaleArguments {
    /// Producers.
    #[arg(long, default_value_t = Size::WHOLE.producers)]
    producers: usize,
    /// Brokers.
    #[arg(long, default_value_t = Size::WHOLE.brokers)]
    brokers: usize,
    /// Name servers.
    #[arg(long, default_value_t = Size::WHOLE.name_servers)]
    name_servers: usize,
    /// Topics of each producer.
    #[arg(long, default_value_t = Size::WHOLE.topics)]
    topics: usize,
}

/// Prints the table of a size.
pub(crate) fn run(arguments: &ScaleArguments) -> io::Result<()> {
    let &ScaleArguments { producers, brokers, name_servers, topics } = arguments;
    print!("{}", section(Size { producers, brokers, name_servers, topics }));
    Ok(())
}
