//! What a message costs, counted and not timed: bytes, reads and writes of its connections,
//! allocations; and all system calls, where the machine's `perf` may look at them.
//!
//! Counting is off in every run that is timed: the transport is not there then, and the allocator
//! looks at one flag.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use producer_native::{Address, Connecting, Stream, Tcp, Transport};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Of one message, on average.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) bytes_out: f64,
    pub(crate) bytes_in: f64,
    /// Calls that wrote and that read something.
    pub(crate) writes: f64,
    pub(crate) reads: f64,
    pub(crate) allocations: f64,
    /// All of the process, from its start to its end; `None` where `perf` may not count them.
    pub(crate) system_calls: Option<f64>,
}

/// The counters of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters([u64; 5]);

static ALL: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];
const BYTES_OUT: usize = 0;
const BYTES_IN: usize = 1;
const WRITES: usize = 2;
const READS: usize = 3;
const ALLOCATIONS: usize = 4;

static IS_ON: AtomicBool = AtomicBool::new(false);

/// From now on this process counts.
pub(crate) fn begin() {
    IS_ON.store(true, Relaxed);
}

pub(crate) fn wrote(bytes: usize) {
    ALL[BYTES_OUT].fetch_add(bytes as u64, Relaxed);
    ALL[WRITES].fetch_add(1, Relaxed);
}

pub(crate) fn read(bytes: usize) {
    ALL[BYTES_IN].fetch_add(bytes as u64, Relaxed);
    ALL[READS].fetch_add(1, Relaxed);
}

impl Counters {
    pub(crate) fn now() -> Self {
        Self([0, 1, 2, 3, 4].map(|n: usize| ALL[n].load(Relaxed)))
    }

    /// What so many messages have cost since; `None` if nothing is counted here.
    pub(crate) fn since(self, messages: u64) -> Option<Counted> {
        let now = Self::now();
        let of = |n: usize| (now.0[n] - self.0[n]) as f64 / messages.max(1) as f64;
        IS_ON.load(Relaxed).then(|| Counted {
            bytes_out: of(BYTES_OUT),
            bytes_in: of(BYTES_IN),
            writes: of(WRITES),
            reads: of(READS),
            allocations: of(ALLOCATIONS),
            system_calls: None,
        })
    }
}

/// The system's allocator, which counts if it is told to.
struct Allocator;

#[expect(unsafe_code, reason = "an allocator that counts cannot be written without")]
// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocated();
        // SAFETY: as required of our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        allocated();
        // SAFETY: as required of our caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        allocated();
        // SAFETY: as required of our caller.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as required of our caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn allocated() {
    if IS_ON.load(Relaxed) {
        ALL[ALLOCATIONS].fetch_add(1, Relaxed);
    }
}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// TCP, counted.
pub(crate) struct CountedTcp;

impl Transport for CountedTcp {
    fn connect(&self, address: &Address, deadline: Instant) -> Connecting {
        let connecting = Tcp.connect(address, deadline);
        Box::pin(async move {
            let stream = connecting.await?;
            Ok(Box::new(CountedStream(stream)) as Box<dyn Stream>)
        })
    }
}

struct CountedStream(Box<dyn Stream>);

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.0).poll_read(cx, buffer);
        if matches!(polled, Poll::Ready(Ok(()))) {
            read(buffer.filled().len() - before);
        }
        polled
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        written(Pin::new(&mut self.0).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        written(Pin::new(&mut self.0).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

fn written(polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
    if let Poll::Ready(Ok(bytes)) = polled {
        wrote(bytes);
    }
    polled
}
