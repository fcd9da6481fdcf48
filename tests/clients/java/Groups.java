import static java.util.Map.entry;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Conversations held by KafkaConsumer in the classic protocol of groups, and by Admin about groups.
 *
 * Members are polled in turn by one thread, so that what happens is in one order.
 */
class Groups extends Conversations {
    private static final int PARTITIONS = 3;

    Groups(String bootstrap) {
        super(bootstrap);
    }

    @Override
    List<Map.Entry<String, Conversation>> all() {
        return List.of(
            entry("a group reads everything once, and goes on where it stopped", this::resume),
            entry("two members, then four, then two share three partitions: range", () -> share("RangeAssignor")),
            entry("two members, then four, then two share three partitions: round robin",
                () -> share("RoundRobinAssignor")),
            entry("two members, then four, then two share three partitions: sticky", () -> share("StickyAssignor")),
            entry("two members, then four, then two share three partitions: cooperative sticky",
                () -> share("CooperativeStickyAssignor")),
            entry("a static member that starts anew keeps its part, and nobody else notices", this::staticMember),
            entry("commits: in turn, beside the work, by themselves, with metadata", this::commits),
            entry("a member that was away too long may not commit", this::lateCommit),
            entry("assigned partitions: seek, pause, and a commit while the group has members", this::assigned),
            entry("a consumer before its topic, partitions that are added, a topic that is deleted",
                this::topicsComeAndGo),
            entry("a pattern meets a topic that comes later", this::pattern),
            entry("an administrator lists, describes, resets and deletes groups", this::administered));
    }

    /** A member of a group, what it has read, and how often its part changed. */
    private class Member implements AutoCloseable {
        final KafkaConsumer<String, String> consumer;
        final List<ConsumerRecord<String, String>> records = new ArrayList<>();
        int rebalances = 0;

        Member(String group, Map<String, String> settings) {
            Properties all = new Properties();
            all.put("bootstrap.servers", bootstrap);
            all.put("group.id", group);
            all.put("auto.offset.reset", "earliest");
            all.put("enable.auto.commit", "false");
            all.put("heartbeat.interval.ms", "200");
            all.put("metadata.max.age.ms", "500");
            all.put("key.deserializer", StringDeserializer.class.getName());
            all.put("value.deserializer", StringDeserializer.class.getName());
            all.putAll(settings);
            consumer = new KafkaConsumer<>(all);
        }

