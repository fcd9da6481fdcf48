import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Conversations with one broker about one matter, and what all of them need: topics, answers, expectations. */
abstract class Conversations {
    private static final int TIME_LIMIT_SECONDS = 90;

    /** What one conversation does. */
    interface Conversation {
        void hold() throws Exception;
    }

    /** The broker, or the client, did not do what it should; the text is a sentence for a person. */
    static class Disagreement extends RuntimeException {
        Disagreement(String sentence) {
            super(sentence);
        }
    }

    final String bootstrap;
    final Admin admin;
    private final String prefix;

    Conversations(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        byte[] random = new byte[4];
        new Random().nextBytes(random);
        String given = System.getenv("CUTAWAY_TOPIC_PREFIX");
        this.prefix = given == null || given.isEmpty() ? "run-" + HexFormat.of().formatHex(random) : given;
    }

    /** The conversations by their names, which are stable. */
    abstract List<Map.Entry<String, Conversation>> all();

    /** Holds those whose name contains the word; gives how many were held, and how many of them went wrong. */
    int[] hold(String word) throws InterruptedException {
        int[] counts = new int[2];
        for (Map.Entry<String, Conversation> each : all()) {
            if (each.getKey().contains(word)) {
                counts[0]++;
                counts[1] += holdOne(each.getKey(), each.getValue()) ? 0 : 1;
            }
        }
        return counts;
    }

    private static boolean holdOne(String name, Conversation conversation) throws InterruptedException {
        AtomicReference<Throwable> problem = new AtomicReference<>(new Disagreement("still unfinished, given up"));
        Thread holder = new Thread(() -> {
            try {
                conversation.hold();
                problem.set(null);
            } catch (Throwable failure) {
                problem.set(failure);
            }
        });
        holder.setDaemon(true);
        holder.start();
        holder.join(TIME_LIMIT_SECONDS * 1000L);
        Throwable failure = problem.get();
        if (failure == null) {
            System.out.println("ok java: " + name);
            return true;
        }
        String sentence = failure instanceof Disagreement ? failure.getMessage() : failure.toString();
        System.out.println("FAILED java: " + name + ": " + sentence.replaceAll("\\s+", " "));
        return false;
    }

    /** A name that no other run uses. */
    String topic(String purpose) {
        return prefix + "-java-" + purpose;
    }

    static void expect(boolean holds, String sentence) {
        if (!holds) {
            throw new Disagreement(sentence);
        }
    }

    static void expectEqual(String what, Object expected, Object actual) {
        expect(expected.equals(actual), what + ": expected " + expected + ", got " + actual);
    }

    /** Ends the conversation unless the attempt fails with this exception. */
    static void expectRefused(String what, Class<? extends Exception> wanted, KafkaFuture<?> attempt)
            throws Exception {
        try {
            Object result = attempt.get(30, TimeUnit.SECONDS);
            throw new Disagreement(what + ": this should have been refused, and returned " + result);
        } catch (ExecutionException refused) {
            expect(wanted.isInstance(refused.getCause()), what + ": refused with " + refused.getCause());
        }
    }

    /** Asks until it holds: the brokers of a Kafka learn of a change a little after it was answered. */
    static void waitUntil(Callable<Boolean> holds) throws Exception {
        while (!holds.call()) {
            Thread.onSpinWait();
        }
    }

    static <T> T answer(KafkaFuture<T> future) throws Exception {
        return future.get(30, TimeUnit.SECONDS);
    }

    /** What is done with a topic. */
    interface Use {
        void with(String topic) throws Exception;
    }

    /** Makes a topic that is gone after the conversation, however it ends. */
    void withTopic(String purpose, int partitions, Map<String, String> settings, Use use) throws Exception {
        String topic = topic(purpose);
        answer(create(new NewTopic(topic, partitions, (short) 1).configs(settings)));
        try {
            waitUntil(() -> answer(admin.listTopics().names()).contains(topic));
            use.with(topic);
        } finally {
            // Where the conversation has deleted it, it is gone already.
            var deletion = admin.deleteTopics(Set.of(topic)).all().toCompletionStage();
            deletion.handle((done, gone) -> done).toCompletableFuture().get(30, TimeUnit.SECONDS);
        }
    }

    KafkaFuture<Void> create(NewTopic topic) {
        return admin.createTopics(Set.of(topic)).all();
    }

    void produce(String topic, int partition, long timestampMs, byte[] value) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.send(new ProducerRecord<>(topic, partition, timestampMs, null, value)).get(30, TimeUnit.SECONDS);
        }
    }
}
