import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.selector.SelectMessageQueueByHash;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageClientIDSetter;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * The published Java client as a test peer: does what its arguments say and prints one JSON object
 * per result. Started by tests/src/cluster/java.rs, which describes commands and results.
 */
public final class Peer {
    private static final PrintStream OUT =
        new PrintStream(new FileOutputStream(FileDescriptor.out), true);
    private static final int WAIT_SECONDS = 20;

    public static void main(String[] args) {
        int status = 0;
        try {
            String[] rest = Arrays.copyOfRange(args, 1, args.length);
            switch (args[0]) {
                case "send":
                    send(rest[0], rest[1], Arrays.asList(rest).subList(2, rest.length));
                    break;
                case "ids":
                    for (String id : rest) {
                        printId(id);
                    }
                    break;
                case "decode":
                    for (String hex : rest) {
                        printStored(fromHex(hex));
                    }
                    break;
                default:
                    throw new IllegalArgumentException("no command " + args[0]);
            }
        } catch (Throwable error) {
            status = 1;
            print(failure("peer", Collections.<String>emptyList(), error));
        }
        // With a dead name server client threads would keep the process alive for ever.
        System.exit(status);
    }

    /** Steps are api:count or api:count:bodyBytes. */
    private static void send(String topic, String group, List<String> steps) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(group);
        producer.start();
        for (String step : steps) {
            String[] parts = step.split(":");
            String api = parts[0];
            int bodyBytes = parts.length > 2 ? Integer.parseInt(parts[2]) : 0;
            List<Message> messages = new ArrayList<>();
            for (int i = 0; i < Integer.parseInt(parts[1]); i++) {
                messages.add(message(topic, api, i, bodyBytes));
            }
            switch (api) {
                case "sync":
                    sendEach(api, messages, producer::send);
                    break;
                case "oneway":
                    sendEach(api, messages, message -> {
                        producer.sendOneway(message);
                        return null;
                    });
                    break;
                case "selector":
                    sendEach(api, messages, message -> producer.send(
                        message, new SelectMessageQueueByHash(), message.getKeys()));
                    break;
                case "async":
                    sendAsync(producer, messages);
                    break;
                case "batch":
                    sendBatch(producer, messages);
                    break;
                default:
                    throw new IllegalArgumentException("no api " + api);
            }
        }
        producer.shutdown();
    }

    private interface Send {
        SendResult send(Message message) throws Exception;
    }

    private static void sendEach(String api, List<Message> messages, Send send) {
        for (Message message : messages) {
            List<String> keys = Collections.singletonList(message.getKeys());
            try {
                SendResult result = send.send(message);
                print(success(api, keys, MessageClientIDSetter.getUniqID(message), result));
            } catch (Throwable error) {
                print(failure(api, keys, error));
            }
        }
    }

    private static void sendAsync(DefaultMQProducer producer, List<Message> messages)
        throws Exception {
        CountDownLatch pending = new CountDownLatch(messages.size());
        for (Message message : messages) {
            List<String> keys = Collections.singletonList(message.getKeys());
            SendCallback callback = new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    print(success("async", keys, result.getMsgId(), result));
                    pending.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    print(failure("async", keys, error));
                    pending.countDown();
                }
            };
            try {
                producer.send(message, callback);
            } catch (Throwable error) {
                callback.onException(error);
            }
        }
        if (!pending.await(WAIT_SECONDS, TimeUnit.SECONDS)) {
            throw new IllegalStateException(pending.getCount() + " callbacks did not come");
        }
    }

    private static void sendBatch(DefaultMQProducer producer, List<Message> messages) {
        List<String> keys = new ArrayList<>();
        for (Message message : messages) {
            keys.add(message.getKeys());
        }
        try {
            SendResult result = producer.send(messages);
            print(success("batch", keys, result.getMsgId(), result));
        } catch (Throwable error) {
            print(failure("batch", keys, error));
        }
    }

    /** Key and tag tell which message it is; the body is the key, filled up with x. */
    static Message message(String topic, String api, int i, int bodyBytes) {
        String key = api + "-" + i;
        StringBuilder body = new StringBuilder(key);
        while (body.length() < bodyBytes) {
            body.append('x');
        }
        return new Message(topic, api, key, body.toString().getBytes(StandardCharsets.UTF_8));
    }

    static Map<String, Object> success(
        String api, List<String> keys, String msgId, SendResult result) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("api", api);
        line.put("keys", keys);
        line.put("msgId", msgId);
        if (result != null) {
            line.put("status", result.getSendStatus().name());
            line.put("offsetMsgId", result.getOffsetMsgId());
            line.put("topic", result.getMessageQueue().getTopic());
            line.put("broker", result.getMessageQueue().getBrokerName());
            line.put("queueId", result.getMessageQueue().getQueueId());
            line.put("queueOffset", result.getQueueOffset());
            line.put("transactionId", result.getTransactionId());
            line.put("regionId", result.getRegionId());
            line.put("traceOn", result.isTraceOn());
        }
        return line;
    }

    static Map<String, Object> failure(String api, List<String> keys, Throwable error) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("api", api);
        line.put("keys", keys);
        line.put("exception", error.getClass().getName());
        line.put("text", String.valueOf(error.getMessage()));
        if (error instanceof MQBrokerException) {
            line.put("responseCode", ((MQBrokerException) error).getResponseCode());
        } else if (error instanceof MQClientException) {
            line.put("responseCode", ((MQClientException) error).getResponseCode());
        }
        return line;
    }

    private static void printId(String id) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("id", id);
        line.put("ip", MessageClientIDSetter.getIPStrFromID(id));
        line.put("timeMs", MessageClientIDSetter.getNearlyTimeFromID(id).getTime());
        line.put("pid", MessageClientIDSetter.getPidFromID(id));
        print(line);
    }

    private static void printStored(byte[] bytes) {
        MessageExt message = MessageDecoder.decode(ByteBuffer.wrap(bytes));
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("isMessage", message != null);
        if (message != null) {
            line.put("topic", message.getTopic());
            line.put("msgId", message.getMsgId());
            line.put("queueId", message.getQueueId());
            line.put("queueOffset", message.getQueueOffset());
            line.put("physicalOffset", message.getCommitLogOffset());
            line.put("storeSize", message.getStoreSize());
            line.put("bodyCrc", message.getBodyCRC());
            line.put("flag", message.getFlag());
            line.put("sysFlag", message.getSysFlag());
            line.put("bornTimeMs", message.getBornTimestamp());
            line.put("bornHost", hostAndPort(message.getBornHost()));
            line.put("storeTimeMs", message.getStoreTimestamp());
            line.put("storeHost", hostAndPort(message.getStoreHost()));
            line.put("reconsumeTimes", message.getReconsumeTimes());
            line.put("preparedTransactionOffset", message.getPreparedTransactionOffset());
            line.put("bodyHex", toHex(message.getBody()));
            line.put("properties", new TreeMap<>(message.getProperties()));
        }
        print(line);
    }

    static String hostAndPort(SocketAddress address) {
        InetSocketAddress inet = (InetSocketAddress) address;
        return inet.getAddress().getHostAddress() + ":" + inet.getPort();
    }

    private static byte[] fromHex(String hex) {
        byte[] bytes = new byte[hex.length() / 2];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        return bytes;
    }

    static String toHex(byte[] bytes) {
        StringBuilder hex = new StringBuilder();
        for (byte b : bytes == null ? new byte[0] : bytes) {
            hex.append(String.format("%02x", b));
        }
        return hex.toString();
    }

    static synchronized void print(Map<String, Object> line) {
        OUT.println(json(line));
    }

    private static String json(Object value) {
        if (value == null || value instanceof Number || value instanceof Boolean) {
            return String.valueOf(value);
        }
        List<String> parts = new ArrayList<>();
        if (value instanceof Map) {
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                parts.add(quoted(String.valueOf(entry.getKey())) + ":" + json(entry.getValue()));
            }
            return "{" + String.join(",", parts) + "}";
        }
        if (value instanceof List) {
            for (Object element : (List<?>) value) {
                parts.add(json(element));
            }
            return "[" + String.join(",", parts) + "]";
        }
        return quoted(value.toString());
    }

    /** ASCII only, so that the output does not depend on the platform's charset. */
    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c >= ' ' && c < 127 && c != '"' && c != '\\') {
                out.append(c);
            } else {
                out.append(String.format("\\u%04x", (int) c));
            }
        }
        return out.append('"').toString();
    }
}
