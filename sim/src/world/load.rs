//! What is sent, when, and how did each send end?

use std::time::Duration;

use producer_native::{Message, Producer, Receipt, SendError, SendOptions};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep_until};

/// Messages at a steady pace, whether or not those before have been answered.
#[derive(Debug, Clone)]
pub struct Load {
    /// Topic of all messages.
    pub topic: String,
    /// How many.
    pub messages: u32,
    /// Time from one to the next.
    pub every: Duration,
    /// The bodies are the word and the number of the message, so two loads of one topic need two
    /// words.
    pub word: String,
    /// Options of each send.
    pub options: SendOptions,
}

/// A send that has ended.
#[derive(Debug)]
pub struct Sent {
    /// Body, which no other message has.
    pub body: String,
    /// When it was sent, in simulated time.
    pub at: Duration,
    /// Time until it ended.
    pub took: Duration,
    /// How it ended.
    pub result: Result<Receipt, SendError>,
}

impl Load {
    /// So many messages to a topic, one each `every`.
    pub fn new(topic: impl Into<String>, messages: u32, every: Duration) -> Self {
        let (topic, word) = (topic.into(), "message".to_owned());
        Self { topic, messages, every, word, options: SendOptions::default() }
    }

    /// Sends all, each in a task of its own, and waits until all have ended; in order of sending.
    ///
    /// # Panics
    /// When the topic is no valid one, or when a send does.
    pub async fn run(self, producer: &Producer) -> Vec<Sent> {
        let begin = Instant::now();
        let mut tasks: Vec<JoinHandle<Sent>> = Vec::with_capacity(self.messages as usize);
        for number in 0..self.messages {
            sleep_until(begin + self.every * number).await;
            let body = format!("{} {number}", self.word);
            let message = Message::new(self.topic.as_str(), body.clone());
            let message = message.expect("the topic is a valid one");
            let (producer, options) = (producer.clone(), self.options.clone());
            tasks.push(spawn_local(async move {
                let at = turmoil::sim_elapsed().unwrap_or_default();
                let result = producer.send_with(message, options).await;
                let took = turmoil::sim_elapsed().unwrap_or_default().saturating_sub(at);
                Sent { body, at, took, result }
            }));
        }
        let mut all = Vec::with_capacity(tasks.len());
        for task in tasks {
            all.push(task.await.expect("a send does not panic"));
        }
        all
    }

    /// [`Self::run`] in the background, so that the scenario can break things meanwhile.
    pub fn start(self, producer: &Producer) -> JoinHandle<Vec<Sent>> {
        let producer = producer.clone();
        spawn_local(async move { self.run(&producer).await })
    }
}
