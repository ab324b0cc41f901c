import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.client.producer.selector.SelectMessageQueueByHash;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.RPCHook;

/**
 * The Java client 5.4.0 as a lasting peer: reads a command a line, runs it in a thread of its own
 * and prints what comes of it. tests/src/cluster/session.rs speaks the lines,
 * tests/src/interop/client.rs says what the commands are.
 */
public final class Client {
    private static final Map<String, CountDownLatch> RUNNING = new ConcurrentHashMap<>();
    private static final int WAIT_SECONDS = 30;

    /** A line: id, command, and settings as name=value, all separated by tabs. */
    private static final class Command {
        final String id;
        final String name;
        final Map<String, String> settings = new TreeMap<>();
        final List<String> steps = new ArrayList<>();
        final CountDownLatch stop = new CountDownLatch(1);

        Command(String line) {
            String[] parts = line.split("\t");
            id = parts[0];
            name = parts[1];
            for (int i = 2; i < parts.length; i++) {
                String[] pair = parts[i].split("=", 2);
                if (pair[0].equals("step")) {
                    steps.add(pair[1]);
                } else {
                    settings.put(pair[0], pair[1]);
                }
            }
        }

        String text(String name) {
            return settings.get(name);
        }

        long number(String name, long otherwise) {
            String value = settings.get(name);
            return value == null ? otherwise : Long.parseLong(value);
        }

        void say(String kind, Object value) {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("id", Integer.valueOf(id));
            line.put(kind, value);
            Peer.print(line);
        }

        void result(Map<String, Object> result) {
            say("result", result);
        }

        RPCHook hook() {
            String key = text("access_key");
            return key == null ? null
                : new AclClientRPCHook(new SessionCredentials(key, text("secret_key"),
                    text("security_token")));
        }

        void configure(ClientConfig config) {
            config.setNamesrvAddr(text("name_servers"));
            config.setUseTLS(settings.containsKey("tls"));
            config.setVipChannelEnabled(settings.containsKey("vip"));
            if (text("namespace") != null) {
                config.setNamespace(text("namespace"));
            }
            if (text("namespace_v2") != null) {
                config.setNamespaceV2(text("namespace_v2"));
            }
        }

        void run() {
            try {
                switch (name) {
                    case "consume":
                        consume(this);
                        break;
                    case "produce":
                        produce(this);
                        break;
                    case "serve":
                        serve(this);
                        break;
                    default:
                        throw new IllegalArgumentException("no command " + name);
                }
                say("end", null);
            } catch (Throwable error) {
                say("failed", Peer.failure(name, Collections.<String>emptyList(), error));
            } finally {
                RUNNING.remove(id);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Command command = new Command(line);
            if (command.name.equals("stop")) {
                CountDownLatch stop = RUNNING.get(command.text("of"));
                if (stop != null) {
                    stop.countDown();
                }
            } else {
                RUNNING.put(command.id, command.stop);
                new Thread(command::run, "command-" + command.id).start();
            }
        }
        System.exit(0);
    }

    /** Every message of the topic from its first offset, until there are enough or time is up. */
    private static void consume(Command command) throws Exception {
        long end = System.currentTimeMillis() + command.number("wait_ms", 30_000);
        AtomicLong left = new AtomicLong(command.number("count", 1));
        pull(command, () -> left.get() <= 0 || System.currentTimeMillis() >= end, message -> {
            command.result(read(message));
            left.decrementAndGet();
        });
    }

    private interface Each {
        void take(MessageExt message) throws Exception;
    }

    /**
     * The lite pull consumer of 5.x asks by a code that 4.9 brokers do not know; a push consumer
     * needs groups and balance, which our models do not have, and seconds to find its queues.
     */
    private static void pull(Command command, BooleanSupplier isOver, Each each) throws Exception {
        DefaultMQPullConsumer consumer =
            new DefaultMQPullConsumer(command.text("group"), command.hook());
        command.configure(consumer);
        consumer.start();
        try {
            Map<MessageQueue, Long> offsets = new LinkedHashMap<>();
            String light = command.text("light");
            for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(command.text("topic"))) {
                offsets.put(queue, consumer.minOffset(queue));
                if (light != null) {
                    // It is in no route: it has the number 0 on each broker of the topic, which
                    // the client knows now.
                    offsets.remove(queue);
                    MessageQueue from = new MessageQueue(light, queue.getBrokerName(), 0);
                    offsets.put(from, consumer.minOffset(from));
                }
            }
            command.say("ready", null);
            while (!isOver.getAsBoolean()) {
                boolean isIdle = true;
                for (Map.Entry<MessageQueue, Long> queue : offsets.entrySet()) {
                    PullResult pulled = consumer.pull(
                        queue.getKey(), command.text("tags"), queue.getValue(), 32);
                    queue.setValue(pulled.getNextBeginOffset());
                    if (pulled.getPullStatus() == PullStatus.FOUND) {
                        isIdle = false;
                        for (MessageExt message : pulled.getMsgFoundList()) {
                            each.take(message);
                        }
                    }
                }
                if (isIdle) {
                    TimeUnit.MILLISECONDS.sleep(20);
                }
            }
        } finally {
            later(consumer::shutdown);
        }
    }

