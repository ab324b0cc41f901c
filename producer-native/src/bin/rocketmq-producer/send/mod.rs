//! `send`: messages from the command line, and how each of them ended.

mod arguments;
mod kind;
mod latency;
mod progress;
mod report;
mod source;
mod way;
mod window;

pub(crate) use arguments::{SendArguments, property, queue};

use crate::exit::{Exit, Failure};

use report::Report;
use source::Source;
use window::Window;

pub(crate) async fn run(arguments: SendArguments, json: bool) -> Result<Exit, Failure> {
    let template = arguments.template()?;
    let producer = arguments.producer()?;
    let source = Source::new(arguments.source()?, template.message_bytes_max)?;
    let report = Report::new(json, arguments.one_way());
    let farewell = arguments.farewell();
    let mut window = Window::new(producer.clone(), template, arguments.limits(), report);
    let ended = window.run(source).await;
    // Every message has ended; traces may not have.
    producer.close(farewell).await;
    let interrupted = ended?;
    let all_good = window.report.finish()?;
    Ok(match (interrupted, all_good) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Done,
        (false, false) => Exit::NotDone,
    })
}
