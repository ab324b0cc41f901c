import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;

/**
 * The Java client: a thread for each send in flight, or one thread and callbacks behind a semaphore, which is how
 * its users bound them; or sends at a fixed rate ({@link AtRate}). Words: name server, sync, async, rate-sync or
 * rate-async, in flight or a second, bytes, warm-up and measured milliseconds, default or best settings.
 */
public final class Peer {
    private static final long STARTED = System.nanoTime();
    private static final AtomicLong done = new AtomicLong();
    private static final AtomicLong failed = new AtomicLong();
    private static volatile boolean over;
    /** Nanoseconds of the last sends, one of 16. */
    private static final long[] latencies = new long[1 << 20];
    private static final AtomicLong timed = new AtomicLong();

    public static void main(String[] words) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("bench");
        producer.setNamesrvAddr(words[0]);
        boolean isAtRate = words[1].startsWith("rate");
        if (isAtRate) {
            AtRate.configure(producer, words[6]);
        } else {
            producer.setSendMsgTimeout(10_000);
        }
        producer.start();
        int inFlight = Integer.parseInt(words[2]);
        byte[] body = new byte[Integer.parseInt(words[3])];
        Arrays.fill(body, (byte) 'x');
        producer.send(new Message("bench-0", body));
        double firstMs = (System.nanoTime() - STARTED) / 1e6;
        System.out.println("first");
        if (isAtRate) {
            AtRate run = new AtRate(producer, body, inFlight, Long.parseLong(words[4]), Long.parseLong(words[5]));
            run.run(words[1].equals("rate-sync"), firstMs);
            Runtime.getRuntime().halt(0);
        }

        if (words[1].equals("sync")) {
            for (int n = 0; n < inFlight; n++) {
                daemon(() -> sync(producer, body, inFlight == 1 ? 1 : 16));
            }
        } else {
            daemon(() -> async(producer, body, inFlight));
        }
        Thread.sleep(Long.parseLong(words[4]));
        timed.set(0);
        long before = done.get();
        double cpuBefore = cpuSeconds();
        long begun = System.nanoTime();
        Thread.sleep(Long.parseLong(words[5]));
        double seconds = (System.nanoTime() - begun) / 1e9;
        double cpu = cpuSeconds() - cpuBefore;
        long messages = done.get() - before;
        int kept = (int) Math.min(timed.get(), latencies.length);
        long[] sorted = Arrays.copyOf(latencies, kept);
        Arrays.sort(sorted);
        print(messages, failed.get(), seconds, cpu, sorted, firstMs);
        over = true;
        // Orderly ends of 1,024 threads take seconds and are not measured.
        Runtime.getRuntime().halt(0);
    }

    static void print(long messages, long failed, double seconds, double cpu, long[] sorted, double firstMs)
            throws Exception {
        System.out.printf(
                Locale.ROOT,
                "{\"messages\":%d,\"failed\":%d,\"seconds\":%f,\"cpu_seconds\":%f,\"p50_us\":%f,\"p99_us\":%f,"
                        + "\"p999_us\":%f,\"resident_kib\":%d,\"threads\":%d,\"first_ms\":%f}%n",
                messages, failed, seconds, cpu, at(sorted, 0.5), at(sorted, 0.99), at(sorted, 0.999),
                status("VmRSS:"), status("Threads:"), firstMs);
        System.out.flush();
    }

    private static void daemon(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        thread.start();
    }

    private static void sync(DefaultMQProducer producer, byte[] body, int every) {
        for (long n = 0; !over; n++) {
            long begun = n % every == 0 ? System.nanoTime() : 0;
            try {
                producer.send(new Message("bench-0", body));
                done.incrementAndGet();
                if (begun != 0) {
                    time(begun);
                }
            } catch (Exception error) {
                failed.incrementAndGet();
            }
        }
    }

    private static void async(DefaultMQProducer producer, byte[] body, int inFlight) {
        Semaphore room = new Semaphore(inFlight);
        for (long n = 0; !over; n++) {
            long begun = n % 16 == 0 ? System.nanoTime() : 0;
            try {
                room.acquire();
                producer.send(new Message("bench-0", body), new SendCallback() {
                    @Override
                    public void onSuccess(SendResult result) {
                        done.incrementAndGet();
                        if (begun != 0) {
                            time(begun);
                        }
                        room.release();
                    }

                    @Override
                    public void onException(Throwable error) {
                        failed.incrementAndGet();
                        room.release();
                    }
                });
            } catch (Exception error) {
                failed.incrementAndGet();
                room.release();
            }
        }
    }

    private static void time(long begun) {
        long index = timed.getAndIncrement();
        if (index < latencies.length) {
            latencies[(int) index] = System.nanoTime() - begun;
        }
    }

    private static double at(long[] sorted, double quantile) {
        return sorted.length == 0 ? 0 : sorted[(int) ((sorted.length - 1) * quantile)] / 1e3;
    }

    /** User and system time; a tick is a hundredth of a second wherever Linux runs. */
    static double cpuSeconds() throws Exception {
        String stat = Files.readString(Path.of("/proc/self/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / 100.0;
    }

    private static long status(String line) throws Exception {
        for (String text : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (text.startsWith(line)) {
                return Long.parseLong(text.substring(line.length()).trim().split(" ")[0]);
            }
        }
        return 0;
    }
}