        Member subscribe(String topic) {
            consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    rebalances++;
                }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                    rebalances++;
                }
            });
            return this;
        }

        void poll() {
            consumer.poll(Duration.ofMillis(50)).forEach(records::add);
        }

        List<String> values() {
            return records.stream().map(ConsumerRecord::value).sorted().toList();
        }

        Set<TopicPartition> owned() {
            return consumer.assignment();
        }

        @Override
        public void close() {
            consumer.close();
        }
    }

    private Member member(String group, String topic) {
        return new Member(group, Map.of()).subscribe(topic);
    }

    /** Polls members in turn until it holds; the time limit of the conversation ends it. */
    private static void pollUntil(List<Member> members, Callable<Boolean> holds) throws Exception {
        while (!holds.call()) {
            members.forEach(Member::poll);
        }
    }

    /** Whether each partition has one owner, and nobody has two more than another. */
    private static boolean shareAll(List<Member> members, int partitions) {
        List<Integer> counts = members.stream().map(member -> member.owned().size()).toList();
        Set<TopicPartition> all = new HashSet<>();
        members.forEach(member -> all.addAll(member.owned()));
        int most = counts.stream().max(Comparator.naturalOrder()).orElse(0);
        int least = counts.stream().min(Comparator.naturalOrder()).orElse(0);
        boolean once = counts.stream().mapToInt(Integer::intValue).sum() == partitions;
        return all.size() == partitions && once && most - least <= 1;
    }

    /** Puts numbered values into the partitions in turn; gives them. */
    private List<String> fill(String topic, int first, int count, int partitions) throws Exception {
        List<String> values =
            IntStream.range(first, first + count).mapToObj(number -> String.format("value %04d", number)).toList();
        for (int index = 0; index < count; index++) {
            produce(topic, (first + index) % partitions, 1000, values.get(index).getBytes());
        }
        return values;
    }

    /** What a group has committed, by partition. */
    private Map<Integer, Long> committed(String group) throws Exception {
        var found = answer(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata());
        return found.entrySet().stream().collect(Collectors.toMap(
            each -> each.getKey().partition(), each -> each.getValue().offset(), (one, other) -> one, TreeMap::new));
    }

    private void resume() throws Exception {
        withTopic("resume", PARTITIONS, Map.of(), topic -> {
            List<String> values = fill(topic, 0, 12, PARTITIONS);
            try (Member one = member(topic, topic)) {
                pollUntil(List.of(one), () -> one.records.size() >= values.size());
                expectEqual("what was read", values, one.values());
                one.consumer.commitSync();
            }
            expectEqual("what is committed", Map.of(0, 4L, 1, 4L, 2, 4L), committed(topic));
            List<String> later = fill(topic, 12, 3, PARTITIONS);
            try (Member two = member(topic, topic)) {
                pollUntil(List.of(two), () -> two.records.size() >= later.size());
                expectEqual("what another one reads", later, two.values());
            }
        });
    }

    private void share(String assignor) throws Exception {
        withTopic("share-" + assignor, PARTITIONS, Map.of(), topic -> {
            var settings = Map.of("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
            try (Member one = new Member(topic, settings).subscribe(topic);
                    Member two = new Member(topic, settings).subscribe(topic)) {
                List<Member> both = List.of(one, two);
                pollUntil(both, () -> shareAll(both, PARTITIONS));
                List<String> values = fill(topic, 0, 12, PARTITIONS);
                pollUntil(both, () -> one.records.size() + two.records.size() >= values.size());
                List<String> read = new ArrayList<>(one.values());
                read.addAll(two.values());
                expectEqual("what both have read", values, read.stream().sorted().toList());
                try (Member three = new Member(topic, settings).subscribe(topic);
                        Member four = new Member(topic, settings).subscribe(topic)) {
                    List<Member> all = List.of(one, two, three, four);
                    pollUntil(all, () -> shareAll(all, PARTITIONS));
                    long idle = all.stream().filter(member -> member.owned().isEmpty()).count();
                    expectEqual("members without a partition", 1L, idle);
                }
                pollUntil(both, () -> shareAll(both, PARTITIONS));
            }
        });
    }

    private void staticMember() throws Exception {
        withTopic("static", PARTITIONS, Map.of(), topic -> {
            var first = Map.of("group.instance.id", "one", "session.timeout.ms", "30000");
            var second = Map.of("group.instance.id", "two", "session.timeout.ms", "30000");
            Member two = new Member(topic, second).subscribe(topic);
            try (Member one = new Member(topic, first).subscribe(topic)) {
                List<Member> both = List.of(one, two);
                pollUntil(both, () -> shareAll(both, PARTITIONS));
                Set<TopicPartition> owned = Set.copyOf(two.owned());
                int before = one.rebalances;
                // Static members do not leave when they are closed.
                two.close();
                try (Member again = new Member(topic, second).subscribe(topic)) {
                    pollUntil(List.of(one, again), () -> again.owned().equals(owned));
                    expectEqual("rebalances of the other one meanwhile", before, one.rebalances);
                }
            }
        });
    }

    private void commits() throws Exception {
        withTopic("commits", 1, Map.of(), topic -> {
            fill(topic, 0, 10, 1);
            TopicPartition where = new TopicPartition(topic, 0);
            try (Member one = member(topic, topic)) {
                pollUntil(List.of(one), () -> one.records.size() == 10);
                one.consumer.commitSync(Map.of(where, new OffsetAndMetadata(4, "as far as this")));
                OffsetAndMetadata found = one.consumer.committed(Set.of(where)).get(where);
                expectEqual("offset", 4L, found.offset());
                expectEqual("metadata", "as far as this", found.metadata());
                boolean[] isDone = new boolean[1];
                one.consumer.commitAsync(Map.of(where, new OffsetAndMetadata(6)),
                    (offsets, failure) -> isDone[0] = failure == null);
                pollUntil(List.of(one), () -> isDone[0]);
                expectEqual("beside the work", Map.of(0, 6L), committed(topic));
            }
            try (Member two = new Member(topic, Map.of("enable.auto.commit", "true")).subscribe(topic)) {
                pollUntil(List.of(two), () -> two.records.size() == 4);
                expectEqual("the first that comes again", 6L, two.records.get(0).offset());
            }
            expectEqual("what closing has committed", Map.of(0, 10L), committed(topic));
        });
    }

    private void lateCommit() throws Exception {
        withTopic("late", 1, Map.of(), topic -> {
            fill(topic, 0, 1, 1);
            try (Member slow = new Member(topic, Map.of("max.poll.interval.ms", "1000")).subscribe(topic)) {
                pollUntil(List.of(slow), () -> !slow.records.isEmpty());
                // It does not poll any more, leaves by itself, and another one takes over.
                try (Member quick = member(topic, topic)) {
                    pollUntil(List.of(quick), () -> !quick.records.isEmpty());
                    try {
                        slow.consumer.commitSync();
                        throw new Disagreement("the slow one may commit though another one has its partition");
                    } catch (CommitFailedException refused) {
                        expectEqual("what is committed", Map.of(), committed(topic));
                    }
                }
            }
        });
    }

    private void assigned() throws Exception {
        withTopic("assigned", 2, Map.of(), topic -> {
            fill(topic, 0, 8, 2);
            TopicPartition first = new TopicPartition(topic, 0);
            TopicPartition second = new TopicPartition(topic, 1);
            try (Member alone = new Member(topic, Map.of())) {
                alone.consumer.assign(List.of(first, second));
                alone.consumer.seek(first, 2);
                alone.consumer.pause(List.of(second));
                pollUntil(List.of(alone), () -> alone.records.size() >= 2);
                expectEqual("from offset 2, and nothing of the paused one", List.of("value 0004", "value 0006"),
                    alone.values());
                alone.consumer.resume(List.of(second));
                alone.consumer.seekToBeginning(List.of(first));
                pollUntil(List.of(alone), () -> alone.records.size() >= 2 + 8);
                alone.consumer.commitSync();
                expectEqual("committed without a group's members", Map.of(0, 4L, 1, 4L), committed(topic));
                try (Member member = member(topic, topic)) {
                    pollUntil(List.of(member), () -> member.owned().size() == 2);
                    try {
                        alone.consumer.commitSync(Map.of(first, new OffsetAndMetadata(1)));
                        throw new Disagreement("a stranger may commit while the group has members");
                    } catch (CommitFailedException refused) {
                        expectEqual("what is committed", Map.of(0, 4L, 1, 4L), committed(topic));
                    }
                    member.poll();
                    expectEqual("what the member still has", Set.of(first, second), member.owned());
                }
            }
        });
    }

    private void topicsComeAndGo() throws Exception {
        String topic = topic("come-and-go");
        try (Member early = new Member(topic, Map.of("allow.auto.create.topics", "false")).subscribe(topic)) {
            early.poll();
            answer(create(new NewTopic(topic, 1, (short) 1)));
            pollUntil(List.of(early), () -> early.owned().size() == 1);
            fill(topic, 0, 2, 1);
            pollUntil(List.of(early), () -> early.records.size() == 2);
            answer(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all());
            pollUntil(List.of(early), () -> early.owned().size() == 3);
            answer(admin.deleteTopics(Set.of(topic)).all());
            pollUntil(List.of(early), () -> early.owned().isEmpty());
        }
    }

    private void pattern() throws Exception {
        withTopic("pattern-early", 1, Map.of(), early -> {
            String start = early.substring(0, early.length() - "early".length());
            try (Member member = new Member(early, Map.of())) {
                member.consumer.subscribe(Pattern.compile(Pattern.quote(start) + ".*"));
                pollUntil(List.of(member), () -> member.owned().size() == 1);
                withTopic("pattern-late", 2, Map.of(), late -> {
                    pollUntil(List.of(member), () -> member.owned().size() == 3);
                });
                pollUntil(List.of(member), () -> member.owned().size() == 1);
            }
        });
    }

    private void administered() throws Exception {
        withTopic("administered", 1, Map.of(), topic -> {
            fill(topic, 0, 5, 1);
            TopicPartition where = new TopicPartition(topic, 0);
            try (Member member = new Member(topic, Map.of("client.id", "reader")).subscribe(topic)) {
                pollUntil(List.of(member), () -> member.records.size() == 5);
                member.consumer.commitSync();
                var group = answer(admin.describeConsumerGroups(Set.of(topic)).describedGroups().get(topic));
                expectEqual("state", GroupState.STABLE, group.groupState());
                expectEqual("assignor", "range", group.partitionAssignor());
                var one = group.members().iterator().next();
                expectEqual("client", "reader", one.clientId());
                expectEqual("its part", Set.of(where), one.assignment().topicPartitions());
                expectRefused("a group in use", GroupNotEmptyException.class,
                    admin.deleteConsumerGroups(Set.of(topic)).all());
            }
            waitUntil(() -> answer(admin.listGroups().all()).stream().anyMatch(one -> one.groupId().equals(topic)));
            answer(admin.alterConsumerGroupOffsets(topic, Map.of(where, new OffsetAndMetadata(2))).all());
            expectEqual("after the reset", Map.of(0, 2L), committed(topic));
            answer(admin.deleteConsumerGroupOffsets(topic, Set.of(where)).all());
            expectEqual("after the deletion", Map.of(), committed(topic));
            answer(admin.deleteConsumerGroups(Set.of(topic)).all());
            expectRefused("a group that is gone", GroupIdNotFoundException.class,
                admin.deleteConsumerGroups(Set.of(topic)).all());
        });
    }
}