    /** A shutdown waits up to three seconds for a thread of Netty's that has nothing to do. */
    private static void later(Runnable shutdown) {
        new Thread(shutdown, "shutdown").start();
    }

    private static Map<String, Object> read(MessageExt message) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("topic", message.getTopic());
        line.put("broker", message.getBrokerName());
        line.put("queue_id", message.getQueueId());
        line.put("queue_offset", message.getQueueOffset());
        line.put("message_id", message.getMsgId());
        line.put("uniq_key", message.getProperty("UNIQ_KEY"));
        line.put("tags", message.getTags());
        line.put("keys", message.getKeys());
        line.put("flag", message.getFlag());
        line.put("sys_flag", message.getSysFlag());
        line.put("born_time_ms", message.getBornTimestamp());
        line.put("store_time_ms", message.getStoreTimestamp());
        line.put("reconsume_times", message.getReconsumeTimes());
        line.put("body_hex", Peer.toHex(message.getBody()));
        line.put("properties", new TreeMap<>(message.getProperties()));
        return line;
    }

    /** Answers each message of the topic with its own body behind "re:", until it is stopped. */
    private static void serve(Command command) throws Exception {
        DefaultMQProducer producer =
            new DefaultMQProducer(command.text("group") + "-replies", command.hook());
        command.configure(producer);
        producer.start();
        try {
            pull(command, () -> command.stop.getCount() == 0, message -> {
                TimeUnit.MILLISECONDS.sleep(command.number("reply_delay_ms", 0));
                Map<String, Object> line = read(message);
                List<String> keys = Collections.singletonList(message.getKeys());
                try {
                    Message reply =
                        MessageUtil.createReplyMessage(message, reply(message.getBody()));
                    line.put("reply",
                        Peer.success("reply", keys, null, producer.send(reply, 3_000)));
                } catch (Exception error) {
                    line.put("reply", Peer.failure("reply", keys, error));
                }
                command.result(line);
            });
        } finally {
            later(producer::shutdown);
        }
    }

    private static byte[] reply(byte[] body) {
        String text = "re:" + new String(body, StandardCharsets.UTF_8);
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** One producer, one step after the other. */
    private static void produce(Command command) throws Exception {
        boolean isTraced = command.text("trace") != null;
        Checks checks = new Checks(command);
        TransactionMQProducer producer = new TransactionMQProducer(
            command.text("group"), command.hook(), isTraced, command.text("trace_topic"));
        // As many traces as it waits for before it sends them; without, they take five seconds.
        producer.setTraceMsgBatchNum(1);
        producer.setTransactionListener(checks);
        producer.setExecutorService(checks.executor);
        command.configure(producer);
        if (command.text("compress") != null) {
            producer.setCompressType(CompressionType.of(command.text("compress")));
        }
        producer.setCompressLevel((int) command.number("compress_level", 5));
        producer.setCompressMsgBodyOverHowmuch((int) command.number("compress_over", 4096));
        producer.start();
        try {
            for (String step : command.steps) {
                step(command, producer, checks, step.split(":"));
            }
        } finally {
            later(producer::shutdown);
            checks.executor.shutdown();
        }
    }

    private static void step(
        Command command, TransactionMQProducer producer, Checks checks, String[] step)
        throws Exception {
        String topic = command.text("topic");
        int count = Integer.parseInt(step[1]);
        long value = step.length > 2 && !step[0].equals("transaction") ? Long.parseLong(step[2]) : 0;
        if (step[0].equals("checks")) {
            checks.await(count);
            return;
        }
        if (step[0].equals("stay")) {
            command.say("ready", null);
            command.stop.await(count, TimeUnit.SECONDS);
            return;
        }
        boolean hasBytes = step[0].equals("sync") || step[0].equals("batch");
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            messages.add(Peer.message(topic, step[0], i, hasBytes ? (int) value : 0));
        }
        if (step[0].equals("batch")) {
            List<String> keys = new ArrayList<>();
            messages.forEach(message -> keys.add(message.getKeys()));
            report(command, "batch", keys, () -> plain("batch", keys, producer.send(messages)));
            return;
        }
        for (Message message : messages) {
            List<String> keys = Collections.singletonList(message.getKeys());
            report(command, step[0], keys, () -> one(producer, message, keys, step, value));
        }
    }

    private interface Step {
        Map<String, Object> run() throws Exception;
    }

    private static void report(Command command, String api, List<String> keys, Step step) {
        try {
            command.result(step.run());
        } catch (Throwable error) {
            command.result(Peer.failure(api, keys, error));
        }
    }

    private static Map<String, Object> one(
        TransactionMQProducer producer, Message message, List<String> keys, String[] step,
        long value) throws Exception {
        switch (step[0]) {
            case "sync":
                break;
            case "delay":
                message.setDelayTimeLevel((int) value);
                break;
            case "timer":
            case "recall":
                message.setDelayTimeMs(value);
                break;
            case "deliver":
                message.setDeliverTimeMs(System.currentTimeMillis() + value);
                break;
            case "priority":
                message.setPriority((int) value);
                break;
            case "selector":
                return plain(step[0], keys, producer.send(
                    message, new SelectMessageQueueByHash(), message.getKeys()));
            case "request":
                return request(keys, producer.request(message, value));
            case "transaction":
                message.putUserProperty("local", step[2]);
                message.putUserProperty("check", step[3]);
                return transaction(keys, producer.sendMessageInTransaction(message, null));
            default:
                throw new IllegalArgumentException("no step " + step[0]);
        }
        SendResult result = producer.send(message);
        Map<String, Object> line = plain(step[0], keys, result);
        if (step[0].equals("recall")) {
            line.put("recalled",
                producer.recallMessage(message.getTopic(), result.getRecallHandle()));
        }
        return line;
    }

    private static Map<String, Object> plain(String api, List<String> keys, SendResult result) {
        Map<String, Object> line = Peer.success(api, keys, result.getMsgId(), result);
        line.put("recallHandle", result.getRecallHandle());
        return line;
    }

    private static Map<String, Object> request(List<String> keys, Message reply) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("api", "request");
        line.put("keys", keys);
        line.put("body", new String(reply.getBody(), StandardCharsets.UTF_8));
        line.put("properties", new TreeMap<>(reply.getProperties()));
        return line;
    }

    private static Map<String, Object> transaction(
        List<String> keys, TransactionSendResult result) {
        Map<String, Object> line = plain("transaction", keys, result);
        line.put("localState", result.getLocalTransactionState().name());
        return line;
    }

    /** Decides each transaction as its message says, and tells of each check. */
    private static final class Checks implements TransactionListener {
        private final Command command;
        private final Set<String> seen = ConcurrentHashMap.newKeySet();
        final ExecutorService executor = Executors.newSingleThreadExecutor();

        Checks(Command command) {
            this.command = command;
        }

        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
            return state(message.getUserProperty("local"));
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            Map<String, Object> line = read(message);
            line.put("api", "check");
            line.put("transactionId", message.getTransactionId());
            command.result(line);
            seen.add(message.getProperty("UNIQ_KEY"));
            return state(message.getUserProperty("check"));
        }

        /** Until so many transactions have been asked about, and the client has answered. */
        void await(int count) throws Exception {
            long end = System.currentTimeMillis() + WAIT_SECONDS * 1_000;
            while (seen.size() < count) {
                if (System.currentTimeMillis() > end) {
                    throw new IllegalStateException(seen.size() + " of " + count + " were checked");
                }
                TimeUnit.MILLISECONDS.sleep(10);
            }
            executor.submit(() -> null).get();
        }

        private static LocalTransactionState state(String name) {
            switch (name) {
                case "commit":
                    return LocalTransactionState.COMMIT_MESSAGE;
                case "rollback":
                    return LocalTransactionState.ROLLBACK_MESSAGE;
                case "unknown":
                    return LocalTransactionState.UNKNOW;
                default:
                    throw new IllegalStateException("a listener that fails: " + name);
            }
        }
    }
}
