//! The limit: a client that does nothing but what no client can leave out, the system calls.
//!
//! It writes ready frames, those that our producer would write, and counts the answers by their
//! lengths. One in flight is a blocking ping-pong; more are a blast that tops up, by one write, what
//! was answered in one read. No encoding, no decoding, no matching, no tasks, no clock.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use producer_native::{Message, Producer};

use crate::load::Load;
use crate::ours::BODY;
use crate::sample::{Mark, Sample};
use crate::{broker, count};

/// Sends until its time is over.
pub(crate) fn run(load: &Load) -> Sample {
    let started = Instant::now();
    let frame = frame(load);
    let mut stream = TcpStream::connect(&load.addresses[1]).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut window = Window::new(&frame, load.in_flight);
    window.turn(&mut stream);
    let first_ms = started.elapsed().as_secs_f64() * 1e3;
    let warm = Instant::now() + Duration::from_millis(load.warm_ms);
    while Instant::now() < warm {
        window.turns(&mut stream, load.in_flight);
    }
    let (mark, before) = (Mark::now(window.answered), window.answered);
    let end = Instant::now() + Duration::from_millis(load.measure_ms);
    let mut latencies = Vec::with_capacity(1 << 20);
    while Instant::now() < end {
        if load.in_flight == 1 {
            let start = Instant::now();
            window.turn(&mut stream);
            latencies.push(start.elapsed().as_nanos() as u32);
        } else {
            window.turns(&mut stream, load.in_flight);
        }
    }
    assert!(window.answered > before, "the broker answers");
    Sample { first_ms, ..mark.until_now(window.answered, latencies) }
}

/// A send as our producer writes it, taken from one that it made.
pub(crate) fn frame(load: &Load) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let route = broker::route(std::slice::from_ref(&address)).into_bytes();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        // Name server and broker share the address, and so the connection.
        let (stream, _) = listener.accept().unwrap();
        let answers = broker::Json::default();
        broker::serve(stream, &route, 2 << 20, answers, &mut |frame| {
            drop(tell.send(frame.to_vec()));
        });
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let producer = Producer::builder("bench").name_servers(&address).header(load.header());
        let producer = producer.build().unwrap();
        let message = Message::new("bench-0", &BODY[..load.body]).unwrap();
        producer.send(message).await.unwrap();
    });
    // The longest: the others are the lookup and the heartbeat.
    told.try_iter().max_by_key(Vec::len).expect("a send was written")
}

struct Window {
    /// As many frames as may be in flight, one behind the other.
    frames: Vec<u8>,
    frame: usize,
    input: Vec<u8>,
    filled: usize,
    answered: u64,
    in_flight: usize,
}

impl Window {
    fn new(frame: &[u8], in_flight: usize) -> Self {
        let input = vec![0; 1 << 20];
        let frames = frame.repeat(in_flight);
        Self { frames, frame: frame.len(), input, filled: 0, answered: 0, in_flight: 0 }
    }

    /// Writes one, and waits for its answer.
    fn turn(&mut self, stream: &mut TcpStream) {
        stream.write_all(&self.frames[..self.frame]).unwrap();
        count::wrote(self.frame);
        self.in_flight += 1;
        while self.in_flight > 0 {
            self.read(stream);
        }
    }

    /// Tops up, and reads what is there; a hundred times, so that the clock costs nothing.
    fn turns(&mut self, stream: &mut TcpStream, most: usize) {
        for _ in 0..100 {
            let missing = most - self.in_flight;
            stream.write_all(&self.frames[..missing * self.frame]).unwrap();
            count::wrote(missing * self.frame);
            self.in_flight = most;
            self.read(stream);
        }
    }

    fn read(&mut self, stream: &mut TcpStream) {
        let read = stream.read(&mut self.input[self.filled..]).unwrap();
        assert!(read > 0, "the broker goes on");
        count::read(read);
        self.filled += read;
        let mut at = 0;
        while let Some(four) = self.input[at..self.filled].first_chunk::<4>() {
            let total = u32::from_be_bytes(*four) as usize + 4;
            if self.filled - at < total {
                break;
            }
            at += total;
            self.answered += 1;
            self.in_flight -= 1;
        }
        self.input.copy_within(at..self.filled, 0);
        self.filled -= at;
    }
}
