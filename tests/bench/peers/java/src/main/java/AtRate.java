import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;

/**
 * So many sends a second, whatever became of those before: by callbacks, or by 256 threads, where one that is due
 * waits while all are busy. Prints "begun" when warming up is over, then of each send the microseconds from there at
 * which it was due, how long it took from then, and 1 if it was stored.
 */
final class AtRate {
    private static final int THREADS = 256;
    /** What cannot be said to have ended. */
    private static final long NEVER = Long.MAX_VALUE >> 20;

    private final DefaultMQProducer producer;
    private final byte[] body;
    private final long rate;
    private final long warmMs;
    private final long measureMs;
    private final int all;
    private final long[] took;
    private final boolean[] stored;
    private final AtomicInteger ended = new AtomicInteger();
    private final AtomicLong done = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private long started;

    AtRate(DefaultMQProducer producer, byte[] body, long rate, long warmMs, long measureMs) {
        this.producer = producer;
        this.body = body;
        this.rate = rate;
        this.warmMs = warmMs;
        this.measureMs = measureMs;
        all = (int) ((warmMs + measureMs) * rate / 1000);
        took = new long[all];
        stored = new boolean[all];
        Arrays.fill(took, NEVER);
    }

    static void configure(DefaultMQProducer producer, String settings) {
        if (settings.equals("best")) {
            producer.setSendLatencyFaultEnable(true);
            producer.setStartDetectorEnable(true);
            producer.setSendMsgMaxTimeoutPerRequest(500);
            producer.setRetryTimesWhenSendFailed(5);
            producer.setRetryTimesWhenSendAsyncFailed(5);
        }
    }

    void run(boolean isSync, double firstMs) throws Exception {
        started = System.nanoTime();
        Thread pacing = new Thread(isSync ? this::sync : this::async);
        pacing.setDaemon(true);
        pacing.start();
        Thread.sleep(warmMs);
        System.out.println("begun");
        long before = done.get();
        double cpuBefore = Peer.cpuSeconds();
        long begun = System.nanoTime();
        Thread.sleep(measureMs);
        double seconds = (System.nanoTime() - begun) / 1e9;
        double cpu = Peer.cpuSeconds() - cpuBefore;
        long messages = done.get() - before;
        long patience = System.nanoTime() + 15_000_000_000L;
        while (ended.get() < all && System.nanoTime() < patience) {
            Thread.sleep(20);
        }
        print(messages, seconds, cpu, firstMs);
    }

    private void print(long messages, double seconds, double cpu, double firstMs) throws Exception {
        StringBuilder out = new StringBuilder();
        long[] latencies = new long[all];
        int kept = 0;
        for (int n = (int) (warmMs * rate / 1000); n < all; n++) {
            long start = (due(n) - started) / 1000 - warmMs * 1000;
            long micros = took[n] == NEVER ? NEVER : took[n] / 1000;
            out.append(start).append(' ').append(micros).append(stored[n] ? " 1\n" : " 0\n");
            if (stored[n]) {
                latencies[kept++] = took[n];
            }
        }
        System.out.print(out);
        long[] sorted = Arrays.copyOf(latencies, kept);
        Arrays.sort(sorted);
        Peer.print(messages, failed.get(), seconds, cpu, sorted, firstMs);
    }

    private long due(int n) {
        return started + n * 1_000_000_000L / rate;
    }

    private void await(int n) {
        for (long left = due(n) - System.nanoTime(); left > 0; left = due(n) - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    private void end(int n, boolean isStored) {
        took[n] = System.nanoTime() - due(n);
        stored[n] = isStored;
        (isStored ? done : failed).incrementAndGet();
        ended.incrementAndGet();
    }

    private void sync() {
        ExecutorService threads = Executors.newFixedThreadPool(THREADS, work -> {
            Thread thread = new Thread(work);
            thread.setDaemon(true);
            return thread;
        });
        for (int next = 0; next < all; next++) {
            int n = next;
            await(n);
            threads.execute(() -> {
                try {
                    SendResult result = producer.send(new Message("bench-0", body));
                    end(n, result.getSendStatus() == SendStatus.SEND_OK);
                } catch (Exception error) {
                    end(n, false);
                }
            });
        }
    }

    private void async() {
        for (int next = 0; next < all; next++) {
            int n = next;
            await(n);
            try {
                producer.send(new Message("bench-0", body), new SendCallback() {
                    @Override
                    public void onSuccess(SendResult result) {
                        end(n, result.getSendStatus() == SendStatus.SEND_OK);
                    }

                    @Override
                    public void onException(Throwable error) {
                        end(n, false);
                    }
                });
            } catch (Exception error) {
                end(n, false);
            }
        }
    }
}
